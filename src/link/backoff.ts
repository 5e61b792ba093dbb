import type { Env } from '../core/env.ts';

/** How long to wait before the next attempt to connect. */
export interface BackoffLimits {
  /** Milliseconds before the first attempt after a connection broke. Default 100. */
  minMs: number;
  /** Milliseconds between two attempts at most; a connection that held as long makes the next wait the first again. */
  maxMs: number;
}

/** A tenth of a second, doubled up to ten. */
export const DEFAULT_BACKOFF: BackoffLimits = { minMs: 100, maxMs: 10_000 };

/**
 * Exponential back-off with jitter: each wait is twice as long as the last one, and between half and all of it is
 * drawn by lot, so that those who lost the same server do not all come back at once.
 */
export class Backoff {
  private readonly env: Env;
  private readonly limits: BackoffLimits;
  private attempts = 0;

  constructor(env: Env, limits: Partial<BackoffLimits> = {}) {
    this.env = env;
    this.limits = { ...DEFAULT_BACKOFF, ...limits };
  }

  /** Microseconds to wait now. `upUs` is how long the connection that broke had held, 0 when there was none. */
  nextUs(upUs: number): number {
    const { minMs, maxMs } = this.limits;
    if (upUs >= maxMs * 1000) this.attempts = 0;
    // 2^30 times a millisecond is more than anybody's maximum.
    const fullMs = Math.min(maxMs, minMs * 2 ** Math.min(this.attempts++, 30));
    return Math.round(fullMs * 1000 * (0.5 + this.lot() / 2));
  }

  /** 0 to 1. */
  private lot(): number {
    const bytes = new Uint8Array(4);
    this.env.fillRandom(bytes);
    return new DataView(bytes.buffer).getUint32(0) / 2 ** 32;
  }
}
