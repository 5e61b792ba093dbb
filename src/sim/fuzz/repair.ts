/**
 * Where the headers of a frame lie, and how to make its lengths and checksums right again, so that what was changed
 * is not found out by the first check.
 * @module
 */
import type { Packet } from '../../core/packet.ts';
import { finishChecksum } from '../../wire/checksum.ts';
import { ETHERNET_HEADER_LENGTH, ETHERTYPE_IPV4, ethernetType } from '../../wire/ethernet.ts';
import { ICMP4_CHECKSUM, ICMP4_HEADER_LENGTH } from '../../wire/icmp4.ts';
import {
  fillIpv4Checksum,
  IPV4_HEADER_LENGTH,
  ipv4HeaderLength,
  ipv4IsFragment,
  ipv4Protocol,
  ipv4TotalLength,
  setIpv4TotalLength,
} from '../../wire/ipv4.ts';
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

/** Makes the total length that of the frame, when it is a frame with IPv4. */
export function repairLength(packet: Packet): void {
  if (locateIpv4(packet)) setIpv4TotalLength(packet.view, packet.l3, packet.end - packet.l3);
}

/** Makes the checksums right of what is still recognizable as IPv4 with TCP, UDP or ICMP in it. */
export function repairChecksums(packet: Packet): void {
  if (!locateIpv4(packet)) return;
  const { view, l3, l4 } = packet;
  fillIpv4Checksum(view, l3);
  if (ipv4IsFragment(view, l3)) return;
  const end = Math.min(packet.end, l3 + ipv4TotalLength(view, l3));
  const protocol = ipv4Protocol(view, l3);
  if (protocol === PROTOCOL_TCP && end - l4 >= TCP_HEADER_LENGTH) {
    fill(packet, l4 + TCP_CHECKSUM, end, pseudoHeader(view, l3, protocol, end - l4));
  } else if (protocol === PROTOCOL_UDP && end - l4 >= UDP_HEADER_LENGTH) {
    fill(packet, l4 + UDP_CHECKSUM, end, pseudoHeader(view, l3, protocol, end - l4));
  } else if (protocol === PROTOCOL_ICMP && end - l4 >= ICMP4_HEADER_LENGTH) {
    fill(packet, l4 + ICMP4_CHECKSUM, end, 0);
  }
}

function fill(packet: Packet, at: number, end: number, initial: number): void {
  packet.view.setUint16(at, 0);
  packet.view.setUint16(at, finishChecksum(packet.sum(packet.l4, end, initial)));
}

function pseudoHeader(view: DataView, l3: number, protocol: number, length: number): number {
  let sum = protocol + length;
  for (let at = l3 + 12; at < l3 + 20; at += 2) sum += view.getUint16(at);
  return sum;
}
