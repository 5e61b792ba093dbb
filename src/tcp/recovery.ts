/**
 * Loss detection and recovery: fast retransmit and recovery with SACK (RFC 6675) and without (RFC 6582, NewReno), rate
 * halving by RFC 6937, and what a time-out does (RFC 5681 section 3.1).
 *
 *     Open ----- duplicate ACK or SACK ------> Disorder
 *     Open, Disorder ----- loss detected ----> Recovery ---- highSeq acknowledged ---> Open
 *     any ----- retransmission time-out -----> Loss -------- highSeq acknowledged ---> Open
 * @module
 */
import { seqDiff, seqGe, seqLt } from '../base/seq.ts';
import { TRACE_CWND } from '../trace/events.ts';
import { TX_EVER_RETRANS, TX_LOST, TX_RETRANS, TX_SACKED, type TxSegment } from './flight.ts';
import type { CaState, Tcb } from './tcb.ts';

/** Reordering beyond this many segments is not believed (tcp_max_reordering). */
export const REORDERING_MAX = 300;

/** What one acknowledgement brought; filled by ack.ts. */
export interface AckOutcome {
  /** SND.UNA moved. */
  advanced: boolean;
  /** Segments that were cumulatively acknowledged and not SACKed before, and newly SACKed ones. */
  delivered: number;
  /** Nothing new in sequence, window or data: counts as a duplicate without SACK (RFC 5681 section 2). */
  duplicate: boolean;
  /** When the newest segment that is now known to have arrived was last sent; 0 when none was. */
  newestSentUs: number;
}

/** Moves recovery on by one acknowledgement; the window growth of the Open state is the caller's. */
export function onAckRecovery(tcb: Tcb, outcome: AckOutcome): void {
  const { flight } = tcb;
  if (!tcb.sack) countDuplicates(tcb, outcome);
  if (isRepairing(tcb)) leaveIfRepaired(tcb);
  if (flight.packetsOut === 0) {
    if (tcb.caState === 'Disorder') setCaState(tcb, 'Open');
    return;
  }
  const partial = seqLt(tcb.sndUna, tcb.highSeq);
  if (tcb.sack) markLostBySack(tcb, outcome.newestSentUs);
  else if (outcome.advanced && isRepairing(tcb) && partial) markHeadLost(tcb);
  if (tcb.caState === 'Recovery') {
    if (partial) reduceWindow(tcb, outcome.delivered);
    return;
  }
  if (tcb.caState === 'Loss') return;
  if (flight.lostOut > 0 || (!tcb.sack && flight.sackedOut >= tcb.reordering))
    enterRecovery(tcb, outcome.delivered);
  else setCaState(tcb, flight.sackedOut > 0 ? 'Disorder' : 'Open');
}

function isRepairing(tcb: Tcb): boolean {
  return tcb.caState === 'Recovery' || tcb.caState === 'Loss';
}

// --- detection ------------------------------------------------------------------------------------------------

/**
 * Without SACK: each duplicate ACK says that one segment has left the network; progress clears the count. While a loss
 * is being repaired no more count than segments were out, so that a peer cannot draw data out of us by making
 * duplicates up (RFC 5681 section 3.2, the note on step 4).
 */
function countDuplicates(tcb: Tcb, outcome: AckOutcome): void {
  const { flight } = tcb;
  if (outcome.advanced) {
    // The gap's filling acknowledges what the duplicates stood for.
    flight.sackedOut =
      tcb.caState === 'Recovery' ? Math.max(flight.sackedOut - (outcome.delivered - 1), 0) : 0;
    tcb.duplicatesLeft = flight.packetsOut;
  } else if (outcome.duplicate && (tcb.caState !== 'Recovery' || tcb.duplicatesLeft-- > 0)) {
    flight.sackedOut++;
    outcome.delivered++;
  }
  flight.sackedOut = Math.max(Math.min(flight.sackedOut, flight.packetsOut - flight.lostOut), 0);
}

