/**
 * The Ethernet II header (IEEE 802.3 with a type field, RFC 894): fields read and written in place.
 * `offset` is where the frame begins; call `checkEthernet` once before any accessor.
 *
 * A MAC address on the packet path is two numbers, its first 16 bits (`high`) and its last 32 (`low`, int32).
 * @module
 */
import { formatMac } from './address.ts';

const DESTINATION = 0;
const SOURCE = 6;
const TYPE = 12;

/** Bytes of the header. */
export const ETHERNET_HEADER_LENGTH = 14;
/** Bytes of the shortest frame without its check sequence; a shorter one is padded. */
export const ETHERNET_MIN_FRAME = 60;

export const ETHERTYPE_IPV4 = 0x0800;
export const ETHERTYPE_ARP = 0x0806;
export const ETHERTYPE_IPV6 = 0x86dd;
/** A type below this is the length of an IEEE 802.3 frame. */
export const ETHERTYPE_MIN = 0x0600;

/** ff:ff:ff:ff:ff:ff */
export const BROADCAST_MAC_HIGH = 0xffff;
export const BROADCAST_MAC_LOW = -1;

/** Whether [offset, end) holds a whole header. */
export function checkEthernet(offset: number, end: number): boolean {
  return end - offset >= ETHERNET_HEADER_LENGTH;
}

/** The destination's first 16 bits. */
export function ethernetDestinationHigh(view: DataView, offset: number): number {
  return view.getUint16(offset + DESTINATION);
}

/** The destination's last 32 bits, as int32. */
export function ethernetDestinationLow(view: DataView, offset: number): number {
  return view.getInt32(offset + DESTINATION + 2);
}

/** The source's first 16 bits. */
export function ethernetSourceHigh(view: DataView, offset: number): number {
  return view.getUint16(offset + SOURCE);
}

/** The source's last 32 bits, as int32. */
export function ethernetSourceLow(view: DataView, offset: number): number {
  return view.getInt32(offset + SOURCE + 2);
}

/** The EtherType: ETHERTYPE_IPV4 ..., VLAN_TYPE for a tagged frame. */
export function ethernetType(view: DataView, offset: number): number {
  return view.getUint16(offset + TYPE);
}

/** Whether the MAC address with these first 16 bits is a group address (multicast or broadcast). */
export function isGroupMac(high: number): boolean {
  return (high & 0x0100) !== 0;
}

/** The first 16 bits of a MAC address of six bytes. */
export function macHigh(mac: Uint8Array, at = 0): number {
  return ((mac[at] ?? 0) << 8) | (mac[at + 1] ?? 0);
}

/** The last 32 bits, as int32, of a MAC address of six bytes. */
export function macLow(mac: Uint8Array, at = 0): number {
  return (
    ((mac[at + 2] ?? 0) << 24) | ((mac[at + 3] ?? 0) << 16) | ((mac[at + 4] ?? 0) << 8) | (mac[at + 5] ?? 0)
  );
}

/** The six bytes of a MAC address given in two parts. */
export function macFromParts(high: number, low: number): Uint8Array {
  return Uint8Array.of(high >>> 8, high, low >>> 24, low >>> 16, low >>> 8, low);
}

/** Writes a header. */
export function emitEthernet(
  view: DataView,
  offset: number,
  destinationHigh: number,
  destinationLow: number,
  sourceHigh: number,
  sourceLow: number,
  type: number,
): void {
  view.setUint16(offset + DESTINATION, destinationHigh);
  view.setInt32(offset + DESTINATION + 2, destinationLow);
  view.setUint16(offset + SOURCE, sourceHigh);
  view.setInt32(offset + SOURCE + 2, sourceLow);
  view.setUint16(offset + TYPE, type);
}

/** The header's fields as plain values. */
export interface EthernetRepr {
  destination: Uint8Array;
  source: Uint8Array;
  type: number;
}

/** The header at `offset`, or null when [offset, end) does not hold one. */
export function parseEthernet(view: DataView, offset: number, end: number): EthernetRepr | null {
  if (!checkEthernet(offset, end)) return null;
  return {
    destination: macFromParts(ethernetDestinationHigh(view, offset), ethernetDestinationLow(view, offset)),
    source: macFromParts(ethernetSourceHigh(view, offset), ethernetSourceLow(view, offset)),
    type: ethernetType(view, offset),
  };
}

/** 'aa:aa:aa:aa:aa:aa > bb:bb:bb:bb:bb:bb, ethertype IPv4 (0x0800)', as tcpdump -e writes it. */
export function formatEthernet(repr: EthernetRepr): string {
  const type = `0x${repr.type.toString(16).padStart(4, '0')}`;
  return `${formatMac(repr.source)} > ${formatMac(repr.destination)}, ethertype ${etherTypeName(repr.type)} (${type})`;
}

/** 'IPv4', 'ARP' ...; 'Unknown' for a type that has no name here. */
export function etherTypeName(type: number): string {
  switch (type) {
    case ETHERTYPE_IPV4:
      return 'IPv4';
    case ETHERTYPE_ARP:
      return 'ARP';
    case ETHERTYPE_IPV6:
      return 'IPv6';
    case 0x8100:
      return '802.1Q';
    case 0x88a8:
      return '802.1Q-QinQ';
    default:
      return 'Unknown';
  }
}
