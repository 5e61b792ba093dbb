/**
 * A segment arrives: RFC 9293 section 3.10.7, one function for each of its steps, with RFC 5961's challenge ACKs
 * and RFC 7323's protection against old segments.
 *
 *     3.10.7.1 CLOSED       the transport answers: no connection is here
 *     3.10.7.2 LISTEN       the listener: transport/tcp-listener.ts
 *     3.10.7.3 SYN-SENT     syn-sent.ts
 *     3.10.7.4 all others   below
 * @module
 */

import { ECONNREFUSED, ECONNRESET, EPIPE } from '../base/errno.ts';
import { type Seq, seqDiff, seqGt, seqLe, seqLt } from '../base/seq.ts';
import { POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDHUP } from '../core/readiness.ts';
import { ACK, FIN, PSH, RST, SYN, TCP_HEADER_LENGTH, URG } from '../wire/tcp.ts';
import { TIMESTAMPS_LENGTH } from '../wire/tcp-options.ts';
import { acceptableAck, acknowledgesNew, challengeAck, headIs, mayAnswerInvalid, processAck } from './ack.ts';
import { changeState, dropSendSide, endConnection } from './change-state.ts';
import { refuse, sendAck, sendReset } from './emit.ts';
import { noteStrayFin, noteStrayReset } from './fast-open/blackhole.ts';
import { answerSynAgain, refuseRepetition, synAckAcknowledged } from './fast-open/passive.ts';
import { TX_SYN } from './flight.ts';
import { updateMss } from './mss.ts';
import { ackDueNow, beginSegmentSize, enterQuickAck } from './receive/ack-policy.ts';
import { receiveFin, receiveOld, receiveText, sendOverdueAck, setDsack } from './receive/receive.ts';
import { beginReceiveSpace, measureReceiverRttByEcho } from './receive/receive-space.ts';
import type { Segment } from './segment.ts';
import { beginMtuSearch } from './send/mtu-probe.ts';
import { flush } from './send/output.ts';
import { startCongestionControl } from './send/pacing.ts';
import { checkSpace, expandSendBuffer } from './send/send-space.ts';
import { mayReceive } from './state.ts';
import { synSentInput } from './syn-sent.ts';
import { RTO_FALLBACK_US, type Tcb } from './tcb.ts';
import { setTimer, TIMER_FIN_WAIT_2, TIMER_KEEPALIVE } from './timers.ts';
import { noteUrgent } from './urgent.ts';

/** Days after which a remembered timestamp says nothing any more (RFC 7323 section 5.5), in microseconds. */
const PAWS_IDLE_MAX_US = 24 * 86400 * 1e6;

/** Processes a segment that belongs to this connection. Its payload is copied; nothing of it is kept. */
export function onSegment(tcb: Tcb, segment: Segment): void {
  const { count } = segment;
  tcb.segsIn += count;
  if (segment.dataLength > 0) tcb.dataSegsIn += count;
  if (tcb.settings.keepAlive) restartKeepalive(tcb);
  if (tcb.state === 'SYN_SENT') {
    synSentInput(tcb, segment, established);
    return;
  }
  if (tcb.state === 'CLOSED' || tcb.state === 'TIME_WAIT') return;
  sendOverdueAck(tcb);
  if (!checkSequence(tcb, segment)) return;
  if (!checkReset(tcb, segment)) return;
  if (!checkSyn(tcb, segment)) return;
  if (tcb.state === 'ESTABLISHED') measureReceiverRttByEcho(tcb, segment);
  if (isPredicted(tcb, segment)) {
    takePredicted(tcb, segment);
    return;
  }
  if (!checkAck(tcb, segment)) return;
  if (!checkAbandoned(tcb, segment)) return;
  if (tcb.urgent !== null || segment.has(URG)) noteUrgent(tcb, segment);
  const fin = takeText(tcb, segment);
  if (fin) takeFin(tcb);
  // What happened may have ended the connection; the user hears of it through the transport.
  if (isOver(tcb)) return;
  flush(tcb);
  checkSpace(tcb);
  if (ackDueNow(tcb)) sendAck(tcb);
}

