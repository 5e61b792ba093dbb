/**
 * What a connection tells its user beside the stream, in the order in which it happens (recvmsg with MSG_ERRQUEUE):
 *
 *     MSG_ZEROCOPY       the bytes of these calls are acknowledged, their buffers are free
 *     SO_TIMESTAMPING    the last byte of a write was handed to the interface, has left, was acknowledged
 *
 * Rules and figures are Linux's. A connection that never asked for any of it has no Notices.
 * @module
 */
import { type Seq, seqDiff, seqGe, seqLe, seqLt } from '../base/seq.ts';
import { POLLERR } from '../core/readiness.ts';
import { TX_ZEROCOPY } from './flight.ts';
import { lastPiece, SKB_OVERHEAD } from './send/write-queue.ts';
import type { Tcb } from './tcb.ts';

/** SO_EE_ORIGIN_*: what a notice is about. */
export const ORIGIN_TIMESTAMPING = 4;
const ORIGIN_ZEROCOPY = 5;
/** SO_EE_CODE_ZEROCOPY_COPIED: the bytes were copied all the same. */
const ZEROCOPY_COPIED = 1;

/** SCM_TSTAMP_*: what has happened to a byte. */
const STAMP_SENT = 0;
const STAMP_SCHEDULED = 1;
const STAMP_ACKNOWLEDGED = 2;

/** SOF_TIMESTAMPING_*: the bits that a stream knows. */
const STAMP_TX_SOFTWARE = 1 << 1;
const STAMP_SOFTWARE = 1 << 4;
export const STAMP_OPT_ID = 1 << 7;
const STAMP_TX_SCHED = 1 << 8;
const STAMP_TX_ACK = 1 << 9;
export const STAMP_OPT_TSONLY = 1 << 11;
export const STAMP_OPT_ID_TCP = 1 << 16;
const STAMP_TX = STAMP_TX_SOFTWARE | STAMP_TX_SCHED | STAMP_TX_ACK;

const NO_BYTES: Uint8Array = new Uint8Array(0);

/** An entry of the error queue: struct sock_extended_err by its fields without their prefix. */
export interface Notice {
  readonly origin: number;
  readonly code: number;
  readonly info: number;
  data: number;
  /** When it happened, in microseconds since the Unix epoch; -1: that was not asked for. */
  readonly atUs: number;
  /** The packet's payload. */
  readonly bytes: Uint8Array;
}

/** Calls with MSG_ZEROCOPY that share a packet: their numbers, and where the last one ends. */
interface ZeroCopyCalls {
  readonly first: number;
  count: number;
  end: Seq;
}

/** A byte whose way is watched. */
interface StampRequest {
  readonly key: Seq;
  readonly flags: number;
}

/** The error queue of one connection, and what will come into it. */
export class Notices {
  readonly queue: Notice[] = [];
  readonly calls: ZeroCopyCalls[] = [];
  nextCall = 0;
  readonly requests: StampRequest[] = [];
  /** SO_TIMESTAMPING, and the byte that has number 0. */
  flags = 0;
  keyBase: Seq = 0;

  /** Bytes of memory that it takes. */
  get memory(): number {
    const bytes = this.queue.reduce((sum, notice) => sum + notice.bytes.length, 0);
    return bytes + SKB_OVERHEAD * (this.queue.length + this.calls.length);
  }
}

/** Whether one more call may ask for MSG_ZEROCOPY (else ENOBUFS): its notice needs a place (optmem_max). */
export function mayZeroCopy({ notices, context }: Tcb): boolean {
  return notices === null || notices.memory + SKB_OVERHEAD <= context.host.sysctl.optmem_max;
}

/** SO_TIMESTAMPING. OPT_ID numbers bytes from the oldest that is not acknowledged on, OPT_ID_TCP from the next one. */
export function setTimestamping(tcb: Tcb, flags: number): void {
  tcb.notices ??= new Notices();
  const { notices } = tcb;
  if ((flags & ~notices.flags & STAMP_OPT_ID) !== 0)
    notices.keyBase = (flags & STAMP_OPT_ID_TCP) !== 0 ? tcb.writeSeq : tcb.sndUna;
  notices.flags = flags;
}

/**
 * A write with MSG_ZEROCOPY took the last `length` bytes. `joined`: they went into a packet of the call before, which
 * is then told of together with this one. `goesOn`: it is the same call, which had to wait for room.
 */
export function noteZeroCopyWrite(tcb: Tcb, length: number, joined = false, goesOn = false): void {
  tcb.notices ??= new Notices();
  const { notices, writeSeq } = tcb;
  const { calls } = notices;
  const last = calls[calls.length - 1];
  const follows = last !== undefined && last.end === ((writeSeq - length) | 0);
  if (goesOn) {
    if (follows) last.end = writeSeq;
    else calls.push({ first: (notices.nextCall - 1) >>> 0, count: 1, end: writeSeq });
    return;
  }
  if (joined && follows) {
    last.count++;
    last.end = writeSeq;
  } else {
    calls.push({ first: notices.nextCall, count: 1, end: writeSeq });
  }
  notices.nextCall = (notices.nextCall + 1) >>> 0;
}

