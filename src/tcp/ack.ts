/**
 * RFC 9293 section 3.10.7.4, fifth step: what an acknowledgement means for the sending side.
 * @module
 */
import { type Seq, seqDiff, seqGe, seqGt, seqLe, seqLt } from '../base/seq.ts';
import { SYN } from '../wire/tcp.ts';
import type { AckOutcome } from './ack-outcome.ts';
import { traceCwnd } from './ca-state.ts';
import { isEcnEcho, takePeerCwr } from './ecn.ts';
import { sendAck } from './emit.ts';
import { TX_EVER_RETRANS, type TX_FIN, TX_SACKED, TX_SYN } from './flight.ts';
import { updateMss } from './mss.ts';
import { checkProbeArrived } from './mtu-probe.ts';
import { tuneSendBuffer } from './output.ts';
import { reduceWindow } from './prr.ts';
import { adaptReorderingWindow, noteReordering } from './rack.ts';
import { finishSample } from './rate-sample.ts';
import { onAckRecovery } from './recovery.ts';
import { updateRtt } from './rtt.ts';
import { noteArrival, readSackBlocks } from './sack.ts';
import type { Segment } from './segment.ts';
import { processProbeAck } from './tail-probe.ts';
import type { Tcb } from './tcb.ts';
import { stopTimer, TIMER_PERSIST } from './timers.ts';
import { armAfterAck, restartPersist } from './transmit-timer.ts';

/** Whether the acknowledgement is one we can use; a challenge ACK is sent where RFC 5961 section 5 wants one. */
export function acceptableAck(tcb: Tcb, segment: Segment): boolean {
  const { host } = tcb.context;
  if (seqGt(segment.ack, tcb.sndNxt)) {
    host.dropped('tcp', 'TCP_ACK_UNSENT_DATA');
    challengeAck(tcb);
    return false;
  }
  const oldest = (tcb.sndUna - Math.max(tcb.maxSndWnd, 1)) | 0;
  if (seqLt(segment.ack, oldest)) {
    host.dropped('tcp', 'TCP_TOO_OLD_ACK');
    challengeAck(tcb);
    return false;
  }
  return true;
}

/** Sends a challenge ACK within its limits: of this connection, and of all together (RFC 5961 section 7). */
export function challengeAck(tcb: Tcb): void {
  if (!mayAnswerInvalid(tcb, 'TCPACKSkippedChallenge') || !tcb.context.mayChallenge()) return;
  tcb.context.host.mib.TcpExt.TCPChallengeACK++;
  sendAck(tcb);
}

/** Whether one more ACK may answer a segment that is out of place: one in tcp_invalid_ratelimit. Counts it as sent. */
export function mayAnswerInvalid(
  tcb: Tcb,
  skipped: 'TCPACKSkippedChallenge' | 'TCPACKSkippedPAWS' | 'TCPACKSkippedSeq' | 'TCPACKSkippedSynRecv',
): boolean {
  const { sysctl, mib } = tcb.context.host;
  const sinceUs = tcb.nowUs - tcb.lastOutOfWindowAckUs;
  if (tcb.lastOutOfWindowAckUs !== 0 && sinceUs < sysctl.tcp_invalid_ratelimit * 1000) {
    mib.TcpExt[skipped]++;
    return false;
  }
  tcb.lastOutOfWindowAckUs = tcb.nowUs;
  return true;
}

/** Processes an acceptable acknowledgement: SND.UNA, round-trip time, SACK, recovery, congestion and send window. */
export function processAck(tcb: Tcb, segment: Segment): void {
  const nothingSent = tcb.flight.packetsOut === 0;
  const old = seqLt(segment.ack, tcb.sndUna);
  const outcome = beginOutcome(tcb, segment);
  if (!old) {
    outcome.duplicate = isDuplicate(tcb, segment);
    outcome.ece = isEcnEcho(tcb, segment);
    if (tcb.ecnFlags !== 0) takePeerCwr(tcb, segment);
    updateSendWindow(tcb, segment);
  }
  if (tcb.sack) readSackBlocks(tcb, segment, outcome);
  if (seqGt(segment.ack, tcb.sndUna)) {
    acknowledge(tcb, segment, outcome);
  } else {
    if (outcome.sackRttUs >= 0) updateRtt(tcb, outcome.sackRttUs, outcome.sackRttUs, false);
    if (segment.dataLength === 0) tcb.context.host.mib.TcpExt.TCPPureAcks++;
  }
  tcb.lastAckReceivedUs = tcb.nowUs;
  tcb.probesOut = 0;
  if (tcb.probeOut !== 'none' && !old) processProbeAck(tcb, segment, outcome);
  if (nothingSent) {
    // What was acknowledged long ago may be reported to have arrived twice.
    if (outcome.dsack) onAckRecovery(tcb, outcome);
    windowAfterProbe(tcb);
    return;
  }
  if (!old || outcome.sacked || outcome.dsack) recover(tcb, outcome);
  countDelivered(tcb, outcome);
  if (!old) {
    finishSample(tcb, outcome);
    controlWindow(tcb, outcome);
  }
  if (outcome.advanced) {
    tcb.retransmits = 0;
    tcb.retransmitStampUs = 0;
    tcb.output.confirmed();
    tuneSendBuffer(tcb);
  }
  traceCwnd(tcb);
}

