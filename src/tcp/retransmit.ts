/**
 * Sending again what was lost.
 * @module
 */
import { type Seq, seqDiff } from '../base/seq.ts';
import { TRACE_RETRANSMIT } from '../trace/events.ts';
import { ACK, FIN, PSH } from '../wire/tcp.ts';
import { emitData, emitSyn } from './emit.ts';
import {
  TX_EVER_RETRANS,
  TX_FIN,
  TX_LOST,
  TX_PUSH,
  TX_RETRANS,
  TX_SACKED,
  TX_SYN,
  type TxSegment,
} from './flight.ts';
import { forgetProbe } from './mtu-probe.ts';
import { tagSegment } from './rate-sample.ts';
import type { Tcb } from './tcb.ts';
import { isTimerSet, TIMER_REORDER } from './timers.ts';
import { restartRetransmit } from './transmit-timer.ts';
import { noteRepetition } from './undo.ts';

/** Sends lost segments again, oldest first, as far as the congestion window allows. */
export function retransmitLost(tcb: Tcb): void {
  const { flight } = tcb;
  let headSent = false;
  for (let index = 0; index < flight.packetsOut; index++) {
    if (flight.lostOut <= flight.retransOut || tcb.cwnd <= flight.inFlight) break;
    const segment = flight.at(index) as TxSegment;
    if ((segment.marks & (TX_LOST | TX_RETRANS | TX_SACKED)) !== TX_LOST) continue;
    const loss = tcb.caState === 'Loss';
    if (!retransmit(tcb, index, loss ? 'rto' : 'fast')) break;
    const { TcpExt } = tcb.context.host.mib;
    if (loss) TcpExt.TCPSlowStartRetrans++;
    else TcpExt.TCPFastRetrans++;
    if (tcb.caState === 'Recovery') tcb.prrOut++;
    if (index === 0) headSent = true;
  }
  if (headSent && !isTimerSet(tcb, TIMER_REORDER)) restartRetransmit(tcb);
}

/** Why a segment is sent again: as TRACE-EVENTS.md lists it. */
type Reason = 'rto' | 'fast' | 'probe' | 'syn' | 'syn-ack';

/** Sends the segment at `index` of the flight again. False when the peer's window does not reach it. */
export function retransmit(tcb: Tcb, index: number, reason: 'rto' | 'fast' | 'probe'): boolean {
  const { flight, nowUs } = tcb;
  if (!fitSegment(tcb, index)) return false;
  forgetProbe(tcb);
  const segment = flight.at(index) as TxSegment;
  flight.sentAgain(segment, nowUs);
  tagSegment(tcb, segment);
  if (reason === 'probe') {
    // It is still one segment, which may be in the network twice.
    flight.mark(segment, TX_EVER_RETRANS);
  } else {
    flight.mark(segment, TX_RETRANS | TX_EVER_RETRANS);
    noteRepetition(tcb);
    if (tcb.retransmitStampUs === 0) tcb.retransmitStampUs = nowUs;
  }
  const length = seqDiff(segment.end, segment.seq);
  tcb.totalRetrans++;
  tcb.bytesRetrans += length;
  const { mib } = tcb.context.host;
  mib.Tcp.RetransSegs++;
  const syn = (segment.marks & TX_SYN) !== 0;
  traceRetransmit(tcb, syn ? 'syn' : reason, segment.seq, length, segment.attempts);
  if (syn) {
    mib.TcpExt.TCPSynRetrans++;
    emitSyn(tcb);
    return true;
  }
  const fin = (segment.marks & TX_FIN) !== 0;
  const data = fin ? length - 1 : length;
  const push = (segment.marks & TX_PUSH) !== 0 ? PSH : 0;
  // RFC 3168 section 6.1.5: a repetition is not ECN-capable.
  emitData(tcb, segment.seq, data, (fin ? FIN : 0) | push | ACK, false);
  return true;
}

/**
 * Makes the segment at `index` one that can be sent now: cut to the present MSS, and to the peer's window unless it
 * is the first (which probes a window that was taken back). False when the window does not reach it.
 */
function fitSegment(tcb: Tcb, index: number): boolean {
  const { flight } = tcb;
  const segment = flight.at(index) as TxSegment;
  if ((segment.marks & TX_SYN) !== 0) return true;
  let limit = tcb.mss;
  const room = seqDiff(tcb.sndWndEnd, segment.seq);
  if (room <= 0 && index > 0) return false;
  if (room > 0) limit = Math.min(limit, room);
  const fin = (segment.marks & TX_FIN) !== 0 ? 1 : 0;
  const data = seqDiff(segment.end, segment.seq) - fin;
  if (data > limit) flight.split(index, (segment.seq + limit) | 0);
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
