/**
 * Sending again what was lost.
 * @module
 */
import { type Seq, seqDiff, seqGt } from '../../base/seq.ts';
import { TRACE_RETRANSMIT } from '../../trace/events.ts';
import { ACK, FIN, PSH } from '../../wire/tcp.ts';
import { emitData, emitSyn } from '../emit.ts';
import {
  TX_EOR,
  TX_EVER_RETRANS,
  TX_FIN,
  TX_LOST,
  TX_PUSH,
  TX_RETRANS,
  TX_SACKED,
  TX_SKB_END,
  TX_SYN,
  TX_ZEROCOPY,
  type TxSegment,
} from '../flight.ts';
import { currentMss } from '../mss.ts';
import { forgetProbe } from '../send/mtu-probe.ts';
import { mustWait } from '../send/pacing.ts';
import { tagSegment } from '../send/rate-sample.ts';
import { tsoSegments } from '../send/tso.ts';
import type { Tcb } from '../tcb.ts';
import { isTimerSet, TIMER_REORDER } from '../timers.ts';
import { restartRetransmit } from './transmit-timer.ts';
import { noteRepetition } from './undo.ts';

/** Sends lost segments again, oldest first, as far as the congestion window allows. */
export function retransmitLost(tcb: Tcb): void {
  const { flight } = tcb;
  const most = tsoSegments(tcb);
  let headSent = false;
  for (let index = 0; index < flight.packetsOut; index++) {
    const room = tcb.cwnd - flight.inFlight;
    if (flight.lostOut <= flight.retransOut || room <= 0 || mustWait(tcb)) break;
    const segment = flight.at(index) as TxSegment;
    if ((segment.marks & (TX_LOST | TX_RETRANS | TX_SACKED)) !== TX_LOST) continue;
    const loss = tcb.caState === 'Loss';
    const count = retransmit(tcb, index, Math.min(room, most), loss ? 'rto' : 'fast');
    if (count <= 0) break;
    const { TcpExt } = tcb.context.host.mib;
    if (loss) TcpExt.TCPSlowStartRetrans += count;
    else TcpExt.TCPFastRetrans += count;
    if (tcb.caState === 'Recovery') tcb.prrOut += count;
    if (index === 0) headSent = true;
    index += count - 1;
  }
  if (headSent && !isTimerSet(tcb, TIMER_REORDER)) restartRetransmit(tcb);
}

/** What `retransmit` returns when this host had no room for the segment. */
export const NO_ROOM = -1;

/** Why a segment is sent again: as TRACE-EVENTS.md lists it. */
type Reason = 'rto' | 'fast' | 'probe' | 'syn' | 'syn-ack';

/**
 * Sends the segment at `index` of the flight again, and those behind it that belong to the same sk_buff and were lost
 * with it, at most `max`: they leave as one packet. Returns how many; 0 when the peer's window does not reach it,
 * NO_ROOM when this host's queue is full.
 */
export function retransmit(tcb: Tcb, index: number, max: number, reason: 'rto' | 'fast' | 'probe'): number {
  const { flight } = tcb;
  if (!fitSegment(tcb, index)) return 0;
  forgetProbe(tcb);
  const first = flight.at(index) as TxSegment;
  const count = runLength(tcb, index, max);
  const last = flight.at(index + count - 1) as TxSegment;
  flight.mark(last, TX_SKB_END);
  if (count === 1) collapse(tcb, index);
  const length = seqDiff(last.end, first.seq);
  tcb.totalRetrans += count;
  // SYN and FIN are no bytes.
  tcb.bytesRetrans += length - Number((first.marks & TX_SYN) !== 0) - Number((last.marks & TX_FIN) !== 0);
  const { mib } = tcb.context.host;
  mib.Tcp.RetransSegs += count;
  const syn = (first.marks & TX_SYN) !== 0;
  traceRetransmit(tcb, syn ? 'syn' : reason, first.seq, length, first.attempts + 1);
  if (syn) {
    mib.TcpExt.TCPSynRetrans++;
    noteSentAgain(tcb, first, reason);
    emitSyn(tcb);
    return 1;
  }
  const fin = (last.marks & TX_FIN) !== 0;
  // As when it was sent first, a packet of several segments is pushed.
  const push = count > 1 || (last.marks & TX_PUSH) !== 0;
  // RFC 3168 section 6.1.5: a repetition is not ECN-capable.
  const flags = (fin ? FIN : 0) | (push ? PSH : 0) | ACK;
  const sent = emitData(tcb, first.seq, fin ? length - 1 : length, flags, false);
  for (let i = index; i < index + count; i++) {
    if (sent) noteSentAgain(tcb, flight.at(i) as TxSegment, reason);
    else noteAttempt(tcb, flight.at(i) as TxSegment, reason);
  }
  if (!sent) mib.TcpExt.TCPRetransFail += count;
  return sent ? count : NO_ROOM;
}

