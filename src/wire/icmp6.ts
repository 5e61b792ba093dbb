/**
 * ICMP for IPv6 (RFC 4443): fields read and written in place.
 * `offset` is where the message begins; call `checkIcmp6` once before any accessor.
 * @module
 */
const TYPE = 0;
const CODE = 1;
/** Offset of the checksum, which covers a pseudo-header and the whole message. */
export const ICMP6_CHECKSUM = 2;
const REST = 4;
const ECHO_ID = 4;
const ECHO_SEQUENCE = 6;

/** Bytes of the header; an error quotes the packet it is about behind it. */
export const ICMP6_HEADER_LENGTH = 8;
/** Of the pseudo-header, and in the next-header field. */
export const IPPROTO_ICMPV6 = 58;

export const ICMP6_UNREACHABLE = 1;
export const ICMP6_PACKET_TOO_BIG = 2;
export const ICMP6_TIME_EXCEEDED = 3;
export const ICMP6_PARAMETER_PROBLEM = 4;
export const ICMP6_ECHO = 128;
export const ICMP6_ECHO_REPLY = 129;
/** Multicast listener discovery (RFC 2710, RFC 3810). */
export const MLD_QUERY = 130;
export const MLD_REPORT = 131;
export const MLD_DONE = 132;
export const MLD2_REPORT = 143;
/** Neighbour discovery (RFC 4861). */
export const ND_ROUTER_SOLICIT = 133;
export const ND_ROUTER_ADVERT = 134;
export const ND_NEIGHBOR_SOLICIT = 135;
export const ND_NEIGHBOR_ADVERT = 136;
export const ND_REDIRECT = 137;

/** Codes of ICMP6_UNREACHABLE. */
export const ICMP6_NO_ROUTE = 0;
export const ICMP6_ADMIN_PROHIBITED = 1;
export const ICMP6_BEYOND_SCOPE = 2;
export const ICMP6_ADDRESS_UNREACHABLE = 3;
export const ICMP6_PORT_UNREACHABLE = 4;

/** Codes of ICMP6_TIME_EXCEEDED. */
export const ICMP6_HOP_LIMIT_EXCEEDED = 0;
export const ICMP6_REASSEMBLY_EXCEEDED = 1;

/** Codes of ICMP6_PARAMETER_PROBLEM. */
export const ICMP6_BAD_FIELD = 0;
export const ICMP6_UNKNOWN_NEXT_HEADER = 1;
export const ICMP6_UNKNOWN_OPTION = 2;
/** RFC 7112: the first fragment does not hold all headers. */
export const ICMP6_INCOMPLETE_HEADERS = 3;

/** Whether [offset, end) holds a whole header. */
export function checkIcmp6(offset: number, end: number): boolean {
  return end - offset >= ICMP6_HEADER_LENGTH;
}

/** ICMP6_ECHO, ND_NEIGHBOR_SOLICIT ... */
export function icmp6Type(view: DataView, offset: number): number {
  return view.getUint8(offset + TYPE);
}

/** What the type says more exactly. */
export function icmp6Code(view: DataView, offset: number): number {
  return view.getUint8(offset + CODE);
}

/** The checksum as it stands. */
export function icmp6Checksum(view: DataView, offset: number): number {
  return view.getUint16(offset + ICMP6_CHECKSUM);
}

/** The second word of the header, unsigned: an MTU, a pointer, or what else the type makes of it. */
export function icmp6Rest(view: DataView, offset: number): number {
  return view.getUint32(offset + REST);
}

/** Of an echo request or reply. */
export function icmp6EchoId(view: DataView, offset: number): number {
  return view.getUint16(offset + ECHO_ID);
}

/** Of an echo request or reply. */
export function icmp6EchoSequence(view: DataView, offset: number): number {
  return view.getUint16(offset + ECHO_SEQUENCE);
}

/** Whether a message of this type is an error, about which no error may be sent (RFC 4443 section 2.1). */
export function isIcmp6Error(type: number): boolean {
  return type < 128;
}

/** Writes a header; the checksum is left zero. `rest` is the second word. */
export function emitIcmp6(view: DataView, offset: number, type: number, code: number, rest: number): void {
  view.setUint8(offset + TYPE, type);
  view.setUint8(offset + CODE, code);
  view.setUint16(offset + ICMP6_CHECKSUM, 0);
  view.setUint32(offset + REST, rest);
}

/** Writes the checksum. */
export function setIcmp6Checksum(view: DataView, offset: number, checksum: number): void {
  view.setUint16(offset + ICMP6_CHECKSUM, checksum);
}

/** The header's fields as plain values. */
export interface Icmp6Repr {
  type: number;
  code: number;
  checksum: number;
  /** The second word of the header, unsigned. */
  rest: number;
}

/** The header at `offset`, or null when [offset, end) does not hold one. */
export function parseIcmp6(view: DataView, offset: number, end: number): Icmp6Repr | null {
  if (!checkIcmp6(offset, end)) return null;
  return {
    type: icmp6Type(view, offset),
    code: icmp6Code(view, offset),
    checksum: icmp6Checksum(view, offset),
    rest: icmp6Rest(view, offset),
  };
}

const NAMES: Readonly<Record<number, string>> = {
  [ICMP6_UNREACHABLE]: 'destination unreachable',
  [MLD_QUERY]: 'multicast listener query',
  [MLD_REPORT]: 'multicast listener report',
  [MLD_DONE]: 'multicast listener done',
  [MLD2_REPORT]: 'multicast listener report v2',
  [ND_ROUTER_SOLICIT]: 'router solicitation',
  [ND_ROUTER_ADVERT]: 'router advertisement',
  [ND_NEIGHBOR_SOLICIT]: 'neighbor solicitation',
  [ND_NEIGHBOR_ADVERT]: 'neighbor advertisement',
  [ND_REDIRECT]: 'redirect',
};

/** What a message says, in tcpdump's words where it has any: 'echo request, id 1, seq 2'. */
export function formatIcmp6(repr: Icmp6Repr): string {
  const { type, code, rest } = repr;
  switch (type) {
    case ICMP6_ECHO:
      return `echo request, id ${rest >>> 16}, seq ${rest & 0xffff}`;
    case ICMP6_ECHO_REPLY:
      return `echo reply, id ${rest >>> 16}, seq ${rest & 0xffff}`;
    case ICMP6_PACKET_TOO_BIG:
      return `packet too big, mtu ${rest}`;
    case ICMP6_TIME_EXCEEDED:
      return code === ICMP6_HOP_LIMIT_EXCEEDED ? 'time exceeded in-transit' : 'time exceeded, reassembly';
    case ICMP6_PARAMETER_PROBLEM:
      return `parameter problem, code ${code}, octet ${rest}`;
    default:
      return NAMES[type] ?? `type ${type}, code ${code}`;
  }
}
