/**
 * Which segments are lost, by counting: RFC 6675 with SACK where RACK is off, RFC 5681 and RFC 6582 (NewReno) for
 * peers without SACK, and what a time-out says of everything.
 * @module
 */
import { seqGt } from '../base/seq.ts';
import type { AckOutcome } from './ack-outcome.ts';
import { TX_LOST, TX_RETRANS, TX_SACKED, type TxSegment } from './flight.ts';
import type { Tcb } from './tcb.ts';

/** A segment is lost; its repetition, if there is one, too. */
export function markLost(tcb: Tcb, segment: TxSegment): void {
  const { flight } = tcb;
  const again = (segment.marks & TX_RETRANS) !== 0;
  if (again) {
    flight.unmark(segment, TX_RETRANS);
    tcb.context.host.mib.TcpExt.TCPLostRetransmit++;
  }
  if ((segment.marks & TX_LOST) === 0 || again) tcb.lost++;
  flight.mark(segment, TX_LOST);
}

/** RFC 6675 section 4, IsLost: a segment is lost once `reordering` segments above it were SACKed. */
export function markLostByCount(tcb: Tcb): void {
  const { flight } = tcb;
  let sackedAbove = flight.sackedOut;
  for (let index = 0; index < flight.packetsOut && sackedAbove >= tcb.reordering; index++) {
    const segment = flight.at(index) as TxSegment;
    if ((segment.marks & TX_SACKED) !== 0) sackedAbove--;
    else if ((segment.marks & TX_LOST) === 0) markLost(tcb, segment);
  }
}

/**
 * Without SACK each duplicate ACK says that one segment has left the network; progress clears the count. While a loss
 * is being repaired no more count than segments were out, so that a peer cannot draw data out of us by making
 * duplicates up (RFC 5681 section 3.2, the note on step 4).
 */
export function countDuplicates(tcb: Tcb, outcome: AckOutcome): void {
  const { flight } = tcb;
  if (outcome.advanced) {
    // The gap's filling acknowledges what the duplicates stood for.
    flight.sackedOut =
      tcb.caState === 'Recovery' ? Math.max(flight.sackedOut - (outcome.delivered - 1), 0) : 0;
    tcb.duplicatesLeft = flight.packetsOut;
  } else if (outcome.duplicate && duplicateCounts(tcb)) {
    flight.sackedOut++;
    outcome.delivered++;
  }
  limitDuplicates(tcb);
}

/** After a time-out only what was sent since can have made a duplicate that means a delivery. */
function duplicateCounts(tcb: Tcb): boolean {
  if (tcb.caState === 'Recovery') return tcb.duplicatesLeft-- > 0;
  return tcb.caState !== 'Loss' || seqGt(tcb.sndNxt, tcb.highSeq);
}

/** NewReno: enough duplicates, or a partial acknowledgement (RFC 6582 section 3.2): the oldest segment is lost. */
export function markHeadLost(tcb: Tcb): void {
  const { head } = tcb.flight;
  if (head === undefined || (head.marks & TX_LOST) !== 0) return;
  markLost(tcb, head);
  limitDuplicates(tcb);
}

/** The duplicates and the lost segments cannot be more than what is out. */
export function limitDuplicates({ flight }: Tcb): void {
  flight.sackedOut = Math.max(Math.min(flight.sackedOut, flight.packetsOut - flight.lostOut), 0);
}
