/**
 * How much memory a connection has for what it receives, and how the window that may be offered follows from it: slow
 * at first, then as the peer's segments make good use of memory (Linux's rcv_ssthresh), with a buffer that grows with
 * what the user reads (dynamic right-sizing, tcp_rcv_space_adjust).
 * @module
 */
import { type Seq, seqDiff, seqGe, seqGt } from '../../base/seq.ts';
import type { Segment } from '../segment.ts';
import type { Tcb } from '../tcb.ts';
import { fullSpace, spaceOf, WINDOW_MAX, windowOf } from './window.ts';

/** SO_RCVBUF at least, in bytes, halved: the least TCP_WINDOW_CLAMP. */
const CLAMP_MIN = 1152;
/** A segment this large shows that the peer makes good use of the window. */
export const GROW_FROM = 128;

/** The connection is established: one segment of the buffer stays free (tcp_init_buffer_space). */
export function beginReceiveSpace(tcb: Tcb): void {
  const { advMss, rcvWnd } = tcb;
  tcb.copiedSeq = tcb.rcvNxt;
  tcb.rcvSpaceSeq = tcb.rcvNxt;
  tcb.rcvSpaceUs = tcb.nowUs;
  const most = fullSpace(tcb);
  tcb.windowClamp = Math.min(tcb.windowClamp, most);
  if (tcb.windowClamp > 2 * advMss && tcb.windowClamp + advMss > most)
    tcb.windowClamp = Math.max(2 * advMss, most - advMss);
  tcb.rcvSsthresh = Math.min(tcb.rcvSsthresh, tcb.windowClamp);
  tcb.rcvSpace = Math.min(tcb.rcvSsthresh, rcvWnd, tcb.context.host.sysctl.ethertype_init_cwnd * advMss);
}

/** TCP_WINDOW_CLAMP on a connection (tcp_set_window_clamp). */
export function clampWindow(tcb: Tcb, bytes: number): void {
  const clamp = bytes === 0 ? WINDOW_MAX << tcb.rcvWscale : Math.max(bytes, CLAMP_MIN);
  if (clamp < tcb.windowClamp) tcb.rcvSsthresh = Math.min(tcb.rcvSsthresh, clamp);
  else tcb.rcvSsthresh = Math.max(Math.min(tcb.rcvWnd, clamp), tcb.rcvSsthresh);
  tcb.windowClamp = clamp;
}

/**
 * Whether a reader is told: `least` bytes wait (SO_RCVLOWAT), or fewer and the window has no room for more (Linux's
 * tcp_epollin_ready).
 */
export function isReadable(tcb: Tcb, least: number = tcb.settings.rcvLowat): boolean {
  const { readable } = tcb.receiveQueue;
  return readable > 0 && (readable >= least || tcb.rcvWndLeft <= tcb.rcvMss);
}

/** SO_RCVLOWAT was set: so much must have room in the buffer (Linux's tcp_set_rcvlowat). */
export function makeRoomForLowat(tcb: Tcb): void {
  const { rcvLowat, rcvBufLocked } = tcb.settings;
  const space = spaceOf(tcb, rcvLowat);
  if (rcvBufLocked || space <= tcb.rcvBuf) return;
  tcb.rcvBuf = space;
  if (tcb.windowClamp > 0) tcb.windowClamp = Math.max(tcb.windowClamp, rcvLowat);
}

/** A segment of a new size shows how well the peer's fill their buffers (tcp_measure_rcv_mss). */
export function noteScalingRatio(tcb: Tcb, length: number, cost: number): void {
  const ratio = Math.max(Math.min(Math.floor((length * 256) / cost), 255), 1);
  if (ratio === tcb.scalingRatio) return;
  tcb.scalingRatio = ratio;
  clampWindow(tcb, Math.max(fullSpace(tcb), 1));
  tcb.rcvSpace = Math.min(tcb.rcvSpace, tcb.windowClamp);
}

/**
 * After data, `length` bytes that cost `cost`: the window that may be offered grows (tcp_grow_window). `charged` of the
 * memory in use is not counted yet.
 */
export function growWindow(tcb: Tcb, length: number, cost: number, charged: number): void {
  const free = windowOf(tcb, tcb.rcvBuf - tcb.receiveQueue.memory.used + charged);
  const room = Math.min(tcb.windowClamp, free) - tcb.rcvSsthresh;
  if (room <= 0) return;
  const grow = windowOf(tcb, cost) <= length ? 2 * tcb.advMss : cautiousGrowth(tcb, length, cost);
  if (grow === 0) return;
  tcb.rcvSsthresh += Math.min(room, Math.max(grow, 2 * length));
  tcb.quickAcks |= 1;
}

/** For segments that waste memory: only while the window is a part of the buffer's limit. */
function cautiousGrowth(tcb: Tcb, length: number, cost: number): number {
  let part = windowOf(tcb, cost) >> 1;
  let window = windowOf(tcb, tcb.context.host.sysctl.tcp_rmem[2]) >> 1;
  while (tcb.rcvSsthresh <= window) {
    if (part <= length) return 2 * tcb.rcvMss;
    part >>= 1;
    window >>= 1;
  }
  return 0;
}

