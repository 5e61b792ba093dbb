/**
 * The script's side of the wire: segments to bytes and back. It shares no code with the stack but the names of the
 * flags, so that a mistake made twice cannot hide.
 * @module
 */
import type { OptionSpec } from './syntax.ts';

const IP_HEADER = 20;
const TCP_HEADER = 20;

/** A TCP segment or an ICMP message as it goes over the link. */
export interface Segment {
  readonly source: number;
  readonly destination: number;
  /** Absolute sequence numbers, unsigned. */
  readonly seq: number;
  readonly ack: number;
  readonly flags: number;
  readonly window: number;
  readonly urgent: number;
  readonly options: readonly OptionSpec[];
  readonly payload: Uint8Array;
  /** The two ECN bits of IP. */
  readonly ecn: number;
}

/** Addresses in network order, as 32-bit words. */
export interface IpEnds {
  readonly source: number;
  readonly destination: number;
}

/** The IP packet of a segment; `badChecksum` spoils TCP's checksum. */
export function encodeSegment(segment: Segment, ends: IpEnds, badChecksum: boolean): Uint8Array {
  const options = encodeOptions(segment.options);
  const length = TCP_HEADER + options.length + segment.payload.length;
  const packet = new Uint8Array(IP_HEADER + length);
  const view = new DataView(packet.buffer);
  view.setUint16(IP_HEADER, segment.source);
  view.setUint16(IP_HEADER + 2, segment.destination);
  view.setUint32(IP_HEADER + 4, segment.seq >>> 0);
  view.setUint32(IP_HEADER + 8, segment.ack >>> 0);
  view.setUint8(IP_HEADER + 12, ((TCP_HEADER + options.length) / 4) << 4);
  view.setUint8(IP_HEADER + 13, segment.flags);
  view.setUint16(IP_HEADER + 14, segment.window);
  view.setUint16(IP_HEADER + 18, segment.urgent);
  packet.set(options, IP_HEADER + TCP_HEADER);
  packet.set(segment.payload, IP_HEADER + TCP_HEADER + options.length);
  const sum = checksum(packet, IP_HEADER, packet.length, pseudoHeader(ends, 6, length));
  view.setUint16(IP_HEADER + 16, badChecksum ? sum ^ 0x5555 : sum);
  writeIp(view, ends, 6, segment.ecn);
  return packet;
}

/** The IP packet of an ICMP error that quotes `quoted`, an IP packet that was sent. */
export function encodeIcmpError(
  type: number,
  code: number,
  mtu: number,
  quoted: Uint8Array,
  ends: IpEnds,
): Uint8Array {
  const quote = quoted.subarray(0, IP_HEADER + 8);
  const packet = new Uint8Array(IP_HEADER + 8 + quote.length);
  const view = new DataView(packet.buffer);
  view.setUint8(IP_HEADER, type);
  view.setUint8(IP_HEADER + 1, code);
  view.setUint16(IP_HEADER + 6, mtu);
  packet.set(quote, IP_HEADER + 8);
  view.setUint16(IP_HEADER + 2, checksum(packet, IP_HEADER, packet.length, 0));
  writeIp(view, ends, 1, 0);
  return packet;
}

function writeIp(view: DataView, ends: IpEnds, protocol: number, ecn: number): void {
  view.setUint8(0, 0x45);
  view.setUint8(1, ecn);
  view.setUint16(2, view.byteLength);
  view.setUint16(6, 0x4000);
  view.setUint8(8, 255);
  view.setUint8(9, protocol);
  view.setUint32(12, ends.source >>> 0);
  view.setUint32(16, ends.destination >>> 0);
  view.setUint16(10, checksum(new Uint8Array(view.buffer), 0, IP_HEADER, 0));
}