/**
 * Van Jacobson's header prediction (as Linux): text that is next in sequence, and a header that says nothing new. What
 * the user has held back is not sent because of it.
 */
function isPredicted(tcb: Tcb, segment: Segment): boolean {
  return (
    segment.dataLength > 0 &&
    (segment.flags & ~PSH) === ACK &&
    tcb.state === 'ESTABLISHED' &&
    segment.seq === tcb.rcvNxt &&
    segment.ack === tcb.sndUna &&
    segment.window << tcb.sndWscale === tcb.sndWnd &&
    segment.headerLength === TCP_HEADER_LENGTH + (tcb.timestamps ? TIMESTAMPS_LENGTH : 0) &&
    !tcb.receiveQueue.hasGap &&
    tcb.urgent === null &&
    !tcb.isFastOpenChild
  );
}

function takePredicted(tcb: Tcb, segment: Segment): void {
  noteTimestamp(tcb, segment);
  tcb.sndWl1 = segment.seq;
  if (receiveText(tcb, segment)) takeFin(tcb);
  if (ackDueNow(tcb)) sendAck(tcb);
}

function isOver(tcb: Tcb): boolean {
  return tcb.state === 'CLOSED' || tcb.state === 'TIME_WAIT';
}

// --- first: sequence number and timestamp -----------------------------------------------------------------------

/** RFC 9293: an unacceptable segment is answered by an ACK and dropped. RFC 7323 section 5: so is an old one. */
function checkSequence(tcb: Tcb, segment: Segment): boolean {
  if (isOldByTimestamp(tcb, segment)) {
    tcb.context.host.mib.TcpExt.PAWSEstab++;
    tcb.context.host.dropped('tcp', 'TCP_RFC7323_PAWS');
    if (!segment.has(RST)) acknowledgeUnacceptable(tcb, segment, 'TCPACKSkippedPAWS');
    return false;
  }
  const invalid = outsideWindow(tcb, segment);
  if (invalid !== null) {
    if (simultaneousSynAck(tcb, segment)) return true;
    tcb.context.host.dropped('tcp', invalid);
    if (!segment.has(RST)) {
      if (!segment.has(SYN) && invalid !== 'TCP_OLD_SEQUENCE') tcb.context.host.mib.TcpExt.BeyondWindow++;
      if (segment.has(SYN)) challengeSyn(tcb, segment);
      else acknowledgeUnacceptable(tcb, segment, 'TCPACKSkippedSeq');
    }
    return false;
  }
  return true;
}

function isOldByTimestamp(tcb: Tcb, segment: Segment): boolean {
  if (!tcb.timestamps || !segment.options.timestamps || segment.has(RST)) return false;
  if (seqDiff(segment.options.tsVal, tcb.tsRecent) >= 0 || tcb.tsRecentUs === 0) return false;
  return tcb.nowUs - tcb.tsRecentUs < PAWS_IDLE_MAX_US;
}

/**
 * The four cases of RFC 9293 table 6, in Linux's form (tcp_sequence): the segment is in the window, or begins there and
 * goes beyond its end by its FIN, or while nothing waits to be read. Null when that is so, else what is wrong.
 */
function outsideWindow(
  tcb: Tcb,
  { seq, length, dataLength }: Segment,
): 'TCP_OLD_SEQUENCE' | 'TCP_INVALID_SEQUENCE' | 'TCP_INVALID_END_SEQUENCE' | null {
  const windowEnd = (tcb.rcvNxt + tcb.rcvWndLeft) | 0;
  if (seqLt((seq + length) | 0, tcb.rcvWup)) return 'TCP_OLD_SEQUENCE';
  if (!seqGt((seq + dataLength) | 0, windowEnd)) return null;
  if (seqGt(seq, windowEnd)) return 'TCP_INVALID_SEQUENCE';
  return tcb.receiveQueue.memory.isEmpty ? null : 'TCP_INVALID_END_SEQUENCE';
}