/**
 * RFC 6675 section 4, IsLost: a segment is lost once `reordering` segments above it were SACKed. A retransmission is
 * lost when something sent clearly later has arrived (the idea of RFC 8985, with a quarter of the least round trip
 * as margin for reordering).
 */
function markLostBySack(tcb: Tcb, newestSentUs: number): void {
  const { flight } = tcb;
  let sackedAbove = flight.sackedOut;
  const marginUs = tcb.minRttUs >> 2;
  for (let index = 0; index < flight.packetsOut && sackedAbove > 0; index++) {
    const segment = flight.at(index) as TxSegment;
    if ((segment.marks & TX_SACKED) !== 0) {
      sackedAbove--;
    } else if ((segment.marks & TX_RETRANS) !== 0) {
      if (segment.sentUs + marginUs < newestSentUs) {
        flight.unmark(segment, TX_RETRANS);
        tcb.context.host.mib.TcpExt.TCPLostRetransmit++;
      }
    } else if (sackedAbove >= tcb.reordering) {
      flight.mark(segment, TX_LOST);
    }
  }
}

/** NewReno: a partial acknowledgement means that the segment behind it is lost too (RFC 6582 section 3.2). */
function markHeadLost(tcb: Tcb): void {
  const head = tcb.flight.head;
  if (head === undefined) return;
  if (head.marks & TX_LOST) return;
  // The duplicates and the lost segment cannot be more than what is out.
  tcb.flight.mark(head, TX_LOST);
  tcb.flight.sackedOut = Math.min(tcb.flight.sackedOut, tcb.flight.packetsOut - tcb.flight.lostOut);
}

/** A segment that was never sent again arrived below one that had arrived before: the path reorders this far. */
export function noteReordering(tcb: Tcb, segments: number): void {
  if (segments <= tcb.reordering) return;
  tcb.reordering = Math.min(segments, REORDERING_MAX);
  const { TcpExt } = tcb.context.host.mib;
  if (tcb.sack) TcpExt.TCPSACKReorder++;
  else TcpExt.TCPRenoReorder++;
}

// --- the states -----------------------------------------------------------------------------------------------

function enterRecovery(tcb: Tcb, delivered: number): void {
  const { TcpExt } = tcb.context.host.mib;
  if (tcb.sack) TcpExt.TCPSackRecovery++;
  else TcpExt.TCPRenoRecovery++;
  tcb.highSeq = tcb.sndNxt;
  tcb.priorCwnd = tcb.cwnd;
  tcb.prrDelivered = 0;
  tcb.prrOut = 0;
  tcb.duplicatesLeft = tcb.flight.packetsOut;
  tcb.cwndCount = 0;
  tcb.ssthresh = tcb.congestion.onLoss(tcb, tcb.nowUs);
  setCaState(tcb, 'Recovery');
  if (!tcb.sack) markHeadLost(tcb);
  reduceWindow(tcb, delivered);
}

/**
 * Proportional rate reduction (RFC 6937): the window shrinks to ssthresh in step with what leaves the network, and at
 * least the first lost segment goes out at once.
 */
function reduceWindow(tcb: Tcb, delivered: number): void {
  const { flight } = tcb;
  tcb.prrDelivered += delivered;
  const inFlight = flight.inFlight;
  let send: number;
  if (inFlight > tcb.ssthresh) {
    send = Math.ceil((tcb.prrDelivered * tcb.ssthresh) / tcb.priorCwnd) - tcb.prrOut;
  } else {
    send = Math.min(tcb.ssthresh - inFlight, Math.max(tcb.prrDelivered - tcb.prrOut, delivered) + 1);
  }
  tcb.cwnd = inFlight + Math.max(send, tcb.prrOut === 0 ? 1 : 0);
}

