/**
 * How much is sent at once: a super-segment of TCP (Linux's TSO packet) holds what the path takes in a millisecond.
 * Its last segment carries PSH, so how large it is can be seen on the wire, with or without a card that cuts it.
 * @module
 */
import { seqDiff } from '../../base/seq.ts';
import { boundToHalfWindow } from '../mss.ts';
import type { Tcb } from '../tcb.ts';
import { pacingRate } from './pacing.ts';
import { HEADER_SPACE } from './write-queue.ts';

/** Bytes of the largest super-segment without its headers: 64 KiB less room for them (sk_gso_max_size). */
const GSO_MAX_SIZE = 65536 - HEADER_SPACE - 1;
/** A super-segment is what is sent in 1/1024 of a second (sk_pacing_shift). */
const PACING_SHARE = 1024;
/** Steps of the round trip after which its allowance is nothing. */
const RTT_STEPS_MAX = 32;
/** Holding back is for writes that come one after the other, not longer apart than this, in microseconds. */
const RECENT_US = 1000;
/** An acknowledgement that is not due within this time (or half a round trip) is not waited for, in microseconds. */
const FAR_US = 1000;
/** Without tcp_tso_win_divisor: more segments than this are not held back. */
const DEFER_SEGMENTS_MAX = 3;

/** How many bytes of writes are put into one piece: whole segments. */
export function sizeGoal(tcb: Tcb): number {
  const { mss } = tcb;
  const bound = boundToHalfWindow(tcb, GSO_MAX_SIZE);
  return Math.max(bound - (bound % mss), mss);
}

/** How many segments a super-segment may have now: a millisecond's worth, and more where the peer is close. */
export function tsoSegments(tcb: Tcb): number {
  const { sysctl } = tcb.context.host;
  let bytes = pacingRate(tcb) / PACING_SHARE;
  const steps = tcb.minRttUs >> sysctl.tcp_tso_rtt_log;
  if (tcb.minRttUs > 0 && steps < RTT_STEPS_MAX) bytes += GSO_MAX_SIZE >> steps;
  const { model } = tcb.congestion;
  const least = model === null ? sysctl.tcp_min_tso_segs : model.minTsoSegments(tcb);
  return Math.max(Math.floor(Math.min(bytes, GSO_MAX_SIZE) / tcb.mss), least);
}

/** Why a super-segment waits for more room. */
export type Deferral = 'no' | 'cwnd' | 'rwnd' | 'application';

/**
 * Whether the first `length` bytes should wait until more of them can go at once (Linux's tcp_tso_should_defer).
 * `last`: nothing is queued behind them. `closed`: nothing will join them.
 */
export function deferral(
  tcb: Tcb,
  length: number,
  maxSegments: number,
  last: boolean,
  closed: boolean,
): Deferral {
  const { mss, nowUs, flight } = tcb;
  const { sysctl } = tcb.context.host;
  if (tcb.caState === 'Recovery' || tcb.caState === 'Loss') return 'no';
  if (((nowUs - tcb.lastEmitStamp) | 0) >= RECENT_US) return 'no';
  const window = seqDiff(tcb.sndWndEnd, tcb.sndNxt);
  const congestion = (tcb.cwnd - flight.inFlight) * mss;
  const limit = Math.min(window, congestion);
  if (limit >= maxSegments * mss || (!last && limit >= length)) return 'no';
  const divisor = sysctl.tcp_tso_win_divisor;
  if (divisor > 0) {
    if (limit >= Math.floor(Math.min(tcb.sndWnd, tcb.cwnd * mss) / divisor)) return 'no';
  } else if (limit > DEFER_SEGMENTS_MAX * mss) {
    return 'no';
  }
  const { head } = flight;
  if (head === undefined) return 'no';
  // The next acknowledgement is too far away.
  if (head.sentUs + tcb.srttUs - nowUs > Math.min(tcb.srttUs >> 1, FAR_US)) return 'no';
  if (congestion < window) {
    if (congestion <= length) return 'cwnd';
  } else if (window <= length) {
    return 'rwnd';
  }
  return closed ? 'no' : 'application';
}