/** Both sides opened at once, and the peer's SYN-ACK repeats the SYN that we have: it acknowledges ours. */
function simultaneousSynAck(tcb: Tcb, segment: Segment): boolean {
  return (
    headIs(tcb, TX_SYN) &&
    segment.has(SYN) &&
    segment.has(ACK) &&
    segment.length === 1 &&
    ((segment.seq + 1) | 0) === tcb.rcvNxt &&
    acknowledgesNew(tcb, segment.ack)
  );
}

/** RFC 7323 section 4.3: TS.Recent follows the segment that spans the last ACK sent, once its own ACK was checked. */
function noteTimestamp(tcb: Tcb, segment: Segment): void {
  if (!tcb.timestamps || !segment.options.timestamps) return;
  if (!seqLe(segment.seq, tcb.rcvWup)) return;
  tcb.tsRecent = segment.options.tsVal;
  tcb.tsRecentUs = tcb.nowUs;
}

/** The ACK for an unacceptable segment, with D-SACK for data, at most one in tcp_invalid_ratelimit without data. */
function acknowledgeUnacceptable(
  tcb: Tcb,
  segment: Segment,
  skipped: 'TCPACKSkippedPAWS' | 'TCPACKSkippedSeq',
): void {
  const { host } = tcb.context;
  const end = (segment.seq + segment.length) | 0;
  if (segment.length > 0) {
    if (seqLt(segment.seq, tcb.rcvNxt)) {
      setDsack(tcb, segment.seq, seqGt(end, tcb.rcvNxt) ? tcb.rcvNxt : end);
      host.mib.TcpExt.DelayedACKLost++;
      enterQuickAck(tcb);
    }
  } else if (!mayAnswerInvalid(tcb, skipped)) {
    return;
  }
  sendAck(tcb);
}

// --- second: RST ------------------------------------------------------------------------------------------------

/** RFC 5961 section 3: only a reset at exactly RCV.NXT counts; another one in the window is challenged. */
function checkReset(tcb: Tcb, segment: Segment): boolean {
  if (!segment.has(RST)) return true;
  const highest = tcb.receiveQueue.highest(tcb.rcvNxt);
  if (segment.seq === tcb.rcvNxt || (tcb.sack && segment.seq === highest)) {
    resetByPeer(tcb);
  } else {
    noteStrayReset(tcb);
    challengeAck(tcb);
  }
  return false;
}

/** The peer has reset the connection: the errno is Linux's (tcp_reset). */
function resetByPeer(tcb: Tcb): void {
  const errno = tcb.state === 'SYN_SENT' ? ECONNREFUSED : tcb.state === 'CLOSE_WAIT' ? EPIPE : ECONNRESET;
  // What came before the reset stays readable, as in Linux; RFC 9293 would flush it.
  endConnection(tcb, 'receive RST', errno);
  tcb.output.ready(POLLIN | POLLOUT | POLLERR | POLLHUP | POLLRDHUP);
}

// --- third: security, which nobody uses; fourth: SYN --------------------------------------------------------------

/** RFC 5961 section 4: a SYN on a synchronized connection is challenged, wherever it lies. */
function checkSyn(tcb: Tcb, segment: Segment): boolean {
  if (!segment.has(SYN) || simultaneousSynAck(tcb, segment)) return true;
  // Linux refuses a stranger's SYN while it waits for the ACK of its SYN-ACK, and leaves the connection alone.
  if (tcb.isFastOpenChild && segment.seq !== tcb.irs) refuse(tcb, segment);
  // What is left of a closed socket in FIN-WAIT-2 gives way to a new connection, after a reset.
  else if (tcb.state === 'FIN_WAIT_2' && tcb.orphan && !seqLt(segment.seq, tcb.rcvNxt)) giveWay(tcb, segment);
  else challengeSyn(tcb, segment);
  return false;
}

function giveWay(tcb: Tcb, segment: Segment): void {
  refuse(tcb, segment);
  endConnection(tcb, 'abort', 0);
}

function challengeSyn(tcb: Tcb, segment: Segment): void {
  if (answerSynAgain(tcb, segment)) return;
  tcb.context.host.mib.TcpExt.TCPSYNChallenge++;
  challengeAck(tcb);
}

// --- fifth: ACK -------------------------------------------------------------------------------------------------

