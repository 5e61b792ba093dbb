/**
 * RFC 9293 section 3.10.7.4, seventh and eighth step: the segment's text, in order or not, and its FIN.
 * @module
 */
import { type Seq, seqDiff, seqGe, seqGt, seqLe, seqLt, seqMax, seqMin } from '../../base/seq.ts';
import { POLLIN, POLLRDHUP } from '../../core/readiness.ts';
import { FIN } from '../../wire/tcp.ts';
import { noteEcnOfData } from '../ecn.ts';
import { sendAck } from '../emit.ts';
import type { Segment } from '../segment.ts';
import type { Tcb } from '../tcb.ts';
import { TIMER_COMPRESSED_ACK, timerDue } from '../timers.ts';
import { endCompression, enterQuickAck, learnSegmentSize, noteDataReceived } from './ack-policy.ts';
import { truesize } from './receive-memory.ts';
import {
  GROW_FROM,
  growReceiveBuffer,
  growWindow,
  hasRoomFor,
  isReadable,
  measureReceiverRtt,
} from './receive-space.ts';

/** SACK blocks that an ACK holds in any case, whatever other options are in it. */
const SACK_BLOCKS_EXPECTED = 2;

/** Takes the segment's text into the receive queue; RCV.NXT moves over what is in order. True when its FIN is next. */
export function receiveText(tcb: Tcb, segment: Segment): boolean {
  const end = (segment.seq + segment.length) | 0;
  tcb.dsackStart = tcb.dsackEnd;
  if (segment.seq === tcb.rcvNxt) {
    // A FIN alone needs no window.
    if (tcb.rcvWndLeft === 0 && segment.dataLength > 0) return refuseText(tcb, 'TCP_ZEROWINDOW');
    return receiveInOrder(tcb, segment);
  }
  if (seqLe(end, tcb.rcvNxt)) {
    receiveOld(tcb, segment.seq, end);
    return false;
  }
  if (seqGe(segment.seq, (tcb.rcvNxt + tcb.rcvWndLeft) | 0)) return refuseText(tcb, 'TCP_OVERWINDOW');
  if (seqGt(segment.seq, tcb.rcvNxt)) {
    receiveOutOfOrder(tcb, segment);
    return false;
  }
  setDsack(tcb, segment.seq, tcb.rcvNxt);
  if (tcb.rcvWndLeft === 0) return refuseText(tcb, 'TCP_ZEROWINDOW');
  return receiveInOrder(tcb, segment);
}

/** Nothing of it is in the window: the peer hears at once where that is. */
function refuseText(tcb: Tcb, reason: 'TCP_ZEROWINDOW' | 'TCP_OVERWINDOW'): false {
  const { host } = tcb.context;
  host.dropped('tcp', reason);
  if (reason === 'TCP_ZEROWINDOW') host.mib.TcpExt.TCPZeroWindowDrop++;
  else host.mib.TcpExt.BeyondWindow++;
  enterQuickAck(tcb);
  tcb.ackPending = true;
  return false;
}

/** The one FIN may come before what it follows: where it stands is remembered until everything is there. */
function noteFin(tcb: Tcb, segment: Segment): void {
  if (!segment.has(FIN) || tcb.finReceived) return;
  tcb.finSeq = (segment.seq + segment.dataLength) | 0;
}

function isFinNext(tcb: Tcb): boolean {
  return tcb.finSeq === tcb.rcvNxt;
}

/** The FIN is the next thing in sequence: RCV.NXT moves over it. What came behind it is nothing. */
export function receiveFin(tcb: Tcb): void {
  tcb.rcvNxt = (tcb.rcvNxt + 1) | 0;
  tcb.bytesReceived++;
  tcb.finReceived = true;
  tcb.ackPending = true;
  tcb.receiveQueue.dropWaiting();
  tcb.dsackStart = tcb.dsackEnd;
  tcb.output.ready(POLLIN | POLLRDHUP);
}

/** An ACK is owed, and at once. */
function owesAckNow(tcb: Tcb): void {
  tcb.ackPending = true;
  tcb.ackNow = true;
}

/** What is next in sequence, or overlaps with what is. True when its FIN, or one that came before, is next then. */
function receiveInOrder(tcb: Tcb, segment: Segment): boolean {
  const { receiveQueue } = tcb;
  const { dataLength } = segment;
  if (!hasRoomFor(tcb, segment.seq) && !makeDo(tcb, segment)) return false;
  noteFin(tcb, segment);
  const before = tcb.rcvNxt;
  const again = Math.min(seqDiff(before, segment.seq), dataLength);
  const cost = costOf(tcb, segment);
  receiveQueue.append(segment.bytes, segment.start + again, segment.end);
  tcb.rcvNxt = (before + dataLength - again) | 0;
  receiveQueue.memory.add(tcb.rcvNxt, cost);
  if (dataLength > 0) {
    tcb.bytesReceived += dataLength - again;
    dataArrived(tcb, segment, cost);
  }
  if (receiveQueue.hasGap) joinWaiting(tcb, before);
  if (dataLength > 0 && isReadable(tcb)) tcb.output.ready(POLLIN);
  return isFinNext(tcb);
}

