/**
 * Which of several addresses to use (RFC 6724): the source for a destination, and the order of destinations.
 * @module
 */
import type { Host } from '../core/host.ts';
import { AF_INET6, IpAddress, SCOPE_GLOBAL } from '../wire/address.ts';
import type { Ipv6Address } from './ipv6-address.ts';

/** A line of the policy table: addresses with this prefix have this precedence and this label. */
interface Policy {
  readonly prefix: IpAddress;
  readonly prefixLength: number;
  readonly precedence: number;
  readonly label: number;
}

function policy(
  w0: number,
  w2: number,
  w3: number,
  prefixLength: number,
  precedence: number,
  label: number,
): Policy {
  return { prefix: IpAddress.v6(w0, 0, w2, w3), prefixLength, precedence, label };
}

/** RFC 6724 section 2.1, the longest prefix first. */
const POLICIES: readonly Policy[] = /* @__PURE__ */ [
  policy(0, 0, 1, 128, 50, 0),
  policy(0, 0xffff, 0, 96, 35, 4),
  policy(0, 0, 0, 96, 1, 3),
  policy(0x20010000, 0, 0, 32, 5, 5),
  policy(0x20020000, 0, 0, 16, 30, 2),
  policy(0x3ffe0000, 0, 0, 16, 1, 12),
  policy(0xfec00000, 0, 0, 10, 1, 11),
  policy(0xfc000000, 0, 0, 7, 3, 13),
  policy(0, 0, 0, 0, 40, 1),
];

function policyOf(address: IpAddress): Policy {
  const mapped = address.toMapped();
  const found = POLICIES.find(({ prefix, prefixLength }) => mapped.inPrefix(prefix, prefixLength));
  return found ?? (POLICIES[POLICIES.length - 1] as Policy);
}

/** The address to send from to `destination`, among those of an interface; null when none will do. */
export function selectSource(
  destination: IpAddress,
  candidates: readonly Ipv6Address[],
  host: Host,
): IpAddress | null {
  let best: Ipv6Address | null = null;
  for (const candidate of candidates) {
    if (!candidate.usable || !reaches(candidate.address, destination)) continue;
    if (best === null || isBetterSource(candidate, best, destination, host)) best = candidate;
  }
  return best?.address ?? null;
}

/** Whether the zones agree: a link-local address is of no use on another link, nor ::1 towards others. */
function reaches(source: IpAddress, destination: IpAddress): boolean {
  if (source.isLoopback) return destination.isLoopback;
  return source.zone === 0 || destination.zone === 0 || source.zone === destination.zone;
}

/** RFC 6724 section 5, rules 1 to 8. All candidates are of the outgoing interface, so that rule 5 decides nothing. */
function isBetterSource(a: Ipv6Address, b: Ipv6Address, destination: IpAddress, host: Host): boolean {
  const by = (rule: (entry: Ipv6Address) => number): number => rule(a) - rule(b);
  const { scope } = destination;
  const label = policyOf(destination).label;
  const same = by(({ address }) => Number(address.equals(destination)));
  if (same !== 0) return same > 0;
  const scopes = a.address.scope - b.address.scope;
  if (scopes < 0) return a.address.scope >= scope;
  if (scopes > 0) return b.address.scope < scope;
  const fresh = by(entry => Number(!entry.isDeprecated(host.nowUs)) + Number(entry.check === 'done') / 2);
  if (fresh !== 0) return fresh > 0;
  const labels = by(({ address }) => Number(policyOf(address).label === label));
  if (labels !== 0) return labels > 0;
  const temporary = by(entry => Number(entry.origin === 'temporary'));
  if (temporary !== 0) return temporary > 0 === host.sysctl.use_tempaddr >= 2;
  return by(entry => Math.min(commonPrefix(entry.address, destination), entry.prefixLength)) > 0;
}

/** How many leading bits two addresses have in common, 0 .. 128. */
export function commonPrefix(a: IpAddress, b: IpAddress): number {
  const words = [
    [a.w0, b.w0],
    [a.w1, b.w1],
    [a.w2, b.w2],
    [a.w3, b.w3],
  ] as const;
  let bits = 0;
  for (const [one, other] of words) {
    if (one !== other) return bits + Math.clz32(one ^ other);
    bits += 32;
  }
  return bits;
}

/** A destination, and the source that would be used for it; null when it cannot be reached. */
export interface Candidate {
  readonly destination: IpAddress;
  readonly source: IpAddress | null;
}

/**
 * Destinations in the order in which to try them (RFC 6724 section 6), of both families. Those that rules do not tell
 * apart keep their order.
 */
export function sortDestinations(candidates: readonly Candidate[]): IpAddress[] {
  return [...candidates].sort(compareDestinations).map(({ destination }) => destination);
}

/** Rules 1, 2, 5, 6, 8, 9 and 10: negative when `a` goes first. */
function compareDestinations(a: Candidate, b: Candidate): number {
  const by = (rule: (candidate: Candidate) => number): number => rule(b) - rule(a);
  const scopeOf = ({ destination }: Candidate): number => Math.min(destination.scope, SCOPE_GLOBAL);
  return (
    by(({ source }) => Number(source !== null)) ||
    by(({ destination, source }) => Number(source?.scope === destination.scope)) ||
    by(({ destination, source }) =>
      Number(source !== null && policyOf(source).label === policyOf(destination).label),
    ) ||
    by(({ destination }) => policyOf(destination).precedence) ||
    -by(scopeOf) ||
    by(({ destination, source }) =>
      source === null || destination.family !== AF_INET6 ? 0 : commonPrefix(destination, source),
    )
  );
}
