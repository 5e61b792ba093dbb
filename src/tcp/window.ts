/**
 * The receive window: what to offer (RFC 9293 section 3.8.6.2.2, silly-window avoidance) and how large a buffer to
 * keep for it (dynamic right-sizing, as Linux's tcp_rcv_space_adjust).
 * @module
 */
import { seqDiff, seqGe } from '../base/seq.ts';
import type { Sysctl } from '../core/sysctl.ts';
import { TCP_HEADER_LENGTH } from '../wire/tcp.ts';
import { WINDOW_SCALE_MAX } from '../wire/tcp-options.ts';
import type { Tcb } from './tcb.ts';

/** The largest window that fits the header unscaled. */
export const WINDOW_MAX = 65535;

/**
 * How much of a buffer is offered as window, in 256ths: the rest is for what packets occupy beside their payload. Half,
 * until the peer's segments show how well they use it (Linux's TCP_DEFAULT_SCALING_RATIO).
 */
export const SCALING_RATIO_DEFAULT = 128;

/** The window for `space` bytes of buffer at a scaling ratio. */
export function windowFromSpace(space: number, scalingRatio: number = SCALING_RATIO_DEFAULT): number {
  return Math.floor((space * scalingRatio) / 256);
}

/** The buffer that a window needs: the inverse of `windowFromSpace`. */
function spaceFromWindow(tcb: Tcb, window: number): number {
  return Math.floor((window * 256) / tcb.scalingRatio);
}

/** The whole window that the buffer allows, in bytes. */
export function fullSpace(tcb: Tcb): number {
  const space = windowFromSpace(tcb.rcvBuf, tcb.scalingRatio);
  return tcb.windowClamp > 0 ? Math.min(space, tcb.windowClamp) : space;
}

/** The window that what waits in the buffer, in order or behind gaps, has left. */
function freeSpace(tcb: Tcb): number {
  return windowFromSpace(tcb.rcvBuf - tcb.rmemAlloc, tcb.scalingRatio);
}

/** Bytes of packets whose small pieces were put together, and the memory that this takes (Linux's tcp_collapse). */
const COLLAPSED_LENGTH = 3776;
const COLLAPSED_TRUESIZE = 4352;

/** Whether the buffer takes another segment of any size; small ones are put together before it counts as full. */
export function canIngest(tcb: Tcb): boolean {
  if (tcb.rmemAlloc <= tcb.rcvBuf) return true;
  const { readable, outOfOrder } = tcb.receiveQueue;
  const collapsed = Math.ceil((readable + outOfOrder) / COLLAPSED_LENGTH) * COLLAPSED_TRUESIZE;
  if (collapsed < tcb.rmemAlloc) {
    tcb.rmemAlloc = collapsed;
    tcb.context.host.mib.TcpExt.TCPRcvCollapsed++;
  }
  return tcb.rmemAlloc <= tcb.rcvBuf;
}

/** A segment with `length` bytes of payload has come into the receive queue. */
export function chargeReceived(tcb: Tcb, length: number): void {
  tcb.rmemAlloc += truesize(tcb, length);
}

/** `length` bytes have left the receive queue: they take their share of the memory with them. */
export function unchargeReceived(tcb: Tcb, length: number): void {
  const { readable, outOfOrder } = tcb.receiveQueue;
  const rest = readable + outOfOrder;
  tcb.rmemAlloc = rest === 0 ? 0 : Math.floor((tcb.rmemAlloc * rest) / (rest + length));
}

const PAGE = 4096;
/** What Linux keeps of a packet beside its bytes: the struct sk_buff, what stands behind the data, room before it. */
const SKB_STRUCT = 256;
const SKB_SHARED_INFO = 320;
const SKB_HEADROOM = 64;
const SKB_LINEAR_MAX = PAGE - SKB_SHARED_INFO - SKB_HEADROOM;
const CACHE_LINE = 64;

/**
 * The memory that Linux counts for a segment with `length` bytes of payload that comes from a tun device: our own queue
 * holds bytes only, but the window tells the peer how large our segments should be taken to be.
 */
function truesize(tcb: Tcb, length: number): number {
  const packet = length + tcb.ipHeaderLength + TCP_HEADER_LENGTH;
  if (SKB_HEADROOM + packet >= PAGE) {
    return SKB_STRUCT + PAGE + Math.ceil((packet - SKB_LINEAR_MAX) / PAGE) * PAGE;
  }
  const head = Math.ceil((SKB_HEADROOM + packet) / CACHE_LINE) * CACHE_LINE + SKB_SHARED_INFO;
  return SKB_STRUCT + 2 ** (32 - Math.clz32(head - 1));
}

/** The peer's segments have a new size: how much of the buffer the window may be (Linux's tcp_measure_rcv_mss). */
export function learnScalingRatio(tcb: Tcb, length: number): void {
  const before = fullSpace(tcb);
  tcb.scalingRatio = Math.max(Math.floor((length * 256) / truesize(tcb, length)), 1);
  fullSpaceChanged(tcb, before);
}

