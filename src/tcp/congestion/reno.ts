import {
  additiveIncrease,
  type CongestionControl,
  type CongestionState,
  SSTHRESH_MIN,
  slowStart,
} from './congestion.ts';

/** Reno (RFC 5681): slow start, then one segment a round trip; half the window after a loss. */
export class Reno implements CongestionControl {
  readonly name = 'reno';

  onAck(state: CongestionState, acked: number): void {
    const left = state.cwnd < state.ssthresh ? slowStart(state, acked) : acked;
    if (left > 0) additiveIncrease(state, state.cwnd, left);
  }

  onLoss(state: CongestionState): number {
    return Math.max(state.cwnd >> 1, SSTHRESH_MIN);
  }

  onTimeout(): void {}

  onRestart(): void {}
}
