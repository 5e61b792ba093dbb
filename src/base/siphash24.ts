/** SipHash-2-4 with a key of 16 bytes and 64 bits of result, over 64-bit words in halves: TCP Fast Open's cookies. */
export class SipHash24 {
  /** The result of `end`: its low and its high half, as int32. */
  low = 0;
  high = 0;
  private readonly key: readonly [number, number, number, number];
  // v0 to v3, low half before high half.
  private readonly v = new Int32Array(8);
  private words = 0;

  /** `key` is 16 bytes. */
  constructor(key: Uint8Array) {
    const view = new DataView(key.buffer, key.byteOffset, 16);
    const word = (index: number): number => view.getInt32(4 * index, true);
    this.key = [word(0), word(1), word(2), word(3)];
  }

  /** Starts a new message. */
  begin(): this {
    const { v } = this;
    const [k0, k1, k2, k3] = this.key;
    v[0] = 0x70736575 ^ k0;
    v[1] = 0x736f6d65 ^ k1;
    v[2] = 0x6e646f6d ^ k2;
    v[3] = 0x646f7261 ^ k3;
    v[4] = 0x6e657261 ^ k0;
    v[5] = 0x6c796765 ^ k1;
    v[6] = 0x79746573 ^ k2;
    v[7] = 0x74656462 ^ k3;
    this.words = 0;
    return this;
  }

  /** Adds eight bytes of the message: the first four as a little-endian word, and the next four. */
  add(low: number, high: number): this {
    this.compress(low, high);
    this.words++;
    return this;
  }

  /** Ends a message of whole words; the result is in `low` and `high`, little-endian both. */
  end(): void {
    const { v } = this;
    this.compress(0, this.words << 27);
    v[4] = (v[4] as number) ^ 0xff;
    for (let i = 0; i < 4; i++) this.round();
    this.low = 0;
    this.high = 0;
    for (let i = 0; i < v.length; i += 2) {
      this.low ^= v[i] as number;
      this.high ^= v[i + 1] as number;
    }
  }

  private compress(low: number, high: number): void {
    const { v } = this;
    v[6] = (v[6] as number) ^ low;
    v[7] = (v[7] as number) ^ high;
    this.round();
    this.round();
    v[0] = (v[0] as number) ^ low;
    v[1] = (v[1] as number) ^ high;
  }

  private round(): void {
    const { v } = this;
    addTo(v, 0, 2);
    rotate(v, 2, 13);
    xorTo(v, 2, 0);
    rotate(v, 0, 32);
    addTo(v, 4, 6);
    rotate(v, 6, 16);
    xorTo(v, 6, 4);
    addTo(v, 0, 6);
    rotate(v, 6, 21);
    xorTo(v, 6, 0);
    addTo(v, 4, 2);
    rotate(v, 2, 17);
    xorTo(v, 2, 4);
    rotate(v, 4, 32);
  }
}

/** The 64-bit number at `to` plus that at `from`. */
function addTo(v: Int32Array, to: number, from: number): void {
  const low = ((v[to] as number) >>> 0) + ((v[from] as number) >>> 0);
  v[to] = low;
  v[to + 1] = (v[to + 1] as number) + (v[from + 1] as number) + (low > 0xffffffff ? 1 : 0);
}

function xorTo(v: Int32Array, to: number, from: number): void {
  v[to] = (v[to] as number) ^ (v[from] as number);
  v[to + 1] = (v[to + 1] as number) ^ (v[from + 1] as number);
}

/** Rotates the 64-bit number at `at` left by 1 to 32 bits. */
function rotate(v: Int32Array, at: number, bits: number): void {
  const low = v[at] as number;
  const high = v[at + 1] as number;
  v[at] = bits === 32 ? high : (low << bits) | (high >>> (32 - bits));
  v[at + 1] = bits === 32 ? low : (high << bits) | (low >>> (32 - bits));
}
