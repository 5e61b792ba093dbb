/**
 * The TCP header (RFC 9293 section 3.1): fields read and written in place.
 * `offset` is where the header begins; call `checkTcp` once before any accessor.
 * @module
 */
import type { Seq } from '../base/seq.ts';
import { seqToU32 } from '../base/seq.ts';

const SOURCE_PORT = 0;
const DESTINATION_PORT = 2;
const SEQUENCE = 4;
const ACKNOWLEDGMENT = 8;
const OFFSET_AND_FLAGS = 12;
const WINDOW = 14;
/** Offset of the checksum field. */
export const TCP_CHECKSUM = 16;
const URGENT = 18;

/** Bytes of a header without options. */
export const TCP_HEADER_LENGTH = 20;
/** Bytes of the longest header. */
export const TCP_HEADER_MAX = 60;

export const FIN = 0x01;
export const SYN = 0x02;
export const RST = 0x04;
export const PSH = 0x08;
export const ACK = 0x10;
export const URG = 0x20;
export const ECE = 0x40;
export const CWR = 0x80;

/** Whether [offset, end) holds a whole header whose data offset is sane. */
export function checkTcp(view: DataView, offset: number, end: number): boolean {
  if (end - offset < TCP_HEADER_LENGTH) return false;
  const headerLength = tcpHeaderLength(view, offset);
  return headerLength >= TCP_HEADER_LENGTH && offset + headerLength <= end;
}

/** The sender's port. */
export function tcpSourcePort(view: DataView, offset: number): number {
  return view.getUint16(offset + SOURCE_PORT);
}

/** The receiver's port. */
export function tcpDestinationPort(view: DataView, offset: number): number {
  return view.getUint16(offset + DESTINATION_PORT);
}

/** The sequence number of the first byte of data, or of the SYN. */
export function tcpSeq(view: DataView, offset: number): Seq {
  return view.getInt32(offset + SEQUENCE);
}

/** The acknowledgement number; means something only with ACK. */
export function tcpAck(view: DataView, offset: number): Seq {
  return view.getInt32(offset + ACKNOWLEDGMENT);
}

/** Bytes of the header with its options. */
export function tcpHeaderLength(view: DataView, offset: number): number {
  return (view.getUint8(offset + OFFSET_AND_FLAGS) >> 4) << 2;
}

/** FIN, SYN ... CWR. */
export function tcpFlags(view: DataView, offset: number): number {
  return view.getUint8(offset + OFFSET_AND_FLAGS + 1);
}

/** The window field as it stands, not scaled. */
export function tcpWindow(view: DataView, offset: number): number {
  return view.getUint16(offset + WINDOW);
}

/** The checksum field as it stands. */
export function tcpChecksum(view: DataView, offset: number): number {
  return view.getUint16(offset + TCP_CHECKSUM);
}

/** Sets the urgent pointer. */
export function setTcpUrgent(view: DataView, offset: number, pointer: number): void {
  view.setUint16(offset + URGENT, pointer);
}

/** The urgent pointer; means something only with URG. */
export function tcpUrgent(view: DataView, offset: number): number {
  return view.getUint16(offset + URGENT);
}

/** Overwrites the sequence number; the checksum is the caller's. */
export function setTcpSeq(view: DataView, offset: number, seq: Seq): void {
  view.setInt32(offset + SEQUENCE, seq);
}

/** Overwrites the flags; the checksum is the caller's. */
export function setTcpFlags(view: DataView, offset: number, flags: number): void {
  view.setUint8(offset + OFFSET_AND_FLAGS + 1, flags);
}

/** Overwrites the checksum field. */
export function setTcpChecksum(view: DataView, offset: number, checksum: number): void {
  view.setUint16(offset + TCP_CHECKSUM, checksum);
}

/** Writes the fixed header; the checksum and the urgent pointer are left zero. */
export function emitTcp(
  view: DataView,
  offset: number,
  sourcePort: number,
  destinationPort: number,
  seq: Seq,
  ack: Seq,
  headerLength: number,
  flags: number,
  window: number,
): void {
  view.setUint16(offset + SOURCE_PORT, sourcePort);
  view.setUint16(offset + DESTINATION_PORT, destinationPort);
  view.setInt32(offset + SEQUENCE, seq);
  view.setInt32(offset + ACKNOWLEDGMENT, ack);
  view.setUint16(offset + OFFSET_AND_FLAGS, (headerLength << 10) | flags);
  view.setUint16(offset + WINDOW, window);
  view.setInt32(offset + TCP_CHECKSUM, 0);
}

/** The header's fields as plain values; sequence numbers unsigned. */
export interface TcpRepr {
  sourcePort: number;
  destinationPort: number;
  seq: number;
  ack: number;
  headerLength: number;
  flags: number;
  window: number;
  checksum: number;
  urgent: number;
}

/** The header at `offset`, or null when [offset, end) does not hold one. */
export function parseTcp(view: DataView, offset: number, end: number): TcpRepr | null {
  if (!checkTcp(view, offset, end)) return null;
  return {
    sourcePort: tcpSourcePort(view, offset),
    destinationPort: tcpDestinationPort(view, offset),
    seq: seqToU32(tcpSeq(view, offset)),
    ack: seqToU32(tcpAck(view, offset)),
    headerLength: tcpHeaderLength(view, offset),
    flags: tcpFlags(view, offset),
    window: tcpWindow(view, offset),
    checksum: tcpChecksum(view, offset),
    urgent: tcpUrgent(view, offset),
  };
}

const FLAG_LETTERS: readonly (readonly [number, string])[] = [
  [FIN, 'F'],
  [SYN, 'S'],
  [RST, 'R'],
  [PSH, 'P'],
  [ACK, '.'],
  [URG, 'U'],
  [ECE, 'E'],
  [CWR, 'W'],
];

/** Flags as tcpdump writes them: 'S', 'S.', 'FP.' ...; 'none' for none. */
export function formatTcpFlags(flags: number): string {
  const text = FLAG_LETTERS.filter(([bit]) => (flags & bit) !== 0)
    .map(([, letter]) => letter)
    .join('');
  return text === '' ? 'none' : text;
}
