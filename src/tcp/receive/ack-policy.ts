/**
 * When to acknowledge: at once for the first segments and whenever something is out of order, then every second
 * segment or after a while (RFC 9293 section 3.8.6.3, RFC 5681 section 4.2; the times are Linux's).
 * @module
 */
import { seqDiff } from '../../base/seq.ts';
import { FIN, PSH, SYN, TCP_HEADER_LENGTH, URG } from '../../wire/tcp.ts';
import { TIMESTAMPS_LENGTH } from '../../wire/tcp-options.ts';
import { rtoMinUs } from '../rtt.ts';
import type { Segment } from '../segment.ts';
import { DELAYED_ACK_MAX_US } from '../settings.ts';
import { MSS_DEFAULT, MSS_LEAST, type Tcb } from '../tcb.ts';
import { isTimerSet, setTimer, stopTimer, TIMER_COMPRESSED_ACK, TIMER_DELAYED_ACK } from '../timers.ts';
import { noteScalingRatio } from './receive-space.ts';
import { selectWindow } from './window.ts';

/** The shortest delay (Linux's TCP_DELACK_MIN), in microseconds. */
const DELAYED_ACK_MIN_US = 40_000;
const DELAYED_ACK_IDLE_MAX_US = 500_000;
/** Linux's tick. */
const TICK_US = 1000;
/** Duplicate ACKs that begin a fast retransmit, and the share of the round trip for which later ones may wait. */
const FAST_RETRANSMIT_DUPLICATES = 3;
const COMPRESSION_SHARE = 1 / 20;
/** ACKs that are sent at once at the start of a connection or after a pause (TCP_MAX_QUICKACKS). */
const QUICK_ACKS_MAX = 16;

/** Sends the next ACKs, `most` of them, at once: the peer may be in slow start. */
export function enterQuickAck(tcb: Tcb, most: number = QUICK_ACKS_MAX): void {
  addQuickAcks(tcb, most);
  tcb.pingPong = false;
  tcb.atoUs = DELAYED_ACK_MIN_US;
}

/** As many as half of the window has segments; a dialogue that the user declared interactive stays so. */
function addQuickAcks(tcb: Tcb, most: number = QUICK_ACKS_MAX): void {
  const quick = Math.floor(tcb.rcvWnd / (2 * tcb.rcvMss)) || 2;
  tcb.quickAcks = Math.max(tcb.quickAcks, Math.min(quick, most));
}

/** Data arrived: learns the rhythm of the peer's segments, and that an ACK is owed. */
export function noteDataReceived(tcb: Tcb): void {
  const { nowUs } = tcb;
  tcb.ackPending = true;
  if (tcb.atoUs === 0) {
    addQuickAcks(tcb);
    tcb.atoUs = DELAYED_ACK_MIN_US;
  } else {
    const gapUs = nowUs - tcb.lastReceivedUs;
    if (gapUs <= DELAYED_ACK_MIN_US / 2) {
      tcb.atoUs = tcb.atoUs / 2 + DELAYED_ACK_MIN_US / 2;
    } else if (gapUs < tcb.atoUs) {
      tcb.atoUs = Math.min(tcb.atoUs / 2 + gapUs, tcb.rtoUs, DELAYED_ACK_MAX_US);
    } else if (gapUs > tcb.rtoUs) {
      // A long pause: the sender has probably restarted from a small window.
      addQuickAcks(tcb);
    }
  }
  tcb.lastReceivedUs = nowUs;
}

/** What the peer's segments are taken to hold when a connection begins (tcp_initialize_rcv_mss). */
export function beginSegmentSize(tcb: Tcb): void {
  const guess = Math.min(tcb.advMss, tcb.mss, tcb.rcvWnd >> 1, MSS_DEFAULT);
  tcb.rcvMss = Math.max(guess, MSS_LEAST);
}

/** Learns from a segment that cost `cost` how large the peer's full ones are (tcp_measure_rcv_mss). */
export function learnSegmentSize(tcb: Tcb, segment: Segment, cost: number): void {
  const last = tcb.lastSegmentSize;
  const size = segment.gsoSize || segment.dataLength;
  tcb.lastSegmentSize = 0;
  if (size >= tcb.rcvMss) {
    if (size > tcb.rcvMss) noteScalingRatio(tcb, segment.dataLength, cost);
    tcb.rcvMss = Math.min(size, tcb.advMss);
    if (segment.has(PSH)) tcb.ackPushed = Math.max(tcb.ackPushed, 1);
    return;
  }
  // SACK blocks may make a full segment smaller: what counts is its length with all options.
  const length = size + segment.headerLength;
  const whole = length >= MSS_LEAST + TCP_HEADER_LENGTH && !segment.has(FIN | URG | SYN | PSH);
  if (length >= MSS_DEFAULT + TCP_HEADER_LENGTH || whole) {
    tcb.lastSegmentSize = length - TCP_HEADER_LENGTH - (tcb.timestamps ? TIMESTAMPS_LENGTH : 0);
    if (tcb.lastSegmentSize === last) {
      tcb.rcvMss = last;
      return;
    }
  }
  tcb.ackPushed = Math.min(tcb.ackPushed + 1, 2);
}

/** Reading emptied the queue, of small segments perhaps: then an ACK that is owed is sent (tcp_cleanup_rbuf). */
export function readingSendsAck(tcb: Tcb): boolean {
  if (!tcb.ackPending) return false;
  if (seqDiff(tcb.rcvNxt, tcb.rcvWup) > tcb.rcvMss) return true;
  const pushed = tcb.ackPushed === 2 || (tcb.ackPushed === 1 && !tcb.pingPong);
  return pushed && tcb.receiveQueue.memory.used === 0;
}

