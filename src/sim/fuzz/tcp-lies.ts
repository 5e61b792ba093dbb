/**
 * Mutations that know TCP: other flags, other options, SACK blocks and ICMP errors about what the target has sent.
 * @module
 */
import type { Rng } from '../../base/rng.ts';
import type { Packet } from '../../core/packet.ts';
import { emitIcmp4, ICMP4_HEADER_LENGTH } from '../../wire/icmp4.ts';
import { emitIpv4, IPV4_HEADER_LENGTH, ipv4Destination, ipv4Protocol, ipv4Source } from '../../wire/ipv4.ts';
import {
  ACK,
  FIN,
  PSH,
  RST,
  SYN,
  setTcpFlags,
  TCP_HEADER_LENGTH,
  tcpAck,
  tcpSeq,
  URG,
} from '../../wire/tcp.ts';
import {
  locateIpv4,
  locateTransport,
  PROTOCOL_ICMP,
  PROTOCOL_TCP,
  repairChecksums,
  repairLength,
} from './repair.ts';

const FLAGS: readonly number[] = [
  0,
  FIN,
  SYN,
  RST,
  ACK,
  SYN | ACK,
  RST | ACK,
  FIN | ACK,
  FIN | PSH | ACK,
  SYN | FIN,
  SYN | RST,
  FIN | SYN | RST | PSH | ACK | URG,
  PSH | URG | ACK,
];

/** Kinds of options that a TCP may meet, known and unknown, and the lengths they claim. */
const OPTION_KINDS: readonly number[] = [0, 1, 2, 3, 4, 5, 8, 19, 28, 30, 34, 253, 254, 255];
const OPTION_LENGTHS: readonly number[] = [0, 1, 2, 3, 4, 8, 10, 18, 26, 34, 40, 255];
/** Sequence numbers this far around an acknowledgement are worth a lie, in bytes. */
const NEAR = 20_000;

/** Whether the frame is IP with a whole TCP header; sets l3 and l4. */
export function isTcp(packet: Packet): boolean {
  return locateTransport(packet) === PROTOCOL_TCP && packet.end - packet.l4 >= TCP_HEADER_LENGTH;
}

/** Other flags. */
export function lieInFlags(packet: Packet, rng: Rng): void {
  if (isTcp(packet)) setTcpFlags(packet.view, packet.l4, rng.pick(FLAGS));
}

/** SACK blocks around what the segment acknowledges: true ones, false ones, empty ones, backward ones. */
export function lieInSack(packet: Packet, rng: Rng): void {
  if (!isTcp(packet)) return;
  const { view, l4 } = packet;
  const blocks = rng.between(1, 4);
  const ack = tcpAck(view, l4);
  replaceOptions(packet, 4 + 8 * blocks);
  view.setUint32(l4 + TCP_HEADER_LENGTH, 0x01010500 | (2 + 8 * blocks));
  for (let block = 0; block < blocks; block++) {
    const at = l4 + TCP_HEADER_LENGTH + 4 + 8 * block;
    const left = ack + rng.between(-NEAR / 4, NEAR);
    view.setUint32(at, left);
    view.setUint32(at + 4, left + (rng.chance(0.1) ? rng.u32() : rng.between(-10, 6000)));
  }
  if (rng.chance(0.7)) setTcpFlags(view, l4, ACK);
}

/** Options of any kind with any length, right up to 40 bytes. */
export function lieInOptions(packet: Packet, rng: Rng): void {
  if (!isTcp(packet)) return;
  const { view, l4 } = packet;
  const length = 4 * rng.between(0, 10);
  replaceOptions(packet, length);
  const start = l4 + TCP_HEADER_LENGTH;
  for (let at = start; at < start + length; ) {
    const size = rng.pick(OPTION_LENGTHS);
    view.setUint8(at, rng.pick(OPTION_KINDS));
    if (at + 1 < start + length) view.setUint8(at + 1, size);
    for (let i = at + 2; i < Math.min(at + size, start + length); i++) view.setUint8(i, rng.below(256));
    at += Math.max(size, 1);
  }
  if (rng.chance(0.3)) setTcpFlags(view, l4, SYN);
}

