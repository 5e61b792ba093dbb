/**
 * RFC 9293 section 3.10.7.4, seventh and eighth step: the segment's text, in order or not, and its FIN. Whole segments
 * are taken, as Linux does: one that begins in the window may end behind it.
 * @module
 */
import { type Seq, seqDiff, seqGt, seqLe, seqLt, seqMax, seqMin } from '../base/seq.ts';
import { POLLIN, POLLRDHUP } from '../core/readiness.ts';
import { FIN, PSH } from '../wire/tcp.ts';
import { enterQuickAck, learnSegmentSize, noteDataReceived } from './ack-policy.ts';
import { noteEcnOfData } from './ecn.ts';
import type { Segment } from './segment.ts';
import type { Tcb } from './tcb.ts';
import {
  canIngest,
  chargeReceived,
  GROW_FROM,
  growReceiveBuffer,
  growWindow,
  measureReceiverRtt,
  noteReceiverRtt,
  unchargeReceived,
} from './window.ts';

/** Takes the segment's text into the receive queue; RCV.NXT moves over what is in order. True when its FIN is next. */
export function receiveText(tcb: Tcb, segment: Segment): boolean {
  const { seq } = segment;
  const end = (seq + segment.length) | 0;
  tcb.dsackStart = tcb.dsackEnd;
  if (seq !== tcb.rcvNxt && seqLe(end, tcb.rcvNxt)) {
    receiveOld(tcb, seq, end);
    return false;
  }
  if (!beginsInWindow(tcb, segment)) return false;
  if (seqGt(seq, tcb.rcvNxt)) {
    receiveOutOfOrder(tcb, segment, end);
    return false;
  }
  if (seqLt(seq, tcb.rcvNxt)) setDsack(tcb, seq, tcb.rcvNxt);
  receiveInOrder(tcb, segment);
  return isFinNext(tcb);
}

/** Whether there is a window for the segment's first byte; otherwise it is dropped, and the peer told of the window. */
function beginsInWindow(tcb: Tcb, segment: Segment): boolean {
  const { host } = tcb.context;
  const { seq } = segment;
  const left = tcb.rcvWndLeft;
  if (seqGt(seq, tcb.rcvNxt)) {
    if (seqLt(seq, (tcb.rcvNxt + left) | 0)) return true;
    host.mib.TcpExt.BeyondWindow++;
    host.dropped('tcp', 'TCP_OVERWINDOW');
  } else {
    // A FIN alone takes no room, and some peers would repeat it for ever.
    if (left > 0 || (segment.dataLength === 0 && seq === tcb.rcvNxt)) return true;
    if (seqLt(seq, tcb.rcvNxt)) setDsack(tcb, seq, tcb.rcvNxt);
    host.mib.TcpExt.TCPZeroWindowDrop++;
    host.dropped('tcp', 'TCP_ZEROWINDOW');
  }
  enterQuickAck(tcb);
  tcb.ackPending = true;
  return false;
}

function isFinNext(tcb: Tcb): boolean {
  return tcb.finKnown && tcb.finSeq === tcb.rcvNxt;
}

/** A FIN may come before what it follows: where it stands is remembered until everything is there. */
function noteFin(tcb: Tcb, segment: Segment): void {
  if (!segment.has(FIN)) return;
  tcb.finSeq = (segment.seq + segment.dataLength) | 0;
  tcb.finKnown = true;
}

/** The FIN is the next thing in sequence: RCV.NXT moves over it. What came behind it counts for nothing. */
export function receiveFin(tcb: Tcb): void {
  tcb.rcvNxt = (tcb.rcvNxt + 1) | 0;
  tcb.bytesReceived++;
  tcb.finReceived = true;
  const behind = tcb.receiveQueue.outOfOrder;
  tcb.receiveQueue.forgetRanges();
  unchargeReceived(tcb, behind);
  tcb.dsackStart = tcb.dsackEnd;
  tcb.ackPending = true;
  // The user will probably answer by a close, whose FIN can carry the ACK (as Linux).
  if (tcb.state === 'ESTABLISHED' || tcb.state === 'SYN_RCVD') tcb.pingPong = true;
  else tcb.ackNow = true;
  tcb.output.ready(POLLIN | POLLRDHUP);
}

function receiveInOrder(tcb: Tcb, segment: Segment): void {
  const { receiveQueue } = tcb;
  const skipped = seqDiff(tcb.rcvNxt, segment.seq);
  const length = segment.dataLength - skipped;
  if (!canIngest(tcb) && refuseForMemory(tcb, length)) return;
  const finWaited = tcb.finKnown;
  noteFin(tcb, segment);
  if (length <= 0) return;
  const before = tcb.rcvNxt;
  const start = segment.start + skipped;
  receiveQueue.append(segment.bytes, start, start + length);
  chargeReceived(tcb, length);
  tcb.rcvNxt = (tcb.rcvNxt + length) | 0;
  measureReceiverRtt(tcb);
  if (tcb.timestamps && length >= tcb.rcvMss && segment.options.tsEcr !== 0) measureByEcho(tcb, segment);
  noteDataReceived(tcb, length, segment.gsoSize, segment.has(PSH));
  if (tcb.ecnFlags !== 0) noteEcnOfData(tcb, segment.ecn);
  if (length >= GROW_FROM) growWindow(tcb, length);
  if (receiveQueue.hasGap) joinRanges(tcb);
  if (finWaited && isFinNext(tcb)) tcb.ackNow = true;
  tcb.bytesReceived += seqDiff(tcb.rcvNxt, before);
  tcb.output.ready(POLLIN);
}

