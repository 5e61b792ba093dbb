/**
 * The four rings of an AF_XDP socket, shared with the kernel: one side writes entries and moves the producer, the other
 * reads them and moves the consumer (Linux's Documentation/networking/af_xdp). Both only ever count up, modulo 2^32.
 * @module
 */

/** Where the parts of a ring are in its memory, in bytes (struct xdp_ring_offset). */
export interface XdpRingOffsets {
  readonly producer: number;
  readonly consumer: number;
  readonly desc: number;
}

/** The fragment is not the frame's last (struct xdp_desc, options). */
export const XDP_PKT_CONTD = 1;

/** 32-bit words of struct xdp_desc, and of an address alone. */
export const XDP_DESC_WORDS = 4;
export const XDP_ADDRESS_WORDS = 2;

/**
 * One ring, seen from either side. Entries are addresses within the shared buffers, and in the rings of frames lengths
 * and options, too. Addresses are below 2^32.
 */
export class XdpRing {
  private readonly words: Uint32Array;
  private readonly counters: Int32Array;
  private readonly producer: number;
  private readonly consumer: number;
  private readonly first: number;
  private readonly entryWords: number;
  private readonly mask: number;
  /** Our own count: of what was written, or of what was read. */
  private own: number;
  /** Where the other side was when it was last looked at. */
  private other: number;

  /** `entries` is a power of 2; `entryWords` one of XDP_..._WORDS; `produces`: whether this side writes. */
  constructor(
    memory: ArrayBuffer,
    offsets: XdpRingOffsets,
    entries: number,
    entryWords: number,
    produces: boolean,
  ) {
    this.words = new Uint32Array(memory);
    this.counters = new Int32Array(memory);
    this.producer = offsets.producer >> 2;
    this.consumer = offsets.consumer >> 2;
    this.first = offsets.desc >> 2;
    this.entryWords = entryWords;
    this.mask = entries - 1;
    this.own = Atomics.load(this.counters, produces ? this.producer : this.consumer);
    this.other = Atomics.load(this.counters, produces ? this.consumer : this.producer);
  }

  // --- the side that writes ---

  /** Writes an entry that `publish` will show the other side; false when the ring is full. */
  push(address: number, length: number, options: number): boolean {
    if (((this.own - this.other) | 0) > this.mask) {
      this.other = Atomics.load(this.counters, this.consumer);
      if (((this.own - this.other) | 0) > this.mask) return false;
    }
    const at = this.first + (this.own & this.mask) * this.entryWords;
    this.words[at] = address;
    this.words[at + 1] = 0;
    if (this.entryWords === XDP_DESC_WORDS) {
      this.words[at + 2] = length;
      this.words[at + 3] = options;
    }
    this.own = (this.own + 1) | 0;
    return true;
  }

  /** Shows the other side what was written. */
  publish(): void {
    Atomics.store(this.counters, this.producer, this.own);
  }

  /** Entries that the other side has not read yet. */
  pending(): number {
    this.other = Atomics.load(this.counters, this.consumer);
    return (this.own - this.other) | 0;
  }

  // --- the side that reads ---

  /** Whether there is an entry; then `address`, `length` and `options` tell of it. */
  peek(): boolean {
    if (this.own !== this.other) return true;
    this.other = Atomics.load(this.counters, this.producer);
    return this.own !== this.other;
  }

  get address(): number {
    return this.words[this.first + (this.own & this.mask) * this.entryWords] as number;
  }

  get length(): number {
    return this.words[this.first + (this.own & this.mask) * this.entryWords + 2] as number;
  }

  get options(): number {
    return this.words[this.first + (this.own & this.mask) * this.entryWords + 3] as number;
  }

  /** Goes on to the next entry. */
  shift(): void {
    this.own = (this.own + 1) | 0;
  }

  /** Gives the other side the room of what was read. */
  release(): void {
    Atomics.store(this.counters, this.consumer, this.own);
  }
}