/** TCP_WINDOW_CLAMP has another value; 0 is none. */
export function clampWindow(tcb: Tcb, clamp: number): void {
  const before = fullSpace(tcb);
  tcb.windowClamp = clamp;
  if (fullSpace(tcb) !== before) fullSpaceChanged(tcb, before);
}

function fullSpaceChanged(tcb: Tcb, before: number): void {
  const full = fullSpace(tcb);
  const grew = full > before || (tcb.rcvWscale === 0 && tcb.windowClamp === 0);
  tcb.rcvSsthresh = grew
    ? Math.max(Math.min(tcb.rcvWnd, full), tcb.rcvSsthresh)
    : Math.min(tcb.rcvSsthresh, full);
}

/** A segment this large shows that the peer makes good use of the window. */
export const GROW_FROM = 128;

/** After data: the window that may be offered grows by two such segments (Linux's tcp_grow_window). */
export function growWindow(tcb: Tcb, length: number): void {
  const room = Math.min(fullSpace(tcb), freeSpace(tcb)) - tcb.rcvSsthresh;
  if (room <= 0) return;
  const occupied = windowFromSpace(truesize(tcb, length), tcb.scalingRatio);
  const segments = occupied <= length ? 2 * tcb.advMss : growthOfSmall(tcb, length, occupied);
  if (segments === 0) return;
  tcb.rcvSsthresh += Math.min(room, Math.max(segments, 2 * length));
  tcb.quickAcks |= 1;
}

/** Segments with much beside their payload let the window grow while it is small enough for that. */
function growthOfSmall(tcb: Tcb, length: number, occupied: number): number {
  let size = occupied >> 1;
  let window = windowFromSpace(tcb.context.host.sysctl.tcp_rmem[2], tcb.scalingRatio) >> 1;
  while (tcb.rcvSsthresh <= window) {
    if (size <= length) return 2 * tcb.rcvMss;
    size >>= 1;
    window >>= 1;
  }
  return 0;
}

/** Chooses the first window and the scale to offer, before the SYN or SYN-ACK goes out. */
export function selectInitialWindow(tcb: Tcb): void {
  const { sysctl } = tcb.context.host;
  const initial = initialWindow(
    sysctl,
    windowFromSpace(tcb.rcvBuf, tcb.scalingRatio),
    tcb.advMss,
    tcb.settings,
  );
  tcb.windowClamp = tcb.settings.windowClamp;
  tcb.rcvWnd = initial.window;
  tcb.rcvWscale = initial.scale;
  startWindow(tcb);
  tcb.rcvSpace = Math.min(initial.window, sysctl.ethertype_init_cwnd * tcb.advMss);
}

/** What both ends offered is known: the window that may be offered next. */
export function startWindow(tcb: Tcb): void {
  tcb.rcvSsthresh = Math.min(tcb.rcvWnd, fullSpace(tcb), WINDOW_MAX << tcb.rcvWscale);
}

/**
 * The window and the scale that a SYN offers for `space` bytes of window: a whole number of segments. The header of a
 * SYN shows at most `WINDOW_MAX` of it.
 */
export function initialWindow(
  sysctl: Sysctl,
  space: number,
  mss: number,
  settings: Tcb['settings'],
): { window: number; scale: number } {
  let window = settings.windowClamp > 0 ? Math.min(space, settings.windowClamp) : space;
  if (window > mss) window -= window % mss;
  let largest = settings.rcvBufLocked ? space : Math.max(space, sysctl.tcp_rmem[2], sysctl.rmem_max);
  if (settings.windowClamp > 0) largest = Math.min(largest, settings.windowClamp);
  const scale = Math.min(Math.max(31 - Math.clz32(largest) - 15, 0), WINDOW_SCALE_MAX);
  return { window, scale: sysctl.tcp_window_scaling ? scale : 0 };
}

/**
 * The window that there is room for now, in bytes, without small steps (Linux's __tcp_select_window): less, perhaps,
 * than what was promised. When the buffer is half full, ACKs are not hurried any more.
 */
export function roomForWindow(tcb: Tcb): number {
  const full = fullSpace(tcb);
  const mss = Math.min(tcb.rcvMss, full);
  const unit = 1 << tcb.rcvWscale;
  let free = Math.max(freeSpace(tcb), 0);
  if (shrinks(tcb)) free -= free % unit;
  if (free < full >> 1) {
    tcb.quickAcks = 0;
    free -= free % unit;
    if (free < windowFromSpace(tcb.rcvBuf, tcb.scalingRatio) >> 4 || free < mss) return 0;
  }
  free = Math.min(free, tcb.rcvSsthresh);
  if (tcb.rcvWscale > 0) return Math.ceil(free / unit) * unit;
  if (tcb.rcvWnd <= free - mss || tcb.rcvWnd > free) return free - (free % mss);
  if (mss === full && free > tcb.rcvWnd + (full >> 1)) return free;
  return tcb.rcvWnd;
}

