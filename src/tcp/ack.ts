/**
 * RFC 9293 section 3.10.7.4, fifth step: what an acknowledgement means for the sending side.
 * @module
 */
import { type Seq, seqDiff, seqGe, seqGt, seqLe, seqLt } from '../base/seq.ts';
import { SYN } from '../wire/tcp.ts';
import { isEcnEcho, takePeerCwr } from './ecn.ts';
import { sendAck } from './emit.ts';
import { TX_EVER_RETRANS, type TX_FIN, TX_SACKED, TX_SYN, type TxSegment } from './flight.ts';
import { updateMss } from './mss.ts';
import { noticeAck } from './notices.ts';
import type { AckOutcome } from './recovery/ack-outcome.ts';
import { traceCwnd } from './recovery/ca-state.ts';
import { removeDuplicates } from './recovery/lost-marks.ts';
import { reduceWindow } from './recovery/prr.ts';
import { adaptReorderingWindow, advanceRack, noteReordering } from './recovery/rack.ts';
import { onAckRecovery } from './recovery/recovery.ts';
import { readSackBlocks } from './recovery/sack.ts';
import { processProbeAck } from './recovery/tail-probe.ts';
import { armAfterAck, armPersist, restartPersist } from './recovery/transmit-timer.ts';
import { echoesBefore } from './recovery/undo.ts';
import { updateRtt } from './rtt.ts';
import type { Segment } from './segment.ts';
import { CHRONO_BUSY, stopChrono } from './send/chrono.ts';
import { restartAfterIdle } from './send/cwnd-usage.ts';
import { checkProbeArrived } from './send/mtu-probe.ts';
import { finishSample, noteRate } from './send/rate-sample.ts';
import type { Tcb } from './tcb.ts';
import { stopTimer, TIMER_PERSIST } from './timers.ts';

