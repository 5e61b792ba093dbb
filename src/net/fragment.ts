/**
 * Cutting an IPv4 datagram into fragments (RFC 791 section 3.2).
 * @module
 */
import { HEADROOM, type Packet } from '../core/packet.ts';
import type { PacketPool } from '../core/pool.ts';
import {
  blankUncopiedIpv4Options,
  fillIpv4Checksum,
  IPV4_HEADER_LENGTH,
  ipv4FragmentOffset,
  ipv4HeaderLength,
  ipv4MoreFragments,
  setIpv4Fragment,
  setIpv4TotalLength,
} from '../wire/ipv4.ts';

/** How many bytes of data each fragment but the last has under this MTU: a multiple of 8, 0 when none fits. */
export function fragmentDataSize(mtu: number, headerLength: number): number {
  return Math.max(0, (mtu - headerLength) & ~7);
}

/**
 * The fragment that holds bytes [at, at + length) of the payload of `packet`, an IPv4 packet at `l3` (a fragment
 * itself, perhaps). Null when the pool is empty.
 */
export function makeFragment(packet: Packet, pool: PacketPool, at: number, length: number): Packet | null {
  const { l3, view } = packet;
  const headerLength = ipv4HeaderLength(view, l3);
  const data = l3 + headerLength + at;
  const fragment = pool.take(headerLength + length);
  if (fragment === null) return null;
  const start = HEADROOM;
  fragment.bytes.set(packet.bytes.subarray(l3, l3 + headerLength), start);
  fragment.bytes.set(packet.bytes.subarray(data, data + length), start + headerLength);
  fragment.start = fragment.l3 = start;
  fragment.l4 = start + headerLength;
  fragment.end = start + headerLength + length;
  fragment.src = packet.src;
  fragment.dst = packet.dst;
  fragment.protocol = packet.protocol;
  fragment.mark = packet.mark;
  const isLast = data + length === packet.end && !ipv4MoreFragments(view, l3);
  if (at > 0 && headerLength > IPV4_HEADER_LENGTH) blankUncopiedIpv4Options(fragment.view, start);
  setIpv4TotalLength(fragment.view, start, headerLength + length);
  setIpv4Fragment(fragment.view, start, ipv4FragmentOffset(view, l3) + at, !isLast, false);
  fillIpv4Checksum(fragment.view, start);
  return fragment;
}