/** Decides about the ACK that is owed: true to send it now; otherwise the delayed-ACK timer is set. */
export function ackDueNow(tcb: Tcb): boolean {
  if (!tcb.ackPending) return false;
  const unacknowledged = seqDiff(tcb.rcvNxt, tcb.rcvWup);
  // Two full segments; when the user is slow to read, the reading sends it (connection.ts).
  const fullSegments =
    unacknowledged > tcb.rcvMss &&
    (tcb.receiveQueue.readable < tcb.settings.rcvLowat || selectWindow(tcb) >= tcb.rcvWnd);
  if (tcb.ackNow || fullSegments || inQuickAck(tcb)) return true;
  if (tcb.receiveQueue.hasGap) return !compress(tcb);
  if (tcb.times[TIMER_DELAYED_ACK] === Number.POSITIVE_INFINITY) {
    setTimer(tcb, TIMER_DELAYED_ACK, tcb.nowUs + ackDelay(tcb));
    return false;
  }
  return restartDelay(tcb);
}

/**
 * What arrived behind a gap has to be acknowledged: at once as often as a sender needs for its fast retransmit, then
 * together with what follows in a moment. False when it is to be acknowledged now.
 */
function compress(tcb: Tcb): boolean {
  const { tcp_comp_sack_nr, tcp_comp_sack_delay_ns } = tcb.context.host.sysctl;
  if (!tcb.sack || tcb.compressedAcks >= tcp_comp_sack_nr) return false;
  if (tcb.dupAckSeq !== tcb.rcvNxt) {
    tcb.dupAckSeq = tcb.rcvNxt;
    tcb.dupAcks = 0;
  }
  if (tcb.dupAcks < FAST_RETRANSMIT_DUPLICATES) {
    tcb.dupAcks++;
    return false;
  }
  tcb.compressedAcks++;
  if (isTimerSet(tcb, TIMER_COMPRESSED_ACK)) return true;
  const rttUs = tcb.srttUs > 0 ? Math.min(tcb.srttUs, tcb.rcvRttUs) : tcb.rcvRttUs;
  const delayUs = Math.min(tcp_comp_sack_delay_ns / 1000, rttUs * COMPRESSION_SHARE);
  setTimer(tcb, TIMER_COMPRESSED_ACK, tcb.nowUs + Math.floor(delayUs));
  return true;
}

/** An ACK goes out in place of those that were put off; `owed`: for their sake alone. True when there were any. */
export function endCompression(tcb: Tcb, owed: boolean): boolean {
  if (tcb.compressedAcks === 0) return false;
  tcb.context.host.mib.TcpExt.TCPAckCompressed += tcb.compressedAcks - (owed ? 1 : 0);
  tcb.compressedAcks = 0;
  stopTimer(tcb, TIMER_COMPRESSED_ACK);
  return true;
}

function inQuickAck(tcb: Tcb): boolean {
  return tcb.quickAcks > 0 && !tcb.pingPong;
}

/** The timer runs already: it may go off earlier now, and when that is soon, the ACK is due. */
function restartDelay(tcb: Tcb): boolean {
  const dueUs = tcb.times[TIMER_DELAYED_ACK] as number;
  const delayUs = ackDelay(tcb);
  if (dueUs <= tcb.nowUs + (delayUs >> 2)) return true;
  if (tcb.nowUs + delayUs < dueUs) setTimer(tcb, TIMER_DELAYED_ACK, tcb.nowUs + delayUs);
  return false;
}

/** 0 while no data has come: then it is a FIN that waits. */
function ackDelay(tcb: Tcb): number {
  // Before the peer's time-out, which is taken to be no shorter than ours.
  const longest = Math.min(tcb.settings.delAckMaxUs, Math.max(rtoMinUs(tcb), 2 * TICK_US) - TICK_US);
  if (tcb.atoUs <= DELAYED_ACK_MIN_US) return Math.min(tcb.atoUs, longest);
  let max = tcb.pingPong || tcb.ackPushed > 0 ? DELAYED_ACK_MAX_US : DELAYED_ACK_IDLE_MAX_US;
  if (tcb.srttUs > 0) max = Math.min(max, Math.max(tcb.srttUs, DELAYED_ACK_MIN_US));
  return Math.min(tcb.atoUs, max, longest);
}

/** An ACK went out, with data or without: nothing is owed any more (tcp_event_ack_sent). */
export function ackWasSent(tcb: Tcb): void {
  endCompression(tcb, false);
  if (tcb.ackPending && tcb.quickAcks > 0) {
    tcb.quickAcks--;
    if (tcb.quickAcks === 0) tcb.atoUs = DELAYED_ACK_MIN_US;
  }
  tcb.ackPending = false;
  tcb.ackNow = false;
  tcb.ackPushed = 0;
  tcb.ackNoMemory = false;
  stopTimer(tcb, TIMER_DELAYED_ACK);
}

/** The delayed-ACK timer went off: the peer is not interactive after all, or slow. */
export function delayedAckExpired(tcb: Tcb): void {
  if (tcb.pingPong) {
    tcb.pingPong = false;
    tcb.atoUs = DELAYED_ACK_MIN_US;
  } else {
    tcb.atoUs = Math.min(tcb.atoUs * 2, tcb.rtoUs);
  }
  tcb.context.host.mib.TcpExt.DelayedACKs++;
}
