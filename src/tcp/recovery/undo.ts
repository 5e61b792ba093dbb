/**
 * Undoing a reduction of the window that was for nothing: what was taken for lost had only been late. Three witnesses:
 *
 *     D-SACK    every repetition arrived as a duplicate (RFC 2883, RFC 3708)
 *     Eifel     the acknowledgement echoes a time before the first repetition (RFC 3522, RFC 4015)
 *     F-RTO     after a time-out something arrives that was never sent again (RFC 5682)
 * @module
 */
import { type Seq, seqGt, seqLe, seqLt } from '../../base/seq.ts';
import { withdrawCwr } from '../ecn.ts';
import { TX_LOST, type TxSegment } from '../flight.ts';
import type { Tcb } from '../tcb.ts';
import type { AckOutcome } from './ack-outcome.ts';
import { keepOpen, retransmissionsOut, setCaState } from './ca-state.ts';
import { noteRecoveryEnd, noteReordering } from './rack.ts';

/** A reduction begins: from now on it is watched whether it was for nothing. */
export function beginUndo(tcb: Tcb): void {
  // Repetitions that are under way already, and a probe, may be reported as duplicates, too. Not 0: that would mean
  // that all of them were.
  const out = tcb.flight.retransOut + (tcb.probeOut === 'repetition' ? 1 : 0);
  tcb.undo = { seq: tcb.sndUna, retrans: out > 0 ? out : -1 };
}

/** Nothing can be undone any more. */
export function forgetUndo(tcb: Tcb): void {
  tcb.undo = null;
  tcb.priorSsthresh = 0;
  tcb.frto = false;
}

/** A segment was sent again. */
export function noteRepetition(tcb: Tcb): void {
  if (tcb.undoStampUs === 0) tcb.undoStampUs = tcb.nowUs;
  if (tcb.undo !== null) tcb.undo.retrans = Math.max(tcb.undo.retrans, 0) + 1;
}

/** D-SACK: so many segments, the last of which ends at `right`, arrived twice, and were acknowledged before. */
export function noteForgottenDuplicate(tcb: Tcb, right: Seq, priorUna: Seq, segments: number): void {
  // Nothing is known of them any more: the peer is taken at its word.
  const { undo } = tcb;
  if (undo === null || undo.retrans <= 0 || seqGt(right, priorUna) || seqLe(right, undo.seq)) return;
  undo.retrans = Math.max(undo.retrans - segments, 0);
}

/** D-SACK: a segment that was sent again arrived twice. */
export function noteRepetitionArrived({ undo }: Tcb, { end }: TxSegment): void {
  if (undo !== null && undo.retrans > 0 && seqGt(end, undo.seq)) undo.retrans--;
}

/** The acknowledgement can only be one of the original: it echoes an earlier time, or nothing was sent again yet. */
function isDelayed(tcb: Tcb, outcome: AckOutcome): boolean {
  if (tcb.undoStampUs !== 0) return echoesBefore(tcb, outcome, tcb.undoStampUs);
  // Without SACK the time is forgotten as soon as everything was acknowledged (isHeld), of a SYN in any case.
  return tcb.state !== 'SYN_SENT' && (tcb.sack || seqLt(tcb.sndUna, tcb.highSeq));
}

/** The acknowledgement echoes a timestamp from before `us`. */
export function echoesBefore(tcb: Tcb, { hasEcho, tsEcr }: AckOutcome, us: number): boolean {
  return hasEcho && seqLt(tsEcr, tcb.tsAt(us));
}

function mayUndo(tcb: Tcb, outcome: AckOutcome): boolean {
  return tcb.undo !== null && (tcb.undo.retrans === 0 || isDelayed(tcb, outcome));
}

/** The window is what it was before. `unmark`: what was taken for lost is not. */
function undo(tcb: Tcb, unmark: boolean): void {
  const { flight } = tcb;
  for (let index = 0; unmark && flight.lostOut > 0 && index < flight.packetsOut; index++)
    flight.unmark(flight.at(index) as TxSegment, TX_LOST);
  if (tcb.priorSsthresh > 0) {
    tcb.cwnd = tcb.congestion.onUndo(tcb);
    if (tcb.priorSsthresh > tcb.ssthresh) {
      tcb.ssthresh = tcb.priorSsthresh;
      withdrawCwr(tcb);
    }
  }
  tcb.cwndStampUs = tcb.nowUs;
  tcb.undo = null;
  // Others may be lost all the same.
  tcb.rackAdvanced = true;
}

/** Every repetition arrived as a duplicate. True when the reduction was undone. */
export function undoByDsack(tcb: Tcb): boolean {
  if (tcb.undo?.retrans !== 0) return false;
  noteRecoveryEnd(tcb, true);
  undo(tcb, false);
  tcb.context.host.mib.TcpExt.TCPDSACKUndo++;
  return true;
}

/** A part was acknowledged, and late, not lost. True when repetitions are still out: then only new data is sent. */
export function undoPartial(tcb: Tcb, outcome: AckOutcome): boolean {
  const { flight } = tcb;
  if (tcb.undo === null || !isDelayed(tcb, outcome)) return false;
  noteReordering(tcb, outcome.priorUna, 'TCPTSReorder');
  if (flight.retransOut > 0) return true;
  if (!retransmissionsOut(tcb)) tcb.undoStampUs = 0;
  undo(tcb, true);
  tcb.context.host.mib.TcpExt.TCPPartialUndo++;
  keepOpen(tcb);
  return false;
}

/** Everything was acknowledged that was in flight when recovery began. False when the state stays for now (NewReno). */
export function undoAtEnd(tcb: Tcb, outcome: AckOutcome): boolean {
  if (mayUndo(tcb, outcome)) {
    const { TcpExt } = tcb.context.host.mib;
    if (tcb.caState === 'Loss') TcpExt.TCPLossUndo++;
    else TcpExt.TCPFullUndo++;
    undo(tcb, false);
  } else {
    noteRecoveryEnd(tcb, false);
  }
  if (isHeld(tcb)) return false;
  setCaState(tcb, 'Open');
  return true;
}

/** The time-out was spurious: by F-RTO when `byFrto`, else by the other two. True when it was undone. */
export function undoLoss(tcb: Tcb, outcome: AckOutcome, byFrto: boolean): boolean {
  if (!byFrto && !mayUndo(tcb, outcome)) return false;
  const { TcpExt } = tcb.context.host.mib;
  undo(tcb, true);
  TcpExt.TCPLossUndo++;
  if (byFrto) TcpExt.TCPSpuriousRTOs++;
  tcb.retransmits = 0;
  if (isHeld(tcb)) return true;
  if (byFrto || tcb.sack) setCaState(tcb, 'Open');
  return true;
}

/** Without SACK wait for one more ACK: late duplicates must not begin a second recovery (RFC 6582 section 4). */
function isHeld(tcb: Tcb): boolean {
  if (tcb.sack || tcb.sndUna !== tcb.highSeq) return false;
  if (!retransmissionsOut(tcb)) tcb.undoStampUs = 0;
  return true;
}
