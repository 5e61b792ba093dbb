/**
 * The IPv4 header (RFC 791): fields read and written in place.
 * `offset` is where the header begins; call `checkIpv4` once before any accessor.
 * @module
 */
import { IpAddress } from './address.ts';
import { finishChecksum, foldChecksum } from './checksum.ts';

const VERSION_AND_IHL = 0;
const TOS = 1;
const TOTAL_LENGTH = 2;
const IDENTIFICATION = 4;
const FRAGMENT = 6;
const TTL = 8;
const PROTOCOL = 9;
/** Offset of the header checksum. */
export const IPV4_CHECKSUM = 10;
const SOURCE = 12;
const DESTINATION = 16;

/** Bytes of a header without options, and of the longest. */
export const IPV4_HEADER_LENGTH = 20;
export const IPV4_HEADER_MAX = 60;
/** The largest packet, in bytes. */
export const IPV4_MAX_LENGTH = 65535;
/** Every host takes a packet this long (RFC 791 section 3.2). */
export const IPV4_MIN_REASSEMBLY = 576;

/** Don't fragment, more fragments: bits of the fragment field. */
export const IPV4_DF = 0x4000;
export const IPV4_MF = 0x2000;
const FRAGMENT_OFFSET_MASK = 0x1fff;

/** The results of `checkIpv4`. */
export const IPV4_OK = 0;
/** Not version 4, a header length under 20 bytes, a total length shorter than the header, or cut inside the header. */
export const IPV4_BAD_HEADER = 1;
/** The header is there, but fewer bytes than its total length says. */
export const IPV4_TRUNCATED = 2;

/** Whether [offset, end) holds a packet: IPV4_OK, IPV4_BAD_HEADER or IPV4_TRUNCATED. Does not look at the checksum. */
export function checkIpv4(view: DataView, offset: number, end: number): number {
  const available = end - offset;
  if (available < IPV4_HEADER_LENGTH) return IPV4_BAD_HEADER;
  const first = view.getUint8(offset + VERSION_AND_IHL);
  const headerLength = (first & 0x0f) << 2;
  if (first >> 4 !== 4 || headerLength < IPV4_HEADER_LENGTH || headerLength > available)
    return IPV4_BAD_HEADER;
  const totalLength = ipv4TotalLength(view, offset);
  if (totalLength < headerLength) return IPV4_BAD_HEADER;
  return totalLength > available ? IPV4_TRUNCATED : IPV4_OK;
}

/** Bytes of the header with its options. */
export function ipv4HeaderLength(view: DataView, offset: number): number {
  return (view.getUint8(offset + VERSION_AND_IHL) & 0x0f) << 2;
}

/** Type of service: DSCP in the upper six bits, ECN in the lower two (RFC 2474, RFC 3168). */
export function ipv4Tos(view: DataView, offset: number): number {
  return view.getUint8(offset + TOS);
}

/** Bytes of header and payload. */
export function ipv4TotalLength(view: DataView, offset: number): number {
  return view.getUint16(offset + TOTAL_LENGTH);
}

/** The identification, which the fragments of one datagram share. */
export function ipv4Id(view: DataView, offset: number): number {
  return view.getUint16(offset + IDENTIFICATION);
}

/** Whether the packet must not be fragmented. */
export function ipv4DontFragment(view: DataView, offset: number): boolean {
  return (view.getUint16(offset + FRAGMENT) & IPV4_DF) !== 0;
}

/** Whether this is a fragment, but not the last. */
export function ipv4MoreFragments(view: DataView, offset: number): boolean {
  return (view.getUint16(offset + FRAGMENT) & IPV4_MF) !== 0;
}

/** Where this fragment's data belongs in the whole datagram, in bytes. */
export function ipv4FragmentOffset(view: DataView, offset: number): number {
  return (view.getUint16(offset + FRAGMENT) & FRAGMENT_OFFSET_MASK) << 3;
}

/** Whether this is a part of a datagram: more fragments follow, or its offset is not 0. */
export function ipv4IsFragment(view: DataView, offset: number): boolean {
  return (view.getUint16(offset + FRAGMENT) & (IPV4_MF | FRAGMENT_OFFSET_MASK)) !== 0;
}

/** Time to live, in hops. */
export function ipv4Ttl(view: DataView, offset: number): number {
  return view.getUint8(offset + TTL);
}

/** The transport's protocol number. */
export function ipv4Protocol(view: DataView, offset: number): number {
  return view.getUint8(offset + PROTOCOL);
}

/** The header's checksum as it stands. */
export function ipv4Checksum(view: DataView, offset: number): number {
  return view.getUint16(offset + IPV4_CHECKSUM);
}