function beginOutcome(tcb: Tcb, { options }: Segment): AckOutcome {
  const { outcome } = tcb.context;
  outcome.clear();
  outcome.rate.clear(tcb.flight.inFlight);
  outcome.priorLost = tcb.lost;
  outcome.priorUna = tcb.sndUna;
  outcome.hadSacked = tcb.sack && tcb.flight.sackedOut > 0;
  outcome.priorHighSacked = tcb.highSacked;
  outcome.hasEcho = tcb.timestamps && options.timestamps && options.tsEcr !== 0;
  outcome.tsEcr = options.tsEcr;
  return outcome;
}

/** Loss recovery and the timers of what is in flight. */
function recover(tcb: Tcb, outcome: AckOutcome): void {
  if (outcome.late && (tcb.caState !== 'Loss' || tcb.undoable))
    noteReordering(tcb, outcome.lateSeq, outcome.priorHighSacked, 'TCPSACKReorder');
  adaptReorderingWindow(tcb, outcome);
  const waits = onAckRecovery(tcb, outcome);
  if (!waits && (outcome.advanced || isHeadYounger(tcb, outcome))) armAfterAck(tcb);
}

/** What was SACKed was sent before the oldest segment was sent again: that may still be on its way. */
function isHeadYounger(tcb: Tcb, { sackRttUs }: AckOutcome): boolean {
  const { head } = tcb.flight;
  return sackRttUs >= 0 && head !== undefined && sackRttUs > tcb.nowUs - head.sentUs;
}

/** RFC 5681 section 2: no data, no news in the window, something in flight, the same acknowledgement again. */
function isDuplicate(tcb: Tcb, segment: Segment): boolean {
  return (
    segment.ack === tcb.sndUna &&
    tcb.flight.packetsOut > 0 &&
    segment.length === 0 &&
    offeredWindow(tcb, segment) === tcb.sndWnd
  );
}

/** SEG.WND in bytes; in a SYN it is never scaled (RFC 7323 section 2.2). */
function offeredWindow(tcb: Tcb, segment: Segment): number {
  return segment.has(SYN) ? segment.window : segment.window << tcb.sndWscale;
}

/** RFC 9293: SND.WND is taken from the newest segment, by SND.WL1 and SND.WL2. */
function updateSendWindow(tcb: Tcb, segment: Segment): void {
  const window = offeredWindow(tcb, segment);
  const newer =
    seqGt(segment.ack, tcb.sndUna) ||
    seqGt(segment.seq, tcb.sndWl1) ||
    (segment.seq === tcb.sndWl1 && (window > tcb.sndWnd || window === 0));
  if (!newer) return;
  tcb.sndWl1 = segment.seq;
  tcb.sndWl2 = segment.ack;
  if (window === tcb.sndWnd) return;
  tcb.sndWnd = window;
  if (window > tcb.maxSndWnd) {
    tcb.maxSndWnd = window;
    updateMss(tcb);
  }
}

