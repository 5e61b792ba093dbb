/**
 * The script's side of the wire: segments to IP packets and back. It shares no code with the stack but addresses and
 * the names of the flags, so that a mistake made twice cannot hide.
 * @module
 */
import type { IpAddress } from '../wire/address.ts';
import { AF_INET } from '../wire/address.ts';
import { decodeOptions, encodeOptions } from './segment-options.ts';
import type { OptionSpec } from './syntax.ts';

const IPV4_HEADER = 20;
const IPV6_HEADER = 40;
const TCP_HEADER = 20;
const PROTOCOL_ICMP4 = 1;
const PROTOCOL_TCP = 6;
const PROTOCOL_ICMP6 = 58;
const DEFAULT_TTL = 255;

/** A TCP segment as it goes over the link. */
export interface Segment {
  readonly source: number;
  readonly destination: number;
  /** Absolute sequence numbers, unsigned. */
  readonly seq: number;
  readonly ack: number;
  /** Nine bits, AE (0x100) the highest; what is above are the reserved bits. */
  readonly flags: number;
  readonly window: number;
  readonly urgent: number;
  readonly options: readonly OptionSpec[];
  readonly payload: Uint8Array;
  /** The TOS or traffic class byte of IP, and the TTL or hop limit. */
  readonly tos: number;
  readonly ttl: number;
}

/** Both addresses of a packet, of one family. */
export interface IpEnds {
  readonly source: IpAddress;
  readonly destination: IpAddress;
}

/** The IP packet of a segment; `badChecksum` spoils TCP's checksum. A TTL of 0 means the largest. */
export function encodeSegment(segment: Segment, ends: IpEnds, badChecksum: boolean): Uint8Array {
  const options = encodeOptions(segment.options);
  const length = TCP_HEADER + options.length + segment.payload.length;
  const { packet, view, at } = newPacket(ends, PROTOCOL_TCP, length, segment.tos, segment.ttl);
  view.setUint16(at, segment.source);
  view.setUint16(at + 2, segment.destination);
  view.setUint32(at + 4, segment.seq >>> 0);
  view.setUint32(at + 8, segment.ack >>> 0);
  view.setUint16(at + 12, (((TCP_HEADER + options.length) / 4) << 12) | segment.flags);
  view.setUint16(at + 14, segment.window);
  view.setUint16(at + 18, segment.urgent);
  packet.set(options, at + TCP_HEADER);
  packet.set(segment.payload, at + TCP_HEADER + options.length);
  const sum = checksum(packet, at, packet.length, pseudoHeader(ends, PROTOCOL_TCP, length));
  view.setUint16(at + 16, badChecksum ? sum ^ 0x5555 : sum);
  return packet;
}

/**
 * The IP packet of an ICMP message that quotes the IP header and the first 8 bytes behind it of `quoted`, an IP packet
 * that was sent. `mtu` is 0 where there is none.
 */
export function encodeIcmpError(
  type: number,
  code: number,
  mtu: number,
  quoted: Uint8Array,
  ends: IpEnds,
): Uint8Array {
  const v4 = ends.source.family === AF_INET;
  const quote = quoted.subarray(0, (v4 ? IPV4_HEADER : IPV6_HEADER) + 8);
  const protocol = v4 ? PROTOCOL_ICMP4 : PROTOCOL_ICMP6;
  const { packet, view, at } = newPacket(ends, protocol, 8 + quote.length, 0, 0);
  view.setUint8(at, type);
  view.setUint8(at + 1, code);
  view.setUint32(at + 4, mtu);
  packet.set(quote, at + 8);
  const initial = v4 ? 0 : pseudoHeader(ends, protocol, 8 + quote.length);
  view.setUint16(at + 2, checksum(packet, at, packet.length, initial));
  return packet;
}

