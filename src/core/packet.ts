import { ANY_V4, type IpAddress } from '../wire/address.ts';

/** What is known of the transport checksum of a packet (Linux's ip_summed). */
export const CHECKSUM_NONE = 0;
/** Received and verified, or known to be right: do not verify again (CHECKSUM_UNNECESSARY). */
export const CHECKSUM_VERIFIED = 1;
/** To be sent: the field holds the folded pseudo-header sum, and the rest from `l4` on is still to be added. */
export const CHECKSUM_PARTIAL = 2;
/** One of the CHECKSUM_* values. */
export type ChecksumState = typeof CHECKSUM_NONE | typeof CHECKSUM_VERIFIED | typeof CHECKSUM_PARTIAL;

/**
 * Room kept in front of a packet: the transports put their headers there, IPv6 (40 bytes) goes in front of them, a link
 * header with VLAN tags and a virtio-net header in front of that. Keeps IP headers 4-aligned.
 */
export const HEADROOM = 80;

/** Who a released packet goes back to. */
export interface PacketOwner {
  /** An empty packet with room for `length` bytes behind HEADROOM, or null when the owner is at its limit. */
  take(length: number): Packet | null;
  /** Takes the packet back. */
  recycle(packet: Packet): void;
  /** The folded one's-complement sum of `packet.bytes[start, end)` plus `initial`, not complemented (RFC 1071). */
  sum(packet: Packet, start: number, end: number, initial: number): number;
}

/**
 * One packet: a slot of memory for life and numbers that say where each header begins (Linux's sk_buff).
 * Layers move numbers, they do not copy. Whoever holds a packet hands it on or calls `release()`, exactly once.
 */
export class Packet {
  readonly owner: PacketOwner;
  /** The slot's memory. */
  readonly bytes: Uint8Array;
  /** Where the slot begins in the memory of its owner; -1 when it has memory of its own. For the owner alone. */
  readonly slotAt: number;
  /** The same memory, for multi-byte fields. */
  readonly view: DataView;
  /** Where the packet begins at the present layer. */
  start = HEADROOM;
  /** One past the last byte. */
  end = HEADROOM;
  /** Offset of the network header; valid from the IP layer on. */
  l3 = 0;
  /** Offset of the transport header. */
  l4 = 0;
  /** Offset of the transport payload. */
  payload = 0;
  /** The network header's addresses and protocol number, set by the IP layer on receiving. */
  src: IpAddress = ANY_V4;
  dst: IpAddress = ANY_V4;
  protocol = 0;
  /** Bytes of payload in each segment when this is a super-segment that a link must cut; 0 for an ordinary packet. */
  gsoSize = 0;
  checksumState: ChecksumState = CHECKSUM_NONE;
  /** Offset of the checksum field from `l4`, when the state is CHECKSUM_PARTIAL. */
  checksumOffset = 0;
  /** When it was received or sent, in microseconds. */
  atUs = 0;
  /** Index of the network interface it came in by or goes out by; 0 when not known. */
  netif = 0;
  /** A number that hooks may set and read (Linux's skb->mark). */
  mark = 0;
  /** Whether the slot is lent out. Written by the pool alone. */
  inUse = false;

  constructor(owner: PacketOwner, bytes: Uint8Array, slotAt = -1) {
    this.owner = owner;
    this.bytes = bytes;
    this.slotAt = slotAt;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get length(): number {
    return this.end - this.start;
  }

  /** How many bytes fit between `start` and the end of the slot. */
  get capacity(): number {
    return this.bytes.length - this.start;
  }

  /** Forgets everything but the slot: an empty packet that begins at HEADROOM. */
  reset(): void {
    this.start = HEADROOM;
    this.end = HEADROOM;
    this.l3 = 0;
    this.l4 = 0;
    this.payload = 0;
    this.protocol = 0;
    this.gsoSize = 0;
    this.checksumState = CHECKSUM_NONE;
    this.checksumOffset = 0;
    this.netif = 0;
    this.mark = 0;
  }

  /** Makes this a copy of `other`: the bytes between start and end and every number. */
  copyFrom(other: Packet): void {
    this.bytes.set(other.bytes.subarray(other.start, other.end), other.start);
    this.start = other.start;
    this.end = other.end;
    this.l3 = other.l3;
    this.l4 = other.l4;
    this.payload = other.payload;
    this.src = other.src;
    this.dst = other.dst;
    this.protocol = other.protocol;
    this.gsoSize = other.gsoSize;
    this.checksumState = other.checksumState;
    this.checksumOffset = other.checksumOffset;
    this.atUs = other.atUs;
    this.netif = other.netif;
    this.mark = other.mark;
  }

  /** The folded one's-complement sum of the bytes in [start, end) plus `initial`, not complemented. */
  sum(start: number, end: number, initial: number): number {
    return this.owner.sum(this, start, end, initial);
  }

  /** Gives the slot back. The packet must not be touched afterwards. */
  release(): void {
    this.owner.recycle(this);
  }
}
