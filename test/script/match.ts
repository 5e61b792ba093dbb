import { ACK, FIN, formatTcpFlags, PSH } from '../../src/wire/tcp.ts';
import { type Peer, patternByte } from './peer.ts';
import type { Segment } from './segment.ts';
import type { OptionSpec, TcpSpec } from './syntax.ts';

/**
 * Compares segments of ours with an expected one. Several segments may make up one expected one, as a network card that
 * cuts large segments would send it: all of the same size but the last, which alone has PSH and FIN.
 * Returns what differs, or null.
 */
export function mismatch(spec: TcpSpec, live: readonly Segment[], peer: Peer): string | null {
  const first = live[0] as Segment;
  const last = live[live.length - 1] as Segment;
  const actual = peer.fromWire(first);
  const length = live.reduce((sum, segment) => sum + segment.payload.length, 0);
  if (peer.port !== first.destination) return `port ${first.destination}, not that of the peer`;
  if (spec.flags !== last.flags) return `flags ${flagText(last.flags)}`;
  if (spec.seq !== actual.seq) return `seq ${actual.seq}`;
  if (spec.length !== length) return `length ${length}`;
  if ((spec.flags & ACK) !== 0 && spec.ack !== null && spec.ack !== actual.ack) return `ack ${actual.ack}`;
  if (spec.window !== null && spec.window !== actual.window) return `win ${actual.window}`;
  if (spec.urgent !== null && spec.urgent !== actual.urgent) return `urg ${actual.urgent}`;
  if (spec.tags.ecn !== null && spec.tags.ecn !== first.ecn) return `ecn ${first.ecn}`;
  return (
    partsMismatch(spec, live) ?? optionsMismatch(spec.options, actual.options) ?? payloadMismatch(spec, live)
  );
}

function partsMismatch(spec: TcpSpec, live: readonly Segment[]): string | null {
  const size = (live[0] as Segment).payload.length;
  for (const [index, part] of live.slice(0, -1).entries()) {
    if (part.payload.length !== size)
      return `part ${index + 1} of ${live.length} has ${part.payload.length} bytes`;
    if ((part.flags | PSH | FIN) !== (spec.flags | PSH | FIN))
      return `part ${index + 1}: flags ${flagText(part.flags)}`;
    if ((part.flags & (PSH | FIN)) !== 0)
      return `part ${index + 1} of ${live.length} has ${flagText(part.flags)}`;
  }
  return null;
}

function optionsMismatch(
  expected: readonly OptionSpec[] | null,
  actual: readonly OptionSpec[],
): string | null {
  if (expected === null) return null;
  const text = formatOptions(actual);
  if (expected.length !== actual.length) return `options <${text}>`;
  return expected.every((option, index) => sameOption(option, actual[index] as OptionSpec))
    ? null
    : `options <${text}>`;
}

/** Our timestamps follow the clock and the peer's offset, so a script cannot know their value: only ecr counts. */
function sameOption(expected: OptionSpec, actual: OptionSpec): boolean {
  if (expected.kind === 'timestamps' && actual.kind === 'timestamps') return expected.ecr === actual.ecr;
  return formatOption(expected) === formatOption(actual);
}

function payloadMismatch(spec: TcpSpec, live: readonly Segment[]): string | null {
  let offset = spec.seq - 1;
  for (const { payload } of live) {
    for (const byte of payload) {
      if (byte !== patternByte(offset))
        return `payload: byte ${offset} of the stream is not what was written`;
      offset++;
    }
  }
  return null;
}

/** A segment as a script writes it. */
export function formatSegment(segment: {
  readonly flags: number;
  readonly seq: number;
  readonly length: number;
  readonly ack: number | null;
  readonly window: number | null;
  readonly options: readonly OptionSpec[] | null;
}): string {
  const { flags, seq, length, ack, window, options } = segment;
  const parts = [flagText(flags), `${seq}:${seq + length}(${length})`];
  if (ack !== null && (flags & ACK) !== 0) parts.push(`ack ${ack}`);
  if (window !== null) parts.push(`win ${window}`);
  if (options === null) parts.push('<...>');
  else if (options.length > 0) parts.push(`<${formatOptions(options)}>`);
  return parts.join(' ');
}

function flagText(flags: number): string {
  return flags === 0 ? '-' : formatTcpFlags(flags);
}

function formatOptions(options: readonly OptionSpec[]): string {
  return options.map(formatOption).join(',');
}

function formatOption(option: OptionSpec): string {
  switch (option.kind) {
    case 'mss':
    case 'wscale':
      return `${option.kind} ${option.value}`;
    case 'timestamps':
      return `TS val ${option.val} ecr ${option.ecr}`;
    case 'sack':
      return `sack ${option.blocks.map(([left, right]) => `${left}:${right}`).join(' ')}`;
    case 'raw':
      return `raw ${[...option.bytes].map(byte => byte.toString(16).padStart(2, '0')).join('')}`;
    default:
      return option.kind;
  }
}
