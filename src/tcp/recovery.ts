/**
 * Loss recovery: what an acknowledgement or a timer makes of the state that a connection is in.
 *
 *     Open ------- SACK or duplicate ACK ----> Disorder
 *     Open, Disorder -- ECN echo ------------> CWR -------- more than highSeq acknowledged ----> Open
 *     any -------- a segment is lost --------> Recovery --- highSeq acknowledged, or undone ---> Open
 *     any -------- retransmission time-out --> Loss ------- highSeq acknowledged, or undone ---> Open
 *     Loss ------- a repetition is lost -----> Recovery
 *
 * Which segments are lost say rack.ts (by time) and lost-marks.ts (by counting); how the window shrinks prr.ts; whether
 * it was for nothing undo.ts; tail-probe.ts makes a silent peer speak. docs/LOSS-RECOVERY.md draws all of it.
 * @module
 */
import { seqDiff, seqGe, seqGt, seqLt } from '../base/seq.ts';
import type { AckOutcome } from './ack-outcome.ts';
import { keepOpen, retransmissionsOut, setCaState } from './ca-state.ts';
import { SSTHRESH_INFINITE } from './congestion/congestion.ts';
import { queueCwr } from './ecn.ts';
import { TX_RETRANS, TX_SACKED, type TxSegment } from './flight.ts';
import { countDuplicates, limitDuplicates, markHeadLost, markLost, markLostByCount } from './lost-marks.ts';
import { probeWasLost } from './mtu-probe.ts';
import { beginReduction, reduceWindow } from './prr.ts';
import { detectLosses, markLostByTime, timeLeftUs, usesRack } from './rack.ts';
import type { CaState, Tcb } from './tcb.ts';
import { beginUndo, forgetUndo, undoAtEnd, undoByDsack, undoLoss, undoPartial } from './undo.ts';

/** Moves recovery on by one acknowledgement. True when it has set the reordering timer. */
export function onAckRecovery(tcb: Tcb, outcome: AckOutcome): boolean {
  if (!tcb.sack) countDuplicates(tcb, outcome);
  // Whatever else was for nothing, the path is congested.
  if (outcome.ece) tcb.priorSsthresh = 0;
  if (tcb.caState === 'Open') {
    if (!outcome.duplicate && !outcome.sacked && !outcome.dsack && !outcome.ece) return false;
    tcb.undoStampUs = 0;
  } else if (tcb.caState === 'CWR') {
    if (seqGt(tcb.sndUna, tcb.highSeq)) leaveCwr(tcb);
  } else if (tcb.caState === 'Recovery' && seqGe(tcb.sndUna, tcb.highSeq)) {
    if (!leaveRecovery(tcb, outcome)) return false;
  }
  if (tcb.caState === 'Recovery') return repair(tcb, outcome);
  if (tcb.caState === 'Loss') return slowStartAgain(tcb, outcome);
  return watch(tcb, outcome);
}

// --- the states -----------------------------------------------------------------------------------------------

/** Open, Disorder and CWR: nothing is known to be lost. */
function watch(tcb: Tcb, outcome: AckOutcome): boolean {
  if (tcb.caState === 'Open' || tcb.caState === 'Disorder') undoByDsack(tcb);
  const waits = findLosses(tcb, outcome);
  if (tcb.flight.lostOut === 0) {
    if (!retransmissionsOut(tcb)) tcb.undoStampUs = 0;
    if (outcome.ece) enterCwr(tcb);
    if (tcb.caState !== 'CWR') keepOpen(tcb);
    return waits;
  }
  if (probeWasLost(tcb)) {
    markLostWithoutCongestion(tcb, tcb.mss);
    return waits;
  }
  enterRecovery(tcb, outcome.ece);
  return waits;
}

/** Recovery: what is lost is sent again while the window shrinks. */
function repair(tcb: Tcb, outcome: AckOutcome): boolean {
  if (outcome.advanced && undoPartial(tcb, outcome)) {
    tcb.newDataFirst = true;
    return false;
  }
  if (undoByDsack(tcb)) keepOpen(tcb);
  const waits = findLosses(tcb, outcome);
  if ((tcb.caState as CaState) !== 'Recovery') {
    if (tcb.flight.lostOut === 0) return waits;
    // Undone, and yet something is lost.
    enterRecovery(tcb, outcome.ece);
  }
  return waits;
}

