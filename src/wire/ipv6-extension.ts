/**
 * The extension headers of IPv6 (RFC 8200 section 4): fields read and written in place.
 * @module
 */
import { IPV6_HEADER_LENGTH, IPV6_NEXT_HEADER, ipv6NextHeader } from './ipv6.ts';

/** Offsets in an extension header. */
export const EXTENSION_NEXT_HEADER = 0;
const LENGTH = 1;
/** Where the options begin. */
const OPTIONS = 2;
/** Of a routing header. */
export const ROUTING_TYPE = 2;
const SEGMENTS_LEFT = 3;
/** Of a fragment header. */
export const FRAGMENT_OFFSET = 2;
const FRAGMENT_ID = 4;

/** Numbers in the next-header field. */
export const IPV6_HOP_BY_HOP = 0;
export const IPV6_ROUTING = 43;
export const IPV6_FRAGMENT = 44;
export const IPV6_NO_NEXT_HEADER = 59;
export const IPV6_DESTINATION_OPTIONS = 60;

/** Bytes of a fragment header. */
export const FRAGMENT_HEADER_LENGTH = 8;
const MORE_FRAGMENTS = 1;

/** Types of options. */
export const OPTION_PAD1 = 0;
export const OPTION_PADN = 1;
/** RFC 2711: routers on the way must look into the packet. In a hop-by-hop header alone. */
export const OPTION_ROUTER_ALERT = 5;

/** What to do about an option of unknown type, by its upper two bits (RFC 8200 section 4.2). */
export const OPTION_SKIP = 0;
export const OPTION_DISCARD = 1;
/** Discard, and report it. */
export const OPTION_REPORT = 2;
/** Discard, and report it unless the destination was a multicast address. */
export const OPTION_REPORT_UNICAST = 3;

/** Whether this next-header number is that of an extension header that is understood here. */
export function isIpv6Extension(type: number): boolean {
  return (
    type === IPV6_HOP_BY_HOP ||
    type === IPV6_ROUTING ||
    type === IPV6_FRAGMENT ||
    type === IPV6_DESTINATION_OPTIONS
  );
}

/** Bytes of the extension header of this type at `offset`; -1 when [offset, end) does not hold it. */
export function extensionLength(view: DataView, offset: number, end: number, type: number): number {
  if (end - offset < FRAGMENT_HEADER_LENGTH) return -1;
  const length = type === IPV6_FRAGMENT ? FRAGMENT_HEADER_LENGTH : (view.getUint8(offset + LENGTH) + 1) * 8;
  return length > end - offset ? -1 : length;
}

/** Of a routing header: how many of its addresses are still to be visited. */
export function routingSegmentsLeft(view: DataView, offset: number): number {
  return view.getUint8(offset + SEGMENTS_LEFT);
}

/** Where this fragment's data belongs in the fragmentable part, in bytes. */
export function fragmentOffset(view: DataView, offset: number): number {
  return view.getUint16(offset + FRAGMENT_OFFSET) & 0xfff8;
}

/** Whether this is a fragment, but not the last. */
export function fragmentMore(view: DataView, offset: number): boolean {
  return (view.getUint16(offset + FRAGMENT_OFFSET) & MORE_FRAGMENTS) !== 0;
}

/** The identification, which the fragments of one packet share. */
export function fragmentId(view: DataView, offset: number): number {
  return view.getUint32(offset + FRAGMENT_ID);
}

/** The options of a header are known, or may be skipped. */
export const IPV6_OPTIONS_OK = -1;
/** They do not end where they should, or there are more of them than allowed. */
export const IPV6_OPTIONS_BAD = -2;

/**
 * Walks the options of the hop-by-hop or destination options header at `offset`, of `length` bytes: IPV6_OPTIONS_OK,
 * IPV6_OPTIONS_BAD, or where the first option lies that is unknown and must not be skipped. At most `limit` options
 * besides padding are looked at, and no more than 7 bytes of padding in a row (RFC 8504 section 5.3).
 */
