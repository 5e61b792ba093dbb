/**
 * Urgent data as Linux has it (RFC 9293 section 3.8.5, RFC 6093): the last byte that the urgent pointer covers is taken
 * out of the stream and read by itself, unless SO_OOBINLINE leaves it where it is; reading stops before it once.
 * @module
 */
import { EAGAIN, EINVAL } from '../base/errno.ts';
import { type Seq, seqDiff, seqGe, seqGt, seqLt } from '../base/seq.ts';
import { POLLIN, POLLPRI } from '../core/readiness.ts';
import { SYN, URG } from '../wire/tcp.ts';
import type { OutSegment, Segment } from './segment.ts';
import type { Tcb } from './tcb.ts';

/** What is known of the urgent byte beside its value: it has not come yet, or was read by itself. */
const AWAITED = -1;
const TAKEN = -2;
/** The largest urgent pointer. */
const POINTER_MAX = 0xffff;

/** An urgent byte that the peer has told of. */
export interface Urgent {
  /** Where it stands in the stream. */
  readonly seq: Seq;
  /** 0 to 255, or AWAITED or TAKEN. */
  byte: number;
}

/** RFC 9293 section 3.10.7.4, sixth: the peer may have become urgent, and the byte may have come. */
export function noteUrgent(tcb: Tcb, segment: Segment): void {
  if (segment.has(URG)) notePointer(tcb, segment);
  const { urgent } = tcb;
  if (urgent === null || urgent.byte !== AWAITED) return;
  const offset = seqDiff(urgent.seq, segment.seq) - (segment.has(SYN) ? 1 : 0);
  if (offset < 0 || offset >= segment.dataLength) return;
  urgent.byte = segment.bytes[segment.start + offset] as number;
  tcb.output.ready(POLLIN | POLLPRI);
}

/** The pointer names the byte behind the urgent one (RFC 793; tcp_stdurg, which nobody sets, would follow RFC 1122). */
function notePointer(tcb: Tcb, segment: Segment): void {
  const seq = (segment.seq + Math.max(segment.urgent - 1, 0)) | 0;
  if (seqGt(tcb.copiedSeq, seq) || seqLt(seq, tcb.rcvNxt)) return;
  if (tcb.urgent !== null && !seqGt(seq, tcb.urgent.seq)) return;
  tcb.urgent = { seq, byte: AWAITED };
  tcb.output.ready(POLLPRI);
}

/** Whether the next byte to be read is the urgent one (SIOCATMARK). */
export function isAtMark({ urgent, copiedSeq }: Tcb): boolean {
  return urgent !== null && urgent.seq === copiedSeq;
}

/** Whether an urgent byte has come that was not read yet (POLLPRI). */
export function hasUrgent({ urgent }: Tcb): boolean {
  return urgent !== null && urgent.byte >= 0;
}

/** Whether the next byte is one that reading the stream passes over. */
export function isAtHole(tcb: Tcb): boolean {
  return tcb.urgent !== null && isAtMark(tcb) && !tcb.settings.oobInline;
}

/** How many bytes may be read at once: not over the mark, unless reading begins at it. */
export function untilMark({ urgent, copiedSeq }: Tcb): number {
  const distance = urgent === null ? 0 : seqDiff(urgent.seq, copiedSeq);
  return distance > 0 ? distance : Number.POSITIVE_INFINITY;
}

/** The user has read on: an urgent byte that lies behind is forgotten. */
export function passMark(tcb: Tcb): void {
  if (tcb.urgent !== null && seqGt(tcb.copiedSeq, tcb.urgent.seq)) tcb.urgent = null;
}

/** recv(2) with MSG_OOB: the urgent byte; -EINVAL when there is none, -EAGAIN when it has not come. `peek`: it stays. */
export function readUrgent(tcb: Tcb, peek: boolean): number {
  const { urgent } = tcb;
  if (urgent === null || tcb.settings.oobInline || urgent.byte === TAKEN) return -EINVAL;
  if (urgent.byte === AWAITED) return -EAGAIN;
  const { byte } = urgent;
  if (!peek) urgent.byte = TAKEN;
  return byte;
}

/** Tells the peer, until it has acknowledged that, where the urgent data of a write with MSG_OOB ends. */
export function markUrgent(tcb: Tcb, out: OutSegment): void {
  if (seqGe(tcb.sndUna, tcb.sndUp)) {
    tcb.urgentOut = false;
    return;
  }
  const distance = seqDiff(tcb.sndUp, out.seq);
  if (distance <= 0 || (out.flags & SYN) !== 0) return;
  out.flags |= URG;
  out.urgent = Math.min(distance, POINTER_MAX);
}
