/**
 * Packetization layer path MTU discovery (RFC 4821): a segment that is longer than usual finds out whether the path
 * takes it, without any ICMP. Its limits and moments are Linux's (tcp_mtu_probing 2). And black holes: where packets of
 * full size vanish without a word, a connection that repeats in vain tries small ones (tcp_mtu_probing 1).
 * @module
 */
import { seqDiff, seqGe } from '../../base/seq.ts';
import { TCP_HEADER_LENGTH } from '../../wire/tcp.ts';
import { mssFor, mssLimit, mtuFor, updateMss } from '../mss.ts';
import type { Tcb } from '../tcb.ts';

/** A congestion window that can spare one probe and the segments that tell of its loss. */
const CWND_MIN = 11;

/** Doublings of the time-out for which a path that has taken large segments is trusted beyond tcp_retries1. */
const PATIENCE = 2;

/** What `nextProbe` says when there is nothing to probe now, and when what is in flight must come back first. */
export const NO_PROBE = -1;
export const WAIT_FOR_PROBE = 0;

/** A connection is established: the search begins where the path's size is to be found out at once. */
export function beginMtuSearch(tcb: Tcb): void {
  if (tcb.context.host.sysctl.tcp_mtu_probing > 1) enable(tcb);
}

/** The payload of a probe to send now; NO_PROBE or WAIT_FOR_PROBE when there is none. */
export function nextProbe(tcb: Tcb): number {
  const { mtuSearch: search, flight } = tcb;
  if (search === null || search.size > 0 || tcb.caState !== 'Open' || tcb.cwnd < CWND_MIN) return NO_PROBE;
  if (tcb.receiveQueue.rangeCount > 0) return NO_PROBE;
  const length = mssFor(tcb, (search.high + search.low) >> 1);
  const { tcp_probe_threshold } = tcb.context.host.sysctl;
  if (length > mssFor(tcb, search.high) || search.high - search.low < tcp_probe_threshold) {
    searchAgain(tcb);
    return NO_PROBE;
  }
  // Behind the probe must follow what tells that it alone was lost.
  const needed = length + (tcb.reordering + 1) * tcb.mss;
  if (tcb.unsent < needed || tcb.sndWnd < needed) return NO_PROBE;
  if (seqDiff(tcb.sndWndEnd, tcb.sndNxt) < needed) return WAIT_FOR_PROBE;
  if (flight.inFlight + 2 > tcb.cwnd) return flight.inFlight === 0 ? NO_PROBE : WAIT_FOR_PROBE;
  return length;
}

/** A probe was just sent: it ends at SND.NXT. */
export function probeWasSent(tcb: Tcb, length: number): void {
  const { mtuSearch: search } = tcb;
  if (search === null) return;
  // It is as good as two segments.
  tcb.cwnd--;
  search.size = mtuFor(tcb, length);
  search.startSeq = (tcb.sndNxt - length) | 0;
  search.endSeq = tcb.sndNxt;
}

/** After an acknowledgement: if the probe has arrived, the path takes its size. */
export function checkProbeArrived(tcb: Tcb): void {
  const { mtuSearch: search } = tcb;
  if (search === null || search.size === 0 || !seqGe(tcb.sndUna, search.endSeq)) return;
  // The window in bytes stays, and with it the threshold.
  tcb.cwnd = Math.max(Math.floor((tcb.cwnd * mtuFor(tcb, tcb.mss)) / search.size), 1);
  tcb.cwndCount = 0;
  tcb.ssthresh = Math.max(tcb.ssthresh, (tcb.cwnd >> 1) + (tcb.cwnd >> 2));
  search.low = search.size;
  search.size = 0;
  updateMss(tcb);
  tcb.context.host.mib.TcpExt.TCPMTUPSuccess++;
}

/** Something is lost. True when it is the probe: no congestion is to blame, it goes out again in parts. */
export function probeWasLost(tcb: Tcb): boolean {
  const { mtuSearch: search } = tcb;
  if (search === null || search.size === 0 || tcb.sndUna !== search.startSeq) return false;
  search.high = search.size - 1;
  search.size = 0;
  tcb.cwnd++;
  tcb.context.host.mib.TcpExt.TCPMTUPFail++;
  return true;
}

/** Something is sent again while a probe is out: nothing can be learned from it any more. */
export function forgetProbe(tcb: Tcb): void {
  if (tcb.mtuSearch !== null) tcb.mtuSearch.size = 0;
}

/**
 * After so many repetitions in vain the path may swallow packets of this size: tcp_retries1, and more (unlike Linux)
 * where large segments have got through so far, since they may just as well be lost.
 */
export function blackHoleRetries({ bytesAcked, delivered, context }: Tcb): number {
  const { tcp_retries1, tcp_base_mss } = context.host.sysctl;
  return bytesAcked > delivered * tcp_base_mss ? tcp_retries1 + PATIENCE : tcp_retries1;
}

/**
 * Repetitions have been in vain for too long: perhaps the path swallows packets of this size. First what tcp_base_mss
 * makes is tried, then half of it, and so on.
 */
export function suspectBlackHole(tcb: Tcb): void {
  const { sysctl } = tcb.context.host;
  const { mtuSearch: search } = tcb;
  if (sysctl.tcp_mtu_probing === 0) return;
  if (search === null) {
    enable(tcb);
  } else {
    const half = Math.min(mssFor(tcb, search.low) >> 1, sysctl.tcp_base_mss);
    search.low = mtuFor(tcb, Math.max(half, sysctl.tcp_mtu_probe_floor, sysctl.tcp_min_snd_mss));
  }
  updateMss(tcb);
}

/** The path has become smaller: there is nothing to find beyond it. */
export function limitMtuSearch({ mtuSearch, pathMtu }: Tcb): void {
  if (mtuSearch !== null && mtuSearch.high > pathMtu) mtuSearch.high = pathMtu;
}

function enable(tcb: Tcb): void {
  const low = mtuFor(tcb, tcb.context.host.sysctl.tcp_base_mss);
  tcb.mtuSearch = { low, high: widest(tcb), size: 0, startSeq: 0, endSeq: 0, stampUs: tcb.nowUs };
}

/** Paths change: after tcp_probe_interval seconds a search that has ended begins anew. */
function searchAgain(tcb: Tcb): void {
  const { mtuSearch: search, nowUs } = tcb;
  if (search === null || nowUs - search.stampUs < tcb.context.host.sysctl.tcp_probe_interval * 1e6) return;
  search.high = widest(tcb);
  search.low = mtuFor(tcb, tcb.mss);
  search.stampUs = nowUs;
}

function widest(tcb: Tcb): number {
  return mssLimit(tcb) + TCP_HEADER_LENGTH + tcb.ipHeaderLength;
}
