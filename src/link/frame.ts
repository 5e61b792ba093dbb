/**
 * What links need to know of a frame: how long its IP packet is, how to copy it, how to finish its checksum.
 * @module
 */
import type { Medium } from '../core/link.ts';
import { HEADROOM, type Packet } from '../core/packet.ts';
import { markCe } from '../wire/ecn.ts';
import { ETHERNET_HEADER_LENGTH, ETHERTYPE_IPV4, ETHERTYPE_IPV6 } from '../wire/ethernet.ts';
import { IPV4_HEADER_LENGTH } from '../wire/ipv4.ts';
import { IPV6_HEADER_LENGTH } from '../wire/ipv6.ts';
import { checkVlan, VLAN_TAG_LENGTH } from '../wire/vlan.ts';

/** Bytes of the Ethernet header and its VLAN tags (IEEE 802.1Q, 802.1ad); 0 on medium 'ip'. */
export function linkHeaderLength(packet: Packet, medium: Medium): number {
  if (medium === 'ip') return 0;
  let type = packet.start + ETHERNET_HEADER_LENGTH - 2;
  while (checkVlan(packet.view, type, packet.end)) type += VLAN_TAG_LENGTH;
  return Math.min(type + 2 - packet.start, packet.length);
}

/** Whether a link with this MTU and this GSO limit (0: none) cannot carry the packet. */
export function isTooBig(packet: Packet, medium: Medium, mtu: number, gsoMaxSize: number): boolean {
  // The frame fits with its header: no need to look for tags.
  if (packet.length <= mtu) return false;
  const limit = packet.gsoSize > 0 ? Math.max(mtu, gsoMaxSize) : mtu;
  return packet.length - linkHeaderLength(packet, medium) > limit;
}

/**
 * Marks the IP packet in a frame as one that has met congestion (RFC 3168 section 5). False, and nothing is changed,
 * when it is not ECN-capable, or there is no IP packet.
 */
export function markFrame(packet: Packet, medium: Medium): boolean {
  const { view, end } = packet;
  const l3 = packet.start + linkHeaderLength(packet, medium);
  if (end - l3 < IPV4_HEADER_LENGTH) return false;
  const isIpv4 = view.getUint8(l3) >> 4 === 4;
  if (!isIpv4 && (view.getUint8(l3) >> 4 !== 6 || end - l3 < IPV6_HEADER_LENGTH)) return false;
  const type = isIpv4 ? ETHERTYPE_IPV4 : ETHERTYPE_IPV6;
  if (medium === 'ethernet' && view.getUint16(l3 - 2) !== type) return false;
  return markCe(view, l3);
}

/** A copy of the packet from the same pool, or null when the pool is at its limit. */
export function copyPacket(packet: Packet): Packet | null {
  const copy = packet.owner.take(Math.max(packet.end - HEADROOM, 0));
  copy?.copyFrom(packet);
  return copy;
}
