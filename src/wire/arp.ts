/**
 * ARP for IPv4 over Ethernet (RFC 826): fields read and written in place.
 * `offset` is where the packet begins; call `checkArp` once before any accessor.
 * @module
 */
import { formatMac, IpAddress } from './address.ts';
import { macFromParts } from './ethernet.ts';

const HARDWARE_TYPE = 0;
const PROTOCOL_TYPE = 2;
const LENGTHS = 4;
const OPERATION = 6;
const SENDER_MAC = 8;
const SENDER_IP = 14;
const TARGET_MAC = 18;
const TARGET_IP = 24;

/** Bytes of the packet. */
export const ARP_LENGTH = 28;
export const ARP_REQUEST = 1;
export const ARP_REPLY = 2;

const ETHERNET = 1;
const IPV4 = 0x0800;
/** Six bytes of hardware address, four of protocol address. */
const LENGTHS_6_4 = 0x0604;

/** Whether [offset, end) holds an ARP packet about IPv4 over Ethernet, request or reply. */
export function checkArp(view: DataView, offset: number, end: number): boolean {
  if (end - offset < ARP_LENGTH) return false;
  const operation = arpOperation(view, offset);
  return (
    view.getUint16(offset + HARDWARE_TYPE) === ETHERNET &&
    view.getUint16(offset + PROTOCOL_TYPE) === IPV4 &&
    view.getUint16(offset + LENGTHS) === LENGTHS_6_4 &&
    (operation === ARP_REQUEST || operation === ARP_REPLY)
  );
}

/** ARP_REQUEST or ARP_REPLY. */
export function arpOperation(view: DataView, offset: number): number {
  return view.getUint16(offset + OPERATION);
}

/** The sender's hardware address, first 16 bits. */
export function arpSenderMacHigh(view: DataView, offset: number): number {
  return view.getUint16(offset + SENDER_MAC);
}

/** The sender's hardware address, last 32 bits, as int32. */
export function arpSenderMacLow(view: DataView, offset: number): number {
  return view.getInt32(offset + SENDER_MAC + 2);
}

/** The sender's IPv4 address as int32. */
export function arpSenderIp(view: DataView, offset: number): number {
  return view.getInt32(offset + SENDER_IP);
}

/** The target's hardware address, first 16 bits. */
export function arpTargetMacHigh(view: DataView, offset: number): number {
  return view.getUint16(offset + TARGET_MAC);
}

/** The target's hardware address, last 32 bits, as int32. */
export function arpTargetMacLow(view: DataView, offset: number): number {
  return view.getInt32(offset + TARGET_MAC + 2);
}

/** The target's IPv4 address as int32. */
export function arpTargetIp(view: DataView, offset: number): number {
  return view.getInt32(offset + TARGET_IP);
}

/** Writes a packet. */
export function emitArp(
  view: DataView,
  offset: number,
  operation: number,
  senderMacHigh: number,
  senderMacLow: number,
  senderIp: number,
  targetMacHigh: number,
  targetMacLow: number,
  targetIp: number,
): void {
  view.setUint16(offset + HARDWARE_TYPE, ETHERNET);
  view.setUint16(offset + PROTOCOL_TYPE, IPV4);
  view.setUint16(offset + LENGTHS, LENGTHS_6_4);
  view.setUint16(offset + OPERATION, operation);
  view.setUint16(offset + SENDER_MAC, senderMacHigh);
  view.setInt32(offset + SENDER_MAC + 2, senderMacLow);
  view.setInt32(offset + SENDER_IP, senderIp);
  view.setUint16(offset + TARGET_MAC, targetMacHigh);
  view.setInt32(offset + TARGET_MAC + 2, targetMacLow);
  view.setInt32(offset + TARGET_IP, targetIp);
}

/** The packet's fields as plain values. */
export interface ArpRepr {
  operation: number;
  senderMac: Uint8Array;
  senderIp: IpAddress;
  targetMac: Uint8Array;
  targetIp: IpAddress;
}

/** The packet at `offset`, or null when [offset, end) does not hold one. */
export function parseArp(view: DataView, offset: number, end: number): ArpRepr | null {
  if (!checkArp(view, offset, end)) return null;
  return {
    operation: arpOperation(view, offset),
    senderMac: macFromParts(arpSenderMacHigh(view, offset), arpSenderMacLow(view, offset)),
    senderIp: IpAddress.v4(arpSenderIp(view, offset)),
    targetMac: macFromParts(arpTargetMacHigh(view, offset), arpTargetMacLow(view, offset)),
    targetIp: IpAddress.v4(arpTargetIp(view, offset)),
  };
}

/** 'Request who-has 10.0.0.2 tell 10.0.0.1', 'Reply 10.0.0.2 is-at aa:bb:...', as tcpdump writes it after 'ARP, '. */
export function formatArp(repr: ArpRepr): string {
  const { operation, senderMac, senderIp, targetMac, targetIp } = repr;
  if (operation === ARP_REPLY) return `Reply ${senderIp} is-at ${formatMac(senderMac)}`;
  if (senderIp.isUnspecified) return `Probe ${targetIp}`;
  if (senderIp.equals(targetIp)) return `Announcement ${senderIp}`;
  const known = targetMac.some(byte => byte !== 0) ? ` (${formatMac(targetMac)})` : '';
  return `Request who-has ${targetIp}${known} tell ${senderIp}`;
}