export function checkIpv6Options(view: DataView, offset: number, length: number, limit: number): number {
  const end = offset + length;
  let left = limit;
  let padding = 0;
  for (let at = offset + OPTIONS; at < end; ) {
    const type = view.getUint8(at);
    const size = optionLength(view, at, end);
    if (size === 0) return IPV6_OPTIONS_BAD;
    if (type === OPTION_PAD1 || type === OPTION_PADN) {
      padding += size;
      if (padding > 7) return IPV6_OPTIONS_BAD;
    } else {
      padding = 0;
      if (--left < 0) return IPV6_OPTIONS_BAD;
      if (type !== OPTION_ROUTER_ALERT && optionAction(type) !== OPTION_SKIP) return at;
    }
    at += size;
  }
  return IPV6_OPTIONS_OK;
}

/** What to do about an option of this type when it is not known: OPTION_SKIP ... */
export function optionAction(type: number): number {
  return type >> 6;
}

/** Bytes of the option at `at`; 0 when it does not end before `end`. */
function optionLength(view: DataView, at: number, end: number): number {
  if (view.getUint8(at) === OPTION_PAD1) return 1;
  if (at + 1 >= end) return 0;
  const length = view.getUint8(at + 1) + 2;
  return at + length > end ? 0 : length;
}

/** Whether the (well-formed) hop-by-hop header at `offset`, of `length` bytes, has the router alert option. */
export function hasRouterAlert(view: DataView, offset: number, length: number): boolean {
  const end = offset + length;
  for (let at = offset + OPTIONS; at < end; ) {
    if (view.getUint8(at) === OPTION_ROUTER_ALERT) return true;
    const size = optionLength(view, at, end);
    if (size === 0) return false;
    at += size;
  }
  return false;
}

/** Writes a fragment header; `dataOffset` in bytes, a multiple of 8. */
export function emitFragmentHeader(
  view: DataView,
  offset: number,
  nextHeader: number,
  dataOffset: number,
  more: boolean,
  id: number,
): void {
  view.setUint16(offset, nextHeader << 8);
  view.setUint16(offset + FRAGMENT_OFFSET, dataOffset | (more ? MORE_FRAGMENTS : 0));
  view.setUint32(offset + FRAGMENT_ID, id);
}

/** Bytes of the header that `emitRouterAlert` writes. */
export const ROUTER_ALERT_LENGTH = 8;

/** Writes a hop-by-hop header with the router alert option of value 0 (RFC 2711), which MLD needs, and padding. */
export function emitRouterAlert(view: DataView, offset: number, nextHeader: number): void {
  view.setUint16(offset, nextHeader << 8);
  view.setUint16(offset + 2, (OPTION_ROUTER_ALERT << 8) | 2);
  view.setUint32(offset + 4, OPTION_PADN << 8);
}

/** Where a packet's transport header begins. */
export interface UpperLayer {
  readonly protocol: number;
  readonly offset: number;
  /** In bytes; not 0 when there is no transport header, since this is a later fragment. */
  readonly fragmentOffset: number;
  /** Where the number `protocol` was found. */
  readonly nextHeaderAt: number;
}

/**
 * Finds what is behind the extension headers of the packet at `offset` (its IPv6 header must be there); null when they
 * do not end before `end`. Stops at the header of type `stopAt`, if one is given, as if it were the transport's.
 */
export function upperLayer(view: DataView, offset: number, end: number, stopAt = -1): UpperLayer | null {
  let nextHeaderAt = offset + IPV6_NEXT_HEADER;
  let protocol = ipv6NextHeader(view, offset);
  let at = offset + IPV6_HEADER_LENGTH;
  let place = 0;
  while (isIpv6Extension(protocol) && protocol !== stopAt && place === 0) {
    const length = extensionLength(view, at, end, protocol);
    if (length < 0) return null;
    if (protocol === IPV6_FRAGMENT) place = fragmentOffset(view, at);
    protocol = view.getUint8(at + EXTENSION_NEXT_HEADER);
    nextHeaderAt = at;
    at += length;
  }
  return { protocol, offset: at, fragmentOffset: place, nextHeaderAt };
}