/** An acknowledgement or a sequence number a little beside the true one: splits, repeats, runs ahead. */
export function lieInNumbers(packet: Packet, rng: Rng): void {
  if (!isTcp(packet)) return;
  const { view, l4 } = packet;
  if (rng.chance(0.5)) view.setInt32(l4 + 8, tcpAck(view, l4) + rng.between(-NEAR / 4, NEAR));
  else view.setInt32(l4 + 4, tcpSeq(view, l4) + rng.between(-3000, 3000));
  if (rng.chance(0.2)) view.setUint16(l4 + 14, rng.below(4));
}

/** Makes room for `length` bytes of options in place of those that are there. */
function replaceOptions(packet: Packet, length: number): void {
  const { bytes, view, l4 } = packet;
  const oldLength = Math.min((view.getUint8(l4 + 12) >> 4) << 2, packet.end - l4);
  const from = l4 + Math.max(oldLength, TCP_HEADER_LENGTH);
  const to = l4 + TCP_HEADER_LENGTH + length;
  if (packet.end - from + to > bytes.length) packet.end = from;
  bytes.copyWithin(to, from, packet.end);
  packet.end += to - from;
  view.setUint8(l4 + 12, ((TCP_HEADER_LENGTH + length) << 2) & 0xff);
  repairLength(packet);
}

const ICMP_ERRORS: readonly (readonly [number, number])[] = [
  [3, 0],
  [3, 1],
  [3, 2],
  [3, 3],
  [3, 4],
  [3, 4],
  [3, 13],
  [4, 0],
  [5, 1],
  [11, 0],
  [11, 1],
  [12, 0],
];

/** Turns a segment or a datagram to the target into an ICMP error about one from it, as a router would send it. */
export function lieAboutErrors(packet: Packet, rng: Rng): void {
  if (!locateIpv4(packet)) return;
  const { bytes, view, l3, l4 } = packet;
  const source = ipv4Source(view, l3);
  const destination = ipv4Destination(view, l3);
  const protocol = ipv4Protocol(view, l3);
  const quotedLength = Math.min(packet.end - l4, rng.chance(0.8) ? 8 : 40);
  const quote = l3 + IPV4_HEADER_LENGTH + ICMP4_HEADER_LENGTH;
  // What the target sent: addresses and ports the other way round, its sequence number is what was acknowledged.
  bytes.copyWithin(quote + IPV4_HEADER_LENGTH, l4, l4 + quotedLength);
  const inner = quote + IPV4_HEADER_LENGTH;
  if (quotedLength >= 8) swapPorts(view, inner);
  if (protocol === PROTOCOL_TCP && quotedLength >= 12) view.setInt32(inner + 4, view.getInt32(inner + 8));
  else if (protocol === PROTOCOL_TCP && quotedLength >= 8)
    view.setInt32(inner + 4, view.getInt32(inner + 4) + rng.below(3));
  emitIpv4(view, quote, 0, 1500, rng.below(65536), true, 63, protocol, destination, source);
  const [type, code] = rng.pick(ICMP_ERRORS);
  emitIcmp4(
    view,
    l3 + IPV4_HEADER_LENGTH,
    type,
    code,
    rng.pick([0, 68, 296, 551, 552, 576, 1400, 1499, 65535]),
  );
  packet.end = inner + quotedLength;
  emitIpv4(view, l3, 0, packet.end - l3, 1, false, 64, PROTOCOL_ICMP, source, destination);
  repairChecksums(packet);
}

/** Turns the ports at `at` the other way round. */
export function swapPorts(view: DataView, at: number): void {
  const source = view.getUint16(at);
  view.setUint16(at, view.getUint16(at + 2));
  view.setUint16(at + 2, source);
}