/** The user does not read: what the window promised is taken back. True when the segment is not even taken once. */
function refuseForMemory(tcb: Tcb, length: number): boolean {
  tcb.noMemory = true;
  owesAckNow(tcb);
  tcb.output.ready(POLLIN);
  if (tcb.receiveQueue.readable === 0 || length <= 0) return false;
  tcb.context.host.mib.TcpExt.TCPRcvQDrop++;
  tcb.context.host.dropped('tcp', 'PROTO_MEM');
  return true;
}

/** Of a gap that is filled the peer hears at once (RFC 5681 section 4.2); and of what came twice. */
function joinRanges(tcb: Tcb): void {
  const { receiveQueue } = tcb;
  for (const { start, end } of receiveQueue.outOfOrderRanges) {
    if (!seqLt(start, tcb.rcvNxt)) break;
    extendDsack(tcb, start, seqMin(end, tcb.rcvNxt));
  }
  tcb.rcvNxt = receiveQueue.join(tcb.rcvNxt);
  if (!receiveQueue.hasGap) tcb.ackNow = true;
}

/** The peer echoes our clock: how long our last segment and its answer took. */
function measureByEcho(tcb: Tcb, segment: Segment): void {
  const elapsedMs = (tcb.tsNow - segment.options.tsEcr) | 0;
  if (elapsedMs > 0) noteReceiverRtt(tcb, elapsedMs * 1000, false);
}

/** `end`: behind the segment and its FIN. */
function receiveOutOfOrder(tcb: Tcb, segment: Segment, end: Seq): void {
  if (tcb.ecnFlags !== 0) noteEcnOfData(tcb, segment.ecn);
  owesAckNow(tcb);
  if (!canIngest(tcb)) {
    dropOutOfOrder(tcb);
    return;
  }
  learnSegmentSize(tcb, segment.dataLength, segment.gsoSize, segment.has(PSH));
  tcb.context.host.mib.TcpExt.TCPOFOQueue++;
  tcb.outOfOrderIn += segment.count;
  keepOutOfOrder(tcb, segment, end);
  // Not before the user has accepted it: then nobody reads yet.
  if (!tcb.awaitsAccept && !tcb.orphan) growReceiveBuffer(tcb, tcb.rcvSpace);
}

function keepOutOfOrder(tcb: Tcb, segment: Segment, end: Seq): void {
  const { receiveQueue } = tcb;
  const { host } = tcb.context;
  const { seq, start, dataLength } = segment;
  const known = dataLength === 0 ? null : receiveQueue.covering(seq, (seq + dataLength) | 0);
  if (known === null) noteOverlaps(tcb, seq, end);
  else setDsack(tcb, seq, end);
  noteFin(tcb, segment);
  if (known !== null) {
    receiveQueue.promote(known);
    host.mib.TcpExt.TCPOFOMerge++;
  } else if (dataLength > 0) {
    const limit = host.sysctl.ethertype_ofo_ranges;
    if (!receiveQueue.insert(tcb.rcvNxt, seq, segment.bytes, start, start + dataLength, limit)) {
      dropOutOfOrder(tcb);
      return;
    }
    if (tcb.sack) growWindow(tcb, dataLength);
    chargeReceived(tcb, dataLength);
  }
}

function dropOutOfOrder(tcb: Tcb): void {
  tcb.context.host.mib.TcpExt.TCPOFODrop++;
  tcb.context.host.dropped('tcp', 'TCP_OFO_QUEUE_PRUNE');
}

/** What of [start, end) waits behind a gap already came twice (RFC 2883 section 4.2). */
function noteOverlaps(tcb: Tcb, start: Seq, end: Seq): void {
  for (const range of tcb.receiveQueue.outOfOrderRanges) {
    const from = seqMax(range.start, start);
    const to = seqMin(range.end, end);
    if (seqLt(from, to)) extendDsack(tcb, from, to);
  }
  if (tcb.finKnown && seqLe(start, tcb.finSeq) && seqLt(tcb.finSeq, end)) {
    extendDsack(tcb, tcb.finSeq, (tcb.finSeq + 1) | 0);
  }
}

/** An ACK is owed, and at once. */
export function owesAckNow(tcb: Tcb): void {
  tcb.ackPending = true;
  tcb.ackNow = true;
}

/** Data that came before: the peer lost our ACK, or sent too early. It hears at once what we have. */
export function receiveOld(tcb: Tcb, seq: Seq, end: Seq): void {
  const { TcpExt } = tcb.context.host.mib;
  TcpExt.DelayedACKLost++;
  tcb.context.host.dropped('tcp', 'TCP_OLD_DATA');
  setDsack(tcb, seq, end);
  enterQuickAck(tcb);
  tcb.ackPending = true;
}

/** Remembers [start, end) for the first block of the next SACK (RFC 2883 section 4). */
export function setDsack(tcb: Tcb, start: Seq, end: Seq): void {
  const { host } = tcb.context;
  if (!tcb.sack || !host.sysctl.tcp_dsack) return;
  if (seqLt(start, tcb.rcvNxt)) host.mib.TcpExt.TCPDSACKOldSent++;
  else host.mib.TcpExt.TCPDSACKOfoSent++;
  tcb.dsackStart = start;
  tcb.dsackEnd = end;
}

/** As `setDsack`, when something was remembered before: that becomes longer if [start, end) touches it. */
function extendDsack(tcb: Tcb, start: Seq, end: Seq): void {
  if (tcb.dsackStart === tcb.dsackEnd) {
    setDsack(tcb, start, end);
  } else if (seqLe(start, tcb.dsackEnd) && seqLe(tcb.dsackStart, end)) {
    tcb.dsackStart = seqMin(tcb.dsackStart, start);
    tcb.dsackEnd = seqMax(tcb.dsackEnd, end);
  }
}