/** The source address as int32. */
export function ipv4Source(view: DataView, offset: number): number {
  return view.getInt32(offset + SOURCE);
}

/** The destination address as int32. */
export function ipv4Destination(view: DataView, offset: number): number {
  return view.getInt32(offset + DESTINATION);
}

/** Writes the length of header and payload, in bytes. */
export function setIpv4TotalLength(view: DataView, offset: number, length: number): void {
  view.setUint16(offset + TOTAL_LENGTH, length);
}

/** Writes the identification; what is over 16 bits is cut off. */
export function setIpv4Id(view: DataView, offset: number, id: number): void {
  view.setUint16(offset + IDENTIFICATION, id);
}

/** Writes the type of service. */
export function setIpv4Tos(view: DataView, offset: number, tos: number): void {
  view.setUint8(offset + TOS, tos);
}

/** Writes the fragment field: `fragmentOffset` in bytes, a multiple of 8. */
export function setIpv4Fragment(
  view: DataView,
  offset: number,
  fragmentOffset: number,
  moreFragments: boolean,
  dontFragment: boolean,
): void {
  const flags = (moreFragments ? IPV4_MF : 0) | (dontFragment ? IPV4_DF : 0);
  view.setUint16(offset + FRAGMENT, flags | (fragmentOffset >>> 3));
}

/** One hop less, with the checksum kept right (RFC 1624). The TTL must not be 0. */
export function decrementIpv4Ttl(view: DataView, offset: number): void {
  view.setUint8(offset + TTL, ipv4Ttl(view, offset) - 1);
  const sum = ipv4Checksum(view, offset) + 0x100;
  view.setUint16(offset + IPV4_CHECKSUM, (sum & 0xffff) + (sum >>> 16));
}

/** Whether the header's checksum is right. */
export function ipv4ChecksumOk(view: DataView, offset: number): boolean {
  return foldChecksum(headerSum(view, offset)) === 0xffff;
}

/** Computes and writes the header's checksum. */
export function fillIpv4Checksum(view: DataView, offset: number): void {
  view.setUint16(offset + IPV4_CHECKSUM, 0);
  view.setUint16(offset + IPV4_CHECKSUM, finishChecksum(headerSum(view, offset)));
}

function headerSum(view: DataView, offset: number): number {
  const end = offset + ipv4HeaderLength(view, offset);
  let sum = 0;
  for (let at = offset; at < end; at += 2) sum += view.getUint16(at);
  return sum;
}

/** Writes a header of 20 bytes, not a fragment, with its checksum. Addresses are int32. */
export function emitIpv4(
  view: DataView,
  offset: number,
  tos: number,
  totalLength: number,
  id: number,
  dontFragment: boolean,
  ttl: number,
  protocol: number,
  source: number,
  destination: number,
): void {
  const first = 0x4500 | tos;
  const fragment = dontFragment ? IPV4_DF : 0;
  const hop = (ttl << 8) | protocol;
  const addresses = (source >>> 16) + (source & 0xffff) + (destination >>> 16) + (destination & 0xffff);
  view.setUint16(offset, first);
  view.setUint16(offset + TOTAL_LENGTH, totalLength);
  view.setUint16(offset + IDENTIFICATION, id);
  view.setUint16(offset + FRAGMENT, fragment);
  view.setUint16(offset + TTL, hop);
  view.setUint16(
    offset + IPV4_CHECKSUM,
    finishChecksum(first + (totalLength & 0xffff) + id + fragment + hop + addresses),
  );
  view.setInt32(offset + SOURCE, source);
  view.setInt32(offset + DESTINATION, destination);
}

const OPTION_END = 0;
const OPTION_NOP = 1;
const OPTION_LSRR = 131;
const OPTION_SSRR = 137;
/** The bit of an option's type that says it belongs in every fragment. */
const OPTION_COPIED = 0x80;

/** Options are well formed. */
export const IPV4_OPTIONS_OK = -1;

/**
 * Walks the options: IPV4_OPTIONS_OK, or the place in the header (in bytes) of the octet that is wrong, which is what
 * an ICMP parameter problem points at.
 */
export function checkIpv4Options(view: DataView, offset: number): number {
  const end = ipv4HeaderLength(view, offset);
  let at = IPV4_HEADER_LENGTH;
  while (at < end) {
    const type = view.getUint8(offset + at);
    if (type === OPTION_END) break;
    const length = optionLength(view, offset, at, end);
    if (length === 0) return at + 1 < end ? at + 1 : at;
    at += length;
  }
  return IPV4_OPTIONS_OK;
}

