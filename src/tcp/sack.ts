/**
 * Reading the SACK blocks of an acknowledgement: RFC 2018, RFC 2883 (D-SACK), RFC 6675 section 4 (Update).
 * @module
 */
import { type Seq, seqDiff, seqGe, seqGt, seqLe, seqLt } from '../base/seq.ts';
import { TX_EVER_RETRANS, TX_LOST, TX_RETRANS, TX_SACKED, type TxSegment } from './flight.ts';
import { type AckOutcome, noteReordering } from './recovery.ts';
import type { Segment } from './segment.ts';
import type { Tcb } from './tcb.ts';

/** Marks what the segment's SACK blocks report. */
export function readSackBlocks(tcb: Tcb, segment: Segment, outcome: AckOutcome): void {
  const { sack, sackCount } = segment.options;
  if (sackCount === 0) return;
  const first = isDsack(tcb, segment) ? 1 : 0;
  for (let block = first; block < sackCount; block++) {
    const left = sack[2 * block] as Seq;
    const right = sack[2 * block + 1] as Seq;
    if (validBlock(tcb, left, right)) markSacked(tcb, left, right, outcome);
    else tcb.context.host.mib.TcpExt.TCPSACKDiscard++;
  }
}

/** RFC 2883 section 4: the first block lies below SEG.ACK, or inside the second block. */
function isDsack(tcb: Tcb, segment: Segment): boolean {
  const { sack, sackCount } = segment.options;
  const left = sack[0] as Seq;
  const right = sack[1] as Seq;
  const { TcpExt } = tcb.context.host.mib;
  if (seqLt(left, segment.ack)) {
    TcpExt.TCPDSACKRecv++;
    return true;
  }
  if (sackCount > 1 && seqGe(left, sack[2] as Seq) && seqLe(right, sack[3] as Seq)) {
    TcpExt.TCPDSACKOfoRecv++;
    return true;
  }
  return false;
}

/** Only what was sent and is not yet acknowledged can be SACKed; anything else is a lie or very old. */
function validBlock(tcb: Tcb, left: Seq, right: Seq): boolean {
  return seqLt(left, right) && seqGe(left, tcb.sndUna) && seqLe(right, tcb.sndNxt);
}

function markSacked(tcb: Tcb, left: Seq, right: Seq, outcome: AckOutcome): void {
  const { flight } = tcb;
  for (let index = flight.indexAfter(left); index < flight.packetsOut; index++) {
    const segment = flight.at(index) as TxSegment;
    // A block that holds only a part of a segment says nothing of the rest: it counts when it holds all.
    if (seqGt(segment.end, right)) return;
    if (seqLt(segment.seq, left) || (segment.marks & TX_SACKED) !== 0) continue;
    noteArrival(tcb, segment, outcome);
    if (flight.sackedOut === 0 || seqGt(segment.end, tcb.highSacked)) tcb.highSacked = segment.end;
    flight.unmark(segment, TX_LOST | TX_RETRANS);
    flight.mark(segment, TX_SACKED);
    outcome.delivered++;
  }
}

/** Keeps the time of the newest arrival, and notices reordering: something arrived below what had arrived before. */
export function noteArrival(tcb: Tcb, segment: TxSegment, outcome: AckOutcome): void {
  if (segment.sentUs > outcome.newestSentUs) outcome.newestSentUs = segment.sentUs;
  if ((segment.marks & TX_EVER_RETRANS) !== 0 || tcb.flight.sackedOut === 0 || !tcb.sack) return;
  if (seqLt(segment.end, tcb.highSacked)) {
    noteReordering(tcb, Math.ceil(seqDiff(tcb.highSacked, segment.seq) / tcb.mss));
  }
}
