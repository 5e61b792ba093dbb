/**
 * Compares what was sent with what a script expects. One expected segment may have been sent as several, as a network
 * card that cuts large segments would: the rules are those of packetdrill.
 * @module
 */
import { CWR, FIN, PSH } from '../wire/tcp.ts';
import type { Flow } from './flow.ts';
import { formatFlags, formatOption, formatOptions } from './format.ts';
import { patternBreak } from './pattern.ts';
import type { Segment } from './segment.ts';
import type { OptionSpec, TcpSpec } from './syntax.ts';

/** How exactly segments are compared. */
export interface MatchRules {
  /** Also what packetdrill lets pass: the echoed timestamp, and a FIN before the last part. */
  readonly strict: boolean;
  /** How far off a timestamp of ours may be, in its own ticks; null: it is not looked at. */
  readonly timestampTicks: number | null;
}

/** FIN, PSH and CWR may differ between the parts of one large segment. */
const FREE_FLAGS = FIN | PSH | CWR;

/**
 * What keeps `next` from being the continuation of `last`, or null. `left` is what was still to come before it: all
 * parts but the last have the same length.
 */
export function partMismatch(last: Segment, next: Segment, left: number): string | null {
  if ((last.flags | FREE_FLAGS) !== (next.flags | FREE_FLAGS))
    return `flags ${formatFlags(next.flags)} of a part, ${formatFlags(last.flags)} of the part before`;
  if ((last.seq + last.payload.length) >>> 0 !== next.seq) return 'a part does not continue the one before';
  if (last.ack !== next.ack) return 'the acknowledgement differs between parts';
  if (last.window !== next.window) return `win ${next.window} of a part, ${last.window} of the part before`;
  if (last.options.length !== next.options.length) return 'the options differ between parts';
  const size = next.payload.length;
  if (size < left && size !== last.payload.length)
    return `a part of ${size} bytes after one of ${last.payload.length}, with ${left - size} bytes to come`;
  return null;
}

/** What differs between an expected segment and the parts that make it up, or null. */
export function mismatch(
  spec: TcpSpec,
  parts: readonly Segment[],
  flow: Flow,
  rules: MatchRules,
): string | null {
  const first = flow.fromWire(parts[0] as Segment);
  const last = flow.fromWire(parts[parts.length - 1] as Segment);
  const length = parts.reduce((sum, part) => sum + part.payload.length, 0);
  const flags = (last.flags & ~CWR) | (first.flags & CWR);
  if (spec.flags !== flags) return `flags ${formatFlags(flags)}, expected ${formatFlags(spec.flags)}`;
  if (spec.seq !== first.seq) return `seq ${first.seq}, expected ${spec.seq}`;
  if (spec.length !== length)
    return `live packet payload: expected ${spec.length} bytes vs actual ${length} bytes`;
  if ((spec.ack ?? 0) !== last.ack) return `ack ${last.ack}, expected ${spec.ack ?? 0}`;
  if (spec.window !== null && spec.window !== last.window)
    return `win ${last.window}, expected ${spec.window}`;
  if (spec.urgent !== last.urgent) return `urg ${last.urgent}, expected ${spec.urgent}`;
  return (
    ipMismatch(spec, last) ??
    optionsMismatch(spec.options, last.options, rules) ??
    payloadMismatch(flow.offsetOfOurs(spec), parts) ??
    (rules.strict ? partFlags(parts) : null)
  );
}

function ipMismatch({ ip }: TcpSpec, { tos, ttl }: Segment): string | null {
  const ecn = tos & 3;
  if (ip.check === 'ecn' && ecn !== ip.tos) return `ip_ecn ${ecn}, expected ${ip.tos}`;
  if (ip.check === 'ect01' && ecn !== 1 && ecn !== 2) return `ip_ecn ${ecn}, expected 1 or 2`;
  if (ip.check === 'tos' && tos !== ip.tos) return `tos ${tos}, expected ${ip.tos}`;
  return ip.ttl !== 0 && ip.ttl !== ttl ? `ttl ${ttl}, expected ${ip.ttl}` : null;
}

function optionsMismatch(
  expected: readonly OptionSpec[] | null,
  actual: readonly OptionSpec[],
  rules: MatchRules,
): string | null {
  if (expected === null) return null;
  const same =
    expected.length === actual.length &&
    expected.every((option, index) => sameOption(option, actual[index] as OptionSpec, rules));
  return same ? null : `options <${formatOptions(actual)}>, expected <${formatOptions(expected)}>`;
}

/** Our timestamps follow the clock: a script that wants their value looked at says how long a tick is. */
function sameOption(
  expected: OptionSpec,
  actual: OptionSpec,
  { strict, timestampTicks }: MatchRules,
): boolean {
  if (expected.kind === 'timestamps' && actual.kind === 'timestamps') {
    if (strict && expected.ecr !== actual.ecr) return false;
    return timestampTicks === null || Math.abs((actual.val - expected.val) | 0) <= timestampTicks;
  }
  return formatOption(expected) === formatOption(actual);
}

function payloadMismatch(offset: number, parts: readonly Segment[]): string | null {
  let at = offset;
  for (const { payload } of parts) {
    const wrong = patternBreak(at, payload);
    if (wrong !== null)
      return `incorrect outbound data payload: byte ${wrong} of the stream is not what was written`;
    at += payload.length;
  }
  return null;
}

function partFlags(parts: readonly Segment[]): string | null {
  for (const [index, { flags }] of parts.slice(0, -1).entries()) {
    if ((flags & FIN) !== 0) return `part ${index + 1} of ${parts.length} has ${formatFlags(flags)}`;
  }
  return null;
}
