/**
 * Reading frames of unknown size, each in one system call and without a copy to speak of.
 * @module
 */
import type { Packet } from '../../core/packet.ts';
import { LARGE_SLOT, type PacketPool, SMALL_SLOT } from '../../core/pool.ts';
import type { Libc } from './libc.ts';
import { MemoryBase } from './memory-base.ts';

/** Bytes of struct iovec: an address and a length of 64 bits each. */
const IOVEC_LENGTH = 16;
/** Bytes read of a frame that is thrown away: a TAP device asks for room for its header at least. */
const DISCARDED_LENGTH = 64;

/** What `FrameReader.read` returns besides -errno and the number of bytes: the frame was lost, the pool is empty. */
export const LOST = 0;

/**
 * Takes frames from a descriptor into slots of a pool. Where frames may be larger than a small slot, the kernel is
 * given two pieces of memory: the small slot, and the large slot from the same offset on. A frame that fits into the
 * small slot lies there, in place; of a larger one the first two kilobytes are copied to the front of the large slot.
 */
export class FrameReader {
  /** The frame that was just read, bytes[at, end); the caller's to hand on. */
  packet: Packet | null = null;
  private readonly system: Libc;
  private readonly pool: PacketPool;
  /** Where in its slot a frame begins. */
  private readonly at: number;
  private readonly withLarge: boolean;
  private small: Packet | null = null;
  private large: Packet | null = null;
  private readonly memory: MemoryBase;
  private readonly iovecs = new DataView(new ArrayBuffer(2 * IOVEC_LENGTH));
  private readonly iovecsAddress: number;
  /** Where a frame goes that there is no slot for. */
  private readonly discarded = new DataView(new ArrayBuffer(DISCARDED_LENGTH));
  private readonly discardedAddress: number;

  /** `at`: where in its slot a frame begins; `longest`: bytes of the longest frame. */
  constructor(system: Libc, pool: PacketPool, at: number, longest: number) {
    this.system = system;
    this.pool = pool;
    this.at = at;
    this.withLarge = at + longest > SMALL_SLOT;
    this.memory = new MemoryBase(system);
    this.iovecsAddress = system.addressOf(this.iovecs);
    this.discardedAddress = system.addressOf(this.discarded);
  }

  /** Reads one frame into `packet`: its length in bytes, LOST (packet is null then), or -errno. */
  read(fd: number): number {
    const { at } = this;
    if (!this.prepare()) {
      const result = this.system.read(fd, this.discardedAddress, DISCARDED_LENGTH);
      return result < 0 ? result : LOST;
    }
    const small = this.small as Packet;
    const room = SMALL_SLOT - at;
    const length = this.withLarge
      ? this.system.readv(fd, this.iovecsAddress, 2)
      : this.system.read(fd, this.memory.addressOf(small.bytes) + at, room);
    if (length <= 0) return length;
    let packet = small;
    if (length <= room) {
      this.small = null;
    } else {
      packet = this.large as Packet;
      packet.bytes.set(small.bytes.subarray(at), at);
      this.large = null;
    }
    packet.start = at;
    packet.end = at + length;
    this.packet = packet;
    return length;
  }

  /** Gives back the slots that were prepared for the next frame. */
  release(): void {
    this.small?.release();
    this.large?.release();
    this.small = this.large = null;
  }

  /** Sees to it that there are slots for the next frame. */
  private prepare(): boolean {
    const { at, pool } = this;
    this.packet = null;
    if (this.small === null) {
      this.small = pool.take(0);
      if (this.small === null) return false;
      if (this.withLarge) this.setIovec(0, this.small.bytes, at, SMALL_SLOT);
    }
    if (this.withLarge && this.large === null) {
      this.large = pool.take(LARGE_SLOT - this.small.start);
      if (this.large === null) return false;
      this.setIovec(IOVEC_LENGTH, this.large.bytes, SMALL_SLOT, LARGE_SLOT);
    }
    return true;
  }

  private setIovec(offset: number, bytes: Uint8Array, start: number, end: number): void {
    const address = this.memory.addressOf(bytes) + start;
    this.iovecs.setUint32(offset, address, true);
    this.iovecs.setUint32(offset + 4, address / 2 ** 32, true);
    this.iovecs.setUint32(offset + 8, end - start, true);
  }
}
