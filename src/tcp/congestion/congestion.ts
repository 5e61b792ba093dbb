/**
 * What a congestion control may know of its connection, and the two figures it steers. Windows are in segments, as
 * in Linux; the connection converts to bytes.
 */
export interface CongestionState {
  cwnd: number;
  ssthresh: number;
  /** Acknowledged segments that have not yet grown the window by a whole one. */
  cwndCount: number;
  /** Smoothed round-trip time and the least one seen, in microseconds; 0 when not known. */
  readonly srttUs: number;
  readonly minRttUs: number;
}

/** A congestion control algorithm (RFC 5681). One object for each connection. */
export interface CongestionControl {
  /** As TCP_CONGESTION names it. */
  readonly name: string;
  /** Grows the window for `acked` newly acknowledged segments, while no loss is being repaired. */
  onAck(state: CongestionState, acked: number, nowUs: number): void;
  /** A loss was detected: returns the new slow-start threshold, at least 2. */
  onLoss(state: CongestionState, nowUs: number): number;
  /** The retransmission timer went off: `onLoss` was called before. */
  onTimeout(state: CongestionState, nowUs: number): void;
  /** Data is sent after `idleUs` in which nothing was in flight. */
  onRestart(state: CongestionState, idleUs: number, nowUs: number): void;
}

/** The smallest window that a loss leaves. */
export const SSTHRESH_MIN = 2;
/** "Infinite": slow start until the first loss (Linux's TCP_INFINITE_SSTHRESH). */
export const SSTHRESH_INFINITE = 0x7fffffff;

/** Slow start (RFC 5681 section 3.1): one segment for each one acknowledged. Returns what is left past ssthresh. */
export function slowStart(state: CongestionState, acked: number): number {
  const cwnd = Math.min(state.cwnd + acked, state.ssthresh);
  const left = acked - (cwnd - state.cwnd);
  state.cwnd = cwnd;
  return left;
}

/** Grows the window by one segment for every `per` acknowledged ones. */
export function additiveIncrease(state: CongestionState, per: number, acked: number): void {
  state.cwndCount += acked;
  if (state.cwndCount < per) return;
  const grow = Math.floor(state.cwndCount / per);
  state.cwndCount -= grow * per;
  state.cwnd += grow;
}