/** An IP packet with `length` zero bytes behind its header, which begin at `at`. */
function newPacket(
  ends: IpEnds,
  protocol: number,
  length: number,
  tos: number,
  ttl: number,
): { packet: Uint8Array; view: DataView; at: number } {
  const v4 = ends.source.family === AF_INET;
  const at = v4 ? IPV4_HEADER : IPV6_HEADER;
  const packet = new Uint8Array(at + length);
  const view = new DataView(packet.buffer);
  if (v4) {
    view.setUint8(0, 0x45);
    view.setUint8(1, tos);
    view.setUint16(2, packet.length);
    view.setUint16(6, 0x4000);
    view.setUint8(8, ttl || DEFAULT_TTL);
    view.setUint8(9, protocol);
    writeAddress(view, 12, ends.source);
    writeAddress(view, 16, ends.destination);
    view.setUint16(10, checksum(packet, 0, IPV4_HEADER, 0));
  } else {
    view.setUint32(0, (6 << 28) | (tos << 20));
    view.setUint16(4, length);
    view.setUint8(6, protocol);
    view.setUint8(7, ttl || DEFAULT_TTL);
    writeAddress(view, 8, ends.source);
    writeAddress(view, 24, ends.destination);
  }
  return { packet, view, at };
}

function words(address: IpAddress): readonly number[] {
  return address.family === AF_INET ? [address.w3] : [address.w0, address.w1, address.w2, address.w3];
}

function writeAddress(view: DataView, at: number, address: IpAddress): void {
  for (const [index, word] of words(address).entries()) view.setUint32(at + 4 * index, word >>> 0);
}

/** Whether the words at `at` are those of the address. */
function hasAddress(view: DataView, at: number, address: IpAddress): boolean {
  return words(address).every((word, index) => view.getUint32(at + 4 * index) === word >>> 0);
}

/**
 * The segment in an IP packet from `ends.source` to `ends.destination`; null when it is none of these, or the reason
 * why it is not in order.
 */
export function decodeSegment(packet: Uint8Array, ends: IpEnds): Segment | string | null {
  const view = new DataView(packet.buffer, packet.byteOffset, packet.byteLength);
  const v4 = ends.source.family === AF_INET;
  const at = v4 ? IPV4_HEADER : IPV6_HEADER;
  if (packet.length < at || (packet[0] as number) >> 4 !== (v4 ? 4 : 6)) return null;
  if (v4 && packet[0] !== 0x45) return 'IPv4 header with options';
  if (packet[v4 ? 9 : 6] !== PROTOCOL_TCP) return null;
  if (!hasAddress(view, v4 ? 12 : 8, ends.source)) return null;
  if (!hasAddress(view, v4 ? 16 : 24, ends.destination)) return null;
  const stated = v4 ? view.getUint16(2) : view.getUint16(4) + IPV6_HEADER;
  if (stated !== packet.length) return `IP says ${stated} bytes, the link ${packet.length}`;
  if (v4 && checksum(packet, 0, IPV4_HEADER, 0) !== 0) return 'bad outbound IP checksum';
  const length = packet.length - at;
  const header = length < TCP_HEADER ? 0 : (view.getUint8(at + 12) >> 4) * 4;
  if (header < TCP_HEADER || header > length) return 'TCP header cut short';
  if (checksum(packet, at, packet.length, pseudoHeader(ends, PROTOCOL_TCP, length)) !== 0)
    return 'bad outbound TCP checksum';
  const flags = view.getUint16(at + 12) & 0xfff;
  return {
    source: view.getUint16(at),
    destination: view.getUint16(at + 2),
    seq: view.getUint32(at + 4),
    ack: view.getUint32(at + 8),
    flags,
    window: view.getUint16(at + 14),
    urgent: view.getUint16(at + 18),
    options: decodeOptions(packet.subarray(at + TCP_HEADER, at + header)),
    payload: packet.subarray(at + header),
    tos: v4 ? (packet[1] as number) : (view.getUint16(0) >> 4) & 0xff,
    ttl: packet[v4 ? 8 : 7] as number,
  };
}

function pseudoHeader({ source, destination }: IpEnds, protocol: number, length: number): number {
  let sum = protocol + length;
  for (const word of [...words(source), ...words(destination)]) sum += (word >>> 16) + (word & 0xffff);
  return sum;
}

/** RFC 1071, complemented: 0 over a packet whose checksum is right. */
function checksum(bytes: Uint8Array, start: number, end: number, initial: number): number {
  let sum = initial;
  for (let i = start; i < end; i++) sum += (bytes[i] as number) << ((i - start) % 2 === 0 ? 8 : 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
  return ~sum & 0xffff;
}
