/**
 * HalfSipHash-2-4 (the 32-bit SipHash that Linux uses for hash tables) over 32-bit words.
 * A keyed hash that a remote party cannot predict: initial sequence numbers (RFC 6528), ephemeral ports
 * (RFC 6056), SYN cookies, timestamp offsets and the seeds of hash tables.
 */
export class SipHash {
  private readonly key0: number;
  private readonly key1: number;
  private v0 = 0;
  private v1 = 0;
  private v2 = 0;
  private v3 = 0;
  private words = 0;

  /** `key` is 8 secret bytes, fresh for each stack. */
  constructor(key: Uint8Array) {
    const view = new DataView(key.buffer, key.byteOffset, 8);
    this.key0 = view.getInt32(0, true);
    this.key1 = view.getInt32(4, true);
  }

  /** Starts a new message. */
  begin(): this {
    this.v0 = this.key0;
    this.v1 = this.key1;
    this.v2 = 0x6c796765 ^ this.key0;
    this.v3 = 0x74656462 ^ this.key1;
    this.words = 0;
    return this;
  }

  /** Adds one 32-bit word to the message. */
  add(word: number): this {
    this.v3 ^= word;
    this.round();
    this.round();
    this.v0 ^= word;
    this.words++;
    return this;
  }

  /** Ends the message: 32 bits, as int32. */
  end(): number {
    this.add((this.words << 26) | 0);
    this.v2 ^= 0xff;
    this.round();
    this.round();
    this.round();
    this.round();
    return this.v1 ^ this.v3;
  }

  private round(): void {
    let { v0, v1, v2, v3 } = this;
    v0 = (v0 + v1) | 0;
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
    v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0;
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
    v2 = (v2 << 16) | (v2 >>> 16);
    this.v0 = v0;
    this.v1 = v1;
    this.v2 = v2;
    this.v3 = v3;
  }
}
