/**
 * The receive window: what to offer (RFC 9293 section 3.8.6.2.2, silly-window avoidance) and how large a buffer to
 * keep for it (dynamic right-sizing, as Linux's tcp_rcv_space_adjust).
 * @module
 */
import { seqDiff, seqGe } from '../base/seq.ts';
import type { Sysctl } from '../core/sysctl.ts';
import { WINDOW_SCALE_MAX } from '../wire/tcp-options.ts';
import type { Tcb } from './tcb.ts';

/** The largest window that fits the header unscaled. */
export const WINDOW_MAX = 65535;

/** How much of a buffer is offered as window; the rest is overhead (tcp_adv_win_scale). */
export function windowFromSpace(sysctl: Sysctl, space: number): number {
  const scale = sysctl.tcp_adv_win_scale;
  return scale <= 0 ? space >> -scale : space - (space >> scale);
}

/** The buffer that a window needs: the inverse of `windowFromSpace`. */
function spaceFromWindow(tcb: Tcb, window: number): number {
  return Math.ceil((window * tcb.rcvBuf) / Math.max(windowFromSpace(tcb.context.host.sysctl, tcb.rcvBuf), 1));
}

/** The whole window that the buffer allows, in bytes. */
export function fullSpace(tcb: Tcb): number {
  const space = windowFromSpace(tcb.context.host.sysctl, tcb.rcvBuf);
  return tcb.windowClamp > 0 ? Math.min(space, tcb.windowClamp) : space;
}

/** A segment this large shows that the peer makes good use of the window. */
const GROW_FROM = 128;

/** After data: the window that may be offered grows by two segments for each that comes (Linux's tcp_grow_window). */
export function growWindow(tcb: Tcb, length: number): void {
  if (length < GROW_FROM || tcb.rcvSsthresh >= fullSpace(tcb)) return;
  tcb.rcvSsthresh = Math.min(tcb.rcvSsthresh + 2 * tcb.advMss, fullSpace(tcb));
}

/** Chooses the first window and the scale to offer, before the SYN or SYN-ACK goes out. */
export function selectInitialWindow(tcb: Tcb): void {
  const { sysctl } = tcb.context.host;
  const initial = initialWindow(
    sysctl,
    windowFromSpace(tcb.context.host.sysctl, tcb.rcvBuf),
    tcb.advMss,
    tcb.settings,
  );
  tcb.windowClamp = tcb.settings.windowClamp;
  tcb.rcvWnd = initial.window;
  tcb.rcvSsthresh = initial.window;
  tcb.rcvWscale = initial.scale;
  tcb.rcvSpace = Math.min(initial.window, sysctl.ethertype_init_cwnd * tcb.advMss);
}

/** The window and the scale that a SYN offers for `space` bytes of window: a whole number of segments. */
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
  return { window: Math.min(window, WINDOW_MAX), scale: sysctl.tcp_window_scaling ? scale : 0 };
}

/** The window to offer now, in bytes: never less than what was promised, no small steps. */
export function selectWindow(tcb: Tcb): number {
  const mss = Math.min(tcb.rcvMss, fullSpace(tcb));
  const full = fullSpace(tcb);
  const space = Math.max(full - tcb.receiveQueue.readable, 0);
  const left = tcb.rcvWndLeft;
  // Of the whole buffer: one that has just grown far beyond rcvSsthresh is not a full one.
  if (space < full >> 4 || space < mss) return left;
  const free = Math.min(space, tcb.rcvSsthresh);
  const unit = 1 << tcb.rcvWscale;
  let window: number;
  if (tcb.rcvWscale > 0) window = Math.ceil(free / unit) * unit;
  else if (tcb.rcvWnd <= free - mss || tcb.rcvWnd > free) window = free - (free % mss);
  else window = tcb.rcvWnd;
  return Math.max(window, left);
}

/** Fixes the window to advertise and returns the header's field. `syn`: the field of a SYN is never scaled. */
export function advertiseWindow(tcb: Tcb, syn: boolean): number {
  const { mib } = tcb.context.host;
  const shift = syn ? 0 : tcb.rcvWscale;
  const before = tcb.rcvWnd;
  const window = Math.min(syn ? tcb.rcvWnd : selectWindow(tcb), WINDOW_MAX << shift);
  const field = Math.min(Math.ceil(window / (1 << shift)), WINDOW_MAX);
  tcb.rcvWnd = field << shift;
  tcb.rcvWup = tcb.rcvNxt;
  if (tcb.rcvWnd === 0 && before > 0) mib.TcpExt.TCPToZeroWindowAdv++;
  else if (tcb.rcvWnd > 0 && before === 0) mib.TcpExt.TCPFromZeroWindowAdv++;
  return field;
}

/** Whether reading has freed so much that the peer should hear of it at once (Linux's tcp_cleanup_rbuf). */
export function windowUpdateDue(tcb: Tcb): boolean {
  const left = tcb.rcvWndLeft;
  if (2 * left > fullSpace(tcb)) return false;
  const window = selectWindow(tcb);
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
  const { sysctl } = tcb.context.host;
  const elapsedUs = tcb.nowUs - tcb.rcvSpaceUs;
  if (tcb.rcvRttUs === 0 || elapsedUs < tcb.rcvRttUs) return;
  const copied = seqDiff(tcb.copiedSeq, tcb.rcvSpaceSeq);
  if (copied > tcb.rcvSpace) {
    if (sysctl.tcp_moderate_rcvbuf && !tcb.settings.rcvBufLocked) growReceiveBuffer(tcb, copied);
    tcb.rcvSpace = copied;
  }
  tcb.rcvSpaceSeq = tcb.copiedSeq;
  tcb.rcvSpaceUs = tcb.nowUs;
}

function growReceiveBuffer(tcb: Tcb, copied: number): void {
  // Twice for slow start's doubling, and more when the rate itself is growing.
  const base = 2 * copied + 16 * tcb.advMss;
  const growth = (base * (copied - tcb.rcvSpace)) / tcb.rcvSpace;
  const space = spaceFromWindow(tcb, base + 2 * growth);
  tcb.rcvBuf = Math.max(tcb.rcvBuf, Math.min(space, tcb.context.host.sysctl.tcp_rmem[2]));
}
