/**
 * The receive window: what to offer (RFC 9293 section 3.8.6.2.2, silly-window avoidance), as Linux chooses it. How much
 * memory there is for it: receive-space.ts.
 * @module
 */
import type { Sysctl } from '../../core/sysctl.ts';
import { WINDOW_SCALE_MAX } from '../../wire/tcp-options.ts';
import type { Tcb } from '../tcb.ts';

/** The largest window that fits the header unscaled. */
export const WINDOW_MAX = 65535;

/** `scalingRatio` is in 256ths. */
const RATIO_ONE = 256;
/** How much of a buffer is offered as window before anything has come; the rest is overhead. */
export const SCALING_RATIO_DEFAULT = 128;

/** The window that a buffer allows before anything has come. */
export function windowFromSpace(space: number): number {
  return (space * SCALING_RATIO_DEFAULT) / RATIO_ONE;
}

/** How much of a buffer is window, by what the segments of this peer have cost. */
export function windowOf(tcb: Tcb, space: number): number {
  return Math.floor((space * tcb.scalingRatio) / RATIO_ONE);
}

/** The buffer that a window needs: the inverse of `windowOf`. */
export function spaceOf(tcb: Tcb, window: number): number {
  return Math.floor((window * RATIO_ONE) / tcb.scalingRatio);
}

/** The whole window that the buffer allows, in bytes. */
export function fullSpace(tcb: Tcb): number {
  return windowOf(tcb, tcb.rcvBuf);
}

/** What of it is left beside what waits to be read; below 0 when that takes more than the buffer. */
function freeSpace(tcb: Tcb): number {
  return windowOf(tcb, tcb.rcvBuf - tcb.receiveQueue.memory.used);
}

/** Chooses the first window and the scale to offer, before the SYN goes out. */
export function selectInitialWindow(tcb: Tcb): void {
  const { sysctl } = tcb.context.host;
  const { window, scale } = initialWindow(sysctl, fullSpace(tcb), tcb.advMss, tcb.settings);
  tcb.rcvWnd = window;
  tcb.rcvWscale = scale;
  beginWindow(tcb);
}

/** The scale that our SYN offers, whether or not the peer agreed to it. */
export function offeredScale(tcb: Tcb): number {
  return initialWindow(tcb.context.host.sysctl, fullSpace(tcb), tcb.advMss, tcb.settings).scale;
}

/** The window that the SYN or SYN-ACK offered is the one to go on with. */
export function beginWindow(tcb: Tcb): void {
  const clamp = tcb.settings.windowClamp || WINDOW_MAX << WINDOW_SCALE_MAX;
  tcb.windowClamp = Math.min(clamp, WINDOW_MAX << tcb.rcvWscale);
  tcb.rcvSsthresh = tcb.rcvWnd;
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
  return { window, scale: sysctl.tcp_window_scaling ? scale : 0 };
}

/** The window to offer now, in bytes, whatever was promised: no small steps (Linux's __tcp_select_window). */
export function selectWindow(tcb: Tcb): number {
  const allowed = fullSpace(tcb);
  const full = Math.min(tcb.windowClamp, allowed);
  const mss = Math.min(tcb.rcvMss, full);
  if (mss <= 0) return 0;
  const unit = 1 << tcb.rcvWscale;
  let free = freeSpace(tcb);
  const shrinks = mayShrink(tcb);
  if (shrinks) free -= free % unit;
  if (free < full >> 1) {
    tcb.quickAcks = 0;
    free -= free % unit;
    if (free < allowed >> 4 || free < mss || (shrinks && free < unit)) return 0;
  }
  if (shrinks && free <= tcb.rcvSsthresh) return free;
  free = Math.min(free, tcb.rcvSsthresh);
  if (tcb.rcvWscale > 0) return Math.ceil(free / unit) * unit;
  return wholeSegments(tcb, free, mss, full);
}

/** A window that is not scaled is a number of segments, and the one before as long as it is about that large. */
function wholeSegments({ rcvWnd }: Tcb, free: number, mss: number, full: number): number {
  if (rcvWnd <= free - mss || rcvWnd > free) return free - (free % mss);
  return mss === full && free > rcvWnd + (full >> 1) ? free : rcvWnd;
}

/**
 * tcp_shrink_window, which needs a scale. Not while something waits behind a gap: its memory would close the window to
 * what fills the gap, for ever when nothing is there to be read.
 */
function mayShrink(tcb: Tcb): boolean {
  return tcb.context.host.sysctl.tcp_shrink_window && tcb.rcvWscale > 0 && !tcb.receiveQueue.hasGap;
}

/** What is offered now: never less than what was promised before, unless that is allowed, or memory is out. */
function windowToOffer(tcb: Tcb): number {
  if (tcb.ackNoMemory) return 0;
  const left = tcb.rcvWndLeft;
  const window = selectWindow(tcb);
  if (window >= left || mayShrink(tcb)) return window;
  if (window === 0) tcb.context.host.mib.TcpExt.TCPWantZeroWindowAdv++;
  const unit = 1 << tcb.rcvWscale;
  return Math.ceil(left / unit) * unit;
}

/** Fixes the window to advertise and returns the header's field. `syn`: the field of a SYN is never scaled. */
export function advertiseWindow(tcb: Tcb, syn: boolean): number {
  if (syn) {
    tcb.rcvWup = tcb.rcvNxt;
    return Math.min(tcb.rcvWnd, WINDOW_MAX);
  }
  const { mib } = tcb.context.host;
  const before = tcb.rcvWnd;
  tcb.rcvWnd = windowToOffer(tcb);
  tcb.rcvWup = tcb.rcvNxt;
  const field = Math.min(tcb.rcvWnd, WINDOW_MAX << tcb.rcvWscale) >>> tcb.rcvWscale;
  if (field === 0 && before > 0) mib.TcpExt.TCPToZeroWindowAdv++;
  else if (field > 0 && before === 0) mib.TcpExt.TCPFromZeroWindowAdv++;
  return field;
}

/** Whether reading has freed so much that the peer should hear of it at once (Linux's tcp_cleanup_rbuf). */
export function windowUpdateDue(tcb: Tcb): boolean {
  const left = tcb.rcvWndLeft;
  if (2 * left > tcb.windowClamp) return false;
  const window = selectWindow(tcb);
  return window > 0 && window >= 2 * left;
}