/** Measures the receiver's round-trip time by how long the peer takes to fill the window once. */
export function measureReceiverRtt(tcb: Tcb): void {
  if (tcb.rcvRttStartUs !== 0 && !seqGe(tcb.rcvNxt, tcb.rcvRttSeq)) return;
  if (tcb.rcvRttStartUs !== 0) noteReceiverRtt(tcb, tcb.nowUs - tcb.rcvRttStartUs, true);
  tcb.rcvRttSeq = (tcb.rcvNxt + tcb.rcvWnd) | 0;
  tcb.rcvRttStartUs = tcb.nowUs;
}

/** RTTM by the peer's echo of our clock, at the receiver: how long our last segment and a full one in answer took. */
export function measureReceiverRttByEcho(tcb: Tcb, segment: Segment): void {
  const { tsEcr } = segment.options;
  if (!tcb.timestamps || !segment.options.timestamps || tsEcr === tcb.rcvRttEcho) return;
  tcb.rcvRttEcho = tsEcr;
  if (segment.length < tcb.rcvMss) return;
  const elapsedMs = (tcb.tsNow - tsEcr) | 0;
  if (elapsedMs > 0) noteReceiverRtt(tcb, elapsedMs * 1000, false);
}

/** Takes a measurement, smoothed by an eighth. One made by the window may be too long: only its minimum counts. */
function noteReceiverRtt(tcb: Tcb, sampleUs: number, upperBound: boolean): void {
  const rttUs = Math.max(sampleUs, 1);
  if (tcb.rcvRttUs === 0 || rttUs < tcb.rcvRttUs) tcb.rcvRttUs = rttUs;
  // The user may be what is slow.
  else if (!upperBound && tcb.rcvNxt === tcb.copiedSeq) tcb.rcvRttUs += (rttUs - tcb.rcvRttUs) / 8;
}

/** After the user has read: lets the buffer grow to twice what was read in the last round trip. */
export function tuneReceiveBuffer(tcb: Tcb): void {
  const elapsedUs = tcb.nowUs - tcb.rcvSpaceUs;
  if (tcb.rcvRttUs === 0 || elapsedUs < tcb.rcvRttUs) return;
  const waiting = seqDiff(tcb.rcvNxt, tcb.copiedSeq);
  const copied = seqDiff(tcb.copiedSeq, tcb.rcvSpaceSeq) - waiting;
  if (copied > tcb.rcvSpace) growReceiveBuffer(tcb, copied);
  tcb.rcvSpaceSeq = tcb.copiedSeq;
  tcb.rcvSpaceUs = tcb.nowUs;
}

/** Room for twice `copied`, more when the rate itself is growing, and for what waits behind gaps (tcp_rcvbuf_grow). */
export function growReceiveBuffer(tcb: Tcb, copied: number): void {
  const { sysctl } = tcb.context.host;
  const before = tcb.rcvSpace;
  tcb.rcvSpace = copied;
  if (!sysctl.tcp_moderate_rcvbuf || tcb.settings.rcvBufLocked) return;
  let window = 2 * copied;
  window += 2 * Math.floor((window * (copied - before)) / before);
  window += Math.max(seqDiff(tcb.receiveQueue.highest(tcb.rcvNxt), tcb.rcvNxt), 0);
  const space = Math.min(spaceOf(tcb, window), sysctl.tcp_rmem[2]);
  if (space <= tcb.rcvBuf) return;
  tcb.rcvBuf = space;
  tcb.windowClamp = fullSpace(tcb);
}

/** Whether a segment at `seq` may be kept; memory is freed for it where that is possible (tcp_try_rmem_schedule). */
export function hasRoomFor(tcb: Tcb, seq: Seq): boolean {
  const { receiveQueue } = tcb;
  const { memory } = receiveQueue;
  if (memory.used <= tcb.rcvBuf) return true;
  const { TcpExt } = tcb.context.host.mib;
  TcpExt.PruneCalled++;
  limitWindow(tcb);
  if (memory.used <= tcb.rcvBuf) return true;
  if (memory.collapse(receiveQueue.readable, tcb.rcvNxt)) TcpExt.TCPRcvCollapsed++;
  if (memory.used <= tcb.rcvBuf) return true;
  if (receiveQueue.hasGap && !seqGt(seq, receiveQueue.highest(tcb.rcvNxt))) {
    TcpExt.OfoPruned++;
    receiveQueue.prune(tcb.rcvBuf);
  }
  if (memory.used <= tcb.rcvBuf) return true;
  TcpExt.RcvPruned++;
  return false;
}

/** Memory is short: the buffer may be as large as what is in it, the window small (tcp_clamp_window). */
function limitWindow(tcb: Tcb): void {
  const { used } = tcb.receiveQueue.memory;
  const { tcp_rmem } = tcb.context.host.sysctl;
  tcb.quickAcks = 0;
  if (tcb.rcvBuf < tcp_rmem[2] && !tcb.settings.rcvBufLocked) tcb.rcvBuf = Math.min(used, tcp_rmem[2]);
  if (used > tcb.rcvBuf) tcb.rcvSsthresh = Math.min(tcb.windowClamp, 2 * tcb.advMss);
}
