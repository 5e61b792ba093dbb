/**
 * The timer that guards what is in flight. It is one of three at a time, as in Linux; to set one stops the others.
 *
 *     retransmit   RFC 6298: nothing was acknowledged for a whole time-out
 *     loss-probe   RFC 8985 section 7: silence for two round trips; never later than the time-out
 *     reorder      RFC 8985 section 6.2, step 5: a segment that may only be late has now had its time
 * @module
 */

import { TX_SYN } from '../flight.ts';
import { probeWaitUs, rtoMinUs } from '../rtt.ts';
import { pacingDelayUs } from '../send/pacing.ts';
import { RTO_INITIAL_US, type Tcb } from '../tcb.ts';
import {
  isTimerSet,
  setTimer,
  stopTimer,
  TIMER_LOSS_PROBE,
  TIMER_PERSIST,
  TIMER_REORDER,
  TIMER_RETRANSMIT,
} from '../timers.ts';

/** Bits of tcp_early_retrans that mean tail loss probes; the delayed early retransmits of 1 and 2 are history. */
const LOSS_PROBES = 3;

/** RFC 6298 section 5.1: the time-out counts from now. Stops every one of the three when nothing is in flight. */
export function restartRetransmit(tcb: Tcb): void {
  if (tcb.flight.packetsOut === 0) stopTransmitTimer(tcb);
  else setRetransmit(tcb, tcb.nowUs + tcb.rtoUs + pacingDelayUs(tcb));
}

/** The time-out counts from the last sending of the oldest segment, as if another timer had never taken its place. */
export function resumeRetransmit(tcb: Tcb): void {
  if (tcb.flight.packetsOut === 0) stopTransmitTimer(tcb);
  else setRetransmit(tcb, Math.max(rtoOfHeadUs(tcb), tcb.nowUs + 1));
}

/** The time-out comes after `waitUs`, though the oldest segment is younger. */
export function hastenRetransmit(tcb: Tcb, waitUs: number): void {
  setRetransmit(tcb, tcb.nowUs + waitUs);
}

/** New data went out: the timer runs while something is in flight, and a probe waits for the end of the burst. */
export function armAfterSend(tcb: Tcb): void {
  // The timer is that of the SYN-ACK, before which nothing is sent again.
  if (tcb.isFastOpenChild) return;
  if (tcb.flight.packetsOut === 0 || scheduleProbe(tcb, rtoOfHeadUs(tcb))) return;
  if (isTimerSet(tcb, TIMER_LOSS_PROBE)) resumeRetransmit(tcb);
  else if (!isTransmitTimerSet(tcb)) restartRetransmit(tcb);
}

/** Something was acknowledged: RFC 6298 sections 5.2 and 5.3, and a new probe while no loss is suspected. */
export function armAfterAck(tcb: Tcb): void {
  if (tcb.isFastOpenChild) return;
  if (tcb.flight.packetsOut === 0) stopTransmitTimer(tcb);
  else if (scheduleProbe(tcb, tcb.nowUs + tcb.rtoUs)) return;
  else if (isTimerSet(tcb, TIMER_RETRANSMIT) || !isTransmitTimerSet(tcb)) restartRetransmit(tcb);
  else resumeRetransmit(tcb);
}

/** Our SYN again after the shortest time (Linux). */
export function repeatSynSoon(tcb: Tcb): void {
  setRetransmit(tcb, tcb.nowUs + timeoutMinUs(tcb));
}

/** In `waitUs` a segment that is late now will be taken for lost. */
export function armReorder(tcb: Tcb, waitUs: number): void {
  setTransmitTimer(tcb, TIMER_REORDER, tcb.nowUs + Math.min(waitUs + timeoutMinUs(tcb), tcb.rtoUs));
}

/** Whether one of the three is set. */
export function isTransmitTimerSet(tcb: Tcb): boolean {
  return (
    isTimerSet(tcb, TIMER_RETRANSMIT) || isTimerSet(tcb, TIMER_LOSS_PROBE) || isTimerSet(tcb, TIMER_REORDER)
  );
}

