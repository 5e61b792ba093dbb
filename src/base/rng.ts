/**
 * A small, fast, seeded generator for simulations and faults (xoshiro128**, seeded through splitmix32).
 * Not for secrets: those come from `Env.fillRandom`.
 */
export class Rng {
  private a: number;
  private b: number;
  private c: number;
  private d: number;

  /** The same seed gives the same sequence for ever. */
  constructor(seed: number) {
    let state = seed | 0;
    const next = (): number => {
      state = (state + 0x9e3779b9) | 0;
      let z = state;
      z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
      z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
      return z ^ (z >>> 15);
    };
    this.a = next();
    this.b = next();
    this.c = next();
    this.d = next() | 1;
  }

  /** The next value, 0 .. 2^32-1. */
  u32(): number {
    const b5 = Math.imul(this.b, 5);
    const result = Math.imul((b5 << 7) | (b5 >>> 25), 9) >>> 0;
    const shifted = this.b << 9;
    this.c ^= this.a;
    this.d ^= this.b;
    this.b ^= this.c;
    this.a ^= this.d;
    this.c ^= shifted;
    this.d = (this.d << 11) | (this.d >>> 21);
    return result;
  }

  /** A number in 0 (inclusive) .. 1 (exclusive). */
  float(): number {
    return this.u32() / 0x100000000;
  }

  /** An integer in 0 .. n-1. */
  below(n: number): number {
    return Math.floor(this.float() * n);
  }

  /** An integer in lo .. hi, both included. */
  between(lo: number, hi: number): number {
    return lo + this.below(hi - lo + 1);
  }

  /** True with the given probability (0 .. 1). */
  chance(probability: number): boolean {
    return probability > 0 && this.float() < probability;
  }

  /** One element of a non-empty list. */
  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T;
  }

  /** Fills `out` with bytes. */
  fill(out: Uint8Array): void {
    for (let i = 0; i < out.length; i++) out[i] = this.u32() >>> 24;
  }

  /** A generator of its own for a part, so that parts do not disturb each other's sequence. */
  fork(): Rng {
    return new Rng(this.u32());
  }
}
