/**
 * What waits at a datagram socket: datagrams, and errors about those it sent.
 * @module
 */
import { Packet, type PacketOwner } from '../core/packet.ts';
import { SMALL_SLOT } from '../core/pool.ts';
import { ANY_V4, type IpAddress } from '../wire/address.ts';
import { sum16 } from '../wire/checksum.ts';

/** What is known of a received datagram besides its bytes. */
export interface DatagramInfo {
  /** Who sent it; the port is 0 where there are none. */
  address: IpAddress;
  port: number;
  /** Whom it was sent to. */
  destination: IpAddress;
  /** Index of the interface it came in by. */
  netif: number;
  /** Of its IP header. */
  ttl: number;
  tos: number;
  /** When it came, in microseconds since the Unix epoch. */
  atUs: number;
}

/** A fresh place for `read` to fill in. */
export function datagramInfo(): DatagramInfo {
  return { address: ANY_V4, port: 0, destination: ANY_V4, netif: 0, ttl: 0, tos: 0, atUs: 0 };
}

/** Where an error came from: sock_extended_err's ee_origin. */
export const SO_EE_ORIGIN_LOCAL = 1;
export const SO_EE_ORIGIN_ICMP = 2;
export const SO_EE_ORIGIN_ICMP6 = 3;

/** An error about a datagram that the socket sent: struct sock_extended_err, and what goes with it. */
export interface QueuedError {
  readonly errno: number;
  /** SO_EE_ORIGIN_*. */
  readonly origin: number;
  /** Of the ICMP message; 0 for a local error. */
  readonly type: number;
  readonly code: number;
  /** The MTU that would have fitted, or the pointer of a parameter problem; else 0. */
  readonly info: number;
  /** Who sent the ICMP message; null for a local error. */
  readonly offender: IpAddress | null;
  /** Whom the datagram was for. */
  readonly destination: IpAddress;
  readonly port: number;
  /** What came back of the datagram: a UDP socket's payload, a ping socket's message from its header on. */
  readonly data: Uint8Array;
  /** About the ICMP message, as of a datagram that was received. */
  readonly received: DatagramInfo;
}

/** Bytes of book-keeping that something which waits is charged besides its memory, as Linux charges its sk_buff. */
export const DATAGRAM_OVERHEAD = 256;

/** What a queued datagram takes of SO_RCVBUF, in bytes. */
export function chargeOfDatagram(packet: Packet): number {
  return packet.bytes.length + DATAGRAM_OVERHEAD;
}

/** What a queued error takes of SO_RCVBUF, in bytes. */
export function chargeOfError(error: QueuedError): number {
  return error.data.length + DATAGRAM_OVERHEAD;
}

/** Memory outside the pool, collected by the engine. */
const HEAP: PacketOwner = {
  take: () => null,
  recycle() {},
  sum: (packet, start, end, initial) => sum16(packet.bytes, start, end, initial),
};

/** A datagram that fills less than half of a large slot moves to memory of its size, so that the slot is free again. */
export function compact(packet: Packet): Packet {
  const length = packet.end - packet.l3;
  if (packet.bytes.length <= SMALL_SLOT || length * 2 > packet.bytes.length) return packet;
  const copy = new Packet(HEAP, packet.bytes.slice(packet.l3, packet.end));
  copy.start = 0;
  copy.l3 = 0;
  copy.l4 = packet.l4 - packet.l3;
  copy.payload = packet.payload - packet.l3;
  copy.end = length;
  copy.src = packet.src;
  copy.dst = packet.dst;
  copy.netif = packet.netif;
  copy.atUs = packet.atUs;
  packet.release();
  return copy;
}