function leaveIfRepaired(tcb: Tcb): void {
  if (seqLt(tcb.sndUna, tcb.highSeq)) return;
  if (tcb.caState === 'Recovery') tcb.cwnd = tcb.ssthresh;
  // Without SACK wait for one more ACK: late duplicates must not begin a second recovery (RFC 6582 section 4).
  if (!tcb.sack && tcb.sndUna === tcb.highSeq) return;
  if (!tcb.sack) tcb.flight.sackedOut = 0;
  setCaState(tcb, 'Open');
}

/** The retransmission timer went off: everything not SACKed is taken for lost, and slow start begins. */
export function enterLoss(tcb: Tcb): void {
  const { flight } = tcb;
  const first = tcb.caState === 'Open' || tcb.caState === 'Disorder' || tcb.caState === 'CWR';
  if (first || (tcb.caState === 'Loss' && tcb.retransmits === 0 && seqGe(tcb.sndUna, tcb.highSeq))) {
    tcb.ssthresh = tcb.congestion.onLoss(tcb, tcb.nowUs);
  }
  tcb.congestion.onTimeout(tcb, tcb.nowUs);
  // A SACKed head means that the receiver has thrown away what it had reported (RFC 2018 section 8).
  const reneged = ((flight.head?.marks ?? 0) & TX_SACKED) !== 0;
  if (reneged) tcb.context.host.mib.TcpExt.TCPSACKReneging++;
  if (!tcb.sack) flight.sackedOut = 0;
  for (let index = 0; index < flight.packetsOut; index++) {
    const segment = flight.at(index) as TxSegment;
    if (reneged) flight.unmark(segment, TX_SACKED);
    flight.unmark(segment, TX_RETRANS);
    if ((segment.marks & TX_SACKED) === 0) flight.mark(segment, TX_LOST);
  }
  tcb.cwnd = flight.inFlight + 1;
  tcb.cwndCount = 0;
  tcb.highSeq = tcb.sndNxt;
  setCaState(tcb, 'Loss');
}

/**
 * The path takes less than before: every segment that is too big for it is lost, though no congestion is to blame
 * (Linux's tcp_simple_retransmit). True when there was one.
 */
export function markTooBigLost(tcb: Tcb): boolean {
  const { flight } = tcb;
  for (let index = 0; index < flight.packetsOut; index++) {
    const segment = flight.at(index) as TxSegment;
    if (seqDiff(segment.end, segment.seq) <= tcb.mss || (segment.marks & TX_SACKED) !== 0) continue;
    flight.unmark(segment, TX_RETRANS);
    flight.mark(segment, TX_LOST);
  }
  if (flight.lostOut === 0) return false;
  if (!tcb.sack) flight.sackedOut = Math.min(flight.sackedOut, flight.packetsOut - flight.lostOut);
  if (tcb.caState !== 'Loss') {
    tcb.highSeq = tcb.sndNxt;
    setCaState(tcb, 'Loss');
  }
  return true;
}

function setCaState(tcb: Tcb, state: CaState): void {
  if (tcb.caState === state) return;
  tcb.caState = state;
  traceCwnd(tcb);
}

/** Reports the congestion window to the trace. */
export function traceCwnd(tcb: Tcb): void {
  const { trace, name } = tcb.context.host;
  if (trace === null || (trace.wants & TRACE_CWND) === 0) return;
  const { local, remote } = tcb.output;
  trace.emit({
    type: 'tcp:cwnd',
    atUs: tcb.nowUs,
    host: name,
    local,
    remote,
    cwnd: tcb.cwnd * tcb.mss,
    ssthresh: tcb.ssthresh * tcb.mss,
    inFlight: seqDiff(tcb.sndNxt, tcb.sndUna),
    sndWnd: tcb.sndWnd,
    srttUs: tcb.srttUs,
    rtoUs: tcb.rtoUs,
    caState: tcb.caState,
  });
}

/** Whether a segment's round trip can be measured (Karn's rule). */
export function measurable(segment: TxSegment): boolean {
  return (segment.marks & TX_EVER_RETRANS) === 0;
}
