/**
 * Reading the SACK blocks of an acknowledgement: RFC 2018, RFC 2883 (D-SACK), RFC 6675 section 4 (Update).
 * @module
 */
import { type Seq, seqDiff, seqGe, seqGt, seqLe, seqLt } from '../../base/seq.ts';
import { TX_EVER_RETRANS, TX_LOST, TX_RETRANS, TX_SACKED, type TxSegment } from '../flight.ts';
import type { Segment } from '../segment.ts';
import { noteRate } from '../send/rate-sample.ts';
import type { Tcb } from '../tcb.ts';
import { type AckOutcome, SACK_BLOCKS_MAX } from './ack-outcome.ts';
import { advanceRack, noteReordering, noteTooNarrow } from './rack.ts';
import { noteForgottenDuplicate, noteRepetitionArrived } from './undo.ts';

/** Marks what the segment's SACK blocks report. SND.UNA is already that of this acknowledgement, the flight is not. */
export function readSackBlocks(tcb: Tcb, segment: Segment, outcome: AckOutcome): void {
  if (segment.options.sackCount === 0) return;
  const dsack = readDsack(tcb, segment, outcome);
  if (tcb.flight.packetsOut === 0) return;
  collectBlocks(tcb, segment, outcome, dsack);
  let low = tcb.sndNxt;
  let from = 0;
  for (let block = 0; block < outcome.blocks; block++) {
    const right = outcome.ends[block] as Seq;
    from = Math.max(from, tcb.flight.indexAfter(outcome.starts[block] as Seq));
    for (; from < tcb.flight.packetsOut; from++) {
      const sent = tcb.flight.at(from) as TxSegment;
      if (seqGe(sent.seq, right)) break;
      // A block that holds only a part of a segment says nothing of the rest: it counts when it holds all.
      if (seqLt(sent.seq, outcome.starts[block] as Seq) || seqGt(sent.end, right)) continue;
      const late = tag(tcb, sent, outcome, dsack && isWithin(sent, segment.options.sack));
      if (late && seqLt(sent.seq, low)) low = sent.seq;
    }
  }
  if (tcb.caState !== 'Loss' || tcb.undo !== null) noteReordering(tcb, low, 'TCPSACKReorder');
}

/** Whether a segment lies within the first block, which is the D-SACK when there is one. */
function isWithin(sent: TxSegment, sack: ArrayLike<Seq>): boolean {
  return seqGe(sent.seq, sack[0] as Seq) && seqLe(sent.end, sack[1] as Seq);
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
  const segments = believedDuplicates(tcb, left, right, outcome);
  if (segments === 0) {
    TcpExt.TCPDSACKIgnoredDubious++;
    return false;
  }
  TcpExt.TCPDSACKRecvSegs += segments;
  noteForgottenDuplicate(tcb, right, outcome.priorUna, segments);
  return true;
}

/** Believes a D-SACK unless it is longer than any window was, or reports more than was ever sent again: 0 then. */
function believedDuplicates(tcb: Tcb, left: Seq, right: Seq, outcome: AckOutcome): number {
  const length = seqDiff(right, left);
  if (length <= 0 || length > tcb.maxSndWnd) return 0;
  const segments = Math.max(Math.ceil(length / tcb.mss), 1);
  outcome.dsackOfProbe = segments === 1 && tcb.probeOut !== 'none' && right === tcb.probeSeq;
  tcb.dsackDups += segments;
  if (tcb.dsackDups > tcb.totalRetrans) return 0;
  if (tcb.reorderingSeen > 0 && !outcome.dsackOfProbe) noteTooNarrow(tcb);
  outcome.dsack = true;
  outcome.delivered += segments;
  return segments;
}

