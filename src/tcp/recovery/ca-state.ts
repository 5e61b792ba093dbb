/**
 * Where loss recovery stands (Linux's tcp_ca_state), for whoever changes it, and its trace. docs/LOSS-RECOVERY.md
 * draws the states.
 * @module
 */
import { seqDiff } from '../../base/seq.ts';
import { TRACE_CWND } from '../../trace/events.ts';
import { TX_EVER_RETRANS } from '../flight.ts';
import type { CaState, Tcb, TimeoutTotals } from '../tcb.ts';

/** Changes the state and reports it. */
export function setCaState(tcb: Tcb, state: CaState): void {
  if (state === 'Loss') tcb.congestion.onTimeout(tcb);
  if (tcb.caState === state) return;
  if (tcb.caState === 'Loss') endRtoTime(tcb);
  tcb.caState = state;
  traceCwnd(tcb);
}

/** No loss is known: Open, or Disorder while something is missing or was sent again. */
export function keepOpen(tcb: Tcb): void {
  const { flight } = tcb;
  const open = flight.sackedOut + flight.lostOut === 0 && !retransmissionsOut(tcb);
  const state = open ? 'Open' : 'Disorder';
  if (tcb.caState === state) return;
  setCaState(tcb, state);
  tcb.highSeq = tcb.sndNxt;
}

/** Whether something that was sent again is not yet acknowledged. */
export function retransmissionsOut({ flight }: Tcb): boolean {
  return flight.retransOut > 0 || ((flight.head?.marks ?? 0) & TX_EVER_RETRANS) !== 0;
}

/** The threshold as it is in effect: at least three quarters of the window (Linux's tcp_current_ssthresh). */
export function currentSsthresh(tcb: Tcb): number {
  if (tcb.caState === 'Recovery' || tcb.caState === 'CWR') return tcb.ssthresh;
  return Math.max(tcb.ssthresh, (tcb.cwnd >> 1) + (tcb.cwnd >> 2));
}

/** What time-outs have cost, to be counted on. */
export function timeoutTotals(tcb: Tcb): TimeoutTotals {
  tcb.timeouts ??= { count: 0, recoveries: 0, repairUs: 0, sinceUs: 0 };
  return tcb.timeouts;
}

function endRtoTime({ timeouts, nowUs }: Tcb): void {
  if (timeouts === null || timeouts.sinceUs === 0) return;
  timeouts.repairUs += nowUs - timeouts.sinceUs;
  timeouts.sinceUs = 0;
}

/** Reports the congestion window to the trace. */
export function traceCwnd(tcb: Tcb): void {
  const { trace, name } = tcb.context.host;
  if (trace === null || (trace.wants & TRACE_CWND) === 0) return;
  const { local, remote } = tcb.output;
  trace.emit({
    type: 'tcp:cwnd',
    atUs: tcb.nowUs,
    host: name,
    local,
    remote,
    cwnd: tcb.cwnd * tcb.mss,
    ssthresh: tcb.ssthresh * tcb.mss,
    inFlight: seqDiff(tcb.sndNxt, tcb.sndUna),
    sndWnd: tcb.sndWnd,
    srttUs: tcb.srttUs,
    rtoUs: tcb.rtoUs,
    caState: tcb.caState,
  });
}
