/**
 * Sending: what may go out now (RFC 9293 section 3.8: Nagle, silly-window avoidance, the congestion window). The order
 * of the questions is that of Linux's tcp_write_xmit.
 * @module
 */
import { type Seq, seqDiff, seqGt, seqLe, seqLt } from '../../base/seq.ts';
import { ACK, FIN, PSH } from '../../wire/tcp.ts';
import { ECN_OK, takeCwr } from '../ecn.ts';
import { emitData } from '../emit.ts';
import { TX_EOR, TX_FIN, TX_PUSH, TX_SKB_END, TX_ZEROCOPY, type TxSegment } from '../flight.ts';
import { currentMss, updateMss } from '../mss.ts';
import { retransmitLost } from '../recovery/retransmit.ts';
import { armAfterSend, armPersist } from '../recovery/transmit-timer.ts';
import { NAGLE_CORK, NAGLE_OFF, NAGLE_PUSH } from '../settings.ts';
import type { Tcb } from '../tcb.ts';
import { CHRONO_RWND_LIMITED, startChrono, stopChrono } from './chrono.ts';
import { noteUsage } from './cwnd-usage.ts';
import { NO_PROBE, nextProbe, probeWasSent, WAIT_FOR_PROBE } from './mtu-probe.ts';
import { mustWait } from './pacing.ts';
import { beginRateSending, tagSegment } from './rate-sample.ts';
import { checkSpace } from './send-space.ts';
import { deferral, tsoSegments } from './tso.ts';
import { growHead, pieceLength, splitHead, takeFromHead } from './write-queue.ts';

/** How much is sent: all that may be, one packet, or one packet whatever the congestion window says. */
type Amount = 'all' | 'one' | 'probe';

/** What a segment in flight costs in bytes of send buffer, and how many may be in any case. */
const SEGMENT_COST = 512;
const SEGMENTS_MIN = 256;

/** Sends what may be sent now: first what was lost, then new data, then a FIN. */
export function flush(tcb: Tcb): void {
  const { repair } = tcb;
  tcb.repair = 'lost';
  if (tcb.mssStale) updateMss(tcb);
  const due = hasToSend(tcb);
  if (due && tcb.output.isBusy()) return;
  if (repair === 'new data') {
    if (due) sendNew(tcb, NAGLE_OFF);
    if (seqGt(tcb.sndNxt, tcb.highSeq)) return;
    // F-RTO needs new data to find out about the time-out, and it cannot be sent.
    tcb.frto = false;
  }
  if (!due) return;
  if (repair !== 'nothing' && tcb.flight.lostOut > tcb.flight.retransOut) retransmitLost(tcb);
  sendNew(tcb, tcb.nagle);
}

/** Sends new data, held back as `nagle` says (Linux's __tcp_push_pending_frames). */
export function pushPending(tcb: Tcb, nagle: number): void {
  if (hasToSend(tcb) && !tcb.output.isBusy()) sendNew(tcb, nagle);
}

/** Sends one packet: the first piece is full, and more may be written (Linux's tcp_push_one). */
export function pushOne(tcb: Tcb): void {
  if (hasToSend(tcb) && tcb.output.isBusy()) return;
  if (sendPieces(tcb, NAGLE_PUSH, 'one')) armAfterSend(tcb);
}

function hasToSend(tcb: Tcb): boolean {
  return tcb.unsent > 0 || tcb.flight.lostOut > tcb.flight.retransOut || (tcb.finQueued && !tcb.finSent);
}

function sendNew(tcb: Tcb, nagle: number): void {
  const probe = tcb.mtuSearch === null ? NO_PROBE : sendMtuProbe(tcb);
  if (probe === WAIT_FOR_PROBE) return;
  if (sendPieces(tcb, nagle, 'all') || probe > 0) armAfterSend(tcb);
  else armPersist(tcb);
}

/** RFC 4821: sends a segment longer than usual when it is time for one; its length, NO_PROBE or WAIT_FOR_PROBE. */
function sendMtuProbe(tcb: Tcb): number {
  const length = nextProbe(tcb);
  if (length <= 0) return length;
  const head = tcb.writeQueue.at(0) as TxSegment;
  while (pieceLength(head) < length && growHead(tcb, head, length - pieceLength(head)));
  // A record that ends too early (MSG_EOR).
  if (pieceLength(head) < length) return NO_PROBE;
  if (!sendHead(tcb, head, length, false, length)) return NO_PROBE;
  probeWasSent(tcb, length);
  return length;
}

