/**
 * When to acknowledge: at once for the first segments and whenever something is out of order, then every second
 * segment or after a while (RFC 9293 section 3.8.6.3, RFC 5681 section 4.2; the times are Linux's).
 * @module
 */
import { seqDiff } from '../base/seq.ts';
import { TIMESTAMPS_LENGTH } from '../wire/tcp-options.ts';
import { waitsBehindGap } from './sack-blocks.ts';
import { MSS_DEFAULT, type Tcb } from './tcb.ts';
import { setTimer, stopTimer, TIMER_DELAYED_ACK } from './timers.ts';
import { learnScalingRatio, roomForWindow } from './window.ts';

/** The shortest and the longest delay (Linux's TCP_DELACK_MIN and _MAX), in microseconds. */
export const DELAYED_ACK_MIN_US = 40_000;
export const DELAYED_ACK_MAX_US = 200_000;
const DELAYED_ACK_IDLE_MAX_US = 500_000;
/** No segment that a write of the peer has not ended is smaller (TCP_MIN_MSS, with its header's 20 bytes). */
const MSS_MIN = 88;
/** Linux's shortest time, of a timer that is set for now: for a FIN before any data. */
const TICK_US = 1000;
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
  const quick = Math.max(Math.floor(tcb.rcvWnd / (2 * tcb.rcvMss)), 2);
  tcb.quickAcks = Math.max(tcb.quickAcks, Math.min(quick, most));
}

/**
 * `length` bytes arrived in order, in segments of `gsoSize` (0: in one): learns the rhythm of the peer's segments, and
 * that an ACK is owed. `push`: with PSH.
 */
export function noteDataReceived(tcb: Tcb, length: number, gsoSize: number, push: boolean): void {
  const { nowUs } = tcb;
  tcb.ackPending = true;
  learnSegmentSize(tcb, length, gsoSize, push);
  if (tcb.atoUs === 0) {
    addQuickAcks(tcb);
    tcb.atoUs = DELAYED_ACK_MIN_US;
  } else {
    const gapUs = nowUs - tcb.lastReceivedUs;
    if (gapUs <= DELAYED_ACK_MIN_US / 2) {
      tcb.atoUs = tcb.atoUs / 2 + DELAYED_ACK_MIN_US / 2;
    } else if (gapUs < tcb.atoUs) {
      tcb.atoUs = Math.min(tcb.atoUs / 2 + gapUs, tcb.rtoUs);
    } else if (gapUs > tcb.rtoUs) {
      // A long pause: the sender has probably restarted from a small window.
      addQuickAcks(tcb);
    }
  }
  tcb.lastReceivedUs = nowUs;
}

/**
 * How large the peer's segments are (Linux's tcp_measure_rcv_mss): the largest, or the size of two in a row that are
 * no remainder of a write.
 */
export function learnSegmentSize(tcb: Tcb, length: number, gsoSize: number, push: boolean): void {
  const size = gsoSize || length;
  const last = tcb.lastSegmentSize;
  tcb.lastSegmentSize = 0;
  if (size >= tcb.rcvMss) {
    if (size !== tcb.rcvMss) learnScalingRatio(tcb, length);
    tcb.rcvMss = Math.min(size, tcb.advMss);
    if (push) tcb.pushed ||= 1;
    return;
  }
  const withOptions = size + (tcb.timestamps ? TIMESTAMPS_LENGTH : 0);
  if (withOptions >= MSS_DEFAULT || (withOptions >= MSS_MIN && !push)) {
    tcb.lastSegmentSize = size;
    if (size === last) {
      tcb.rcvMss = size;
      return;
    }
  }
  tcb.pushed = Math.min(tcb.pushed + 1, 2);
}

/**
 * Whether reading `drained` everything that waited and the peer waits for its ACK (Linux's tcp_cleanup_rbuf): something
 * short came, and no data of ours is likely to carry one.
 */
export function readingOwesAck(tcb: Tcb, drained: boolean): boolean {
  if (!tcb.ackPending) return false;
  if (seqDiff(tcb.rcvNxt, tcb.rcvWup) > tcb.rcvMss) return true;
  return drained && (tcb.pushed === 2 || (tcb.pushed === 1 && !tcb.pingPong));
}

/** Decides about the ACK that is owed: true to send it now; otherwise the delayed-ACK timer is set. */
export function ackDueNow(tcb: Tcb): boolean {
  if (!tcb.ackPending) return false;
  const unacknowledged = seqDiff(tcb.rcvNxt, tcb.rcvWup);
  // Two full segments; when the user is slow to read, the reading sends it (connection.ts).
  const fullSegments =
    unacknowledged > tcb.rcvMss && (tcb.receiveQueue.readable === 0 || roomForWindow(tcb) >= tcb.rcvWnd);
  if (fullSegments || tcb.ackNow || waitsBehindGap(tcb) || inQuickAck(tcb)) return true;
  if (tcb.deadlines[TIMER_DELAYED_ACK] === Number.POSITIVE_INFINITY) {
    setTimer(tcb, TIMER_DELAYED_ACK, tcb.nowUs + ackDelay(tcb));
  }
  return false;
}

function inQuickAck(tcb: Tcb): boolean {
  return tcb.quickAcks > 0 && !tcb.pingPong;
}

function ackDelay(tcb: Tcb): number {
  if (tcb.atoUs === 0) return TICK_US;
  if (tcb.atoUs <= DELAYED_ACK_MIN_US) return DELAYED_ACK_MIN_US;
  let max = tcb.pingPong ? DELAYED_ACK_MAX_US : DELAYED_ACK_IDLE_MAX_US;
  if (tcb.srttUs > 0) max = Math.min(max, Math.max(tcb.srttUs, DELAYED_ACK_MIN_US));
  return Math.min(tcb.atoUs, max);
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

/** An ACK went out, alone or with data: nothing is owed any more. */
export function ackWasSent(tcb: Tcb): void {
  tcb.ackPending = false;
  tcb.ackNow = false;
  tcb.pushed = 0;
  tcb.noMemory = false;
  if (tcb.quickAcks > 0) {
    tcb.quickAcks--;
    if (tcb.quickAcks === 0) tcb.atoUs = DELAYED_ACK_MIN_US;
  }
  stopTimer(tcb, TIMER_DELAYED_ACK);
}