/** Loss: a time-out has made everything lost; slow start from one segment, unless the time-out was spurious. */
function slowStartAgain(tcb: Tcb, outcome: AckOutcome): boolean {
  const { flight } = tcb;
  testTimeout(tcb, outcome);
  const { retransOut } = flight;
  const waits = findLosses(tcb, outcome);
  if ((tcb.caState as CaState) === 'Loss' && flight.retransOut >= retransOut) return waits;
  return watch(tcb, outcome) || waits;
}

/** RFC 5682 section 3.1 (with SACK), and the end of the Loss state. */
function testTimeout(tcb: Tcb, outcome: AckOutcome): void {
  if (outcome.advanced && undoLoss(tcb, outcome, false)) return;
  const repaired = seqGe(tcb.sndUna, tcb.highSeq);
  if (tcb.frto) {
    // Step 3.b: an original that was not sent again arrives, so not all was lost.
    if (outcome.originalArrived && undoLoss(tcb, outcome, true)) return;
    if (seqGt(tcb.sndNxt, tcb.highSeq)) {
      // Step 3.a: only what was sent after the time-out makes the peer speak. The loss was real.
      if (outcome.sacked || outcome.duplicate) tcb.frto = false;
    } else if (outcome.advanced && !repaired) {
      // Step 2.b: new data instead of repetitions, if there is any; the answer to it decides.
      tcb.highSeq = tcb.sndNxt;
      tcb.newDataFirst = true;
      return;
    }
  }
  if (repaired) undoAtEnd(tcb, outcome);
}

function leaveRecovery(tcb: Tcb, outcome: AckOutcome): boolean {
  if (!tcb.sack) tcb.flight.sackedOut = 0;
  const left = undoAtEnd(tcb, outcome);
  if (tcb.undoable) tcb.cwnd = tcb.ssthresh;
  return left;
}

function leaveCwr(tcb: Tcb): void {
  if (tcb.ssthresh < SSTHRESH_INFINITE) tcb.cwnd = tcb.ssthresh;
  setCaState(tcb, 'Open');
}

// --- detection ------------------------------------------------------------------------------------------------

/** Marks the segments that are lost by now. True when the reordering timer was set for others. */
function findLosses(tcb: Tcb, outcome: AckOutcome): boolean {
  if (tcb.flight.packetsOut === 0) return false;
  if (usesRack(tcb)) return markLostByTime(tcb);
  if (tcb.sack) markLostByCount(tcb);
  else if (headIsLost(tcb, outcome)) markHeadLost(tcb);
  return false;
}

/** Without SACK: three duplicates, or while repairing an acknowledgement that uncovers the next hole. */
function headIsLost(tcb: Tcb, outcome: AckOutcome): boolean {
  if (tcb.caState === 'Recovery' || tcb.caState === 'Loss')
    return outcome.advanced && seqLt(tcb.sndUna, tcb.highSeq);
  return tcb.flight.sackedOut >= tcb.reordering;
}

/** The reordering timer went off (RFC 8985 section 6.3): what was late is lost. The caller sends it again. */
export function onReorderTimeout(tcb: Tcb): void {
  const { flight } = tcb;
  const { inFlight } = flight;
  const { outcome } = tcb.context;
  detectLosses(tcb);
  if (flight.inFlight === inFlight || tcb.caState === 'Recovery') return;
  enterRecovery(tcb, false);
  outcome.clear();
  outcome.delivered = 1;
  reduceWindow(tcb, outcome);
}

// --- into CWR, Recovery and Loss -------------------------------------------------------------------------------

/** RFC 3168 section 6.1.2: once a round trip, an ECN echo is as good as a loss. */
function enterCwr(tcb: Tcb): void {
  if (tcb.caState !== 'Open' && tcb.caState !== 'Disorder') return;
  forgetUndo(tcb);
  beginReduction(tcb);
  setCaState(tcb, 'CWR');
}

