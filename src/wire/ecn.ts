/**
 * The ECN field of an IP header (RFC 3168 section 5): the low two bits of IPv4's type of service, and of IPv6's traffic
 * class. `offset` is where a whole IP header begins.
 * @module
 */

/** The sender does not understand ECN: congestion can only be told by loss. */
export const NOT_ECT = 0;
/** ECN-capable, the codepoint of experiments (RFC 8311). */
export const ECT_1 = 1;
/** ECN-capable, as TCP says it. */
export const ECT_0 = 2;
/** A router on the way has met congestion. */
export const CE = 3;
/** The field's bits in a type of service or traffic class. */
export const ECN_MASK = 3;

/** Of IPv4: offset of the checksum field. */
const IPV4_CHECKSUM = 10;
/** How far up the traffic class stands in the first 16 bits of an IPv6 header. */
const TRAFFIC_CLASS_SHIFT = 4;

/** The ECN field of an IP header of either family: one of the four codepoints. */
export function ecnField(view: DataView, offset: number): number {
  const word = view.getUint16(offset);
  return (isIpv4(word) ? word : word >> TRAFFIC_CLASS_SHIFT) & ECN_MASK;
}

/**
 * Makes an ECN-capable packet say that it met congestion, as a router does instead of dropping it; the header's
 * checksum stays right (RFC 1624). False, and nothing is changed, when the packet is not ECN-capable.
 */
export function markCe(view: DataView, offset: number): boolean {
  const ecn = ecnField(view, offset);
  if (ecn === NOT_ECT) return false;
  const word = view.getUint16(offset);
  if (isIpv4(word)) {
    view.setUint16(offset, word | CE);
    const sum = (~view.getUint16(offset + IPV4_CHECKSUM) & 0xffff) + (CE - ecn);
    view.setUint16(offset + IPV4_CHECKSUM, ~((sum & 0xffff) + (sum >>> 16)) & 0xffff);
  } else {
    view.setUint16(offset, word | (CE << TRAFFIC_CLASS_SHIFT));
  }
  return true;
}

function isIpv4(word: number): boolean {
  return word >> 12 === 4;
}