/** tcp_shrink_window: the right edge may move back, where windows are scaled. */
function shrinks(tcb: Tcb): boolean {
  return tcb.context.host.sysctl.tcp_shrink_window && tcb.rcvWscale > 0;
}

/** The window to offer now, in bytes: never less than what was promised, but for tcp_shrink_window. */
function selectWindow(tcb: Tcb): number {
  const window = roomForWindow(tcb);
  const left = tcb.rcvWndLeft;
  if (window >= left || shrinks(tcb)) return window;
  if (window === 0) tcb.context.host.mib.TcpExt.TCPWantZeroWindowAdv++;
  return left;
}

/** Fixes the window to advertise and returns the header's field. `syn`: the field of a SYN is never scaled. */
export function advertiseWindow(tcb: Tcb, syn: boolean): number {
  const { mib } = tcb.context.host;
  const shift = syn ? 0 : tcb.rcvWscale;
  const before = tcb.rcvWnd;
  if (!syn) tcb.rcvWnd = tcb.noMemory ? 0 : Math.ceil(selectWindow(tcb) / (1 << shift)) << shift;
  tcb.rcvWup = tcb.rcvNxt;
  if (tcb.rcvWnd === 0 && before > 0) mib.TcpExt.TCPToZeroWindowAdv++;
  else if (tcb.rcvWnd > 0 && before === 0) mib.TcpExt.TCPFromZeroWindowAdv++;
  return Math.min(tcb.rcvWnd >> shift, WINDOW_MAX);
}

/** Whether reading has freed so much that the peer should hear of it at once (Linux's tcp_cleanup_rbuf). */
export function windowUpdateDue(tcb: Tcb): boolean {
  const left = tcb.rcvWndLeft;
  if (2 * left > fullSpace(tcb)) return false;
  const window = roomForWindow(tcb);
  return window > 0 && window >= 2 * left;
}

/** Measures the receiver's round-trip time by how long the peer takes to fill the window once. */
export function measureReceiverRtt(tcb: Tcb): void {
  if (tcb.rcvRttStartUs !== 0 && !seqGe(tcb.rcvNxt, tcb.rcvRttSeq)) return;
  if (tcb.rcvRttStartUs !== 0) noteReceiverRtt(tcb, tcb.nowUs - tcb.rcvRttStartUs, true);
  tcb.rcvRttSeq = (tcb.rcvNxt + tcb.rcvWnd) | 0;
  tcb.rcvRttStartUs = tcb.nowUs;
}

/** Takes a measurement; one made by the window may be too long, so only its minimum counts. */
export function noteReceiverRtt(tcb: Tcb, sampleUs: number, upperBound: boolean): void {
  const rttUs = Math.max(sampleUs, 1);
  if (tcb.rcvRttUs === 0 || (upperBound && rttUs < tcb.rcvRttUs)) tcb.rcvRttUs = rttUs;
  else if (!upperBound) tcb.rcvRttUs = Math.round(tcb.rcvRttUs + (rttUs - tcb.rcvRttUs) / 8);
}

/** After the user has read: lets the buffer grow to twice what was read in the last round trip. */
export function tuneReceiveBuffer(tcb: Tcb): void {
  const elapsedUs = tcb.nowUs - tcb.rcvSpaceUs;
  if (tcb.rcvRttUs === 0 || elapsedUs < tcb.rcvRttUs) return;
  const copied = seqDiff(tcb.copiedSeq, tcb.rcvSpaceSeq) - tcb.receiveQueue.readable;
  if (copied > tcb.rcvSpace) growReceiveBuffer(tcb, copied);
  tcb.rcvSpaceSeq = tcb.copiedSeq;
  tcb.rcvSpaceUs = tcb.nowUs;
}

/**
 * The buffer becomes large enough for twice what was read in a round trip, more when the rate itself is growing, and
 * what waits behind gaps (Linux's tcp_rcvbuf_grow).
 */
export function growReceiveBuffer(tcb: Tcb, copied: number): void {
  const { sysctl } = tcb.context.host;
  const before = tcb.rcvSpace;
  tcb.rcvSpace = copied;
  if (!sysctl.tcp_moderate_rcvbuf || tcb.settings.rcvBufLocked) return;
  const twice = 2 * copied;
  const growth = Math.floor((twice * (copied - before)) / before);
  const waiting = seqDiff(tcb.receiveQueue.highest(tcb.rcvNxt), tcb.rcvNxt);
  const space = spaceFromWindow(tcb, twice + 2 * growth + waiting);
  tcb.rcvBuf = Math.max(tcb.rcvBuf, Math.min(space, sysctl.tcp_rmem[2]));
}
