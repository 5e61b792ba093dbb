import type { Libc } from './libc.ts';

/** Addresses of packets' slots, which all lie in one memory as a rule: its address is looked up once. */
export class MemoryBase {
  private readonly system: Libc;
  private buffer: ArrayBufferLike | null = null;
  /** The address of the buffer's first byte. */
  private base = 0;

  constructor(system: Libc) {
    this.system = system;
  }

  /** The address of the slot's first byte. It is good for as long as the slot's packet is held. */
  addressOf(bytes: Uint8Array): number {
    if (bytes.buffer !== this.buffer) {
      this.base = this.system.addressOf(bytes) - bytes.byteOffset;
      this.buffer = bytes.buffer;
    }
    return this.base + bytes.byteOffset;
  }
}