/** Takes what is acknowledged out of the flight and out of the send queue, and measures the round-trip time. */
function acknowledge(tcb: Tcb, segment: Segment, outcome: AckOutcome): void {
  const { flight, context, nowUs } = tcb;
  const { ack } = segment;
  outcome.advanced = true;
  let oldestUs = 0;
  let newestUs = 0;
  let retransmitted = false;
  const wasSyn = headIs(tcb, TX_SYN);
  for (let head = flight.head; head !== undefined && seqLe(head.end, ack); head = flight.head) {
    const { marks } = head;
    if ((marks & TX_SACKED) === 0) noteArrival(tcb, head, outcome);
    if ((marks & TX_EVER_RETRANS) !== 0) retransmitted = true;
    else if ((marks & TX_SACKED) === 0) {
      if (oldestUs === 0) oldestUs = head.sentUs;
      newestUs = head.sentUs;
    }
    flight.shift();
    context.freeSegment(head);
  }
  trimHead(tcb, ack);
  tcb.bytesAcked += seqDiff(ack, tcb.sndUna);
  tcb.sndUna = ack;
  releaseAcked(tcb, ack);
  if (tcb.mtuSearch !== null) checkProbeArrived(tcb);
  // Karn's rule: what was sent twice says nothing, but its timestamps do.
  if (oldestUs > 0 && !retransmitted)
    updateRtt(tcb, nowUs - oldestUs, nowUs - newestUs, mayBeDelayed(tcb, outcome, wasSyn));
  else if (outcome.sackRttUs >= 0) updateRtt(tcb, outcome.sackRttUs, outcome.sackRttUs, false);
  else measureByTimestamps(tcb, outcome);
}

/** One short segment alone, sent when nothing else was in flight: its receiver may have waited for more. */
function mayBeDelayed(tcb: Tcb, outcome: AckOutcome, wasSyn: boolean): boolean {
  const { delivered, hadSacked, sacked, dsack, ece, rate, priorUna } = outcome;
  if (delivered !== 1 || hadSacked || sacked || dsack || ece || wasSyn) return false;
  return seqDiff(tcb.sndUna, priorUna) < tcb.mss && rate.tagged && rate.priorDelivered === tcb.delivered;
}

/** A segment that is acknowledged in part keeps its rest. */
function trimHead(tcb: Tcb, ack: Seq): void {
  const { head } = tcb.flight;
  if (head !== undefined && seqLt(head.seq, ack)) head.seq = ack;
}

/** Drops acknowledged bytes from the send queue; SYN and FIN are not in it. */
function releaseAcked(tcb: Tcb, ack: Seq): void {
  const bytes = Math.min(seqDiff(ack, tcb.queueSeq), tcb.sendQueue.length);
  if (bytes <= 0) return;
  tcb.sendQueue.consume(bytes);
  tcb.queueSeq = (tcb.queueSeq + bytes) | 0;
  tcb.sendQueue.releaseIfEmpty();
}

/** RFC 7323 section 4: an echoed timestamp measures also what was sent twice. */
export function measureByTimestamps(tcb: Tcb, { hasEcho, tsEcr }: AckOutcome): void {
  if (!hasEcho) return;
  const elapsedMs = (tcb.tsNow - tsEcr) | 0;
  const sampleUs = Math.max(elapsedMs, 1) * 1000;
  if (elapsedMs >= 0) updateRtt(tcb, sampleUs, sampleUs, false);
}

/** The window shrinks while a loss or a mark demands it; otherwise it grows by what arrived. */
function controlWindow(tcb: Tcb, outcome: AckOutcome): void {
  if (tcb.caState === 'Recovery' || tcb.caState === 'CWR') reduceWindow(tcb, outcome);
  else if (outcome.advanced) tcb.congestion.onAck(tcb, outcome.delivered);
}

function countDelivered(tcb: Tcb, { delivered, ece }: AckOutcome): void {
  const { TcpExt } = tcb.context.host.mib;
  tcb.delivered += delivered;
  TcpExt.TCPDelivered += delivered;
  if (!ece) return;
  tcb.deliveredCe += delivered;
  TcpExt.TCPDeliveredCE += delivered;
}

/** Nothing was in flight: the acknowledgement answers a probe, or opens a closed window. */
function windowAfterProbe(tcb: Tcb): void {
  const finDue = tcb.finQueued && !tcb.finSent;
  const window = seqDiff(tcb.sndWndEnd, tcb.sndNxt);
  if (tcb.unsent === 0 ? !finDue || window > 0 : window >= Math.min(tcb.unsent, tcb.mss)) {
    tcb.backoff = 0;
    stopTimer(tcb, TIMER_PERSIST);
  } else {
    restartPersist(tcb);
  }
}

/** Whether the oldest thing in flight is our SYN, or our FIN. */
export function headIs(tcb: Tcb, what: typeof TX_SYN | typeof TX_FIN): boolean {
  return ((tcb.flight.head?.marks ?? 0) & what) !== 0;
}

/** Whether `ack` lies in SND.UNA < SEG.ACK =< SND.NXT. */
export function acknowledgesNew(tcb: Tcb, ack: Seq): boolean {
  return seqGt(ack, tcb.sndUna) && seqGe(tcb.sndNxt, ack);
}
