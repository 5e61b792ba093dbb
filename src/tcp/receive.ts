/**
 * RFC 9293 section 3.10.7.4, seventh and eighth step: the segment's text, in order or not, and its FIN.
 * @module
 */
import { type Seq, seqDiff, seqGe, seqGt, seqLe, seqLt, seqMax, seqMin } from '../base/seq.ts';
import { POLLIN, POLLRDHUP } from '../core/readiness.ts';
import { FIN } from '../wire/tcp.ts';
import { enterQuickAck, noteDataReceived } from './ack-policy.ts';
import { noteEcnOfData } from './ecn.ts';
import type { Segment } from './segment.ts';
import type { Tcb } from './tcb.ts';
import { growWindow, measureReceiverRtt, noteReceiverRtt } from './window.ts';

/** Takes the segment's text into the receive queue; RCV.NXT moves over what is in order. True when its FIN is next. */
export function receiveText(tcb: Tcb, segment: Segment): boolean {
  const { context } = tcb;
  const windowEnd = (tcb.rcvNxt + tcb.rcvWndLeft) | 0;
  const textEnd = (segment.seq + segment.dataLength) | 0;
  noteFin(tcb, segment, textEnd, windowEnd);
  if (seqLe(textEnd, tcb.rcvNxt) && segment.dataLength > 0) {
    receiveOld(tcb, segment.seq, textEnd);
    return isFinNext(tcb);
  }
  const from = seqMax(segment.seq, tcb.rcvNxt);
  const to = seqMin(textEnd, windowEnd);
  if (segment.dataLength > 0 && seqGe(from, to)) {
    context.host.dropped('tcp', tcb.rcvWndLeft === 0 ? 'TCP_ZEROWINDOW' : 'TCP_OVERWINDOW');
    if (tcb.rcvWndLeft === 0) context.host.mib.TcpExt.TCPZeroWindowDrop++;
    owesAckNow(tcb);
    return false;
  }
  if (seqLt(segment.seq, tcb.rcvNxt) && segment.dataLength > 0) setDsack(tcb, segment.seq, tcb.rcvNxt);
  if (segment.dataLength > 0) {
    const start = segment.start + seqDiff(from, segment.seq);
    const end = segment.start + seqDiff(to, segment.seq);
    if (from === tcb.rcvNxt) receiveInOrder(tcb, segment, start, end);
    else receiveOutOfOrder(tcb, segment, from, start, end);
  }
  return isFinNext(tcb);
}

/** A FIN may come before what it follows: where it stands is remembered until everything is there. */
function noteFin(tcb: Tcb, segment: Segment, textEnd: Seq, windowEnd: Seq): void {
  if (!segment.has(FIN) || seqLt(textEnd, tcb.rcvNxt) || seqGt(textEnd, windowEnd)) return;
  tcb.finSeq = textEnd;
  tcb.finKnown = true;
  // The peer learns at once that something is missing (RFC 5681 section 4.2).
  if (textEnd !== tcb.rcvNxt) owesAckNow(tcb);
}

function isFinNext(tcb: Tcb): boolean {
  return tcb.finKnown && tcb.finSeq === tcb.rcvNxt;
}

/** The FIN is the next thing in sequence: RCV.NXT moves over it. */
export function receiveFin(tcb: Tcb): void {
  tcb.rcvNxt = (tcb.rcvNxt + 1) | 0;
  tcb.finReceived = true;
  owesAckNow(tcb);
  tcb.output.ready(POLLIN | POLLRDHUP);
}

/** An ACK is owed, and at once. */
export function owesAckNow(tcb: Tcb): void {
  tcb.ackPending = true;
  tcb.ackNow = true;
}

function receiveInOrder(tcb: Tcb, segment: Segment, start: number, end: number): void {
  const { receiveQueue } = tcb;
  const length = end - start;
  const hadGap = receiveQueue.hasGap;
  receiveQueue.append(segment.bytes, start, end);
  tcb.rcvNxt = (tcb.rcvNxt + length) | 0;
  if (hadGap) {
    tcb.rcvNxt = receiveQueue.join(tcb.rcvNxt);
    tcb.ackNow = true;
  }
  tcb.bytesReceived += length;
  measureReceiverRtt(tcb);
  growWindow(tcb, length);
  if (tcb.timestamps && length >= tcb.rcvMss && segment.options.tsEcr !== 0) measureByEcho(tcb, segment);
  noteDataReceived(tcb, segment.gsoSize || length);
  if (tcb.ecnFlags !== 0) noteEcnOfData(tcb, segment.ecn);
  tcb.output.ready(POLLIN);
}

/** The peer echoes our clock: how long our last segment and its answer took. */
function measureByEcho(tcb: Tcb, segment: Segment): void {
  const elapsedMs = (tcb.tsNow - segment.options.tsEcr) | 0;
  if (elapsedMs > 0) noteReceiverRtt(tcb, elapsedMs * 1000, false);
}

function receiveOutOfOrder(tcb: Tcb, segment: Segment, seq: Seq, start: number, end: number): void {
  const { TcpExt } = tcb.context.host.mib;
  const { receiveQueue } = tcb;
  const dataEnd = (seq + end - start) | 0;
  const known = receiveQueue.covering(seq, dataEnd);
  if (tcb.ecnFlags !== 0) noteEcnOfData(tcb, segment.ecn);
  tcb.ackPending = true;
  if (known !== null) {
    receiveQueue.promote(known);
    setDsack(tcb, seq, dataEnd);
    TcpExt.TCPOFOMerge++;
    return;
  }
  const limit = tcb.context.host.sysctl.ethertype_ofo_ranges;
  if (receiveQueue.insert(tcb.rcvNxt, seq, segment.bytes, start, end, limit)) {
    TcpExt.TCPOFOQueue++;
    return;
  }
  TcpExt.TCPOFODrop++;
  tcb.context.host.dropped('tcp', 'TCP_OFO_QUEUE_PRUNE');
}

/** Data that came before: the peer lost our ACK, or sent too early. It hears at once what we have. */
export function receiveOld(tcb: Tcb, seq: Seq, end: Seq): void {
  const { TcpExt } = tcb.context.host.mib;
  TcpExt.DelayedACKLost++;
  tcb.context.host.dropped('tcp', 'TCP_OLD_DATA');
  setDsack(tcb, seq, end);
  enterQuickAck(tcb);
  owesAckNow(tcb);
}

/** Remembers [start, end) for the first block of the next SACK (RFC 2883 section 4). */
export function setDsack(tcb: Tcb, start: Seq, end: Seq): void {
  const { host } = tcb.context;
  if (!tcb.sack || !host.sysctl.tcp_dsack) return;
  if (seqGt(end, tcb.rcvNxt)) host.mib.TcpExt.TCPDSACKOfoSent++;
  else host.mib.TcpExt.TCPDSACKOldSent++;
  tcb.dsackStart = start;
  tcb.dsackEnd = end;
  tcb.ackNow = true;
}
