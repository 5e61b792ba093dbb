/**
 * Sequence-number arithmetic modulo 2^32 (RFC 9293 section 3.4).
 *
 * A sequence number is kept as an int32 (`x | 0`), so that V8 holds it as a small integer and the modular
 * comparison is one subtraction. Convert with `seqToU32` wherever a human or a file sees it.
 * @module
 */

/** A sequence number: any 32-bit value, held as int32. Compare with the functions below, never with `<`. */
export type Seq = number;

/** seq + n, modulo 2^32. */
export function seqAdd(seq: Seq, n: number): Seq {
  return (seq + n) | 0;
}

/** The signed distance a - b, in -2^31 .. 2^31-1: positive when a is later than b. */
export function seqDiff(a: Seq, b: Seq): number {
  return (a - b) | 0;
}

/** Whether a comes before b. */
export function seqLt(a: Seq, b: Seq): boolean {
  return ((a - b) | 0) < 0;
}

/** Whether a comes before b or is b. */
export function seqLe(a: Seq, b: Seq): boolean {
  return ((a - b) | 0) <= 0;
}

/** Whether a comes after b. */
export function seqGt(a: Seq, b: Seq): boolean {
  return ((a - b) | 0) > 0;
}

/** Whether a comes after b or is b. */
export function seqGe(a: Seq, b: Seq): boolean {
  return ((a - b) | 0) >= 0;
}

/** The later of two sequence numbers. */
export function seqMax(a: Seq, b: Seq): Seq {
  return ((a - b) | 0) >= 0 ? a : b;
}

/** The earlier of two sequence numbers. */
export function seqMin(a: Seq, b: Seq): Seq {
  return ((a - b) | 0) <= 0 ? a : b;
}

/** The unsigned form, 0 .. 2^32-1, for display and JSON. */
export function seqToU32(seq: Seq): number {
  return seq >>> 0;
}
