/**
 * What was written and not yet sent, in the pieces that Linux would keep it in: how writes are cut into sk_buffs
 * decides which segments carry PSH, what a later write may join, and how much memory is taken. The bytes themselves
 * lie in tcb.sendQueue.
 * @module
 */

import type { Ring } from '../../base/ring.ts';
import { seqDiff } from '../../base/seq.ts';
import { TX_EOR, TX_PUSH, TX_ZEROCOPY, type TxSegment } from '../flight.ts';
import type { Tcb } from '../tcb.ts';

/** What one sk_buff takes besides its bytes: itself, its header space and its shared info (Linux 6.18, x86-64). */
export const SKB_OVERHEAD = 832;
/** Header space of every packet of TCP (MAX_TCP_HEADER). */
export const HEADER_SPACE = 256;

/** The pieces, oldest first: from SND.NXT on without a gap. Of their marks TX_PUSH and TX_EOR mean something. */
export type WriteQueue = Ring<TxSegment>;

/** Bytes in a piece. */
export function pieceLength({ seq, end }: TxSegment): number {
  return seqDiff(end, seq);
}

/** The piece that the user writes into now, when there is one that was not sent. */
export function lastPiece({ writeQueue }: Tcb): TxSegment | undefined {
  return writeQueue.at(writeQueue.length - 1);
}

/** Takes what goes to the network out of the first piece: `length` bytes of it. */
export function takeFromHead(tcb: Tcb, head: TxSegment, length: number): void {
  head.seq = (head.seq + length) | 0;
  if (head.seq !== head.end) return;
  tcb.writeQueue.shift();
  tcb.context.freeSegment(head);
}

/** Cuts the first piece in two, the first of `length` bytes; both keep its marks but that a record ends with it. */
export function splitHead(tcb: Tcb, head: TxSegment, length: number): TxSegment {
  const first = tcb.context.newSegment(head.seq, (head.seq + length) | 0, 0, head.marks & ~TX_EOR);
  head.seq = first.end;
  tcb.writeQueue.insert(0, first);
  return first;
}

/**
 * Moves up to `room` bytes of the second piece to the first, which has room for them (Linux's tcp_grow_skb). False when
 * there is none, or none that may be joined.
 */
export function growHead(tcb: Tcb, head: TxSegment, room: number): boolean {
  const next = tcb.writeQueue.at(1);
  if (next === undefined || (head.marks & (TX_EOR | TX_ZEROCOPY)) !== 0) return false;
  if ((next.marks & TX_ZEROCOPY) !== 0) return false;
  const length = Math.min(room, pieceLength(next));
  head.end = (head.end + length) | 0;
  next.seq = head.end;
  if (next.seq !== next.end) return true;
  head.marks |= next.marks & (TX_PUSH | TX_EOR);
  tcb.writeQueue.remove(1);
  tcb.context.freeSegment(next);
  return true;
}

/** Forgets what was not sent. */
export function clearWriteQueue(tcb: Tcb): void {
  for (let piece = tcb.writeQueue.shift(); piece !== undefined; piece = tcb.writeQueue.shift())
    tcb.context.freeSegment(piece);
  tcb.writeQueue.clear();
}

/** Bytes of memory that what was written takes until it is acknowledged (sk_wmem_queued). */
export function writeMemory({ sendQueue, writeQueue, flight }: Tcb): number {
  return sendQueue.length + SKB_OVERHEAD * (writeQueue.length + flight.skbs);
}
