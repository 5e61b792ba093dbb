import {
  additiveIncrease,
  type CongestionControl,
  type CongestionState,
  inSlowStart,
  isCwndLimited,
  SSTHRESH_MIN,
  slowStart,
  windowBefore,
} from './congestion.ts';

/** Reno (RFC 5681): slow start, then one segment a round trip; half the window after a loss. */
export class Reno implements CongestionControl {
  readonly name = 'reno';
  readonly model = null;

  onStart(): void {}

  onRtt(): void {}

  onAck(state: CongestionState, acked: number): void {
    if (!isCwndLimited(state)) return;
    const left = inSlowStart(state) ? slowStart(state, acked) : acked;
    if (left > 0) additiveIncrease(state, state.cwnd, left);
  }

  onLoss(state: CongestionState): number {
    return Math.max(state.cwnd >> 1, SSTHRESH_MIN);
  }

  onUndo(state: CongestionState): number {
    return windowBefore(state);
  }

  onTimeout(): void {}

  onRestart(): void {}
}
