/**
 * What links need to know of a frame: how long its IP packet is, how to copy it, how to finish its checksum.
 * @module
 */
import type { Medium } from '../core/link.ts';
import { HEADROOM, type Packet } from '../core/packet.ts';
import { ETHERNET_HEADER_LENGTH } from '../wire/ethernet.ts';
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

/** A copy of the packet from the same pool, or null when the pool is at its limit. */
export function copyPacket(packet: Packet): Packet | null {
  const copy = packet.owner.take(Math.max(packet.end - HEADROOM, 0));
  copy?.copyFrom(packet);
  return copy;
}
