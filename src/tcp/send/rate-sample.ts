/**
 * The rate at which the path delivers (draft-cheng-iccrg-delivery-rate-estimation, Linux's tcp_rate.c). Each segment is
 * tagged, when it is sent, with what had arrived until then and when; once it arrives itself, the difference says how
 * much arrived in which time:
 *
 *     rate = segments delivered / max(time in which they were sent, time in which their acknowledgements came)
 *
 * The longer of the two times counts, since acknowledgements may come in bursts. A sample taken while the user had
 * nothing to send says nothing of the path, so it only ever raises the figure.
 * @module
 */
import { seqGt } from '../../base/seq.ts';
import type { TxSegment } from '../flight.ts';
import type { AckOutcome } from '../recovery/ack-outcome.ts';
import type { Tcb } from '../tcb.ts';

/** Of a segment that takes no part: its arrival is no sample. */
const NO_TAG = -1;

/** What one acknowledgement says of the path's rate (Linux's rate_sample). Times in microseconds. */
export class RateSample {
  /** Segments that arrived between the sending of the newest one acknowledged and now; -1 when there is no sample. */
  delivered = -1;
  /** In so many microseconds; -1 when there is no sample. */
  intervalUs = -1;
  /** Segments that this acknowledgement has told of, and segments that it has found lost. */
  acked = 0;
  losses = 0;
  /** The user, not the path, was the limit. */
  appLimited = false;
  /** `tcb.delivered` when the newest segment acknowledged was sent. */
  priorDelivered = 0;
  /** Segments in flight before this acknowledgement. */
  priorInFlight = 0;
  /** Round-trip time of the newest segment acknowledged; -1 when there is none. */
  rttUs = -1;
  /** The receiver may have delayed it: one short segment alone. */
  ackDelayed = false;
  // Of the newest tagged segment that has arrived: its place in the order of sendings, and its times, modulo 2^32.
  tagged = false;
  newestOrder = 0;
  priorUs = 0;
  sendUs = 0;

  /** A new acknowledgement. */
  clear(priorInFlight: number): void {
    this.delivered = -1;
    this.intervalUs = -1;
    this.priorInFlight = priorInFlight;
    this.rttUs = -1;
    this.ackDelayed = false;
    this.tagged = false;
    this.appLimited = false;
    this.priorDelivered = 0;
  }
}

/** Segments are about to be sent: when nothing was in flight, the time from now on is what counts. */
export function beginRateSending(tcb: Tcb): void {
  if (tcb.flight.packetsOut > 0) return;
  const stamp = stampOf(tcb);
  tcb.firstSentStamp = stamp;
  tcb.deliveredStamp = stamp;
}

/** A segment is sent, or sent again. */
export function tagSegment(tcb: Tcb, segment: TxSegment): void {
  segment.firstSentStamp = tcb.firstSentStamp;
  segment.deliveredStamp = tcb.deliveredStamp;
  segment.delivered = tcb.delivered;
  segment.appLimited = tcb.appLimited !== 0;
}

/** A segment is known to have arrived, for the first time. */
export function noteRate(tcb: Tcb, segment: TxSegment, sample: RateSample): void {
  if (segment.delivered === NO_TAG) return;
  if (!sample.tagged || seqGt(segment.order, sample.newestOrder)) {
    const sentStamp = segment.sentUs | 0;
    sample.tagged = true;
    sample.newestOrder = segment.order;
    sample.priorDelivered = segment.delivered;
    sample.priorUs = segment.deliveredStamp;
    sample.appLimited = segment.appLimited;
    sample.sendUs = (sentStamp - segment.firstSentStamp) | 0;
    // What is sent from now on was sent in the time after this one.
    tcb.firstSentStamp = sentStamp;
  }
  segment.delivered = NO_TAG;
}

/** The acknowledgement was processed, and `tcb.delivered` counts what it brought: what it says of the rate. */
export function finishSample(tcb: Tcb, { rate, delivered, priorLost }: AckOutcome): void {
  // The gap that the user left has been acknowledged and is gone.
  if (tcb.appLimited !== 0 && tcb.delivered > tcb.appLimited) tcb.appLimited = 0;
  const stamp = stampOf(tcb);
  if (delivered > 0) tcb.deliveredStamp = stamp;
  rate.acked = delivered;
  rate.losses = tcb.lost - priorLost;
  if (!rate.tagged) return;
  rate.delivered = tcb.delivered - rate.priorDelivered;
  const intervalUs = Math.max(rate.sendUs, (stamp - rate.priorUs) | 0);
  // Shorter than any round trip: a needless repetition was acknowledged as if it were the original.
  if (intervalUs < tcb.minRttUs || intervalUs <= 0) return;
  rate.intervalUs = intervalUs;
  const higher = rate.delivered * tcb.rateIntervalUs >= tcb.rateDelivered * intervalUs;
  if (rate.appLimited && !higher) return;
  tcb.rateDelivered = rate.delivered;
  tcb.rateIntervalUs = intervalUs;
  tcb.rateAppLimited = rate.appLimited;
}

/** The user writes: whether until now there was less to send than the window allows. */
export function checkAppLimited(tcb: Tcb): void {
  const { flight } = tcb;
  if (tcb.unsent >= tcb.mss || flight.inFlight >= tcb.cwnd || flight.lostOut > flight.retransOut) return;
  markAppLimited(tcb);
}

/** What is sent from now on, until all of it has arrived, says nothing of what the path could do. */
function markAppLimited(tcb: Tcb): void {
  tcb.appLimited = tcb.delivered + tcb.flight.inFlight || 1;
}

/** The last rate that counts, in bytes a second; 0 when there was none (tcpi_delivery_rate). */
export function deliveryRate(tcb: Tcb): number {
  if (tcb.rateIntervalUs === 0) return 0;
  return Math.floor((tcb.rateDelivered * tcb.mss * 1e6) / tcb.rateIntervalUs);
}

/** The time modulo 2^32, so that it stays a small integer: what is compared lies minutes apart at most. */
function stampOf(tcb: Tcb): number {
  return tcb.nowUs | 0;
}