/** The valid blocks by their begin. */
function collectBlocks(tcb: Tcb, { ack, options }: Segment, outcome: AckOutcome, dsack: boolean): void {
  const { starts, ends } = outcome;
  outcome.blocks = 0;
  for (let block = 0; block < Math.min(options.sackCount, SACK_BLOCKS_MAX); block++) {
    const left = options.sack[2 * block] as Seq;
    const right = options.sack[2 * block + 1] as Seq;
    const isDsack = dsack && block === 0;
    if (!isValidBlock(tcb, left, right, isDsack)) {
      countInvalid(tcb, ack, right, isDsack);
      continue;
    }
    if (seqLe(right, outcome.priorUna)) continue;
    let at = outcome.blocks++;
    for (; at > 0 && seqGt(starts[at - 1] as Seq, left); at--) {
      starts[at] = starts[at - 1] as Seq;
      ends[at] = ends[at - 1] as Seq;
    }
    starts[at] = left;
    ends[at] = right;
  }
}

/**
 * Only what was sent and is not yet acknowledged can be SACKed; anything else is a lie or very old. The oldest segment
 * cannot be: the receiver would have acknowledged it. A D-SACK may reach down to where the repair began.
 */
function isValidBlock(tcb: Tcb, left: Seq, right: Seq, isDsack: boolean): boolean {
  if (seqGt(right, tcb.sndNxt) || seqGe(left, right) || seqGe(left, tcb.sndNxt)) return false;
  if (seqGt(left, tcb.sndUna)) return true;
  if (!isDsack || tcb.undo === null || seqGt(right, tcb.sndUna)) return false;
  if (seqGe(left, tcb.undo.seq)) return true;
  return seqGt(right, tcb.undo.seq) && seqGe(left, (right - tcb.maxSndWnd) | 0);
}

function countInvalid(tcb: Tcb, ack: Seq, right: Seq, isDsack: boolean): void {
  const { TcpExt } = tcb.context.host.mib;
  if (isDsack) TcpExt[tcb.undo !== null ? 'TCPDSACKIgnoredOld' : 'TCPDSACKIgnoredNoUndo']++;
  // What an acknowledgement reports that others have overtaken is only old.
  else if (ack === tcb.sndUna || seqGt(right, tcb.sndUna)) TcpExt.TCPSACKDiscard++;
}

/**
 * A block says that the segment has arrived; `duplicate`: twice. True when it came after what was sent behind it, and
 * that not because it was sent again: the path has changed the order.
 */
function tag(tcb: Tcb, segment: TxSegment, outcome: AckOutcome, duplicate: boolean): boolean {
  const { flight } = tcb;
  let late = false;
  if (duplicate && (segment.marks & TX_EVER_RETRANS) !== 0) {
    noteRepetitionArrived(tcb, segment);
    late = (segment.marks & TX_SACKED) !== 0;
  }
  // What is acknowledged as well is looked at there.
  if (seqLe(segment.end, tcb.sndUna)) return late;
  if ((segment.marks & TX_SACKED) === 0) {
    advanceRack(tcb, segment);
    if ((segment.marks & TX_EVER_RETRANS) === 0) {
      if (seqLt(segment.seq, tcb.highestSacked)) late = true;
      noteOriginal(tcb, segment, outcome);
    }
    // A repetition of what was not lost is still under way.
    if ((segment.marks & TX_LOST) !== 0) flight.unmark(segment, TX_LOST | TX_RETRANS);
    noteRate(tcb, segment, outcome.rate);
    outcome.sacked = true;
    outcome.delivered++;
    const above = flight.sackedOut === 0 || seqGt(segment.end, tcb.highSacked);
    if (above) tcb.highSacked = segment.end;
    flight.mark(segment, TX_SACKED);
  }
  if (duplicate) flight.unmark(segment, TX_RETRANS);
  return late;
}

function noteOriginal(tcb: Tcb, segment: TxSegment, outcome: AckOutcome): void {
  if (seqLe(segment.end, tcb.highSeq)) outcome.originalArrived = true;
  if (outcome.firstSackedUs === 0) outcome.firstSackedUs = segment.sentUs;
  outcome.lastSackedUs = segment.sentUs;
}