/** Whether the acknowledgement is one we can use; a challenge ACK is sent where RFC 5961 section 5 wants one. */
export function acceptableAck(tcb: Tcb, segment: Segment): boolean {
  const { host } = tcb.context;
  if (seqGt(segment.ack, tcb.sndNxt)) {
    host.dropped('tcp', 'TCP_ACK_UNSENT_DATA');
    challengeAck(tcb);
    return false;
  }
  // Not what was never sent either.
  const oldest = (tcb.sndUna - Math.max(Math.min(tcb.maxSndWnd, tcb.bytesAcked), 0)) | 0;
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

/**
 * Processes an acceptable acknowledgement: send window, SACK, what arrived, round-trip time, recovery, congestion
 * window. The order is that of Linux's tcp_ack.
 */
export function processAck(tcb: Tcb, segment: Segment): void {
  const outcome = beginOutcome(tcb, segment);
  if (seqLt(segment.ack, tcb.sndUna)) {
    processOldAck(tcb, segment, outcome);
    return;
  }
  const nothingOut = tcb.flight.packetsOut === 0;
  if (seqGt(segment.ack, tcb.sndUna)) outcome.advanced = true;
  if (updateSendWindow(tcb, segment) || segment.length > 0) outcome.hasNews = true;
  if (outcome.advanced) advanceUna(tcb, segment.ack);
  else if (segment.dataLength === 0) tcb.context.host.mib.TcpExt.TCPPureAcks++;
  if (tcb.sack) readSackBlocks(tcb, segment, outcome);
  outcome.ece = isEcnEcho(tcb, segment);
  if (tcb.ecnFlags !== 0) takePeerCwr(tcb, segment);
  tcb.softError = 0;
  tcb.lastAckReceivedUs = tcb.nowUs;
  tcb.probesOut = 0;
  if (nothingOut) {
    processAckOfNothing(tcb, outcome);
    return;
  }
  removeAcknowledged(tcb, outcome);
  adaptReorderingWindow(tcb, outcome);
  if (tcb.probeOut !== 'none') processProbeAck(tcb, outcome);
  if (isDubious(tcb, outcome)) onAckRecovery(tcb, outcome);
  if (outcome.restartTimer) armAfterAck(tcb);
  if (outcome.dataAcked || outcome.synAcked || outcome.sacked || !outcome.hasNews) tcb.output.confirmed();
  countDelivered(tcb, outcome);
  finishSample(tcb, outcome);
  controlWindow(tcb, outcome);
  if (tcb.flight.packetsOut === 0) stopChrono(tcb, CHRONO_BUSY);
  traceCwnd(tcb);
}

function beginOutcome(tcb: Tcb, { options }: Segment): AckOutcome {
  const { outcome } = tcb.context;
  outcome.clear();
  outcome.rate.clear(tcb.flight.inFlight);
  outcome.priorUna = tcb.sndUna;
  outcome.priorHighSacked = tcb.highestSacked;
  outcome.priorLost = tcb.lost;
  outcome.hasEcho = tcb.timestamps && options.timestamps && options.tsEcr !== 0;
  outcome.tsEcr = options.tsEcr;
  tcb.repair = 'nothing';
  return outcome;
}

/** Others have overtaken it: only its SACK blocks may be news. What they report is not counted (as Linux). */
function processOldAck(tcb: Tcb, segment: Segment, outcome: AckOutcome): void {
  if (!tcb.sack || segment.options.sackCount === 0) return;
  readSackBlocks(tcb, segment, outcome);
  onAckRecovery(tcb, outcome);
}

/** Nothing was in flight: it answers a probe, or opens a closed window, or says that something arrived twice. */
function processAckOfNothing(tcb: Tcb, outcome: AckOutcome): void {
  if (outcome.dsack) {
    onAckRecovery(tcb, outcome);
    countDelivered(tcb, outcome);
  }
  windowAfterProbe(tcb);
  if (tcb.probeOut !== 'none') processProbeAck(tcb, outcome);
}

/**
 * Whether recovery has to look at it: not while all is well and it is an ordinary one. Settles whether it is a
 * duplicate (RFC 5681 section 2): no data, no news in the window, something in flight, the same acknowledgement again.
 */
function isDubious(tcb: Tcb, outcome: AckOutcome): boolean {
  const same = !outcome.dataAcked && !outcome.synAcked && !outcome.hasNews;
  outcome.duplicate = same && !outcome.advanced && !outcome.dsack;
  return same || outcome.sacked || outcome.dsack || outcome.ece || tcb.caState !== 'Open';
}

/** SEG.WND in bytes; in a SYN it is never scaled (RFC 7323 section 2.2). */
function offeredWindow(tcb: Tcb, segment: Segment): number {
  return segment.has(SYN) ? segment.window : segment.window << tcb.sndWscale;
}

/** RFC 9293: SND.WND is taken from the newest segment, by SND.WL1 and SND.WL2. True when this is it. */
function updateSendWindow(tcb: Tcb, segment: Segment): boolean {
  const window = offeredWindow(tcb, segment);
  const newer =
    seqGt(segment.ack, tcb.sndUna) ||
    seqGt(segment.seq, tcb.sndWl1) ||
    (segment.seq === tcb.sndWl1 && (window > tcb.sndWnd || window === 0));
  if (!newer) return false;
  tcb.sndWl1 = segment.seq;
  if (window === tcb.sndWnd) return true;
  tcb.sndWnd = window;
  if (tcb.writeQueue.length > 0) restartAfterIdle(tcb);
  if (window > tcb.maxSndWnd) {
    tcb.maxSndWnd = window;
    updateMss(tcb);
  }
  return true;
}

/** SND.UNA moves: the bytes before it leave the send queue, and what was tried in vain has succeeded. */
function advanceUna(tcb: Tcb, ack: Seq): void {
  tcb.bytesAcked += seqDiff(ack, tcb.sndUna);
  if (tcb.notices !== null) noticeAck(tcb, tcb.notices, ack);
  tcb.sndUna = ack;
  releaseAcked(tcb, ack);
  tcb.retransmits = 0;
  tcb.retransmitStampUs = 0;
}

/** Takes what is acknowledged out of the flight, and measures the round-trip time by it. */
function removeAcknowledged(tcb: Tcb, outcome: AckOutcome): void {
  const { flight, context, sndUna } = tcb;
  const hadSacked = flight.sackedOut > 0;
  let firstUs = 0;
  let lastUs = 0;
  let low = tcb.sndNxt;
  let retransmitted = false;
  let acked = 0;
  // The newest of those in a row that were sent once and have arrived now: what the others would say is older.
  let newest: TxSegment | null = null;
  for (let head = flight.head; head !== undefined && seqLe(head.end, sndUna); head = flight.head) {
    const { marks } = head;
    if ((marks & (TX_EVER_RETRANS | TX_SACKED)) === 0) {
      if (firstUs === 0) {
        firstUs = head.sentUs;
        low = head.seq;
        if (seqLe(head.end, tcb.highSeq)) outcome.originalArrived = true;
      }
      newest = head;
    } else {
      if (newest !== null) lastUs = noteAcknowledged(tcb, newest, outcome);
      newest = null;
      if ((marks & TX_EVER_RETRANS) !== 0) retransmitted = true;
      if ((marks & TX_SACKED) === 0) noteAcknowledged(tcb, head, outcome);
    }
    if ((marks & TX_SACKED) === 0 && tcb.sack) outcome.delivered++;
    if ((marks & TX_SYN) !== 0) {
      outcome.synAcked = true;
      tcb.undoStampUs = 0;
    } else {
      outcome.dataAcked = true;
    }
    acked++;
    flight.shift();
    context.freeSegment(head);
  }
  if (newest !== null) lastUs = noteAcknowledged(tcb, newest, outcome);
  trimHead(tcb, sndUna);
  outcome.reneged = ((flight.head?.marks ?? 0) & TX_SACKED) !== 0;
  measure(tcb, outcome, retransmitted ? 0 : firstUs, lastUs, acked === 1 && !hadSacked);
  if (tcb.mtuSearch !== null) checkProbeArrived(tcb);
  if (acked > 0) afterRemoval(tcb, outcome, acked, low, retransmitted);
}

/** A segment arrived that no SACK had reported before; returns when it was sent. */
function noteAcknowledged(tcb: Tcb, segment: TxSegment, outcome: AckOutcome): number {
  const { sentUs, marks } = segment;
  noteRate(tcb, segment, outcome.rate);
  if (!tcb.sack || sentUs === 0) return sentUs;
  // An echo of an earlier time: it was the original, which says nothing of when this one was sent.
  const spurious = (marks & TX_EVER_RETRANS) !== 0 && echoesBefore(tcb, outcome, sentUs);
  if (!spurious) advanceRack(tcb, segment);
  return sentUs;
}

/** What it says of order and of duplicates that whole segments were acknowledged. */
function afterRemoval(tcb: Tcb, outcome: AckOutcome, acked: number, low: Seq, retransmitted: boolean): void {
  outcome.restartTimer = true;
  if (tcb.sack) {
    // A hole was filled by what had been sent but once: it was late.
    if (seqLt(low, outcome.priorHighSacked)) noteReordering(tcb, low, 'TCPSACKReorder');
    return;
  }
  removeDuplicates(tcb, outcome, acked);
  // Without SACK nobody can tell whether it was the repetition that has made the progress.
  if (retransmitted) outcome.originalArrived = false;
}

/**
 * The round-trip time: of what was sent once and acknowledged, else of what was SACKed, else by the timestamps, which
 * measure also what was sent twice (RFC 7323 section 4). `firstUs` and `lastUs`: when the first and the last of the
 * acknowledged segments were sent, 0 when there is none that counts.
 */
function measure(tcb: Tcb, outcome: AckOutcome, firstUs: number, lastUs: number, alone: boolean): void {
  const { nowUs } = tcb;
  const { firstSackedUs, rate } = outcome;
  let sampleUs = -1;
  if (firstUs > 0) {
    sampleUs = nowUs - firstUs;
    rate.rttUs = nowUs - lastUs;
    rate.ackDelayed = alone && mayBeDelayed(tcb, outcome);
  }
  if (firstSackedUs > 0) {
    rate.rttUs = nowUs - outcome.lastSackedUs;
    if (sampleUs < 0) sampleUs = nowUs - firstSackedUs;
  }
  if (sampleUs < 0 && (outcome.dataAcked || outcome.synAcked)) {
    sampleUs = elapsedSinceEcho(tcb, outcome);
    rate.rttUs = sampleUs;
  }
  if (sampleUs < 0) return;
  updateRtt(tcb, sampleUs, rate.rttUs, rate.ackDelayed);
  tcb.congestion.onRtt(tcb, rate.rttUs);
  // What was SACKed was sent before the oldest segment was sent again: that may still be on its way.
  const { head } = tcb.flight;
  if (firstSackedUs > 0 && head !== undefined && firstSackedUs < head.sentUs) outcome.restartTimer = true;
}

/** A lone small segment was acknowledged, and nothing was sent behind it: its receiver may have taken its time. */
function mayBeDelayed(tcb: Tcb, outcome: AckOutcome): boolean {
  return (
    seqDiff(tcb.sndUna, outcome.priorUna) < tcb.mss &&
    outcome.rate.tagged &&
    outcome.rate.priorDelivered + 1 === tcb.delivered + outcome.delivered &&
    !outcome.synAcked &&
    !outcome.sacked &&
    !outcome.dsack &&
    !outcome.ece
  );
}

/** Microseconds since the echoed timestamp; a millisecond when it is of now, -1 when there is none. */
export function elapsedSinceEcho(tcb: Tcb, { hasEcho, tsEcr }: AckOutcome): number {
  const elapsedMs = (tcb.tsNow - tsEcr) | 0;
  return hasEcho && elapsedMs >= 0 ? Math.max(elapsedMs, 1) * 1000 : -1;
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

/** The window shrinks while a loss or a mark demands it, otherwise it grows by what arrived; or a model sets it. */
function controlWindow(tcb: Tcb, outcome: AckOutcome): void {
  const { delivered } = outcome;
  const { model } = tcb.congestion;
  if (model !== null) model.onSample(tcb, outcome.rate);
  else if (tcb.caState === 'Recovery' || tcb.caState === 'CWR')
    reduceWindow(tcb, delivered, tcb.lost - outcome.priorLost, outcome.advanced);
  else if (mayGrow(tcb, outcome)) {
    tcb.congestion.onAck(tcb, delivered);
    tcb.cwndStampUs = tcb.nowUs;
  }
}

/** On a path that is known to change the order much, what arrives out of order counts as much as what does not. */
function mayGrow(tcb: Tcb, { dataAcked, synAcked, sacked }: AckOutcome): boolean {
  if (tcb.reordering <= tcb.context.host.sysctl.tcp_reordering) return dataAcked;
  return dataAcked || synAcked || sacked;
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
  if (tcb.unsent === 0 && !finDue) return;
  const window = seqDiff(tcb.sndWndEnd, tcb.sndNxt);
  if (tcb.unsent === 0 ? window > 0 : window >= Math.min(tcb.unsent, tcb.mss)) {
    tcb.backoff = 0;
    tcb.probesStampUs = 0;
    stopTimer(tcb, TIMER_PERSIST);
  } else if (tcb.orphan) {
    // Whoever acknowledges before he is asked must not hold what nobody owns any more (Linux lets him).
    armPersist(tcb);
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
