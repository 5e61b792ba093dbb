import { assert } from '../base/assert.ts';
import { type Checksum, createChecksum } from '../wire/checksum.ts';
import { HEADROOM, Packet, type PacketOwner } from './packet.ts';

/** How much memory a pool may use. */
export interface PoolLimits {
  /** Slots for a frame of an ordinary link. */
  smallSlots: number;
  /** Slots for a super-segment or a datagram of up to 64 KiB. */
  largeSlots: number;
  /** Packets beyond the slots, taken from the JavaScript heap: slower, but nothing stalls. */
  overflowPackets: number;
}

/** About 17 MB of slots, and 65,536 packets more when they are used up. */
export const DEFAULT_POOL_LIMITS: PoolLimits = {
  smallSlots: 4096,
  largeSlots: 128,
  overflowPackets: 65536,
};

/** Bytes of a small slot: headroom, a 1,500-byte MTU with its link header, and room to spare. */
export const SMALL_SLOT = 2048;
/** Bytes of a large slot: headroom, a link header and the largest IP packet. */
export const LARGE_SLOT = 66048;

/**
 * The packets of one stack or of one simulated world, in memory that is never moved: the checksum reads it in place.
 * When the slots are used up packets come from the heap, up to `overflowPackets`; then `take` returns null and
 * the caller drops, which a transport can recover from. Slots are made when they are first needed.
 */
export class PacketPool implements PacketOwner {
  readonly limits: PoolLimits;
  private readonly checksum: Checksum;
  private readonly small: Packet[] = [];
  private readonly large: Packet[] = [];
  private smallMade = 0;
  private largeMade = 0;
  private overflow = 0;
  /** Packets lent out now. */
  inUse = 0;
  /** The most packets lent out at once so far. */
  inUseMax = 0;

  constructor(limits: Partial<PoolLimits> = {}) {
    this.limits = { ...DEFAULT_POOL_LIMITS, ...limits };
    this.checksum = createChecksum(this.limits.smallSlots * SMALL_SLOT + this.limits.largeSlots * LARGE_SLOT);
  }

  /** An empty packet with room for `length` bytes behind HEADROOM, or null when the pool is at its limit. */
  take(length: number): Packet | null {
    const size = length + HEADROOM;
    const packet = size <= SMALL_SLOT ? this.takeSmall() : this.takeLarge(size);
    if (packet === null) return null;
    packet.inUse = true;
    this.inUse++;
    if (this.inUse > this.inUseMax) this.inUseMax = this.inUse;
    return packet;
  }

  recycle(packet: Packet): void {
    assert(packet.inUse, 'a packet is released once');
    packet.inUse = false;
    this.inUse--;
    packet.reset();
    if (packet.slotAt < 0) this.overflow--;
    else if (packet.bytes.length === SMALL_SLOT) this.small.push(packet);
    else this.large.push(packet);
  }

  sum(packet: Packet, start: number, end: number, initial: number): number {
    const { bytes, slotAt } = packet;
    return slotAt < 0
      ? this.checksum.sum(bytes, start, end, initial)
      : this.checksum.sumInPlace(bytes, slotAt, start, end, initial);
  }

  private takeSmall(): Packet | null {
    const free = this.small.pop();
    if (free !== undefined) return free;
    if (this.smallMade === this.limits.smallSlots) return this.takeFromHeap(SMALL_SLOT);
    const at = this.limits.largeSlots * LARGE_SLOT + this.smallMade++ * SMALL_SLOT;
    return new Packet(this, this.checksum.memory.subarray(at, at + SMALL_SLOT), at);
  }

  private takeLarge(size: number): Packet | null {
    if (size > LARGE_SLOT) return null;
    const free = this.large.pop();
    if (free !== undefined) return free;
    if (this.largeMade === this.limits.largeSlots) return this.takeFromHeap(LARGE_SLOT);
    const at = this.largeMade++ * LARGE_SLOT;
    return new Packet(this, this.checksum.memory.subarray(at, at + LARGE_SLOT), at);
  }

  private takeFromHeap(size: number): Packet | null {
    if (this.overflow === this.limits.overflowPackets) return null;
    this.overflow++;
    return new Packet(this, new Uint8Array(size));
  }
}