/** The segment in an IP packet, or the reason why there is none. */
export function decodeSegment(packet: Uint8Array): Segment | string {
  const view = new DataView(packet.buffer, packet.byteOffset, packet.byteLength);
  if (packet.length < IP_HEADER || packet[0] !== 0x45) return 'not an IPv4 packet without options';
  if (view.getUint16(2) !== packet.length)
    return `IP says ${view.getUint16(2)} bytes, the link ${packet.length}`;
  if (checksum(packet, 0, IP_HEADER, 0) !== 0) return 'bad IP checksum';
  if (packet[9] !== 6)
    return packet[9] === 1 ? `ICMP type ${packet[20]} code ${packet[21]}` : `protocol ${packet[9]}`;
  const ends = { source: view.getUint32(12), destination: view.getUint32(16) };
  const length = packet.length - IP_HEADER;
  const header = (view.getUint8(IP_HEADER + 12) >> 4) * 4;
  if (length < TCP_HEADER || header < TCP_HEADER || header > length) return 'TCP header cut short';
  if (checksum(packet, IP_HEADER, packet.length, pseudoHeader(ends, 6, length)) !== 0)
    return 'bad TCP checksum';
  return {
    source: view.getUint16(IP_HEADER),
    destination: view.getUint16(IP_HEADER + 2),
    seq: view.getUint32(IP_HEADER + 4),
    ack: view.getUint32(IP_HEADER + 8),
    flags: view.getUint8(IP_HEADER + 13),
    window: view.getUint16(IP_HEADER + 14),
    urgent: view.getUint16(IP_HEADER + 18),
    options: decodeOptions(packet.subarray(IP_HEADER + TCP_HEADER, IP_HEADER + header)),
    payload: packet.slice(IP_HEADER + header),
    ecn: (packet[1] as number) & 3,
  };
}

function pseudoHeader(ends: IpEnds, protocol: number, length: number): number {
  const { source, destination } = ends;
  return (
    (source >>> 16) + (source & 0xffff) + (destination >>> 16) + (destination & 0xffff) + protocol + length
  );
}

/** RFC 1071, complemented: 0 over a packet whose checksum is right. */
function checksum(bytes: Uint8Array, start: number, end: number, initial: number): number {
  let sum = initial;
  for (let i = start; i < end; i++) sum += (bytes[i] as number) << ((i - start) % 2 === 0 ? 8 : 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

/** Bytes of the options, padded with end-of-list to a multiple of four. */
function encodeOptions(options: readonly OptionSpec[]): Uint8Array {
  const bytes = options.flatMap(option => [...encodeOption(option)]);
  while (bytes.length % 4 !== 0) bytes.push(0);
  return Uint8Array.from(bytes);
}

function encodeOption(option: OptionSpec): readonly number[] | Uint8Array {
  switch (option.kind) {
    case 'eol':
      return [0];
    case 'nop':
      return [1];
    case 'mss':
      return [2, 4, option.value >>> 8, option.value & 255];
    case 'wscale':
      return [3, 3, option.value];
    case 'sackOK':
      return [4, 2];
    case 'sack':
      return [5, 2 + 8 * option.blocks.length, ...option.blocks.flat().flatMap(bytesOf)];
    case 'timestamps':
      return [8, 10, ...bytesOf(option.val), ...bytesOf(option.ecr)];
    case 'raw':
      return option.bytes;
  }
}

function bytesOf(word: number): number[] {
  return [24, 16, 8, 0].map(shift => (word >>> shift) & 255);
}

function decodeOptions(bytes: Uint8Array): OptionSpec[] {
  const options: OptionSpec[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < bytes.length; ) {
    const kind = bytes[at] as number;
    const length = kind < 2 ? 1 : Math.max(2, bytes[at + 1] ?? 0);
    options.push(decodeOption(view, at, kind, Math.min(length, bytes.length - at)));
    at += length;
  }
  return options;
}

function decodeOption(view: DataView, at: number, kind: number, length: number): OptionSpec {
  if (kind === 0) return { kind: 'eol' };
  if (kind === 1) return { kind: 'nop' };
  if (kind === 2 && length === 4) return { kind: 'mss', value: view.getUint16(at + 2) };
  if (kind === 3 && length === 3) return { kind: 'wscale', value: view.getUint8(at + 2) };
  if (kind === 4 && length === 2) return { kind: 'sackOK' };
  if (kind === 8 && length === 10) {
    return { kind: 'timestamps', val: view.getUint32(at + 2), ecr: view.getUint32(at + 6) };
  }
  if (kind === 5 && length % 8 === 2) {
    const blocks: [number, number][] = [];
    for (let i = at + 2; i < at + length; i += 8) blocks.push([view.getUint32(i), view.getUint32(i + 4)]);
    return { kind: 'sack', blocks };
  }
  return { kind: 'raw', bytes: new Uint8Array(view.buffer, view.byteOffset + at, length).slice() };
}
