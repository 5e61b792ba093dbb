import { Rng } from '../base/rng.ts';

/** A prime, so that a piece that is lost or doubled shows wherever it lies. */
const PERIOD = 1_048_583;
/** The longest piece of a stream, in bytes. */
export const PIECE_MAX: number = 1 << 20;
/** How far apart two streams begin in the pattern. */
const STEP = 7919;

/**
 * What the streams of a world are made of: the byte at each position of each stream is known, so it is checked as it is
 * read. Each stream begins at another place of the same random bytes.
 */
export class Pattern {
  private readonly bytes = new Uint8Array(PERIOD + PIECE_MAX);

  constructor() {
    new Rng(1).fill(this.bytes.subarray(0, PERIOD));
    this.bytes.copyWithin(PERIOD, 0, PIECE_MAX);
  }

  /** The `length` bytes from position `at` of stream `stream`; at most PIECE_MAX. To be read only. */
  piece(stream: number, at: number, length: number): Uint8Array {
    const start = (at + stream * STEP) % PERIOD;
    return this.bytes.subarray(start, start + length);
  }

  /** How many of the bytes [start, end) are those of the stream from position `at`, up to the first that is not. */
  match(stream: number, at: number, bytes: Uint8Array, start: number, end: number): number {
    const { bytes: pattern } = this;
    const shift = ((at + stream * STEP) % PERIOD) - start;
    for (let i = start; i < end; i++) if (bytes[i] !== pattern[i + shift]) return i - start;
    return end - start;
  }
}
