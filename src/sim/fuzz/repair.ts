/**
 * Where the headers of a frame lie, and how to make its lengths and checksums right again, so that what was changed
 * is not found out by the first check.
 * @module
 */
import type { Packet } from '../../core/packet.ts';
import { finishChecksum } from '../../wire/checksum.ts';
import { ETHERNET_HEADER_LENGTH, ETHERTYPE_IPV4, ETHERTYPE_IPV6, ethernetType } from '../../wire/ethernet.ts';
import { ICMP4_CHECKSUM, ICMP4_HEADER_LENGTH } from '../../wire/icmp4.ts';
import { ICMP6_CHECKSUM, IPPROTO_ICMPV6 } from '../../wire/icmp6.ts';
import {
  fillIpv4Checksum,
  IPV4_HEADER_LENGTH,
  ipv4HeaderLength,
  ipv4IsFragment,
  ipv4Protocol,
  ipv4TotalLength,
  setIpv4TotalLength,
} from '../../wire/ipv4.ts';
import { IPV6_HEADER_LENGTH, ipv6AddressSum, setIpv6PayloadLength } from '../../wire/ipv6.ts';
import { IPV6_FRAGMENT, upperLayer } from '../../wire/ipv6-extension.ts';
import { TCP_CHECKSUM, TCP_HEADER_LENGTH } from '../../wire/tcp.ts';
import { UDP_CHECKSUM, UDP_HEADER_LENGTH } from '../../wire/udp.ts';

/** IP protocol numbers (IANA). */
export const PROTOCOL_ICMP = 1;
export const PROTOCOL_TCP = 6;
export const PROTOCOL_UDP = 17;

/** Sets l3 and l4 of a frame that holds an IPv4 header; false when it does not. */
export function locateIpv4(packet: Packet): boolean {
  const { view, start, end } = packet;
  const l3 = start + ETHERNET_HEADER_LENGTH;
  if (end - l3 < IPV4_HEADER_LENGTH || ethernetType(view, start) !== ETHERTYPE_IPV4) return false;
  const headerLength = ipv4HeaderLength(view, l3);
  if (headerLength < IPV4_HEADER_LENGTH || l3 + headerLength > end) return false;
  packet.l3 = l3;
  packet.l4 = l3 + headerLength;
  return true;
}

/**
 * Sets l3 and l4 of a frame that holds an IPv6 header, l4 behind the extension headers. Returns the protocol of what is
 * there: -1 when there is no such header, or they do not end within the frame, or it is a fragment.
 */
function locateIpv6(packet: Packet): number {
  const { view, start, end } = packet;
  const l3 = start + ETHERNET_HEADER_LENGTH;
  if (end - l3 < IPV6_HEADER_LENGTH || ethernetType(view, start) !== ETHERTYPE_IPV6) return -1;
  const upper = upperLayer(view, l3, end, IPV6_FRAGMENT);
  if (upper === null || upper.offset > end || upper.protocol === IPV6_FRAGMENT) return -1;
  packet.l3 = l3;
  packet.l4 = upper.offset;
  return upper.protocol;
}

/** Whether the frame holds an IPv6 header; sets l3, and l4 behind that header alone. */
export function isIpv6(packet: Packet): boolean {
  const { view, start, end } = packet;
  const l3 = start + ETHERNET_HEADER_LENGTH;
  if (end - l3 < IPV6_HEADER_LENGTH || ethernetType(view, start) !== ETHERTYPE_IPV6) return false;
  packet.l3 = l3;
  packet.l4 = l3 + IPV6_HEADER_LENGTH;
  return true;
}

/** Sets l3 and l4 of a frame with a transport header; returns its protocol number, -1 when there is none. */
export function locateTransport(packet: Packet): number {
  if (!locateIpv4(packet)) return locateIpv6(packet);
  return ipv4IsFragment(packet.view, packet.l3) ? -1 : ipv4Protocol(packet.view, packet.l3);
}

/** Makes the length in the IP header that of the frame. */
export function repairLength(packet: Packet): void {
  const { view } = packet;
  if (locateIpv4(packet)) setIpv4TotalLength(view, packet.l3, packet.end - packet.l3);
  else if (isIpv6(packet)) setIpv6PayloadLength(view, packet.l3, packet.end - packet.l4);
}

/** Makes the checksums right of what is still recognizable as IP with TCP, UDP or ICMP in it. */
export function repairChecksums(packet: Packet): void {
  const { view } = packet;
  if (locateIpv4(packet)) fillIpv4Checksum(view, packet.l3);
  const protocol = locateTransport(packet);
  if (protocol < 0) return;
  const { l3, l4 } = packet;
  const isV4 = l4 - l3 < IPV6_HEADER_LENGTH || ethernetType(view, packet.start) === ETHERTYPE_IPV4;
  const end = isV4 ? Math.min(packet.end, l3 + ipv4TotalLength(view, l3)) : packet.end;
  const pseudo = (isV4 ? addressSum4(view, l3) : ipv6AddressSum(view, l3)) + protocol + end - l4;
  if (protocol === PROTOCOL_TCP && end - l4 >= TCP_HEADER_LENGTH) {
    fill(packet, l4 + TCP_CHECKSUM, end, pseudo);
  } else if (protocol === PROTOCOL_UDP && end - l4 >= UDP_HEADER_LENGTH) {
    fill(packet, l4 + UDP_CHECKSUM, end, pseudo);
  } else if (protocol === PROTOCOL_ICMP && isV4 && end - l4 >= ICMP4_HEADER_LENGTH) {
    fill(packet, l4 + ICMP4_CHECKSUM, end, 0);
  } else if (protocol === IPPROTO_ICMPV6 && !isV4 && end - l4 >= ICMP4_HEADER_LENGTH) {
    fill(packet, l4 + ICMP6_CHECKSUM, end, pseudo);
  }
}

function fill(packet: Packet, at: number, end: number, initial: number): void {
  packet.view.setUint16(at, 0);
  packet.view.setUint16(at, finishChecksum(packet.sum(packet.l4, end, initial)));
}

function addressSum4(view: DataView, l3: number): number {
  let sum = 0;
  for (let at = l3 + 12; at < l3 + 20; at += 2) sum += view.getUint16(at);
  return sum;
}