/** Data waits, nothing is in flight: the peer's window is closed, or Nagle or a cork holds a rest back. */
export function armPersist(tcb: Tcb): void {
  if (!isTimerSet(tcb, TIMER_PERSIST)) restartPersist(tcb);
}

/** The peer has answered a probe, and its window is still closed: the time to the next one counts from now. */
export function restartPersist(tcb: Tcb): void {
  if (tcb.flight.packetsOut > 0 || tcb.isFastOpenChild) return;
  if (tcb.unsent === 0 && (!tcb.finQueued || tcb.finSent)) return;
  setTimer(tcb, TIMER_PERSIST, tcb.nowUs + probeWaitUs(tcb));
}

/**
 * RFC 8985 section 7.2: a probe after two round trips; with one segment in flight also the time for which its receiver
 * may delay the ACK, taken to be tcp_rto_min (as Linux). False when no probe is to be sent at all.
 */
function scheduleProbe(tcb: Tcb, rtoDueUs: number): boolean {
  if (!mayProbe(tcb)) return false;
  const { nowUs, srttUs } = tcb;
  const slackUs = tcb.flight.packetsOut === 1 ? rtoMinUs(tcb) : timeoutMinUs(tcb);
  const dueUs = nowUs + (srttUs === 0 ? RTO_INITIAL_US : 2 * srttUs + slackUs) + pacingDelayUs(tcb);
  setTransmitTimer(tcb, TIMER_LOSS_PROBE, rtoDueUs > nowUs ? Math.min(dueUs, rtoDueUs) : dueUs);
  return true;
}

/** Only with SACK, which tells what the probe repairs, and only while no loss is being looked into. */
function mayProbe(tcb: Tcb): boolean {
  if (!tcb.sack || (tcb.caState !== 'Open' && tcb.caState !== 'CWR')) return false;
  const { head } = tcb.flight;
  if (head === undefined || (head.marks & TX_SYN) !== 0) return false;
  return tcb.context.host.sysctl.tcp_early_retrans >= LOSS_PROBES;
}

/** When the time-out of the oldest segment is due, counted from its last sending. */
function rtoOfHeadUs(tcb: Tcb): number {
  return (tcb.flight.head?.sentUs ?? tcb.nowUs) + tcb.rtoUs;
}

function timeoutMinUs(tcb: Tcb): number {
  return tcb.context.host.sysctl.ethertype_timeout_min_us;
}

function setRetransmit(tcb: Tcb, dueUs: number): void {
  setTransmitTimer(tcb, TIMER_RETRANSMIT, Math.min(dueUs, userTimeoutUs(tcb)));
}

/** When TCP_USER_TIMEOUT ends the connection, in microseconds; it counts from the first retransmission (as Linux). */
function userTimeoutUs(tcb: Tcb): number {
  const { retransmitStampUs, settings } = tcb;
  if (retransmitStampUs === 0 || settings.userTimeoutUs === 0) return Number.POSITIVE_INFINITY;
  return retransmitStampUs + settings.userTimeoutUs;
}

function setTransmitTimer(
  tcb: Tcb,
  kind: typeof TIMER_RETRANSMIT | typeof TIMER_LOSS_PROBE | typeof TIMER_REORDER,
  dueUs: number,
): void {
  if (kind !== TIMER_RETRANSMIT) stopTimer(tcb, TIMER_RETRANSMIT);
  if (kind !== TIMER_LOSS_PROBE) stopTimer(tcb, TIMER_LOSS_PROBE);
  if (kind !== TIMER_REORDER) stopTimer(tcb, TIMER_REORDER);
  stopTimer(tcb, TIMER_PERSIST);
  setTimer(tcb, kind, dueUs);
}

/** Nothing is in flight any more. */
function stopTransmitTimer(tcb: Tcb): void {
  stopTimer(tcb, TIMER_RETRANSMIT);
  stopTimer(tcb, TIMER_LOSS_PROBE);
  stopTimer(tcb, TIMER_REORDER);
}
