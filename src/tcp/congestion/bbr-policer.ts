import { BW_UNIT, bytesPerSecond, GAIN_UNIT } from './bbr-units.ts';
import type { PathState } from './congestion.ts';

/** An interval lasts at least so many round trips, and at most four times as many. */
const INTERVAL_ROUNDS = 4;
/** A share of losses that means a policer, in 1/256. */
const LOSS_SHARE = 50;
/** Two intervals agree when their rates differ by less than this: in 1/256 of the rate, or in bytes a second. */
const RATIO = 32;
const DIFFERENCE = 4000 / 8;
/** So many round trips the rate is kept to before the path is tried anew. */
const KEEP_ROUNDS = 48;

/**
 * Finds a token-bucket policer: where much is lost, and what still arrives does so at the same rate in two intervals
 * one after the other, that rate is all there is, however fast bursts get through at times (Linux's long-term
 * bandwidth).
 */
export class Policer {
  /** The rate it allows, in BBR's unit; 0 while there is no suspicion. And whether it is kept to. */
  bandwidth = 0;
  found = false;
  private sampling = false;
  private rounds = 0;
  private startUs = 0;
  private startDelivered = 0;
  private startLost = 0;

  /** Forgets what was found. */
  reset(state: PathState): void {
    this.bandwidth = 0;
    this.found = false;
    this.sampling = false;
    this.beginInterval(state);
  }

  /** True when the rate was kept to for so long that the path is to be tried anew; to be asked once a round trip. */
  isStale(): boolean {
    return this.found && ++this.rounds >= KEEP_ROUNDS;
  }

  /** One more acknowledgement, with so many losses; the user may have been the limit. */
  onSample(state: PathState, losses: number, appLimited: boolean, roundStart: boolean): void {
    if (this.found) return;
    // From the first loss on, when the bucket is empty.
    if (!this.sampling) {
      if (losses === 0) return;
      this.beginInterval(state);
      this.sampling = true;
    }
    if (appLimited) {
      this.reset(state);
      return;
    }
    if (roundStart) this.rounds++;
    if (this.rounds < INTERVAL_ROUNDS) return;
    if (this.rounds > 4 * INTERVAL_ROUNDS) this.reset(state);
    // An interval ends with a loss, as it began.
    else if (losses > 0) this.measure(state);
  }

  private measure(state: PathState): void {
    const lost = state.lost - this.startLost;
    const delivered = state.delivered - this.startDelivered;
    if (delivered === 0 || lost * GAIN_UNIT < LOSS_SHARE * delivered) return;
    const us = state.nowUs - this.startUs;
    if (us < 1000) return;
    this.endInterval(state, Math.floor((delivered * BW_UNIT) / us));
  }

  private endInterval(state: PathState, bandwidth: number): void {
    if (this.bandwidth > 0) {
      const difference = Math.abs(bandwidth - this.bandwidth);
      const agree =
        difference * GAIN_UNIT <= RATIO * this.bandwidth ||
        bytesPerSecond(difference, state.mss, GAIN_UNIT) <= DIFFERENCE;
      if (agree) {
        this.bandwidth = Math.floor((bandwidth + this.bandwidth) / 2);
        this.found = true;
        this.rounds = 0;
        return;
      }
    }
    this.bandwidth = bandwidth;
    this.beginInterval(state);
  }

  private beginInterval(state: PathState): void {
    this.startUs = state.nowUs;
    this.startDelivered = state.delivered;
    this.startLost = state.lost;
    this.rounds = 0;
  }
}
