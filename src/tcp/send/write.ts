/**
 * SEND: what the user writes goes into the send queue, in the pieces that Linux's tcp_sendmsg would make of it, and
 * out of it as soon as a piece is full.
 * @module
 */
import { seqDiff } from '../../base/seq.ts';
import { TX_EOR, TX_PUSH, TX_SKB_END, TX_ZEROCOPY, type TxSegment } from '../flight.ts';
import { joinsZeroCopy, noteZeroCopyWrite, requestStamps } from '../notices.ts';
import { NAGLE_CORK, NAGLE_PUSH } from '../settings.ts';
import type { Tcb } from '../tcb.ts';
import { CHRONO_BUSY, startChrono } from './chrono.ts';
import { restartAfterIdle } from './cwnd-usage.ts';
import { pushOne, pushPending } from './output.ts';
import { checkAppLimited } from './rate-sample.ts';
import { hasRoom } from './send-space.ts';
import { sizeGoal } from './tso.ts';
import { lastPiece, pieceLength } from './write-queue.ts';

/** MSG_MORE: a segment that is not full waits for the next write. */
export const WRITE_MORE = 1;
/** MSG_EOR: no later write joins the last segment. */
export const WRITE_EOR = 2;
/** MSG_ZEROCOPY: the user hears when the bytes are acknowledged. They are copied all the same. */
export const WRITE_ZEROCOPY = 4;
/** MSG_OOB: the last byte is urgent. */
export const WRITE_URGENT = 16;
/** The rest of a call that had to wait for room. */
export const WRITE_GOES_ON = 8;

/**
 * Queues bytes[start, end) and sends what may be sent; returns how many bytes were taken, 0 when there is no room. A
 * piece that has begun is filled, so more is taken than there was room for. `flags`: WRITE_*; `cuts`: offsets, rising,
 * where a piece has to end.
 */
export function write(
  tcb: Tcb,
  bytes: Uint8Array,
  start: number,
  end: number,
  flags: number,
  cuts: readonly number[] | null,
): number {
  checkAppLimited(tcb);
  const goal = sizeGoal(tcb);
  const zeroCopy = (flags & WRITE_ZEROCOPY) !== 0;
  const joined = zeroCopy && joinsZeroCopy(tcb);
  let at = start;
  while (at < end) {
    const piece = openPiece(tcb, goal);
    if (piece === null) break;
    const cut = cuts === null ? end : nextCut(cuts, at, end);
    const length = Math.min(end - at, goal - pieceLength(piece), cut - at);
    tcb.sendQueue.append(bytes, at, at + length);
    if (at === start) piece.marks &= ~TX_PUSH;
    if (zeroCopy) piece.marks |= TX_ZEROCOPY;
    piece.end = (piece.end + length) | 0;
    at += length;
    if (at === end && (flags & WRITE_EOR) !== 0) piece.marks |= TX_EOR;
    if (at === cut && at < end) endPiece(tcb, piece);
    if (at < end && tcb.maySend) sendFull(tcb, piece, goal);
  }
  if (at < end) tcb.writeBlocked = true;
  if (at > start && (flags & WRITE_URGENT) !== 0) {
    tcb.sndUp = tcb.writeSeq;
    tcb.urgentOut = true;
  }
  if (at > start && zeroCopy) noteZeroCopyWrite(tcb, at - start, joined, (flags & WRITE_GOES_ON) !== 0);
  if (at > start && tcb.notices !== null) requestStamps(tcb, tcb.notices);
  if (at > start)
    finishWrite(tcb, goal, at < end ? NAGLE_PUSH : tcb.nagle, at === end && (flags & WRITE_MORE) !== 0);
  return at - start;
}

/** The first of the cuts behind `at`, else `end`. */
function nextCut(cuts: readonly number[], at: number, end: number): number {
  return cuts.find(cut => cut > at) ?? end;
}

/** The piece that takes the next bytes: the last one, or a fresh one; null when there is no room for one. */
function openPiece(tcb: Tcb, goal: number): TxSegment | null {
  const last = lastPiece(tcb);
  if (last !== undefined && (last.marks & TX_EOR) === 0 && pieceLength(last) < goal) return last;
  if (!hasRoom(tcb)) return null;
  restartAfterIdle(tcb);
  const { writeSeq } = tcb;
  const piece = tcb.context.newSegment(writeSeq, writeSeq, 0, TX_SKB_END);
  tcb.nagle &= ~NAGLE_PUSH;
  tcb.writeQueue.push(piece);
  if (tcb.writeQueue.length === 1) startChrono(tcb, CHRONO_BUSY);
  return piece;
}

/** The piece cannot take more, though it has not reached its size. */
function endPiece(tcb: Tcb, piece: TxSegment): void {
  markPush(tcb, piece);
  piece.marks |= TX_EOR;
}

/** A piece may be full before the write is over: it goes out if it is the first, or all do when much was queued. */
function sendFull(tcb: Tcb, piece: TxSegment, goal: number): void {
  if (pieceLength(piece) < goal) return;
  if (mustPush(tcb)) {
    markPush(tcb, piece);
    pushPending(tcb, NAGLE_PUSH);
  } else if (tcb.writeQueue.length === 1) {
    pushOne(tcb);
  }
}

/** The write is over (Linux's tcp_push): its end is pushed, unless more is to come. */
function finishWrite(tcb: Tcb, goal: number, nagle: number, more: boolean): void {
  const piece = lastPiece(tcb);
  if (piece === undefined) return;
  if (!more || mustPush(tcb)) markPush(tcb, piece);
  if (!tcb.maySend || isCorkedByItself(tcb, piece, goal)) return;
  pushPending(tcb, more ? NAGLE_CORK : nagle);
}

/** tcp_autocorking: what was sent before has not left this host, so that what is written next may join this. */
function isCorkedByItself(tcb: Tcb, piece: TxSegment, goal: number): boolean {
  const { sysctl, mib } = tcb.context.host;
  if (!sysctl.tcp_autocorking || tcb.flight.packetsOut === 0 || pieceLength(piece) >= goal) return false;
  if ((piece.marks & TX_EOR) !== 0 || !tcb.output.isBusy()) return false;
  mib.TcpExt.TCPAutoCorking++;
  return true;
}

/** More than half of the largest window was written since something was last pushed: the peer should not wait. */
function mustPush(tcb: Tcb): boolean {
  return seqDiff(tcb.writeSeq, tcb.pushSeq) > tcb.maxSndWnd >> 1;
}

function markPush(tcb: Tcb, piece: TxSegment): void {
  piece.marks |= TX_PUSH;
  tcb.pushSeq = tcb.writeSeq;
}
