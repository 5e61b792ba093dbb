/**
 * The timers of a connection, by name. Each is a deadline in `tcb.times`; the connection has one place in the
 * stack's timer heap, armed no later than its earliest deadline. Moving a deadline later, which is what
 * nearly every acknowledgement does, is then one store: the heap notices when the old time comes.
 * @module
 */
import { TRACE_TIMER } from '../trace/events.ts';
import type { Tcb } from './tcb.ts';

/** RFC 6298: the oldest segment in flight is sent again. */
export const TIMER_RETRANSMIT = 0;
/** RFC 9293 section 3.8.6.1: a closed window is probed; a partial segment that was held back is sent. */
export const TIMER_PERSIST = 1;
/** RFC 9293 section 3.8.6.3. */
export const TIMER_DELAYED_ACK = 2;
/** RFC 9293 section 3.8.4. */
export const TIMER_KEEPALIVE = 3;
/** An orphan does not wait for the peer's FIN for ever (tcp_fin_timeout). */
export const TIMER_FIN_WAIT_2 = 4;
/** RFC 8985 section 7: the end of a burst is probed when no ACK comes (transmit-timer.ts). */
export const TIMER_LOSS_PROBE = 5;
/** RFC 8985 section 6.2: what may only be late is taken for lost. */
export const TIMER_REORDER = 6;
/** The time for the next segment has come (pacing.ts). */
export const TIMER_PACING = 7;
/** What waits behind a gap is acknowledged together (tcp_comp_sack_delay_ns). */
export const TIMER_COMPRESSED_ACK = 8;

/** Names for the trace and for ss, by number. */
export const TIMER_NAMES = [
  'retransmit',
  'persist',
  'delayed-ack',
  'keepalive',
  'fin-wait-2',
  'loss-probe',
  'reorder',
  'pacing',
  'compressed-ack',
] as const;
/** One of the TIMER_* numbers. */
export type TimerKind = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8;

/** How many there are. */
export const TIMER_COUNT = TIMER_NAMES.length;
/** When a timer that is not set is due. */
export const OFF = Number.POSITIVE_INFINITY;

/** Sets a timer, or moves it, to `dueUs`. */
export function setTimer(tcb: Tcb, kind: TimerKind, dueUs: number): void {
  tcb.times[kind] = dueUs;
  const { timers } = tcb.context.host;
  if (dueUs < timers.dueOf(tcb)) timers.set(tcb, dueUs);
  traceTimer(tcb, kind, 'set', dueUs);
}

/** Stops a timer; does nothing when it is not set. */
export function stopTimer(tcb: Tcb, kind: TimerKind): void {
  if (tcb.times[kind] === OFF) return;
  tcb.times[kind] = OFF;
  traceTimer(tcb, kind, 'stop', 0);
}

/** Whether a timer is set. */
export function isTimerSet(tcb: Tcb, kind: TimerKind): boolean {
  return tcb.times[kind] !== OFF;
}

/** When a timer is due, in microseconds; Infinity when it is not set. */
export function timerDue(tcb: Tcb, kind: TimerKind): number {
  return tcb.times[kind] ?? OFF;
}

/** Takes one timer that is due, stopping it; null when none is. */
export function takeDueTimer(tcb: Tcb, nowUs: number): TimerKind | null {
  for (let kind = 0; kind < TIMER_COUNT; kind++) {
    const dueUs = timerDue(tcb, kind as TimerKind);
    if (dueUs > nowUs) continue;
    tcb.times[kind] = OFF;
    traceTimer(tcb, kind as TimerKind, 'fire', dueUs);
    return kind as TimerKind;
  }
  return null;
}

/** Puts the connection back into the heap for its earliest deadline. */
export function rearm(tcb: Tcb): void {
  const { times } = tcb;
  let dueUs = OFF;
  for (let kind = 0; kind < TIMER_COUNT; kind++) dueUs = Math.min(dueUs, times[kind] ?? OFF);
  if (dueUs !== OFF) tcb.context.host.timers.set(tcb, dueUs);
}

/** Stops every timer and leaves the heap. */
export function stopAllTimers(tcb: Tcb): void {
  for (let kind = 0; kind < TIMER_COUNT; kind++) stopTimer(tcb, kind as TimerKind);
  tcb.context.host.timers.delete(tcb);
}

function traceTimer(tcb: Tcb, kind: TimerKind, action: 'set' | 'stop' | 'fire', dueUs: number): void {
  const { trace, name } = tcb.context.host;
  if (trace === null || (trace.wants & TRACE_TIMER) === 0) return;
  const { local, remote } = tcb.output;
  trace.emit({
    type: 'tcp:timer',
    atUs: tcb.nowUs,
    host: name,
    local,
    remote,
    timer: TIMER_NAMES[kind],
    action,
    dueUs,
  });
}
