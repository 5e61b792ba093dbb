/**
 * Between packets and segments: reading a TCP packet, and building one.
 * @module
 */

import { ENOBUFS } from '../base/errno.ts';
import type { Host } from '../core/host.ts';
import { type FiveTuple, IPPROTO_TCP, type IpSendOptions, type Route } from '../core/network.ts';
import { CHECKSUM_PARTIAL, CHECKSUM_VERIFIED, HEADROOM, type Packet } from '../core/packet.ts';
import type { IpLayer } from '../net/ip-layer.ts';
import type { OutSegment, Segment } from '../tcp/segment.ts';
import { foldChecksum } from '../wire/checksum.ts';
import { ecnField } from '../wire/ecn.ts';
import { pseudoHeaderSum } from '../wire/pseudo-header.ts';
import {
  checkTcp,
  emitTcp,
  setTcpChecksum,
  setTcpUrgent,
  TCP_CHECKSUM,
  TCP_HEADER_LENGTH,
  tcpAck,
  tcpFlags,
  tcpHeaderLength,
  tcpSeq,
  tcpUrgent,
  tcpWindow,
  URG,
} from '../wire/tcp.ts';
import { emitTcpOptions, parseTcpOptions, tcpOptionsLength } from '../wire/tcp-options.ts';

/** Whether a received packet holds a whole TCP header and a right checksum; counts and reports what is wrong. */
export function checkTcpPacket(host: Host, packet: Packet): boolean {
  const { mib } = host;
  if (!checkTcp(packet.view, packet.l4, packet.end)) {
    mib.Tcp.InErrs++;
    host.dropped('tcp', 'PKT_TOO_SMALL');
    return false;
  }
  if (packet.checksumState === CHECKSUM_VERIFIED) return true;
  const { src, dst, l4, end } = packet;
  if (packet.sum(l4, end, pseudoHeaderSum(src, dst, IPPROTO_TCP, end - l4)) === 0xffff) return true;
  mib.Tcp.InCsumErrors++;
  mib.Tcp.InErrs++;
  host.dropped('tcp', 'TCP_CSUM');
  return false;
}

/** Reads the TCP packet into `segment`; its payload stays in the packet. */
export function readSegment(packet: Packet, segment: Segment): void {
  const { view, l4, end } = packet;
  const headerLength = tcpHeaderLength(view, l4);
  segment.seq = tcpSeq(view, l4);
  segment.ack = tcpAck(view, l4);
  segment.flags = tcpFlags(view, l4);
  segment.window = tcpWindow(view, l4);
  segment.urgent = segment.has(URG) ? tcpUrgent(view, l4) : 0;
  segment.ecn = ecnField(view, packet.l3);
  segment.bytes = packet.bytes;
  segment.headerLength = headerLength;
  segment.start = l4 + headerLength;
  segment.end = end;
  segment.gsoSize = packet.gsoSize;
  if (headerLength > TCP_HEADER_LENGTH) {
    parseTcpOptions(view, l4 + TCP_HEADER_LENGTH, segment.start, segment.options);
  } else {
    segment.options.clear();
  }
}

/** Builds the packet of a segment and hands it to IP. Returns 0 or -errno; a lost packet is TCP's to repair. */
export function sendSegment(
  host: Host,
  ip: IpLayer,
  out: OutSegment,
  flow: FiveTuple,
  route: Route,
  options: IpSendOptions,
): number {
  const headerLength = TCP_HEADER_LENGTH + tcpOptionsLength(out.options);
  const length = headerLength + out.dataLength;
  const packet = host.pool.take(length);
  if (packet === null) {
    host.dropped('tcp', 'NOMEM');
    return -ENOBUFS;
  }
  const { view } = packet;
  const l4 = HEADROOM;
  emitTcp(view, l4, flow.localPort, flow.remotePort, out.seq, out.ack, headerLength, out.flags, out.window);
  if (out.urgent !== 0) setTcpUrgent(view, l4, out.urgent);
  if (headerLength > TCP_HEADER_LENGTH) emitTcpOptions(view, l4, out.options);
  packet.l4 = l4;
  packet.payload = l4 + headerLength;
  packet.end = l4 + length;
  if (out.data !== null) out.data.copyTo(out.dataOffset, packet.bytes, packet.payload, out.dataLength);
  packet.gsoSize = out.gsoSize;
  packet.mark = options.mark ?? 0;
  const sum = pseudoHeaderSum(flow.localAddress, flow.remoteAddress, IPPROTO_TCP, length);
  setTcpChecksum(view, l4, foldChecksum(sum));
  packet.checksumState = CHECKSUM_PARTIAL;
  packet.checksumOffset = TCP_CHECKSUM;
  return ip.send(packet, route, IPPROTO_TCP, options);
}