function checkAck(tcb: Tcb, segment: Segment): boolean {
  if (!segment.has(ACK)) {
    tcb.context.host.dropped('tcp', 'TCP_FLAGS');
    return false;
  }
  if (tcb.state === 'SYN_RCVD') return acknowledgeSyn(tcb, segment);
  if (!acceptableAck(tcb, segment)) return false;
  noteTimestamp(tcb, segment);
  const handshake = headIs(tcb, TX_SYN);
  processAck(tcb, segment);
  // A close in SYN_RCVD has led past ESTABLISHED.
  if (handshake && !headIs(tcb, TX_SYN)) established(tcb);
  if (tcb.fastOpen?.synAckOut === true && seqGt(segment.ack, tcb.iss)) synAckAcknowledged(tcb, tcb.fastOpen);
  if (tcb.finAcked) acknowledgeFin(tcb, segment);
  return !isOver(tcb);
}

/** SYN-RECEIVED: an ACK of our SYN establishes the connection; any other is answered by a reset. */
function acknowledgeSyn(tcb: Tcb, segment: Segment): boolean {
  const { fastOpen } = tcb;
  const child = fastOpen?.synAckOut === true;
  if (child && refuseRepetition(tcb, segment)) return false;
  if (!acknowledgesNew(tcb, segment.ack) && !(child && segment.ack === tcb.sndUna)) {
    refuse(tcb, segment);
    return false;
  }
  changeState(tcb, segment.has(SYN) ? 'receive SYN,ACK' : 'receive ACK of SYN');
  noteTimestamp(tcb, segment);
  processAck(tcb, segment);
  if (child) synAckAcknowledged(tcb, fastOpen);
  established(tcb);
  return true;
}

/** What entering ESTABLISHED brings, on either side. */
export function established(tcb: Tcb): void {
  tcb.lastSentUs = tcb.nowUs;
  tcb.softError = 0;
  // From here on it is the payload of the peer's segments.
  if (tcb.timestamps) tcb.advMss -= TIMESTAMPS_LENGTH;
  updateMss(tcb);
  beginSegmentSize(tcb);
  if (tcb.mtuSearch === null) beginMtuSearch(tcb);
  // A server's Fast Open connection has been in use since the SYN.
  if (tcb.fastOpen === null || tcb.fastOpen.destination !== null) beginTransfer(tcb);
  expandSendBuffer(tcb);
  if (tcb.settings.keepAlive) restartKeepalive(tcb);
  if (tcb.finQueued && tcb.state === 'ESTABLISHED') changeState(tcb, 'close');
  tcb.output.ready(POLLOUT);
}

/** Data may flow from now on, in either direction. */
function beginTransfer(tcb: Tcb): void {
  beginReceiveSpace(tcb);
  tcb.retransmitStampUs = 0;
  tcb.undoStampUs = 0;
  startSending(tcb);
  startCongestionControl(tcb);
}

/** What a lost SYN or SYN-ACK says of the path before anything else is known of it. */
function startSending(tcb: Tcb): void {
  // RFC 6298 section 5.7: no measurement, because something was sent twice.
  if (tcb.srttUs === 0) {
    tcb.rtoUs = RTO_FALLBACK_US;
    tcb.backoff = 0;
  }
  // RFC 5681 section 3.1, and RFC 6928 section 2 for one loss alone.
  if (tcb.totalRetrans > 1) tcb.cwnd = 1;
  tcb.cwndStampUs = tcb.nowUs;
}

/** Our FIN has arrived: FIN-WAIT-1, CLOSING and LAST-ACK move on. */
function acknowledgeFin(tcb: Tcb, segment: Segment): void {
  if (tcb.state === 'FIN_WAIT_1') {
    changeState(tcb, 'receive ACK of FIN');
    if (tcb.orphan) startFinWait2(tcb, segment);
    // A close() that lingers waits for this.
    tcb.output.ready(POLLOUT);
  } else if (tcb.state === 'CLOSING') {
    enterTimeWait(tcb, 'receive ACK of FIN');
  } else if (tcb.state === 'LAST_ACK') {
    endConnection(tcb, 'receive ACK of FIN', 0);
    tcb.output.ready(POLLIN | POLLOUT | POLLHUP | POLLRDHUP);
  }
}