/** It was tried to send the segment again. */
function noteAttempt(tcb: Tcb, segment: TxSegment, reason: Reason): void {
  // Even of one that did not leave: what an acknowledgement says of its time is not to be trusted.
  tcb.flight.mark(segment, TX_EVER_RETRANS);
  if (reason === 'probe') return;
  noteRepetition(tcb);
  if (tcb.retransmitStampUs === 0) tcb.retransmitStampUs = tcb.nowUs;
}

function noteSentAgain(tcb: Tcb, segment: TxSegment, reason: Reason): void {
  const { flight, nowUs } = tcb;
  flight.sentAgain(segment, nowUs);
  tagSegment(tcb, segment);
  // After a probe it is still one segment, which may be in the network twice.
  if (reason !== 'probe') flight.mark(segment, TX_RETRANS);
  noteAttempt(tcb, segment, reason);
}

/** How many segments from `index` on can leave as one packet: of one sk_buff, full ones before the last, all lost. */
function runLength(tcb: Tcb, index: number, max: number): number {
  const { flight, sndWndEnd } = tcb;
  const mss = currentMss(tcb);
  let segment = flight.at(index) as TxSegment;
  let count = 1;
  while (count < max && (segment.marks & TX_SKB_END) === 0 && seqDiff(segment.end, segment.seq) === mss) {
    const next = flight.at(index + count);
    if (next === undefined || (next.marks & (TX_LOST | TX_RETRANS | TX_SACKED)) !== TX_LOST) break;
    if (dataLength(next) > mss || seqGt(next.end, sndWndEnd)) break;
    segment = next;
    count++;
  }
  return count;
}

/**
 * A small segment takes along the small ones behind it as far as one segment holds them, so that fewer are sent
 * (tcp_retrans_collapse). What ends with MSG_EOR takes nothing along.
 */
function collapse(tcb: Tcb, index: number): void {
  const { flight, context, sndWndEnd } = tcb;
  const mss = currentMss(tcb);
  const segment = flight.at(index) as TxSegment;
  if (!context.host.sysctl.tcp_retrans_collapse || (segment.marks & (TX_SYN | TX_FIN)) !== 0) return;
  for (;;) {
    const next = flight.at(index + 1);
    if (next === undefined || (segment.marks & TX_EOR) !== 0) return;
    if (((segment.marks | next.marks) & TX_ZEROCOPY) !== 0) return;
    if ((next.marks & (TX_SACKED | TX_SKB_END)) !== TX_SKB_END || seqGt(next.end, sndWndEnd)) return;
    if (dataLength(segment) === mss || dataLength(segment) + dataLength(next) > mss) return;
    // What left last may still lie in the device: Linux does not touch it (skb_cloned).
    if (next.end === tcb.lastEmitEnd) return;
    context.freeSegment(flight.join(index));
    if (!tcb.sack && flight.sackedOut > 0) flight.sackedOut--;
  }
}

/** Bytes of a segment without its FIN. */
function dataLength({ seq, end, marks }: TxSegment): number {
  return seqDiff(end, seq) - ((marks & TX_FIN) !== 0 ? 1 : 0);
}

/**
 * Makes the segment at `index` one that can be sent now: cut to the present MSS, and to the peer's window unless it
 * is the first (which probes a window that was taken back). False when the window does not reach it.
 */
function fitSegment(tcb: Tcb, index: number): boolean {
  const { flight } = tcb;
  const segment = flight.at(index) as TxSegment;
  if ((segment.marks & TX_SYN) !== 0) return true;
  let limit = currentMss(tcb);
  const room = seqDiff(tcb.sndWndEnd, segment.seq);
  if (room <= 0 && index > 0) return false;
  if (room > 0) limit = Math.min(limit, room);
  if (dataLength(segment) > limit) flight.split(index, (segment.seq + limit) | 0);
  return true;
}

/** Tells the trace that `length` sequence numbers from `seq` on are sent again. */
export function traceRetransmit(tcb: Tcb, reason: Reason, seq: Seq, length: number, attempt: number): void {
  const { trace, name } = tcb.context.host;
  if (trace === null || (trace.wants & TRACE_RETRANSMIT) === 0) return;
  const { local, remote } = tcb.output;
  trace.emit({
    type: 'tcp:retransmit',
    atUs: tcb.nowUs,
    host: name,
    local,
    remote,
    reason,
    seq: seq >>> 0,
    length,
    attempt,
  });
}