/** A write took bytes: watches the last one, sent already or not; only one a piece, the last. */
export function requestStamps(tcb: Tcb, { requests, flags }: Notices): void {
  const piece = lastPiece(tcb) ?? tcb.flight.tail;
  if (piece === undefined || (flags & STAMP_TX) === 0) return;
  const last = requests[requests.length - 1];
  if (last !== undefined && seqGe(last.key, piece.seq)) requests.pop();
  requests.push({ key: (tcb.writeSeq - 1) | 0, flags: flags & STAMP_TX });
}

/** A packet with `length` bytes from `seq` on was handed to the interface. */
export function stampSent(tcb: Tcb, notices: Notices, seq: Seq, length: number): void {
  const end = (seq + length) | 0;
  for (const { key, flags } of notices.requests) {
    if (seqLt(key, seq) || seqGe(key, end)) continue;
    const bytes = copyOf(tcb, notices, seq, length);
    if ((flags & STAMP_TX_SCHED) !== 0) addStamp(tcb, notices, STAMP_SCHEDULED, key, bytes);
    if ((flags & STAMP_TX_SOFTWARE) !== 0) addStamp(tcb, notices, STAMP_SENT, key, bytes);
  }
}

/** SND.UNA moves to `ack`: what was watched below it has arrived, and buffers are free. */
export function noticeAck(tcb: Tcb, notices: Notices, ack: Seq): void {
  const { requests, calls } = notices;
  let done = 0;
  for (const { key, flags } of requests) {
    if (seqGe(key, ack)) break;
    done++;
    if ((flags & STAMP_TX_ACK) !== 0) stampAcknowledged(tcb, notices, key);
  }
  if (done > 0) requests.splice(0, done);
  let free = 0;
  while (free < calls.length && seqLe((calls[free] as ZeroCopyCalls).end, ack)) free++;
  if (free > 0) for (const call of calls.splice(0, free)) addZeroCopy(tcb, notices, call);
}

function stampAcknowledged(tcb: Tcb, notices: Notices, key: Seq): void {
  const segment = tcb.flight.at(tcb.flight.indexAfter(key));
  const seq = segment?.seq ?? key;
  addStamp(tcb, notices, STAMP_ACKNOWLEDGED, key, copyOf(tcb, notices, seq, seqDiff(key, seq) + 1));
}

/** `length` bytes from `seq` on, if they are to go with the notice. */
function copyOf(tcb: Tcb, { flags }: Notices, seq: Seq, length: number): Uint8Array {
  if ((flags & STAMP_OPT_TSONLY) !== 0) return NO_BYTES;
  const bytes = new Uint8Array(length);
  tcb.sendQueue.copyTo(seqDiff(seq, tcb.queueSeq), bytes, 0, length);
  return bytes;
}

/** Nothing more will be acknowledged: all buffers are free. */
export function noticeEnd(tcb: Tcb, notices: Notices): void {
  for (const call of notices.calls.splice(0)) addZeroCopy(tcb, notices, call);
  notices.requests.length = 0;
}

function addStamp(tcb: Tcb, notices: Notices, info: number, key: Seq, bytes: Uint8Array): void {
  const data = (notices.flags & STAMP_OPT_ID) !== 0 ? (key - notices.keyBase) >>> 0 : 0;
  const atUs = (notices.flags & STAMP_SOFTWARE) !== 0 ? tcb.nowUs : -1;
  add(tcb, notices, { origin: ORIGIN_TIMESTAMPING, code: 0, info, data, atUs, bytes });
}

/** Calls that follow the last entry of the queue make that one longer. */
function addZeroCopy(tcb: Tcb, notices: Notices, { first, count }: ZeroCopyCalls): void {
  const last = notices.queue[notices.queue.length - 1];
  const hi = (first + count - 1) >>> 0;
  if (last !== undefined && last.origin === ORIGIN_ZEROCOPY && (last.data + 1) >>> 0 === first) {
    last.data = hi;
    tcb.output.ready(POLLERR);
    return;
  }
  const code = ZEROCOPY_COPIED;
  add(tcb, notices, { origin: ORIGIN_ZEROCOPY, code, info: first, data: hi, atUs: -1, bytes: NO_BYTES });
}

function add(tcb: Tcb, notices: Notices, notice: Notice): void {
  // Nobody will read it.
  if (tcb.orphan) return;
  if (notice.origin === ORIGIN_TIMESTAMPING && notices.memory + notice.bytes.length > tcb.rcvBuf) return;
  notices.queue.push(notice);
  tcb.output.ready(POLLERR);
}

/** Takes the oldest entry of the error queue; null when it is empty. */
export function takeNotice({ notices, output }: Tcb): Notice | null {
  const notice = notices?.queue.shift() ?? null;
  if (notice !== null && notices !== null && notices.queue.length > 0) output.ready(POLLERR);
  return notice;
}

/** Whether the piece that the next byte goes into belongs to a write with MSG_ZEROCOPY. */
export function joinsZeroCopy(tcb: Tcb): boolean {
  return ((lastPiece(tcb)?.marks ?? 0) & TX_ZEROCOPY) !== 0;
}