/** Sends piece by piece of what was written, as far as the rules let it; true when something went out. */
function sendPieces(tcb: Tcb, nagle: number, amount: Amount): boolean {
  const mss = currentMss(tcb);
  const most = mostSegments(tcb, mss);
  let sent = false;
  let limitedBy: Limit = 'none';
  while (tcb.writeQueue.length > 0 || (tcb.finQueued && !tcb.finSent)) {
    if (mustWait(tcb)) break;
    const quota = Math.min(congestionQuota(tcb) || (amount === 'probe' ? 1 : 0), most);
    if (quota === 0) break;
    const head = tcb.writeQueue.at(0);
    if (head !== undefined && pieceLength(head) < quota * mss)
      growHead(tcb, head, quota * mss - pieceLength(head));
    const length = head === undefined ? 0 : pieceLength(head);
    limitedBy = holdBack(tcb, head, length, mss, most, nagle, amount);
    if (limitedBy !== 'none') break;
    const part = length > mss ? Math.min(length, splitPoint(tcb, length, mss, quota, nagle)) : length;
    if (sent && tcb.output.isBusy()) break;
    if (!sendHead(tcb, head, part, part === length && finIsNext(tcb), mss)) break;
    sent = true;
    if (amount !== 'all') break;
  }
  if (limitedBy === 'rwnd') startChrono(tcb, CHRONO_RWND_LIMITED);
  else stopChrono(tcb, CHRONO_RWND_LIMITED);
  noteUsage(tcb, sent, limitedBy === 'cwnd');
  return sent;
}

/** How many segments may go at once: one is enough when no more waits. */
function mostSegments(tcb: Tcb, mss: number): number {
  if (tcb.unsent <= mss) return 1;
  return Math.min(tsoSegments(tcb), Math.max(Math.floor(tcb.output.burstMax / mss), 1));
}

/** What keeps the first piece from being sent. */
type Limit = 'none' | 'cwnd' | 'rwnd' | 'application';

function holdBack(
  tcb: Tcb,
  head: TxSegment | undefined,
  length: number,
  mss: number,
  most: number,
  nagle: number,
  amount: Amount,
): Limit {
  const last = tcb.writeQueue.length <= 1;
  const fin = finIsNext(tcb);
  const needed = length > mss ? mss : length + (fin ? 1 : 0);
  if (seqDiff(tcb.sndWndEnd, tcb.sndNxt) < needed) return 'rwnd';
  if (length <= mss) {
    const free = !last || fin || length === mss || (nagle & NAGLE_PUSH) !== 0;
    return free || !nagleHolds(tcb, nagle) ? 'none' : 'application';
  }
  if (amount !== 'all') return 'none';
  const closed = fin || (head !== undefined && (head.marks & TX_EOR) !== 0);
  const wait = deferral(tcb, length, most, last, closed);
  return wait === 'no' ? 'none' : wait;
}

/** Whether our FIN follows the first piece. */
function finIsNext(tcb: Tcb): boolean {
  return tcb.finQueued && !tcb.finSent && tcb.writeQueue.length <= 1;
}

/** Nagle's rule as Minshall amended it, and TCP_CORK (RFC 9293 section 3.7.4), for a segment that is not full. */
function nagleHolds(tcb: Tcb, nagle: number): boolean {
  if (tcb.urgentOut && seqGt(tcb.sndUp, tcb.sndUna)) return false;
  if ((nagle & NAGLE_CORK) !== 0) return true;
  if (nagle !== 0) return false;
  return tcb.flight.packetsOut > 0 && seqGt(tcb.smallSeq, tcb.sndUna) && seqLe(tcb.smallSeq, tcb.sndNxt);
}

/** How many bytes of a piece longer than a segment go at once (Linux's tcp_mss_split_point). */
function splitPoint(tcb: Tcb, length: number, mss: number, quota: number, nagle: number): number {
  const full = quota * mss;
  const window = seqDiff(tcb.sndWndEnd, tcb.sndNxt);
  if (full <= window && tcb.writeQueue.length > 1) return full;
  const needed = Math.min(length, window);
  if (full <= needed) return full;
  const partial = needed % mss;
  return partial !== 0 && nagleHolds(tcb, nagle) ? needed - partial : needed;
}

/** How many segments the congestion window takes now: at most half of it, so that two packets are under way. */
function congestionQuota(tcb: Tcb): number {
  if (tcb.flight.inFlight >= tcb.cwnd || hasTooManySegments(tcb)) return 0;
  return Math.min(Math.max(tcb.cwnd >> 1, 1), tcb.cwnd - tcb.flight.inFlight);
}

/**
 * A peer with a tiny MSS and a huge window must not make us keep a hundred thousand segments, each of which every
 * one of its SACKs would have us look at (CVE-2019-11478, CVE-2019-11479). Never so with an ordinary MSS.
 */
