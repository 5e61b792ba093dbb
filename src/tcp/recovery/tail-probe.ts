/**
 * Tail loss probe (RFC 8985 section 7). The end of a burst has nothing behind it that could show its loss: after two
 * round trips of silence one more segment makes the peer speak, long before the retransmission timer would.
 * @module
 */
import { seqDiff, seqGt, seqLt } from '../../base/seq.ts';
import { TX_SKB_END } from '../flight.ts';
import { sendNewForProbe } from '../send/output.ts';
import type { Tcb } from '../tcb.ts';
import type { AckOutcome } from './ack-outcome.ts';
import { keepOpen } from './ca-state.ts';
import { beginReduction, endReduction } from './prr.ts';
import { retransmit } from './retransmit.ts';
import { restartRetransmit, resumeRetransmit } from './transmit-timer.ts';

/** Section 7.3: the probe timer went off: new data if there is any and the window takes it, else the last segment. */
export function sendLossProbe(tcb: Tcb): void {
  if (!trySending(tcb)) {
    resumeRetransmit(tcb);
    return;
  }
  tcb.probeSeq = tcb.sndNxt;
  tcb.context.host.mib.TcpExt.TCPLossProbes++;
  restartRetransmit(tcb);
}

/** One probe at a time. */
function trySending(tcb: Tcb): boolean {
  if (tcb.probeOut !== 'none' || tcb.flight.packetsOut === 0 || tcb.output.isBusy()) return false;
  const window = seqDiff(tcb.sndWndEnd, tcb.sndNxt);
  if (window >= Math.min(tcb.unsent, tcb.mss) && sendNewForProbe(tcb)) {
    tcb.probeOut = 'new data';
    return true;
  }
  const { flight } = tcb;
  const before = flight.at(flight.packetsOut - 2);
  if (before !== undefined) flight.mark(before, TX_SKB_END);
  if (retransmit(tcb, flight.packetsOut - 1, 1, 'probe') <= 0) return false;
  tcb.probeOut = 'repetition';
  return true;
}

/**
 * Section 7.4: whether the probe has repaired a loss that nobody would notice otherwise. It has when more than it is
 * acknowledged and neither a D-SACK nor a duplicate has said that the original had arrived, too.
 */
export function processProbeAck(tcb: Tcb, outcome: AckOutcome): void {
  const ack = tcb.sndUna;
  if (seqLt(ack, tcb.probeSeq)) return;
  if (tcb.probeOut === 'new data' || outcome.dsackOfProbe) {
    tcb.probeOut = 'none';
  } else if (seqGt(ack, tcb.probeSeq)) {
    beginReduction(tcb);
    endReduction(tcb);
    keepOpen(tcb);
    tcb.context.host.mib.TcpExt.TCPLossProbeRecovery++;
  } else if (!outcome.advanced && !outcome.hasNews && !outcome.sacked) {
    tcb.probeOut = 'none';
  }
}
