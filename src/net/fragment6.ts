/**
 * Cutting an IPv6 packet into fragments (RFC 8200 section 4.5), which only its source does.
 * @module
 */
import { HEADROOM, type Packet } from '../core/packet.ts';
import type { PacketPool } from '../core/pool.ts';
import { IPV6_HEADER_LENGTH, IPV6_NEXT_HEADER, ipv6NextHeader, setIpv6PayloadLength } from '../wire/ipv6.ts';
import { emitFragmentHeader, FRAGMENT_HEADER_LENGTH, IPV6_FRAGMENT } from '../wire/ipv6-extension.ts';

/**
 * The fragment that holds bytes [at, at + length) of what is behind the header of `packet`, a packet of ours at `l3`
 * without extension headers. Null when the pool is empty.
 */
export function makeFragment6(
  packet: Packet,
  pool: PacketPool,
  at: number,
  length: number,
  id: number,
): Packet | null {
  const { l3, l4, view } = packet;
  const total = IPV6_HEADER_LENGTH + FRAGMENT_HEADER_LENGTH + length;
  const fragment = pool.take(total);
  if (fragment === null) return null;
  const start = HEADROOM;
  const data = start + IPV6_HEADER_LENGTH + FRAGMENT_HEADER_LENGTH;
  fragment.bytes.set(packet.bytes.subarray(l3, l3 + IPV6_HEADER_LENGTH), start);
  fragment.bytes.set(packet.bytes.subarray(l4 + at, l4 + at + length), data);
  fragment.start = fragment.l3 = start;
  fragment.l4 = data;
  fragment.end = data + length;
  fragment.src = packet.src;
  fragment.dst = packet.dst;
  fragment.protocol = packet.protocol;
  fragment.mark = packet.mark;
  const more = l4 + at + length < packet.end;
  const header = start + IPV6_HEADER_LENGTH;
  emitFragmentHeader(fragment.view, header, ipv6NextHeader(view, l3), at, more, id);
  fragment.view.setUint8(start + IPV6_NEXT_HEADER, IPV6_FRAGMENT);
  setIpv6PayloadLength(fragment.view, start, FRAGMENT_HEADER_LENGTH + length);
  return fragment;
}
