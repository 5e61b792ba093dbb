import type { Seq } from '../../base/seq.ts';
import type { Mib } from '../../core/mib.ts';
import type { Sysctl } from '../../core/sysctl.ts';
import type { RateSample } from '../send/rate-sample.ts';

/**
 * What a congestion control may know of its connection, and the figures it steers. Windows are in segments, as in
 * Linux; the connection converts to bytes. Times are in microseconds.
 */
export interface CongestionState {
  cwnd: number;
  ssthresh: number;
  /** Acknowledged segments that have not yet grown the window by a whole one. */
  cwndCount: number;
  /** The window before the last reduction. */
  readonly priorCwnd: number;
  readonly nowUs: number;
  readonly sndUna: Seq;
  readonly sndNxt: Seq;
  /** Payload of a full segment, in bytes. */
  readonly mss: number;
  /** Smoothed round-trip time and the least one of the last minutes; 0 when not known. */
  readonly srttUs: number;
  readonly minRttUs: number;
  /** When data was last sent; 0 for never. */
  readonly lastSentUs: number;
  /** The congestion window was what held the sender back; and the most segments that were out at once. */
  readonly cwndLimited: boolean;
  readonly maxPacketsOut: number;
  /** Segments leave one after another at a rate, not in bursts. */
  readonly paced: boolean;
  readonly context: { readonly host: { readonly sysctl: Sysctl; readonly mib: Mib } };
}

/** A congestion control algorithm (RFC 5681); Linux's tcp_congestion_ops. One object for each connection. */
export interface CongestionControl {
  /** As TCP_CONGESTION names it. */
  readonly name: string;
  /** Itself when it goes by a model of the path; null when it goes by losses. */
  readonly model: PathModel | null;
  /** The connection is established, or the user has just chosen this algorithm. */
  onStart(state: CongestionState): void;
  /** An acknowledgement gave a round-trip time: of the newest segment that it tells of, in microseconds. */
  onRtt(state: CongestionState, rttUs: number): void;
  /** Grows the window for `acked` newly delivered segments, while no loss is being repaired. */
  onAck(state: CongestionState, acked: number): void;
  /** A loss was detected: returns the new slow-start threshold, at least 2. */
  onLoss(state: CongestionState): number;
  /** The loss was none: returns the window to go on with. */
  onUndo(state: CongestionState): number;
  /** Everything in flight was given up: the state is Loss. `onLoss` was called before. */
  onTimeout(state: CongestionState): void;
  /** Data is about to be sent while nothing is in flight. */
  onRestart(state: CongestionState): void;
}

/** What an algorithm may know and steer besides that goes by a model of the path. */
export interface PathState extends CongestionState {
  /** Segments that are known to have arrived, and that were taken for lost, so far. */
  readonly delivered: number;
  readonly lost: number;
  /** Not 0 while the user was the limit for what is in flight (rate-sample.ts). */
  appLimited: number;
  readonly caState: 'Open' | 'Disorder' | 'CWR' | 'Recovery' | 'Loss';
  readonly flight: { readonly inFlight: number };
  /** Bytes a second at which segments leave, and the most that the user allows. */
  pacingRate: number;
  readonly maxPacingRate: number;
  /** The earliest time at which pacing lets the next segment leave. */
  readonly nextSendUs: number;
  readonly context: CongestionState['context'] & { readonly host: { random32(): number } };
}

/**
 * An algorithm that sets the window and the pacing rate after each acknowledgement, whatever the state (Linux's
 * cong_control): `onAck` is never called, and neither proportional rate reduction nor idling touches the window.
 */
export interface PathModel extends CongestionControl {
  /** Of how many windows the send buffer holds the segments: losses must be kept beside what repairs them. */
  readonly sndbufExpand: number;
  onStart(state: PathState): void;
  onLoss(state: PathState): number;
  onUndo(state: PathState): number;
  onTimeout(state: PathState): void;
  onRestart(state: PathState): void;
  /** An acknowledgement was processed: `state` is what it has made of the connection. */
  onSample(state: PathState, sample: RateSample): void;
  /** The least segments of a super-segment. */
  minTsoSegments(state: PathState): number;
  /** For TCP_CC_INFO. */
  info(state: PathState): ModelInfo;
}

/** TCP_CC_INFO of BBR: Linux's struct tcp_bbr_info by its field names without their prefix. */
export interface ModelInfo {
  /** Bytes of payload a second. */
  bw: number;
  /** Microseconds. */
  min_rtt: number;
  /** In 1/256. */
  pacing_gain: number;
  cwnd_gain: number;
}

/** The smallest window that a loss leaves. */
export const SSTHRESH_MIN = 2;
/** "Infinite": slow start until the first loss (Linux's TCP_INFINITE_SSTHRESH). */
export const SSTHRESH_INFINITE = 0x7fffffff;

/**
 * Whether the congestion window is what limits the sender: only then may it grow (RFC 7661's concern, Linux's rule). In
 * slow start it may reach twice of what was out.
 */
export function isCwndLimited(state: CongestionState): boolean {
  if (state.cwndLimited) return true;
  return inSlowStart(state) && state.cwnd < 2 * state.maxPacketsOut;
}

/** Whether the window is below the threshold. */
export function inSlowStart({ cwnd, ssthresh }: CongestionState): boolean {
  return cwnd < ssthresh;
}

/** Slow start (RFC 5681 section 3.1): one segment for each one acknowledged. Returns what is left past ssthresh. */
export function slowStart(state: CongestionState, acked: number): number {
  const cwnd = Math.min(state.cwnd + acked, state.ssthresh);
  const left = acked - (cwnd - state.cwnd);
  state.cwnd = cwnd;
  return left;
}

/** Grows the window by one segment for every `per` acknowledged ones. */
export function additiveIncrease(state: CongestionState, per: number, acked: number): void {
  // What was saved up while growth was slower is not spent at once.
  if (state.cwndCount >= per) {
    state.cwndCount = 0;
    state.cwnd++;
  }
  state.cwndCount += acked;
  if (state.cwndCount < per) return;
  const grow = Math.floor(state.cwndCount / per);
  state.cwndCount -= grow * per;
  state.cwnd += grow;
}

/** What an undo restores with any algorithm that keeps no window of its own. */
export function windowBefore({ cwnd, priorCwnd }: CongestionState): number {
  return Math.max(cwnd, priorCwnd);
}
