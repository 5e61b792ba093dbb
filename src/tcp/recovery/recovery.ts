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
import { seqDiff, seqGe, seqGt } from '../../base/seq.ts';
import { queueCwr } from '../ecn.ts';
import { TX_FIN, TX_SACKED, type TxSegment } from '../flight.ts';
import { probeWasLost } from '../send/mtu-probe.ts';
import type { CaState, Tcb } from '../tcb.ts';
import type { AckOutcome } from './ack-outcome.ts';
import { currentSsthresh, keepOpen, retransmissionsOut, setCaState } from './ca-state.ts';
import { enterCwr } from './cwr.ts';
import { countDuplicate, limitDuplicates, markHeadLost, markLost } from './lost-marks.ts';
import { beginReduction, endReduction, reduceWindow } from './prr.ts';
import { detectLosses, markLostByTime, timeLeftUs } from './rack.ts';
import { hastenRetransmit } from './transmit-timer.ts';
import { beginUndo, forgetUndo, undoAtEnd, undoByDsack, undoLoss, undoPartial } from './undo.ts';

/** How long a receiver that takes SACKs back has to explain itself, at least: half a round trip, or this. */
const RENEGED_WAIT_MIN_US = 10_000;

/** Moves recovery on by one acknowledgement that is out of the ordinary, or that comes while not all is well. */
export function onAckRecovery(tcb: Tcb, outcome: AckOutcome): void {
  const { flight } = tcb;
  if (flight.packetsOut === 0) flight.sackedOut = 0;
  // Whatever else was for nothing, the path is congested.
  if (outcome.ece) tcb.priorSsthresh = 0;
  if (awaitReneged(tcb, outcome)) return;
  if (tcb.caState === 'Open') {
    tcb.undoStampUs = 0;
  } else if (seqGe(tcb.sndUna, tcb.highSeq)) {
    if (tcb.caState === 'CWR' && tcb.sndUna !== tcb.highSeq) leaveCwr(tcb);
    else if (tcb.caState === 'Recovery' && !leaveRecovery(tcb, outcome)) return;
  }
  if (tcb.caState === 'Recovery') repairLosses(tcb, outcome);
  else if (tcb.caState === 'Loss') slowStartAgain(tcb, outcome);
  else watch(tcb, outcome);
}

/**
 * The receiver seems to have thrown away what it had SACKed (RFC 2018 section 8). Maybe its ACKs only come in another
 * order, so it gets a little time to say so; then the time-out forgets all that it has ever SACKed.
 */
function awaitReneged(tcb: Tcb, outcome: AckOutcome): boolean {
  if (!outcome.reneged || !outcome.advanced) return false;
  hastenRetransmit(tcb, Math.max(tcb.srttUs >> 1, RENEGED_WAIT_MIN_US));
  outcome.restartTimer = false;
  return true;
}

// --- the states -----------------------------------------------------------------------------------------------

/** Open, Disorder and CWR: nothing is known to be lost. */
function watch(tcb: Tcb, outcome: AckOutcome): void {
  if (!tcb.sack) {
    if (outcome.advanced) tcb.flight.sackedOut = 0;
    countDuplicate(tcb, outcome);
  }
  const calm = tcb.caState === 'Open' || tcb.caState === 'Disorder';
  if (calm) undoByDsack(tcb);
  findLosses(tcb, outcome);
  if (tcb.flight.lostOut === 0) {
    tryOpen(tcb, outcome.ece);
    return;
  }
  if (calm && probeWasLost(tcb)) {
    markLostWithoutCongestion(tcb, tcb.mss);
    return;
  }
  enterRecovery(tcb, outcome.ece);
  tcb.repair = 'lost';
}

/** Recovery: what is lost is sent again while the window shrinks. */
function repairLosses(tcb: Tcb, outcome: AckOutcome): void {
  if (!outcome.advanced) {
    if (!tcb.sack) countDuplicate(tcb, outcome);
  } else if (undoPartial(tcb, outcome)) {
    return;
  }
  if (undoByDsack(tcb)) tryOpen(tcb, outcome.ece);
  findLosses(tcb, outcome);
  if ((tcb.caState as CaState) !== 'Recovery') {
    if (tcb.flight.lostOut === 0) return;
    // Undone, and yet something is lost.
    enterRecovery(tcb, outcome.ece);
  }
  tcb.repair = 'lost';
}

/** Loss: a time-out has made everything lost; slow start from one segment, unless the time-out was spurious. */
function slowStartAgain(tcb: Tcb, outcome: AckOutcome): void {
  const { flight } = tcb;
  testTimeout(tcb, outcome);
  const { retransOut } = flight;
  findLosses(tcb, outcome);
  // Undone, or a repetition was lost.
  if ((tcb.caState as CaState) === 'Open' || flight.retransOut < retransOut) watch(tcb, outcome);
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
      if (tcb.unsent > 0 && seqGt(tcb.sndWndEnd, tcb.sndNxt)) {
        tcb.repair = 'new data';
        return;
      }
      tcb.frto = false;
    }
  }
  if (repaired) {
    undoAtEnd(tcb, outcome);
    return;
  }
  if (!tcb.sack) {
    // A duplicate means that new data of step 2.b has arrived.
    if (outcome.duplicate && seqGt(tcb.sndNxt, tcb.highSeq)) countDuplicate(tcb, outcome);
    else if (outcome.advanced) tcb.flight.sackedOut = 0;
  }
  tcb.repair = 'lost';
}

