/**
 * The UDP header (RFC 768): fields read and written in place.
 * `offset` is where the header begins; call `checkUdp` once before any accessor.
 * @module
 */
const SOURCE_PORT = 0;
const DESTINATION_PORT = 2;
const LENGTH = 4;
/** Offset of the checksum field. */
export const UDP_CHECKSUM = 6;

/** Bytes of the header. */
export const UDP_HEADER_LENGTH = 8;

/** Whether [offset, end) holds a whole header and as many bytes as its length field says. */
export function checkUdp(view: DataView, offset: number, end: number): boolean {
  const available = end - offset;
  if (available < UDP_HEADER_LENGTH) return false;
  const length = udpLength(view, offset);
  return length >= UDP_HEADER_LENGTH && length <= available;
}

/** The sender's port. */
export function udpSourcePort(view: DataView, offset: number): number {
  return view.getUint16(offset + SOURCE_PORT);
}

/** The port it is for. */
export function udpDestinationPort(view: DataView, offset: number): number {
  return view.getUint16(offset + DESTINATION_PORT);
}

/** Bytes of header and payload. */
export function udpLength(view: DataView, offset: number): number {
  return view.getUint16(offset + LENGTH);
}

/** The checksum; 0 means that the sender made none (IPv4 alone). */
export function udpChecksum(view: DataView, offset: number): number {
  return view.getUint16(offset + UDP_CHECKSUM);
}

/** Writes the checksum. */
export function setUdpChecksum(view: DataView, offset: number, checksum: number): void {
  view.setUint16(offset + UDP_CHECKSUM, checksum);
}

/** Writes a header; `length` includes it. */
export function emitUdp(
  view: DataView,
  offset: number,
  sourcePort: number,
  destinationPort: number,
  length: number,
  checksum: number,
): void {
  view.setUint16(offset + SOURCE_PORT, sourcePort);
  view.setUint16(offset + DESTINATION_PORT, destinationPort);
  view.setUint16(offset + LENGTH, length);
  view.setUint16(offset + UDP_CHECKSUM, checksum);
}

/** The header's fields as plain values. */
export interface UdpRepr {
  sourcePort: number;
  destinationPort: number;
  length: number;
  checksum: number;
}

/** The header at `offset`, or null when [offset, end) does not hold one; the payload may be cut short (a capture). */
export function parseUdp(view: DataView, offset: number, end: number): UdpRepr | null {
  if (end - offset < UDP_HEADER_LENGTH || udpLength(view, offset) < UDP_HEADER_LENGTH) return null;
  return {
    sourcePort: udpSourcePort(view, offset),
    destinationPort: udpDestinationPort(view, offset),
    length: udpLength(view, offset),
    checksum: udpChecksum(view, offset),
  };
}

/** 'UDP, length 5' (the payload's length), as tcpdump writes it. */
export function formatUdp(repr: UdpRepr): string {
  return `UDP, length ${repr.length - UDP_HEADER_LENGTH}`;
}