/** Whether there is a source route among the (well-formed) options. */
export function ipv4HasSourceRoute(view: DataView, offset: number): boolean {
  const end = ipv4HeaderLength(view, offset);
  let at = IPV4_HEADER_LENGTH;
  while (at < end) {
    const type = view.getUint8(offset + at);
    if (type === OPTION_LSRR || type === OPTION_SSRR) return true;
    const length = type === OPTION_END ? 0 : optionLength(view, offset, at, end);
    if (length === 0) return false;
    at += length;
  }
  return false;
}

/** Overwrites with NOP each (well-formed) option that belongs in the first fragment alone (RFC 791 section 3.1). */
export function blankUncopiedIpv4Options(view: DataView, offset: number): void {
  const end = ipv4HeaderLength(view, offset);
  let at = IPV4_HEADER_LENGTH;
  while (at < end) {
    const type = view.getUint8(offset + at);
    const length = type === OPTION_END ? 0 : optionLength(view, offset, at, end);
    if (length === 0) return;
    if ((type & OPTION_COPIED) === 0) {
      for (let i = 0; i < length; i++) view.setUint8(offset + at + i, OPTION_NOP);
    }
    at += length;
  }
}

/** Bytes of the option at `at`; 0 when it is malformed. */
function optionLength(view: DataView, offset: number, at: number, end: number): number {
  if (view.getUint8(offset + at) === OPTION_NOP) return 1;
  if (at + 1 >= end) return 0;
  const length = view.getUint8(offset + at + 1);
  return length < 2 || at + length > end ? 0 : length;
}

/** The header's fields as plain values. */
export interface Ipv4Repr {
  headerLength: number;
  tos: number;
  totalLength: number;
  id: number;
  dontFragment: boolean;
  moreFragments: boolean;
  /** In bytes. */
  fragmentOffset: number;
  ttl: number;
  protocol: number;
  checksum: number;
  checksumOk: boolean;
  source: IpAddress;
  destination: IpAddress;
}

/** The header at `offset`, or null when [offset, end) does not hold one; the payload may be cut short (a capture). */
export function parseIpv4(view: DataView, offset: number, end: number): Ipv4Repr | null {
  if (checkIpv4(view, offset, end) === IPV4_BAD_HEADER) return null;
  return {
    headerLength: ipv4HeaderLength(view, offset),
    tos: ipv4Tos(view, offset),
    totalLength: ipv4TotalLength(view, offset),
    id: ipv4Id(view, offset),
    dontFragment: ipv4DontFragment(view, offset),
    moreFragments: ipv4MoreFragments(view, offset),
    fragmentOffset: ipv4FragmentOffset(view, offset),
    ttl: ipv4Ttl(view, offset),
    protocol: ipv4Protocol(view, offset),
    checksum: ipv4Checksum(view, offset),
    checksumOk: ipv4ChecksumOk(view, offset),
    source: IpAddress.v4(ipv4Source(view, offset)),
    destination: IpAddress.v4(ipv4Destination(view, offset)),
  };
}

/** '(tos 0x0, ttl 64, id 1, offset 0, flags [DF], proto 6, length 60)', as tcpdump -v writes it. */
export function formatIpv4(repr: Ipv4Repr): string {
  const flags = [repr.moreFragments ? '+' : '', repr.dontFragment ? 'DF' : ''].filter(flag => flag !== '');
  return (
    `(tos 0x${repr.tos.toString(16)}, ttl ${repr.ttl}, id ${repr.id}, offset ${repr.fragmentOffset}, ` +
    `flags [${flags.length > 0 ? flags.join(',') : 'none'}], proto ${repr.protocol}, length ${repr.totalLength})`
  );
}

/** Bytes of a header with a router alert. */
export const IPV4_ROUTER_ALERT_HEADER_LENGTH: number = IPV4_HEADER_LENGTH + 4;
/** The option with its length and its value, "look at it" (RFC 2113). */
const ROUTER_ALERT = 0x94040000;

/** Writes a header with a router alert (RFC 2113), not a fragment, with its checksum. Addresses are int32. */
export function emitIpv4RouterAlert(
  view: DataView,
  offset: number,
  tos: number,
  totalLength: number,
  ttl: number,
  protocol: number,
  source: number,
  destination: number,
): void {
  emitIpv4(view, offset, tos, totalLength, 0, true, ttl, protocol, source, destination);
  view.setUint8(offset, 0x40 | (IPV4_ROUTER_ALERT_HEADER_LENGTH >> 2));
  view.setUint32(offset + IPV4_HEADER_LENGTH, ROUTER_ALERT);
  fillIpv4Checksum(view, offset);
}
