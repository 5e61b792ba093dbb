/**
 * Marking segments as lost; and which are, by counting, with peers without SACK: RFC 5681 and RFC 6582 (NewReno).
 * @module
 */

import { TX_LOST, TX_RETRANS, TX_SACKED, type TxSegment } from '../flight.ts';
import type { Tcb } from '../tcb.ts';
import type { AckOutcome } from './ack-outcome.ts';

/** A segment is lost; its repetition, if there is one, too. One that was SACKed is not. */
export function markLost(tcb: Tcb, segment: TxSegment): void {
  const { flight, context } = tcb;
  const { marks } = segment;
  if ((marks & TX_SACKED) !== 0) return;
  if ((marks & TX_LOST) === 0) {
    flight.mark(segment, TX_LOST);
    tcb.lost++;
  } else if ((marks & TX_RETRANS) !== 0) {
    flight.unmark(segment, TX_RETRANS);
    tcb.lost++;
    context.host.mib.TcpExt.TCPLostRetransmit++;
  }
}

// --- without SACK -------------------------------------------------------------------------------------------------

/** Each duplicate ACK says that one segment has left the network. */
export function countDuplicate(tcb: Tcb, outcome: AckOutcome): void {
  if (!outcome.duplicate || isTooSoon(tcb)) return;
  const { flight } = tcb;
  const before = flight.sackedOut++;
  noteTooManyDuplicates(tcb, 0);
  outcome.delivered += Math.max(flight.sackedOut - before, 0);
}

/**
 * While a loss is being repaired a duplicate lets new data out. So what it must be for was sent a round trip ago at
 * least: else a peer could draw data out of us by making duplicates up (RFC 5681 section 3.2, the note on step 4; Linux
 * believes them).
 */
function isTooSoon({ caState, flight, nowUs, minRttUs }: Tcb): boolean {
  if (caState !== 'Recovery') return false;
  const segment = flight.at(flight.sackedOut + 1);
  return segment !== undefined && nowUs - segment.sentUs < minRttUs;
}

/** An acknowledgement fills a gap: of the `acked` segments one was missing, the others had made duplicates. */
export function removeDuplicates(tcb: Tcb, outcome: AckOutcome, acked: number): void {
  const { flight } = tcb;
  outcome.delivered += Math.max(acked - flight.sackedOut, 1);
  flight.sackedOut = Math.max(flight.sackedOut - (acked - 1), 0);
  noteTooManyDuplicates(tcb, acked);
}

/** More duplicates than there were segments to make them, `acked` ones included: the path changes the order. */
function noteTooManyDuplicates(tcb: Tcb, acked: number): void {
  const { mib, sysctl } = tcb.context.host;
  if (!limitDuplicates(tcb)) return;
  tcb.reordering = Math.min(tcb.flight.packetsOut + acked, sysctl.tcp_max_reordering);
  tcb.reorderingSeen++;
  mib.TcpExt.TCPRenoReorder++;
}

/** At least one segment is missing when there are duplicates. True when there were more than that leaves. */
export function limitDuplicates({ flight }: Tcb): boolean {
  const holes = Math.min(Math.max(flight.lostOut, 1), flight.packetsOut);
  if (flight.sackedOut + holes <= flight.packetsOut) return false;
  flight.sackedOut = flight.packetsOut - holes;
  return true;
}

/** NewReno: enough duplicates, or a partial acknowledgement (RFC 6582 section 3.2): the oldest segment is lost. */
export function markHeadLost(tcb: Tcb, advanced: boolean): void {
  const { head, sackedOut } = tcb.flight;
  const repairing = tcb.caState === 'Recovery';
  const enough = repairing ? advanced : tcb.caState !== 'Loss' && sackedOut >= tcb.reordering;
  if (!enough || head === undefined || (head.marks & TX_LOST) !== 0) return;
  markLost(tcb, head);
}
