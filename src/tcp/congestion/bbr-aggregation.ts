import type { RateSample } from '../send/rate-sample.ts';
import { BW_UNIT } from './bbr-units.ts';
import type { PathState } from './congestion.ts';

/** The most of two halves, each of so many round trips, counts. */
const HALF_ROUNDS = 5;
/** A count of acknowledged segments beyond which the measuring begins anew. */
const EPOCH_MAX = 1 << 20;
/** Never more than what arrives in this time, in microseconds. */
const AGGREGATION_MAX_US = 100_000;

/**
 * How many more segments come acknowledged at once than the bandwidth explains: Wi-Fi and the like collect
 * acknowledgements. The window must cover the silence in between, or the sender would starve.
 */
export class Aggregation {
  private epochUs = 0;
  private epochAcked = 0;
  private half = 0;
  private rounds = 0;
  private readonly extra: [number, number] = [0, 0];

  /** Forgets what was measured. */
  reset(state: PathState): void {
    this.beginEpoch(state);
    this.half = 0;
    this.rounds = 0;
    this.extra[0] = 0;
    this.extra[1] = 0;
  }

  /** Measures anew from now on: data is sent after a silence. */
  beginEpoch(state: PathState): void {
    this.epochUs = state.nowUs;
    this.epochAcked = 0;
  }

  /** One more acknowledgement, with a sample of the rate; `bandwidth` is the one believed. */
  onSample(state: PathState, sample: RateSample, bandwidth: number, roundStart: boolean): void {
    if (sample.acked <= 0) return;
    if (roundStart && ++this.rounds >= HALF_ROUNDS) {
      this.rounds = 0;
      this.half = 1 - this.half;
      this.extra[this.half] = 0;
    }
    let expected = Math.floor((bandwidth * (state.nowUs - this.epochUs)) / BW_UNIT);
    if (this.epochAcked <= expected || this.epochAcked + sample.acked >= EPOCH_MAX) {
      this.epochAcked = 0;
      this.epochUs = state.nowUs;
      expected = 0;
    }
    this.epochAcked += sample.acked;
    const extra = Math.min(this.epochAcked - expected, state.cwnd);
    if (extra > (this.extra[this.half] as number)) this.extra[this.half] = extra;
  }

  /** Segments to be added to the window. */
  window(bandwidth: number): number {
    const most = Math.floor((bandwidth * AGGREGATION_MAX_US) / BW_UNIT);
    return Math.min(Math.max(this.extra[0], this.extra[1]), most);
  }
}