/**
 * An orphan waits for the peer's FIN for tcp_fin_timeout or TCP_LINGER2; with a negative one, not at all. `segment` is
 * the one that acknowledged our FIN, when it did so just now.
 */
export function startFinWait2(tcb: Tcb, segment: Segment | null): void {
  const { linger2Us } = tcb.settings;
  if (linger2Us < 0) {
    tcb.context.host.mib.TcpExt.TCPAbortOnLinger++;
    if (segment === null) sendReset(tcb);
    else refuse(tcb, segment);
    endConnection(tcb, 'abort', 0);
    return;
  }
  setTimer(tcb, TIMER_FIN_WAIT_2, tcb.nowUs + linger2Us);
}

// --- sixth: URG is urgent.ts; seventh: text ----------------------------------------------------------------------

/**
 * RFC 1122 section 4.2.2.13: data for a socket that was closed is answered by a reset. So is data that goes beyond the
 * peer's own FIN, but not what begins behind it (Linux).
 */
function checkAbandoned(tcb: Tcb, segment: Segment): boolean {
  const waiting = tcb.state === 'FIN_WAIT_1' || tcb.state === 'FIN_WAIT_2';
  const ended = !mayReceive(tcb.state) && seqLt(segment.seq, tcb.rcvNxt);
  const abandoned = ended || (waiting && (tcb.orphan || tcb.readShut));
  const textEnd: Seq = (segment.seq + segment.dataLength) | 0;
  if (!abandoned || segment.dataLength === 0 || seqLe(textEnd, tcb.rcvNxt)) return true;
  if (segment.has(FIN)) noteStrayFin(tcb);
  tcb.context.host.mib.TcpExt.TCPAbortOnData++;
  refuse(tcb, segment);
  endConnection(tcb, 'abort', tcb.state === 'CLOSE_WAIT' ? EPIPE : ECONNRESET);
  tcb.output.ready(POLLIN | POLLOUT | POLLERR | POLLHUP | POLLRDHUP);
  return false;
}

/** True when the segment's FIN is the next thing in sequence. */
function takeText(tcb: Tcb, segment: Segment): boolean {
  if (segment.length === 0) return false;
  if (segment.has(SYN)) {
    // Of a simultaneous open: the SYN that we have.
    receiveOld(tcb, segment.seq, tcb.rcvNxt);
    return false;
  }
  // The peer's FIN was its last word: what comes behind it is nothing; what came before is acknowledged again.
  if (!mayReceive(tcb.state) && !seqLt(segment.seq, tcb.rcvNxt)) return false;
  return receiveText(tcb, segment);
}

// --- eighth: FIN ------------------------------------------------------------------------------------------------

/** The peer's FIN is the next thing in sequence. */
function takeFin(tcb: Tcb): void {
  receiveFin(tcb);
  // In a dialogue of which the other half is over, our data may carry the ACK.
  if (tcb.state === 'ESTABLISHED') tcb.pingPong = true;
  if (tcb.state === 'FIN_WAIT_1') sendAck(tcb);
  if (tcb.state === 'FIN_WAIT_2') {
    sendAck(tcb);
    enterTimeWait(tcb, 'receive FIN');
  } else {
    changeState(tcb, 'receive FIN');
  }
}

/** What remains is a TIME_WAIT entry, which the transport keeps; this connection is over. */
function enterTimeWait(tcb: Tcb, cause: 'receive FIN' | 'receive ACK of FIN'): void {
  changeState(tcb, cause);
  dropSendSide(tcb);
  tcb.output.ended(true);
  tcb.output.ready(POLLIN | POLLOUT | POLLHUP | POLLRDHUP);
}

/** A sign of life: the keepalive timer starts anew. */
export function restartKeepalive(tcb: Tcb): void {
  tcb.probesOut = 0;
  if (tcb.state !== 'SYN_SENT') setTimer(tcb, TIMER_KEEPALIVE, tcb.nowUs + tcb.settings.keepIdleUs);
}
