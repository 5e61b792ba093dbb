/**
 * Pacing: segments leave one after another at a rate instead of in bursts. TCP does it by itself, as Linux does
 * without the fq queueing discipline, for connections whose congestion control asks for it (BBR), whose user has set
 * SO_MAX_PACING_RATE, and for all where net.core.default_qdisc is fq.
 *
 * `tcb.nextSendUs` is the earliest time for the next segment (Linux's tcp_wstamp_ns). It has a fraction: rounding would
 * cost a fast connection a share of its rate.
 * @module
 */
import type { Tcb } from '../tcb.ts';
import { isTimerSet, setTimer, TIMER_PACING } from '../timers.ts';

/** The initial window is not paced (as fq). */
const FREE_SEGMENTS = 10;
/** The queueing discipline that paces every connection. */
const FQ = 'fq';

/** Whether a fresh connection is paced whatever its congestion control. */
export function isPacedFromStart({ settings, context }: Tcb): boolean {
  return settings.maxPacingRate < Number.POSITIVE_INFINITY || context.host.sysctl.default_qdisc === FQ;
}

/** The connection is established, or its congestion control was changed. */
export function startCongestionControl(tcb: Tcb): void {
  tcb.congestion.onStart(tcb);
  // Once a model has had it paced it stays so, as in Linux.
  if (tcb.congestion.model !== null) tcb.paced = true;
}

/** Whether the next segment has to wait; the timer then sends it. */
export function mustWait(tcb: Tcb): boolean {
  if (!tcb.paced || tcb.nextSendUs <= tcb.nowUs) return false;
  if (!isTimerSet(tcb, TIMER_PACING)) setTimer(tcb, TIMER_PACING, Math.ceil(tcb.nextSendUs));
  return true;
}

/** `length` bytes of data were sent, new or again: when the next may leave. */
export function noteDeparture(tcb: Tcb, length: number): void {
  if (!tcb.paced) return;
  const { nowUs, nextSendUs } = tcb;
  tcb.nextSendUs = Math.max(nextSendUs, nowUs);
  const rate = pacingRate(tcb);
  if (rate === Number.POSITIVE_INFINITY || rate <= 0 || tcb.dataSegsOut < FREE_SEGMENTS) return;
  const us = (length * 1e6) / rate;
  // Who was late, or had nothing to send, may make up for half of a segment's time.
  tcb.nextSendUs += us - Math.min(us / 2, tcb.nextSendUs - nextSendUs);
}

/** How long pacing keeps the next segment, in whole microseconds: the timers of what is in flight wait as long. */
export function pacingDelayUs(tcb: Tcb): number {
  return tcb.paced && tcb.nextSendUs > tcb.nowUs ? Math.ceil(tcb.nextSendUs - tcb.nowUs) : 0;
}

/**
 * Bytes a second at which segments leave, or would: a model's rate, or the window in each round trip and enough more
 * that it can grow (Linux's tcp_update_pacing_rate); Infinity while no round-trip time is known.
 */
export function pacingRate(tcb: Tcb): number {
  const { srttUs, cwnd, ssthresh, mss, flight, context, congestion, maxPacingRate } = tcb;
  if (congestion.model !== null) return tcb.pacingRate;
  const { tcp_pacing_ss_ratio, tcp_pacing_ca_ratio } = context.host.sysctl;
  const percent = cwnd < ssthresh / 2 ? tcp_pacing_ss_ratio : tcp_pacing_ca_ratio;
  return Math.min((mss * Math.max(cwnd, flight.packetsOut) * percent * 1e4) / srttUs, maxPacingRate);
}

/** SO_MAX_PACING_RATE was set. */
export function limitPacingRate(tcb: Tcb): void {
  if (tcb.maxPacingRate < Number.POSITIVE_INFINITY) tcb.paced = true;
  tcb.pacingRate = tcb.pacingRate === 0 ? tcb.maxPacingRate : Math.min(tcb.pacingRate, tcb.maxPacingRate);
}