/** No memory: the peer hears that the window is closed. An empty queue takes a segment, and a FIN, all the same. */
function makeDo(tcb: Tcb, segment: Segment): boolean {
  const { host } = tcb.context;
  tcb.ackNoMemory = true;
  owesAckNow(tcb);
  tcb.output.ready(POLLIN);
  if (tcb.receiveQueue.memory.isEmpty || segment.dataLength === 0) return true;
  host.mib.TcpExt.TCPRcvQDrop++;
  host.dropped('tcp', 'PROTO_MEM');
  return false;
}

/** What a segment costs in memory. */
function costOf(tcb: Tcb, segment: Segment): number {
  return truesize(tcb.ipHeaderLength + segment.headerLength + segment.dataLength);
}

/** What the arrival of data tells of the peer's segments and of the path (tcp_event_data_recv). */
function dataArrived(tcb: Tcb, segment: Segment, cost: number): void {
  const { dataLength } = segment;
  learnSegmentSize(tcb, segment, cost);
  measureReceiverRtt(tcb);
  noteDataReceived(tcb);
  if (tcb.ecnFlags !== 0) noteEcnOfData(tcb, segment.ecn);
  if (dataLength >= GROW_FROM) growWindow(tcb, dataLength, cost, 0);
}

/** The gap's filling has made contiguous what waited behind it. */
function joinWaiting(tcb: Tcb, before: Seq): void {
  const { receiveQueue } = tcb;
  const next = receiveQueue.join(before, tcb.rcvNxt, tcb.finSeq);
  tcb.bytesReceived += seqDiff(next, tcb.rcvNxt);
  tcb.rcvNxt = next;
  extendDsack(tcb);
  // RFC 5681 section 4.2.
  if (!receiveQueue.hasGap) tcb.ackNow = true;
}

function receiveOutOfOrder(tcb: Tcb, segment: Segment): void {
  const { host } = tcb.context;
  const { TcpExt } = host.mib;
  const { receiveQueue } = tcb;
  if (tcb.ecnFlags !== 0) noteEcnOfData(tcb, segment.ecn);
  if (!hasRoomFor(tcb, segment.seq)) {
    TcpExt.TCPOFODrop++;
    host.dropped('tcp', 'PROTO_MEM');
    tcb.output.ready(POLLIN);
    return;
  }
  sendCompressed(tcb, segment);
  const cost = costOf(tcb, segment);
  learnSegmentSize(tcb, segment, cost);
  tcb.ackPending = true;
  tcb.rcvOooPack += segment.count;
  TcpExt.TCPOFOQueue++;
  const limit = host.sysctl.ethertype_ofo_ranges;
  const { bytes, start } = segment;
  const result = receiveQueue.insert(
    tcb.rcvNxt,
    segment.seq,
    bytes,
    start,
    segment.end,
    limit,
    cost,
    segment.has(FIN),
  );
  if (result === 'full') {
    TcpExt.TCPOFODrop++;
    host.dropped('tcp', 'TCP_OFO_QUEUE_PRUNE');
    return;
  }
  extendDsack(tcb);
  if (result === 'known') {
    TcpExt.TCPOFOMerge++;
  } else {
    noteFin(tcb, segment);
    // Without SACK a window that grows would keep this from being a duplicate ACK.
    if (tcb.sack) growWindow(tcb, segment.dataLength, cost, cost);
  }
  if (!tcb.awaitsAccept && !tcb.orphan) growReceiveBuffer(tcb, tcb.rcvSpace);
}

/** What was put off says less once more ranges were added than the peer can be told of in any case. */
function sendCompressed(tcb: Tcb, { seq, length }: Segment): void {
  if (tcb.compressedAcks === 0) return;
  const end = (seq + length) | 0;
  const { sackRanges } = tcb.receiveQueue;
  const joins = sackRanges.findIndex(range => seqLe(range.start, end) && seqGe(range.end, seq));
  const before = joins < 0 ? sackRanges.length : joins;
  if (before >= SACK_BLOCKS_EXPECTED) sendPutOff(tcb);
}

/** One ACK goes out in place of those that were put off, if there are any. */
export function sendPutOff(tcb: Tcb): void {
  if (endCompression(tcb, true)) sendAck(tcb);
}

/**
 * What was put off until a moment before now goes before what has come now is looked at: a host that is busy with
 * packets comes to its timers late, and a repetition that fills the gap would leave nothing to put off.
 */
export function sendOverdueAck(tcb: Tcb): void {
  if (timerDue(tcb, TIMER_COMPRESSED_ACK) < tcb.nowUs) sendPutOff(tcb);
}

/** What the receive queue saw twice is for the next SACK. */
function extendDsack(tcb: Tcb): void {
  const { againStart, againEnd } = tcb.receiveQueue;
  if (againStart === againEnd) return;
  // What continues the D-SACK that is already waiting is one with it.
  const waiting = tcb.dsackStart !== tcb.dsackEnd;
  if (!waiting) setDsack(tcb, againStart, againEnd);
  else if (seqLe(againStart, tcb.dsackEnd) && seqLe(tcb.dsackStart, againEnd))
    setDsack(tcb, seqMin(againStart, tcb.dsackStart), seqMax(againEnd, tcb.dsackEnd));
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
