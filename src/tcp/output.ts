/**
 * Sending: what may go out now (RFC 9293 section 3.8: Nagle, silly-window avoidance, the congestion window).
 * @module
 */
import { seqDiff, seqGe, seqGt, seqLe, seqLt } from '../base/seq.ts';
import { POLLOUT } from '../core/readiness.ts';
import { ACK, FIN, PSH } from '../wire/tcp.ts';
import { ECN_OK, takeCwr } from './ecn.ts';
import { emitData } from './emit.ts';
import { TX_FIN, TX_PUSH } from './flight.ts';
import { updateMss } from './mss.ts';
import { nextProbe, probeWasSent, WAIT_FOR_PROBE } from './mtu-probe.ts';
import { beginRateSending, tagSegment } from './rate-sample.ts';
import { retransmitLost } from './retransmit.ts';
import type { Tcb } from './tcb.ts';
import { armAfterSend, armPersist } from './transmit-timer.ts';

/** What a segment in flight costs in bytes of send buffer, and how many may be in any case. */
const SEGMENT_COST = 512;
const SEGMENTS_MIN = 256;

/** Sends what may be sent now: first what was lost, then new data, then a FIN. */
export function flush(tcb: Tcb): void {
  const { repair } = tcb;
  tcb.repair = 'lost';
  if (tcb.mssStale) updateMss(tcb);
  if (hasToSend(tcb) && tcb.output.isBusy()) return;
  if (repair === 'new data') {
    sendNew(tcb);
    if (seqGt(tcb.sndNxt, tcb.highSeq)) return;
    // F-RTO needs new data to find out about the time-out, and it cannot be sent.
    tcb.frto = false;
  }
  if (repair !== 'nothing' && tcb.flight.lostOut > tcb.flight.retransOut) retransmitLost(tcb);
  sendNew(tcb);
}

function hasToSend(tcb: Tcb): boolean {
  return tcb.unsent > 0 || tcb.flight.lostOut > tcb.flight.retransOut || (tcb.finQueued && !tcb.finSent);
}

function sendNew(tcb: Tcb): void {
  let sent = false;
  if (tcb.mtuSearch !== null) {
    const length = nextProbe(tcb);
    if (length === WAIT_FOR_PROBE) return;
    if (length > 0) {
      sendData(tcb, length, false, false, length);
      probeWasSent(tcb, length);
      sent = true;
    }
  }
  for (;;) {
    const unsent = tcb.unsent;
    const finDue = tcb.finQueued && !tcb.finSent;
    if (unsent === 0 && !finDue) break;
    if (tcb.flight.packetsOut === 0 && !sent) restartAfterIdle(tcb);
    const length = sendable(tcb, unsent, finDue);
    if (length < 0) break;
    sendData(tcb, length, finDue && finFits(tcb, length, unsent), false);
    sent = true;
    if (hasToSend(tcb) && tcb.output.isBusy()) break;
  }
  if (sent) armAfterSend(tcb);
  else armPersist(tcb);
}

/** Whether the FIN goes out behind the last `length` bytes: it takes a place in the peer's window as a byte does. */
function finFits(tcb: Tcb, length: number, unsent: number): boolean {
  return length === unsent && seqDiff(tcb.sndWndEnd, tcb.sndNxt) > length;
}

/** How many bytes of the unsent data go out now, as one segment or super-segment; -1 when nothing may (0: a FIN). */
function sendable(tcb: Tcb, unsent: number, finDue: boolean): number {
  const { mss } = tcb;
  // A last segment does not wait for the congestion window: it ends the transfer, nothing comes behind it (Linux).
  const last = finDue && unsent <= mss;
  const quota = Math.max(tcb.cwnd - tcb.flight.inFlight, last ? 1 : 0);
  if (quota === 0) {
    tcb.cwndLimited = true;
    return -1;
  }
  if (hasTooManySegments(tcb)) return -1;
  const window = seqDiff(tcb.sndWndEnd, tcb.sndNxt);
  if (window < Math.min(Math.max(unsent, 1), mss)) return -1;
  const most = Math.min(unsent, window, quota * mss, Math.max(tcb.output.burstMax, mss));
  const full = most - (most % mss);
  if (most < unsent || full === unsent) return full;
  if (holdBack(tcb, finDue)) return full > 0 ? full : -1;
  return unsent;
}

/**
 * A peer with a tiny MSS and a huge window must not make us keep a hundred thousand segments, each of which every
 * one of its SACKs would have us look at (CVE-2019-11478, CVE-2019-11479). Never so with an ordinary MSS.
 */
function hasTooManySegments({ flight, sndBuf }: Tcb): boolean {
  return flight.packetsOut >= SEGMENTS_MIN && flight.packetsOut * SEGMENT_COST >= sndBuf;
}

/** Nagle's rule as Minshall amended it, and TCP_CORK (RFC 9293 section 3.7.4). */
function holdBack(tcb: Tcb, finDue: boolean): boolean {
  if (finDue) return false;
  const { settings } = tcb;
  if (settings.cork || tcb.more) return true;
  if (settings.noDelay) return false;
  return tcb.flight.packetsOut > 0 && seqGt(tcb.smallSeq, tcb.sndUna) && seqLe(tcb.smallSeq, tcb.sndNxt);
}

/**
 * Emits `length` bytes at SND.NXT, in segments of `mss`, with the FIN behind them when `fin`, and PSH at least when
 * `forced`.
 */