/** `ece`: the loss comes with an ECN echo, so the reduction stays whatever becomes of the loss. */
function enterRecovery(tcb: Tcb, ece: boolean): void {
  const { TcpExt } = tcb.context.host.mib;
  if (tcb.sack) TcpExt.TCPSackRecovery++;
  else TcpExt.TCPRenoRecovery++;
  if (!retransmissionsOut(tcb)) tcb.undoStampUs = 0;
  beginUndo(tcb);
  tcb.priorSsthresh = ece || tcb.caState === 'CWR' ? 0 : currentSsthresh(tcb);
  tcb.frto = false;
  if (tcb.caState !== 'CWR') beginReduction(tcb);
  tcb.duplicatesLeft = tcb.flight.packetsOut;
  setCaState(tcb, 'Recovery');
}

/** The threshold as it is in effect: at least three quarters of the window (Linux's tcp_current_ssthresh). */
function currentSsthresh(tcb: Tcb): number {
  if (tcb.caState === 'Recovery' || tcb.caState === 'CWR') return tcb.ssthresh;
  return Math.max(tcb.ssthresh, (tcb.cwnd >> 1) + (tcb.cwnd >> 2));
}

/** The retransmission timer went off: everything not SACKed is taken for lost, and slow start begins. */
export function enterLoss(tcb: Tcb): void {
  const { flight } = tcb;
  const { sysctl } = tcb.context.host;
  const fresh = tcb.caState !== 'Recovery' && tcb.caState !== 'Loss';
  const calm = fresh && tcb.caState !== 'CWR';
  markTimedOut(tcb);
  // Once for what was in flight at one time.
  if (calm || seqGe(tcb.sndUna, tcb.highSeq) || (tcb.caState === 'Loss' && tcb.retransmits === 0)) {
    tcb.priorSsthresh = currentSsthresh(tcb);
    tcb.priorCwnd = tcb.cwnd;
    tcb.ssthresh = tcb.congestion.onLoss(tcb);
    beginUndo(tcb);
  }
  tcb.cwnd = flight.inFlight + 1;
  tcb.cwndCount = 0;
  // Much had arrived, and still it came to this: patience did not pay.
  if (calm && flight.sackedOut >= sysctl.tcp_reordering)
    tcb.reordering = Math.min(tcb.reordering, sysctl.tcp_reordering);
  tcb.frto = sysctl.tcp_frto !== 0 && (fresh || tcb.retransmits > 0);
  tcb.highSeq = tcb.sndNxt;
  tcb.probeOut = 'none';
  queueCwr(tcb);
  setCaState(tcb, 'Loss');
}

/** RFC 8985 section 6.3: the oldest segment is lost, and what RACK would call so; without RACK, everything. */
function markTimedOut(tcb: Tcb): void {
  const { flight } = tcb;
  // A SACKed head means that the receiver has thrown away what it had reported (RFC 2018 section 8).
  const reneged = ((flight.head?.marks ?? 0) & TX_SACKED) !== 0;
  if (reneged) tcb.context.host.mib.TcpExt.TCPSACKReneging++;
  if (!tcb.sack) flight.sackedOut = 0;
  const byTime = usesRack(tcb) && !reneged;
  for (let index = 0; index < flight.packetsOut; index++) {
    const segment = flight.at(index) as TxSegment;
    if (reneged) flight.unmark(segment, TX_SACKED);
    if ((segment.marks & TX_SACKED) !== 0) continue;
    if (byTime && index > 0 && timeLeftUs(tcb, segment, 0) > 0) continue;
    markLost(tcb, segment);
  }
}

/**
 * Segments of more than `limit` bytes are lost, though no congestion is to blame: the path takes less than before, or
 * the server did not take a SYN's data (Linux's tcp_simple_retransmit). True when there was one.
 */
export function markLostWithoutCongestion(tcb: Tcb, limit: number): boolean {
  const { flight } = tcb;
  for (let index = 0; index < flight.packetsOut; index++) {
    const segment = flight.at(index) as TxSegment;
    if (seqDiff(segment.end, segment.seq) <= limit || (segment.marks & TX_SACKED) !== 0) continue;
    flight.unmark(segment, TX_RETRANS);
    markLost(tcb, segment);
  }
  if (flight.lostOut === 0) return false;
  if (!tcb.sack) limitDuplicates(tcb);
  if (tcb.caState !== 'Loss') {
    tcb.highSeq = tcb.sndNxt;
    forgetUndo(tcb);
    setCaState(tcb, 'Loss');
  }
  return true;
}
