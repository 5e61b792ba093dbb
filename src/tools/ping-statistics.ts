/** The round trips of one ping, in microseconds. */
export interface RoundTrips {
  readonly minUs: number;
  readonly avgUs: number;
  readonly maxUs: number;
  /** The standard deviation. */
  readonly mdevUs: number;
  /** The moving average, in which the last one counts for an eighth. */
  readonly ewmaUs: number;
}

/** What a ping has seen so far, counted as iputils' ping counts. */
export class PingStatistics {
  transmitted = 0;
  /** Requests that were answered. */
  received = 0;
  /** Further answers to them. */
  duplicates = 0;
  /** Answers whose data is not what was sent. They count as received. */
  corrupted = 0;
  errors = 0;
  /** The most requests that were on their way at once when an answer came. */
  pipe = 0;
  /** From the first request to now, or to the end. */
  elapsedUs = 0;
  private measured = 0;
  private sumUs = 0;
  private squares = 0;
  private minUs = Number.POSITIVE_INFINITY;
  private maxUs = 0;
  private ewmaUs = 0;

  /** The share of requests without an answer, 0 to 100. */
  get lossPercent(): number {
    return this.transmitted === 0 ? 0 : ((this.transmitted - this.received) * 100) / this.transmitted;
  }

  /** Null without an answer. */
  get roundTrips(): RoundTrips | null {
    const { measured, sumUs, squares, minUs, maxUs, ewmaUs } = this;
    if (measured === 0) return null;
    const avgUs = sumUs / measured;
    // Rounding may make the difference of two nearly equal numbers negative.
    const mdevUs = Math.sqrt(Math.max(0, squares / measured - avgUs * avgUs));
    return { minUs, avgUs, maxUs, mdevUs, ewmaUs };
  }

  /** Adds a round trip. */
  measure(rttUs: number): void {
    this.measured++;
    this.sumUs += rttUs;
    this.squares += rttUs * rttUs;
    this.minUs = Math.min(this.minUs, rttUs);
    this.maxUs = Math.max(this.maxUs, rttUs);
    this.ewmaUs += this.measured === 1 ? rttUs : (rttUs - this.ewmaUs) / 8;
  }
}
