/**
 * The IPv6 header (RFC 8200 section 3): fields read and written in place.
 * `offset` is where the header begins; call `checkIpv6` once before any accessor.
 * @module
 */
import { IpAddress } from './address.ts';

const PAYLOAD_LENGTH = 4;
/** Offset of the number that says what follows the header. */
export const IPV6_NEXT_HEADER = 6;
const HOP_LIMIT = 7;
/** Offsets of the addresses. */
export const IPV6_SOURCE = 8;
export const IPV6_DESTINATION = 24;

/** Bytes of the header. */
export const IPV6_HEADER_LENGTH = 40;
/** The longest payload, in bytes; extension headers count. */
export const IPV6_PAYLOAD_MAX = 65535;
/** Every link carries packets this long (RFC 8200 section 5), and every host puts fragments of 1500 together. */
export const IPV6_MIN_MTU = 1280;

const FLOW_LABEL_MASK = 0xfffff;

/** The results of `checkIpv6`. */
export const IPV6_OK = 0;
/** Not version 6, or cut inside the header. */
export const IPV6_BAD_HEADER = 1;
/** The header is there, but fewer bytes than its payload length says. */
export const IPV6_TRUNCATED = 2;

/** Whether [offset, end) holds a packet: IPV6_OK, IPV6_BAD_HEADER or IPV6_TRUNCATED. */
export function checkIpv6(view: DataView, offset: number, end: number): number {
  const available = end - offset - IPV6_HEADER_LENGTH;
  if (available < 0 || view.getUint8(offset) >> 4 !== 6) return IPV6_BAD_HEADER;
  return ipv6PayloadLength(view, offset) > available ? IPV6_TRUNCATED : IPV6_OK;
}

/** Traffic class: DSCP in the upper six bits, ECN in the lower two (RFC 2474, RFC 3168). */
export function ipv6TrafficClass(view: DataView, offset: number): number {
  return (view.getUint16(offset) >> 4) & 0xff;
}

/** The label that all packets of a flow have (RFC 6437); 0 for none. */
export function ipv6FlowLabel(view: DataView, offset: number): number {
  return view.getUint32(offset) & FLOW_LABEL_MASK;
}

/** Bytes behind the header. */
export function ipv6PayloadLength(view: DataView, offset: number): number {
  return view.getUint16(offset + PAYLOAD_LENGTH);
}

/** What follows the header: an extension header or the transport's protocol number. */
export function ipv6NextHeader(view: DataView, offset: number): number {
  return view.getUint8(offset + IPV6_NEXT_HEADER);
}

/** How many more hops it may take. */
export function ipv6HopLimit(view: DataView, offset: number): number {
  return view.getUint8(offset + HOP_LIMIT);
}

/** Writes the length of what is behind the header, in bytes. */
export function setIpv6PayloadLength(view: DataView, offset: number, length: number): void {
  view.setUint16(offset + PAYLOAD_LENGTH, length);
}

/** Writes the traffic class. */
export function setIpv6TrafficClass(view: DataView, offset: number, trafficClass: number): void {
  view.setUint16(offset, (view.getUint16(offset) & 0xf00f) | (trafficClass << 4));
}

/** Writes the hop limit. */
export function setIpv6HopLimit(view: DataView, offset: number, hopLimit: number): void {
  view.setUint8(offset + HOP_LIMIT, hopLimit);
}

/** The sum, not folded, of the 16-bit words of both addresses: their share of a pseudo-header. */
export function ipv6AddressSum(view: DataView, offset: number): number {
  let sum = 0;
  for (let at = offset + IPV6_SOURCE; at < offset + IPV6_HEADER_LENGTH; at += 2) sum += view.getUint16(at);
  return sum;
}

/** Writes a header. */
export function emitIpv6(
  view: DataView,
  offset: number,
  trafficClass: number,
  flowLabel: number,
  payloadLength: number,
  nextHeader: number,
  hopLimit: number,
  source: IpAddress,
  destination: IpAddress,
): void {
  view.setUint32(offset, 0x60000000 | (trafficClass << 20) | (flowLabel & FLOW_LABEL_MASK));
  view.setUint16(offset + PAYLOAD_LENGTH, payloadLength);
  view.setUint16(offset + IPV6_NEXT_HEADER, (nextHeader << 8) | hopLimit);
  source.write(view, offset + IPV6_SOURCE);
  destination.write(view, offset + IPV6_DESTINATION);
}

/** The header's fields as plain values. */
export interface Ipv6Repr {
  trafficClass: number;
  flowLabel: number;
  payloadLength: number;
  nextHeader: number;
  hopLimit: number;
  source: IpAddress;
  destination: IpAddress;
}

/** The header at `offset`, or null when [offset, end) does not hold one; the payload may be cut short (a capture). */
export function parseIpv6(view: DataView, offset: number, end: number): Ipv6Repr | null {
  if (checkIpv6(view, offset, end) === IPV6_BAD_HEADER) return null;
  return {
    trafficClass: ipv6TrafficClass(view, offset),
    flowLabel: ipv6FlowLabel(view, offset),
    payloadLength: ipv6PayloadLength(view, offset),
    nextHeader: ipv6NextHeader(view, offset),
    hopLimit: ipv6HopLimit(view, offset),
    source: IpAddress.read6(view, offset + IPV6_SOURCE),
    destination: IpAddress.read6(view, offset + IPV6_DESTINATION),
  };
}

/** '(class 0x02, flowlabel 0x12345, hlim 64, next-header 6 payload length: 20)', as tcpdump -v has it. */
export function formatIpv6(repr: Ipv6Repr): string {
  const { trafficClass, flowLabel, hopLimit, nextHeader, payloadLength } = repr;
  const hex = (value: number, digits: number): string => `0x${value.toString(16).padStart(digits, '0')}`;
  const marks = [
    trafficClass === 0 ? '' : `class ${hex(trafficClass, 2)}, `,
    flowLabel === 0 ? '' : `flowlabel ${hex(flowLabel, 5)}, `,
  ];
  return `(${marks.join('')}hlim ${hopLimit}, next-header ${nextHeader} payload length: ${payloadLength})`;
}
