/**
 * ICMP for IPv4 (RFC 792, RFC 1191, RFC 1812): fields read and written in place.
 * `offset` is where the message begins; call `checkIcmp4` once before any accessor.
 * @module
 */
const TYPE = 0;
const CODE = 1;
/** Offset of the checksum, which covers the whole message. */
export const ICMP4_CHECKSUM = 2;
const REST = 4;
const ECHO_ID = 4;
const ECHO_SEQUENCE = 6;
const NEXT_HOP_MTU = 6;
const POINTER = 4;

/** Bytes of the header; an error quotes the packet it is about behind it. */
export const ICMP4_HEADER_LENGTH = 8;

export const ICMP4_ECHO_REPLY = 0;
export const ICMP4_UNREACHABLE = 3;
export const ICMP4_SOURCE_QUENCH = 4;
export const ICMP4_REDIRECT = 5;
export const ICMP4_ECHO = 8;
export const ICMP4_TIME_EXCEEDED = 11;
export const ICMP4_PARAMETER_PROBLEM = 12;

/** Codes of ICMP4_UNREACHABLE. */
export const ICMP4_NET_UNREACHABLE = 0;
export const ICMP4_HOST_UNREACHABLE = 1;
export const ICMP4_PROTOCOL_UNREACHABLE = 2;
export const ICMP4_PORT_UNREACHABLE = 3;
export const ICMP4_FRAGMENTATION_NEEDED = 4;
export const ICMP4_UNREACHABLE_CODE_MAX = 15;

/** Codes of ICMP4_TIME_EXCEEDED. */
export const ICMP4_TTL_EXCEEDED = 0;
export const ICMP4_REASSEMBLY_EXCEEDED = 1;

/** Whether [offset, end) holds a whole header. */
export function checkIcmp4(offset: number, end: number): boolean {
  return end - offset >= ICMP4_HEADER_LENGTH;
}

/** ICMP4_ECHO, ICMP4_UNREACHABLE ... */
export function icmp4Type(view: DataView, offset: number): number {
  return view.getUint8(offset + TYPE);
}

/** What the type says more exactly. */
export function icmp4Code(view: DataView, offset: number): number {
  return view.getUint8(offset + CODE);
}

/** The checksum as it stands. */
export function icmp4Checksum(view: DataView, offset: number): number {
  return view.getUint16(offset + ICMP4_CHECKSUM);
}

/** The second word of the header as int32: what it means depends on the type. */
export function icmp4Rest(view: DataView, offset: number): number {
  return view.getInt32(offset + REST);
}

/** Of an echo request or reply. */
export function icmp4EchoId(view: DataView, offset: number): number {
  return view.getUint16(offset + ECHO_ID);
}

/** Of an echo request or reply. */
export function icmp4EchoSequence(view: DataView, offset: number): number {
  return view.getUint16(offset + ECHO_SEQUENCE);
}

/** Of "fragmentation needed", in bytes; 0 from a router older than RFC 1191. */
export function icmp4NextHopMtu(view: DataView, offset: number): number {
  return view.getUint16(offset + NEXT_HOP_MTU);
}

/** Of a parameter problem: which octet of the quoted header is wrong. */
export function icmp4Pointer(view: DataView, offset: number): number {
  return view.getUint8(offset + POINTER);
}

/** Whether a message of this type is an error, about which no error may be sent (RFC 1122 section 3.2.2). */
export function isIcmp4Error(type: number): boolean {
  return (
    type === ICMP4_UNREACHABLE ||
    type === ICMP4_SOURCE_QUENCH ||
    type === ICMP4_REDIRECT ||
    type === ICMP4_TIME_EXCEEDED ||
    type === ICMP4_PARAMETER_PROBLEM
  );
}

/** Writes a header; the checksum is left zero. `rest` is the second word as int32. */
export function emitIcmp4(view: DataView, offset: number, type: number, code: number, rest: number): void {
  view.setUint8(offset + TYPE, type);
  view.setUint8(offset + CODE, code);
  view.setUint16(offset + ICMP4_CHECKSUM, 0);
  view.setInt32(offset + REST, rest);
}

/** Writes the checksum. */
export function setIcmp4Checksum(view: DataView, offset: number, checksum: number): void {
  view.setUint16(offset + ICMP4_CHECKSUM, checksum);
}

/** The header's fields as plain values. */
export interface Icmp4Repr {
  type: number;
  code: number;
  checksum: number;
  /** The second word of the header, unsigned. */
  rest: number;
}

/** The header at `offset`, or null when [offset, end) does not hold one. */
export function parseIcmp4(view: DataView, offset: number, end: number): Icmp4Repr | null {
  if (!checkIcmp4(offset, end)) return null;
  return {
    type: icmp4Type(view, offset),
    code: icmp4Code(view, offset),
    checksum: icmp4Checksum(view, offset),
    rest: icmp4Rest(view, offset) >>> 0,
  };
}

const UNREACHABLE_NAMES = ['net', 'host', 'protocol', 'port'] as const;

/** What a message says, in tcpdump's words where it has any: 'echo request, id 1, seq 2'. */
export function formatIcmp4(repr: Icmp4Repr): string {
  const { type, code, rest } = repr;
  const id = rest >>> 16;
  const low = rest & 0xffff;
  switch (type) {
    case ICMP4_ECHO:
      return `echo request, id ${id}, seq ${low}`;
    case ICMP4_ECHO_REPLY:
      return `echo reply, id ${id}, seq ${low}`;
    case ICMP4_UNREACHABLE:
      if (code === ICMP4_FRAGMENTATION_NEEDED) return `unreachable - need to frag (mtu ${low})`;
      return UNREACHABLE_NAMES[code] === undefined
        ? `unreachable, code ${code}`
        : `${UNREACHABLE_NAMES[code]} unreachable`;
    case ICMP4_TIME_EXCEEDED:
      return code === ICMP4_TTL_EXCEEDED ? 'time exceeded in-transit' : 'ip reassembly time exceeded';
    case ICMP4_PARAMETER_PROBLEM:
      return `parameter problem - octet ${rest >>> 24}`;
    case ICMP4_SOURCE_QUENCH:
      return 'source quench';
    case ICMP4_REDIRECT:
      return 'redirect';
    default:
      return `type ${type}, code ${code}`;
  }
}
