/**
 * Proportional rate reduction: RFC 6937 with the choice of bound of its successor (draft-ietf-tcpm-prr-rfc6937bis).
 * @module
 */
import { SSTHRESH_INFINITE } from '../congestion/congestion.ts';
import { queueCwr } from '../ecn.ts';
import type { Tcb } from '../tcb.ts';

/** A loss was found: from here to SND.NXT the window shrinks to a new ssthresh. */
export function beginReduction(tcb: Tcb): void {
  tcb.highSeq = tcb.sndNxt;
  tcb.probeOut = 'none';
  tcb.cwndCount = 0;
  tcb.priorCwnd = tcb.cwnd;
  tcb.prrDelivered = 0;
  tcb.prrOut = 0;
  tcb.ssthresh = tcb.congestion.onLoss(tcb);
  queueCwr(tcb);
}

/** The reduction is over: the window is what is left of it. */
export function endReduction(tcb: Tcb): void {
  if (tcb.congestion.model !== null || tcb.ssthresh >= SSTHRESH_INFINITE) return;
  tcb.cwnd = tcb.ssthresh;
  tcb.cwndStampUs = tcb.nowUs;
}

/**
 * The window shrinks in step with what leaves the network, and at least the first lost segment goes out at once. Below
 * ssthresh it grows back: as in slow start while SND.UNA moves and nothing new is lost, else by what was delivered.
 */
export function reduceWindow(tcb: Tcb, delivered: number, lost: number, advanced: boolean): void {
  if (delivered <= 0) return;
  tcb.prrDelivered += delivered;
  const { inFlight } = tcb.flight;
  const room = tcb.ssthresh - inFlight;
  let send: number;
  if (room < 0) {
    send = Math.ceil((tcb.prrDelivered * tcb.ssthresh) / tcb.priorCwnd) - tcb.prrOut;
  } else {
    send = Math.max(tcb.prrDelivered - tcb.prrOut, delivered);
    if (advanced && lost === 0) send++;
    send = Math.min(send, room);
  }
  tcb.cwnd = inFlight + Math.max(send, tcb.prrOut === 0 ? 1 : 0);
}
