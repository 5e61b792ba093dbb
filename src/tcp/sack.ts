/**
 * Reading the SACK blocks of an acknowledgement: RFC 2018, RFC 2883 (D-SACK), RFC 6675 section 4 (Update).
 * @module
 */
import { type Seq, seqDiff, seqGe, seqGt, seqLe, seqLt } from '../base/seq.ts';
import type { AckOutcome } from './ack-outcome.ts';
import { TX_EVER_RETRANS, TX_LOST, TX_RETRANS, TX_SACKED, type TxSegment } from './flight.ts';
import { noteDelivery } from './rack.ts';
import { noteRate } from './rate-sample.ts';
import type { Segment } from './segment.ts';
import type { Tcb } from './tcb.ts';
import { noteDuplicateArrival } from './undo.ts';

/** Marks what the segment's SACK blocks report. SND.UNA is still the one before this acknowledgement. */
export function readSackBlocks(tcb: Tcb, segment: Segment, outcome: AckOutcome): void {
  const { sack, sackCount } = segment.options;
  if (sackCount === 0) return;
  const first = readDsack(tcb, segment, outcome) ? 1 : 0;
  for (let block = first; block < sackCount; block++) {
    const left = sack[2 * block] as Seq;
    const right = sack[2 * block + 1] as Seq;
    if (validBlock(tcb, left, right)) markSacked(tcb, left, right, outcome);
    else if (segment.ack === tcb.sndUna || seqGt(right, tcb.sndUna))
      tcb.context.host.mib.TcpExt.TCPSACKDiscard++;
  }
}

/** RFC 2883 section 4: the first block lies below SEG.ACK, or inside the second block. True when it was a D-SACK. */
function readDsack(tcb: Tcb, segment: Segment, outcome: AckOutcome): boolean {
  const { sack, sackCount } = segment.options;
  const left = sack[0] as Seq;
  const right = sack[1] as Seq;
  const { TcpExt } = tcb.context.host.mib;
  if (seqLt(left, segment.ack)) TcpExt.TCPDSACKRecv++;
  else if (sackCount > 1 && seqGe(left, sack[2] as Seq) && seqLe(right, sack[3] as Seq))
    TcpExt.TCPDSACKOfoRecv++;
  else return false;
  takeDsack(tcb, left, right, outcome);
  return true;
}

/** Believes a D-SACK unless it is longer than any window was, or reports more than was ever sent again. */
function takeDsack(tcb: Tcb, left: Seq, right: Seq, outcome: AckOutcome): void {
  const { TcpExt } = tcb.context.host.mib;
  const length = seqDiff(right, left);
  const segments = Math.max(Math.ceil(length / tcb.mss), 1);
  const sane = length > 0 && length <= tcb.maxSndWnd && seqLe(right, tcb.sndNxt);
  if (sane) tcb.dsackDups += segments;
  if (!sane || tcb.dsackDups > tcb.totalRetrans) {
    TcpExt.TCPDSACKIgnoredDubious++;
    return;
  }
  TcpExt.TCPDSACKRecvSegs += segments;
  outcome.dsack = true;
  outcome.dsackOfProbe = segments === 1 && tcb.probeOut === 'repetition' && right === tcb.probeSeq;
  noteDuplicateArrival(tcb, left, right, segments);
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
    outcome.sacked = true;
    if (outcome.sackRttUs < 0 && (segment.marks & TX_EVER_RETRANS) === 0)
      outcome.sackRttUs = tcb.nowUs - segment.sentUs;
    if (flight.sackedOut === 0 || seqGt(segment.end, tcb.highSacked)) tcb.highSacked = segment.end;
    flight.unmark(segment, TX_LOST | TX_RETRANS);
    flight.mark(segment, TX_SACKED);
  }
}

/** A segment is known to have arrived, by SACK or by acknowledgement: what that says of time and of order. */
export function noteArrival(tcb: Tcb, segment: TxSegment, outcome: AckOutcome): void {
  outcome.delivered++;
  noteRate(tcb, segment, outcome.rate);
  noteDelivery(tcb, segment, outcome);
  if ((segment.marks & TX_EVER_RETRANS) !== 0) return;
  if (seqLe(segment.end, tcb.highSeq)) outcome.originalArrived = true;
  if (!outcome.hadSacked || seqGe(segment.seq, outcome.priorHighSacked)) return;
  if (!outcome.late || seqLt(segment.seq, outcome.lateSeq)) outcome.lateSeq = segment.seq;
  outcome.late = true;
}