function sendData(tcb: Tcb, length: number, fin: boolean, forced: boolean, mss: number = tcb.mss): void {
  const { context, flight } = tcb;
  if (flight.inFlight === 0) tcb.congestion.onRestart(tcb);
  const seq = tcb.sndNxt;
  const end = (seq + length) | 0;
  const { nowUs } = tcb;
  const segments = Math.max(Math.ceil(length / mss), 1);
  const pushed = seqGt(tcb.pushSeq, seq) && seqLe(tcb.pushSeq, end);
  const push = length > 0 && (forced || pushed || segments > 1 || fin);
  tcb.sndNxt = fin ? (end + 1) | 0 : end;
  let at = seq;
  beginRateSending(tcb);
  do {
    const next = seqLt((at + mss) | 0, end) ? (at + mss) | 0 : end;
    const last = next === end;
    const marks = last ? (fin ? TX_FIN : 0) | (push ? TX_PUSH : 0) : 0;
    const segment = context.newSegment(at, last ? tcb.sndNxt : next, nowUs, marks);
    tagSegment(tcb, segment);
    flight.push(segment);
    at = next;
  } while (at !== end);
  if (length % mss !== 0) tcb.smallSeq = end;
  const ect = length > 0 && (tcb.ecnFlags & ECN_OK) !== 0;
  const cwr = ect ? takeCwr(tcb) : 0;
  emitData(tcb, seq, length, (fin ? FIN : 0) | (push ? PSH : 0) | cwr | ACK, ect, mss);
  noteSent(tcb, segments, length);
}

function noteSent(tcb: Tcb, segments: number, length: number): void {
  const { nowUs } = tcb;
  const { packetsOut } = tcb.flight;
  if (length > 0) {
    tcb.dataSegsOut += segments;
    tcb.context.host.mib.TcpExt.TCPOrigDataSent += segments;
    // A reply within the delayed-ACK time: from now on our data will carry the ACKs.
    if (nowUs - tcb.lastReceivedUs < tcb.atoUs) tcb.pingPong = true;
  }
  tcb.bytesSent += length;
  if (tcb.caState === 'Recovery' || tcb.caState === 'CWR') tcb.prrOut += segments;
  if (seqGe(tcb.sndUna, tcb.cwndUsageSeq) || packetsOut > tcb.maxPacketsOut) {
    tcb.maxPacketsOut = packetsOut;
    tcb.cwndUsageSeq = tcb.sndNxt;
    tcb.cwndLimited = tcb.flight.inFlight >= tcb.cwnd;
  }
  tcb.lastSentUs = nowUs;
}

/** RFC 5681 section 4.1: after a silence longer than the time-out the window falls back towards the initial one. */
function restartAfterIdle(tcb: Tcb): void {
  const idleUs = tcb.nowUs - tcb.lastSentUs;
  if (tcb.lastSentUs === 0 || idleUs <= tcb.rtoUs) return;
  const { sysctl } = tcb.context.host;
  if (!sysctl.tcp_slow_start_after_idle) return;
  const restart = Math.min(sysctl.ethertype_init_cwnd, tcb.cwnd);
  tcb.ssthresh = Math.max(tcb.ssthresh, (tcb.cwnd >> 1) + (tcb.cwnd >> 2));
  for (let left = idleUs - tcb.rtoUs; left > 0 && tcb.cwnd > restart; left -= tcb.rtoUs) tcb.cwnd >>= 1;
  tcb.cwnd = Math.max(tcb.cwnd, restart);
}

/**
 * A probe's data: as much of the unsent data as the peer's window takes, whatever Nagle or the congestion window say.
 * False when there is none. The caller sets the timer. `push` marks it as all there is for now.
 */
export function sendForced(tcb: Tcb, push: boolean): boolean {
  const window = seqDiff(tcb.sndWndEnd, tcb.sndNxt);
  const finDue = tcb.finQueued && !tcb.finSent;
  const length = Math.min(tcb.unsent, window, tcb.mss);
  if (length < 0 || (length === 0 && !(finDue && tcb.unsent === 0 && window > 0))) return false;
  sendData(tcb, length, finDue && finFits(tcb, length, tcb.unsent), push);
  return true;
}

/** Bytes that a write takes now. */
export function writableBytes(tcb: Tcb): number {
  return Math.max(tcb.sndBuf - tcb.sendQueue.length, 0);
}

/** poll's POLLOUT: at least a third of the buffer is free, so that a writer is not woken for crumbs. */
export function isWritable(tcb: Tcb): boolean {
  return tcb.sndBuf - tcb.sendQueue.length >= tcb.sendQueue.length >> 1 && writableBytes(tcb) > 0;
}

/** After an acknowledgement: lets the buffer grow with the congestion window, and wakes a writer that waits. */
export function tuneSendBuffer(tcb: Tcb): void {
  const { sysctl } = tcb.context.host;
  if (!tcb.settings.sndBufLocked) {
    const segments = Math.max(tcb.cwnd, sysctl.ethertype_init_cwnd, tcb.reordering + 1);
    const wanted = 2 * segments * (tcb.mss + 512);
    if (wanted > tcb.sndBuf) tcb.sndBuf = Math.min(wanted, sysctl.tcp_wmem[2]);
  }
  if (tcb.writeBlocked && isWritable(tcb)) {
    tcb.writeBlocked = false;
    tcb.output.ready(POLLOUT);
  }
}
