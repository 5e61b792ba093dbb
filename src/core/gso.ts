/**
 * Cutting TCP super-segments, over either IP, into packets: what a link without the offload needs (Linux's
 * tcp_gso_segment).
 * @module
 */

import { seqAdd } from '../base/seq.ts';
import { foldChecksum } from '../wire/checksum.ts';
import {
  fillIpv4Checksum,
  ipv4Destination,
  ipv4Id,
  ipv4Source,
  setIpv4Id,
  setIpv4TotalLength,
} from '../wire/ipv4.ts';
import { IPV6_HEADER_LENGTH, ipv6AddressSum, setIpv6PayloadLength } from '../wire/ipv6.ts';
import {
  CWR,
  FIN,
  PSH,
  setTcpChecksum,
  setTcpFlags,
  setTcpSeq,
  TCP_CHECKSUM,
  tcpFlags,
  tcpHeaderLength,
  tcpSeq,
} from '../wire/tcp.ts';
import { IPPROTO_TCP } from './network.ts';
import { CHECKSUM_PARTIAL, HEADROOM, type Packet, type PacketOwner } from './packet.ts';
import { completeChecksum } from './partial-checksum.ts';

/** Where the cut segments go. */
export interface SegmentSink {
  /** Takes one segment; they come in order. */
  segment(packet: Packet): void;
}

/** How many packets of the wire this is: 1 unless it is a super-segment. */
export function segmentCount(packet: Packet): number {
  if (packet.gsoSize === 0) return 1;
  const payload = packet.l4 + tcpHeaderLength(packet.view, packet.l4);
  return Math.max(1, Math.ceil((packet.end - payload) / packet.gsoSize));
}

/** Bytes of the largest IP packet that this becomes on the wire: one segment of it when it is a super-segment. */
export function wireLength(packet: Packet): number {
  const { l3, l4, end, gsoSize } = packet;
  if (gsoSize === 0) return end - l3;
  return Math.min(end, l4 + tcpHeaderLength(packet.view, l4) + gsoSize) - l3;
}

/**
 * Cuts a super-segment (start at the link header or the IP header, l3 and l4 set) into segments of gsoSize bytes:
 * sequence number, IP id and total length go up, CWR stays on the first alone, FIN and PSH on the last alone. Their
 * checksums are complete, or PARTIAL when `checksumOffload`. The super-segment stays the caller's. Returns how many
 * segments were made: fewer than `segmentCount` when the pool is empty.
 */
export function cutTcp(
  packet: Packet,
  pool: PacketOwner,
  checksumOffload: boolean,
  sink: SegmentSink,
): number {
  const { view, l4, gsoSize, end } = packet;
  const payload = l4 + tcpHeaderLength(view, l4);
  const flags = tcpFlags(view, l4);
  let made = 0;
  for (let at = payload; at < end; at += gsoSize) {
    const chunk = Math.min(gsoSize, end - at);
    const last = at + chunk === end;
    const segment = copySegment(packet, pool, payload, at, chunk);
    if (segment === null) break;
    setTcpSeq(segment.view, l4, seqAdd(tcpSeq(view, l4), at - payload));
    setTcpFlags(segment.view, l4, flags & (last ? -1 : ~(FIN | PSH)) & (made === 0 ? -1 : ~CWR));
    if (isIpv4(view, packet.l3)) {
      setIpv4TotalLength(segment.view, packet.l3, segment.end - packet.l3);
      setIpv4Id(segment.view, packet.l3, ipv4Id(view, packet.l3) + made);
      fillIpv4Checksum(segment.view, packet.l3);
    } else {
      setIpv6PayloadLength(segment.view, packet.l3, segment.end - packet.l3 - IPV6_HEADER_LENGTH);
    }
    fillTcpChecksum(segment, checksumOffload);
    made++;
    sink.segment(segment);
  }
  return made;
}

/** A packet with the headers of `packet` and `chunk` bytes of its payload, at the same offsets. */
function copySegment(
  packet: Packet,
  pool: PacketOwner,
  payload: number,
  at: number,
  chunk: number,
): Packet | null {
  const segment = pool.take(payload + chunk - HEADROOM);
  if (segment === null) return null;
  const { bytes } = segment;
  for (let i = packet.start; i < payload; i++) bytes[i] = packet.bytes[i] as number;
  bytes.set(packet.bytes.subarray(at, at + chunk), payload);
  segment.start = packet.start;
  segment.end = payload + chunk;
  segment.l3 = packet.l3;
  segment.l4 = packet.l4;
  segment.payload = payload;
  segment.src = packet.src;
  segment.dst = packet.dst;
  segment.protocol = packet.protocol;
  segment.atUs = packet.atUs;
  segment.netif = packet.netif;
  segment.mark = packet.mark;
  return segment;
}

function fillTcpChecksum(segment: Packet, checksumOffload: boolean): void {
  leaveTcpChecksumOpen(segment);
  if (!checksumOffload) completeChecksum(segment);
}

/** Leaves the checksum of a TCP packet to be completed: the field holds the pseudo-header's sum (CHECKSUM_PARTIAL). */
export function leaveTcpChecksumOpen(packet: Packet): void {
  const { view, l3, l4, end } = packet;
  setTcpChecksum(view, l4, foldChecksum(pseudoHeaderSumAt(view, l3, l4, end)));
  packet.checksumOffset = TCP_CHECKSUM;
  packet.checksumState = CHECKSUM_PARTIAL;
}

function isIpv4(view: DataView, l3: number): boolean {
  return view.getUint8(l3) >> 4 === 4;
}

/** The sum, not folded, of the pseudo-header of a TCP packet whose IP header is at l3: for bytes[l4, end). */
export function pseudoHeaderSumAt(view: DataView, l3: number, l4: number, end: number): number {
  if (!isIpv4(view, l3)) return ipv6AddressSum(view, l3) + IPPROTO_TCP + (end - l4);
  const source = ipv4Source(view, l3);
  const destination = ipv4Destination(view, l3);
  return (
    (source >>> 16) +
    (source & 0xffff) +
    (destination >>> 16) +
    (destination & 0xffff) +
    IPPROTO_TCP +
    (end - l4)
  );
}