/** False when the state stays for now (NewReno). */
function leaveRecovery(tcb: Tcb, outcome: AckOutcome): boolean {
  if (!tcb.sack) tcb.flight.sackedOut = 0;
  if (!undoAtEnd(tcb, outcome)) return false;
  if (tcb.undo !== null) endReduction(tcb);
  return true;
}

/** Nothing is lost, as far as is known. */
function tryOpen(tcb: Tcb, ece: boolean): void {
  if (!retransmissionsOut(tcb)) tcb.undoStampUs = 0;
  if (ece) enterCwr(tcb);
  if (tcb.caState !== 'CWR') keepOpen(tcb);
}

function leaveCwr(tcb: Tcb): void {
  endReduction(tcb);
  setCaState(tcb, 'Open');
}

// --- detection ------------------------------------------------------------------------------------------------

/** Marks the segments that are lost by now; others may be in a moment, which the reordering timer waits for. */
function findLosses(tcb: Tcb, outcome: AckOutcome): void {
  if (tcb.flight.packetsOut === 0) return;
  if (!tcb.sack) markHeadLost(tcb, outcome.advanced);
  else if (markLostByTime(tcb)) outcome.restartTimer = false;
}

/** The reordering timer went off (RFC 8985 section 6.3): what was late is lost. The caller sends it again. */
export function onReorderTimeout(tcb: Tcb): void {
  const { flight } = tcb;
  const { lost } = tcb;
  const { inFlight } = flight;
  detectLosses(tcb);
  if (flight.inFlight === inFlight || tcb.caState === 'Recovery') return;
  enterRecovery(tcb, false);
  if (tcb.congestion.model === null) reduceWindow(tcb, 1, tcb.lost - lost, false);
}

// --- into CWR, Recovery and Loss -------------------------------------------------------------------------------

/** `ece`: the loss comes with an ECN echo, so the reduction stays whatever becomes of the loss. */
function enterRecovery(tcb: Tcb, ece: boolean): void {
  const { TcpExt } = tcb.context.host.mib;
  if (tcb.sack) TcpExt.TCPSackRecovery++;
  else TcpExt.TCPRenoRecovery++;
  if (!retransmissionsOut(tcb)) tcb.undoStampUs = 0;
  beginUndo(tcb);
  tcb.priorSsthresh = ece || tcb.caState === 'CWR' ? 0 : currentSsthresh(tcb);
  if (tcb.caState !== 'CWR') beginReduction(tcb);
  setCaState(tcb, 'Recovery');
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
  tcb.cwndStampUs = tcb.nowUs;
  tcb.cwndCount = 0;
  // Much had arrived, and still it came to this: patience did not pay.
  if (calm && flight.sackedOut >= sysctl.tcp_reordering)
    tcb.reordering = Math.min(tcb.reordering, sysctl.tcp_reordering);
  const probing = tcb.mtuSearch !== null && tcb.mtuSearch.size > 0;
  tcb.frto = sysctl.tcp_frto !== 0 && (fresh || tcb.retransmits > 0) && !probing;
  tcb.highSeq = tcb.sndNxt;
  tcb.probeOut = 'none';
  queueCwr(tcb);
  setCaState(tcb, 'Loss');
}

/** RFC 8985 section 6.3: the oldest segment is lost, and what RACK would call so. */
function markTimedOut(tcb: Tcb): void {
  const { flight } = tcb;
  const reneged = ((flight.head?.marks ?? 0) & TX_SACKED) !== 0;
  if (reneged) tcb.context.host.mib.TcpExt.TCPSACKReneging++;
  if (!tcb.sack) flight.sackedOut = 0;
  for (let index = 0; index < flight.packetsOut; index++) {
    const segment = flight.at(index) as TxSegment;
    if (reneged) flight.unmark(segment, TX_SACKED);
    else if (index > 0 && timeLeftUs(tcb, segment, 0) > 0) continue;
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
    const fin = (segment.marks & TX_FIN) !== 0 ? 1 : 0;
    if (seqDiff(segment.end, segment.seq) - fin > limit) markLost(tcb, segment);
  }
  if (flight.lostOut === 0) return false;
  if (!tcb.sack) limitDuplicates(tcb);
  if (tcb.caState !== 'Loss') {
    tcb.highSeq = tcb.sndNxt;
    tcb.ssthresh = currentSsthresh(tcb);
    forgetUndo(tcb);
    setCaState(tcb, 'Loss');
  }
  tcb.repair = 'lost';
  return true;
}