function hasTooManySegments({ flight, sndBuf }: Tcb): boolean {
  return flight.packetsOut >= SEGMENTS_MIN && flight.packetsOut * SEGMENT_COST >= sndBuf;
}

/**
 * Emits the first `length` bytes of the first piece in segments of `mss`, with the FIN behind them when `fin`. False
 * when this host had no room for it: then nothing is in flight that was not before.
 */
function sendHead(tcb: Tcb, head: TxSegment | undefined, length: number, fin: boolean, mss: number): boolean {
  const { flight } = tcb;
  if (flight.inFlight === 0) tcb.congestion.onRestart(tcb);
  const seq = tcb.sndNxt;
  const end = (seq + length) | 0;
  const segments = Math.max(Math.ceil(length / mss), 1);
  const whole = head === undefined || head.end === end;
  const headMarks = head?.marks ?? 0;
  const endMarks = whole ? (headMarks & (TX_PUSH | TX_EOR)) | (fin ? TX_FIN : 0) : 0;
  // A packet of several segments is pushed, so that the receiver does not wait for more (Linux).
  const push = segments > 1 || (endMarks & TX_PUSH) !== 0;
  const ect = length > 0 && (tcb.ecnFlags & ECN_OK) !== 0;
  const cwr = ect ? takeCwr(tcb) : 0;
  beginRateSending(tcb);
  if (!emitData(tcb, seq, length, (fin ? FIN : 0) | (push ? PSH : 0) | cwr | ACK, ect, mss)) return false;
  tcb.sndNxt = fin ? (end + 1) | 0 : end;
  const marks = headMarks & TX_ZEROCOPY;
  if (head !== undefined && whole && segments === 1) {
    tcb.writeQueue.shift();
    head.end = tcb.sndNxt;
    addToFlight(tcb, head, marks | endMarks | TX_SKB_END);
  } else {
    putInFlight(tcb, seq, end, mss, marks, endMarks);
    if (head !== undefined) takeFromHead(tcb, head, length);
  }
  if (length % mss !== 0) tcb.smallSeq = tcb.sndNxt;
  if (length > 0) tcb.context.host.mib.TcpExt.TCPOrigDataSent += segments;
  if (tcb.caState === 'Recovery' || tcb.caState === 'CWR') tcb.prrOut += segments;
  checkSpace(tcb);
  return true;
}

/** The segments of [seq, end), and of a FIN up to SND.NXT, were sent: `marks` are of each, `endMarks` of the last one. */
function putInFlight(tcb: Tcb, seq: Seq, end: Seq, mss: number, marks: number, endMarks: number): void {
  let at = seq;
  do {
    const next = seqLt((at + mss) | 0, end) ? (at + mss) | 0 : end;
    const last = next === end;
    const segment = tcb.context.newSegment(at, last ? tcb.sndNxt : next);
    addToFlight(tcb, segment, marks | (last ? endMarks | TX_SKB_END : 0));
    at = next;
  } while (at !== end);
}

function addToFlight(tcb: Tcb, segment: TxSegment, marks: number): void {
  segment.sentUs = tcb.nowUs;
  segment.marks = marks;
  tagSegment(tcb, segment);
  tcb.flight.push(segment);
}

/** The tail loss probe's new data: one packet, whatever Nagle or the congestion window say. False when none may go. */
export function sendNewForProbe(tcb: Tcb): boolean {
  return sendPieces(tcb, NAGLE_OFF, 'probe');
}

/** Whether the peer's window takes something of what waits. */
export function hasWindow(tcb: Tcb): boolean {
  return seqDiff(tcb.sndWndEnd, tcb.sndNxt) > 0;
}

/**
 * A window probe's data: as much of the first piece as the peer's window takes, pushed (Linux's tcp_write_wakeup).
 * False when this host had no room for it. The caller has seen that something waits and fits, and sets the timer.
 */
export function sendIntoWindow(tcb: Tcb): boolean {
  const mss = currentMss(tcb);
  const window = seqDiff(tcb.sndWndEnd, tcb.sndNxt);
  let head = tcb.writeQueue.at(0);
  let length = 0;
  if (head !== undefined) {
    if (seqLt(tcb.pushSeq, head.end)) tcb.pushSeq = head.end;
    head.marks |= TX_PUSH;
    length = Math.min(pieceLength(head), window, mss);
    if (length < pieceLength(head)) head = splitHead(tcb, head, length);
  }
  return sendHead(tcb, head, length, finIsNext(tcb) && window > length, mss);
}
