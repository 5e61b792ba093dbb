/** Bytes after which the pattern repeats: a prime, so that no segment or buffer size hides a shift. */
const PERIOD = 1_048_573;
/** The longest piece that is taken or compared at once, in bytes. */
export const PIECE_MAX = 256 * 1024;

/** A stream of known bytes: what a benchmark sends, and compares with what arrives. Same for every contender. */
export class Pattern {
  private readonly bytes = Buffer.alloc(PERIOD + PIECE_MAX);

  constructor() {
    let state = 0x2545f491;
    for (let i = 0; i < PERIOD; i++) {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      this.bytes[i] = state;
    }
    this.bytes.copy(this.bytes, PERIOD, 0, PIECE_MAX);
  }

  /** `length` bytes of the stream from `offset` on, at most PIECE_MAX; not to be changed. */
  at(offset: number, length: number): Buffer {
    const start = offset % PERIOD;
    return this.bytes.subarray(start, start + length);
  }

  /** Throws unless bytes[0, length) is what the stream has at `offset`. */
  check(bytes: Uint8Array, length: number, offset: number): void {
    for (let done = 0; done < length; ) {
      const part = Math.min(length - done, PIECE_MAX);
      const start = (offset + done) % PERIOD;
      if (this.bytes.compare(bytes, done, done + part, start, start + part) !== 0) {
        throw new Error(`wrong bytes at ${offset + done} .. ${offset + done + part}`);
      }
      done += part;
    }
  }
}
