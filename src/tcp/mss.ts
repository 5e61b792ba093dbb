/**
 * The payload of a full segment (RFC 9293 section 3.7.1, RFC 6691).
 * @module
 */
import { TCP_HEADER_LENGTH } from '../wire/tcp.ts';
import { TIMESTAMPS_LENGTH } from '../wire/tcp-options.ts';
import { MSS_MIN, sackLength } from './receive/sack-blocks.ts';
import type { Tcb } from './tcb.ts';

/** Half of a window that is larger than this is a full segment at most; a smaller one is taken whole. */
const HALF_WINDOW_FROM = 536;

/** Payload of a full segment: the peer's MSS within the path's MTU, less options, at most half the peer's window. */
export function updateMss(tcb: Tcb): void {
  const { mtuSearch } = tcb;
  const mss = mssFor(tcb, mtuSearch === null ? tcb.pathMtu : Math.min(tcb.pathMtu, mtuSearch.low));
  tcb.mss = Math.max(boundToHalfWindow(tcb, mss), MSS_MIN);
  tcb.mssStale = false;
}

/** The payload of a full segment that leaves now: SACK blocks take some of its room (Linux's tcp_current_mss). */
export function currentMss(tcb: Tcb): number {
  return tcb.sack ? Math.max(tcb.mss - sackLength(tcb), MSS_MIN) : tcb.mss;
}

/**
 * `size`, or half of the largest window that the peer ever offered: one whose whole window is smaller than two segments
 * would starve (SWS).
 */
export function boundToHalfWindow({ maxSndWnd }: Tcb, size: number): number {
  if (maxSndWnd === 0) return size;
  return Math.min(size, maxSndWnd > HALF_WINDOW_FROM ? maxSndWnd >> 1 : maxSndWnd);
}

/** The payload of a segment that fills a packet of `mtu` bytes, or the most that the peer takes. */
export function mssFor(tcb: Tcb, mtu: number): number {
  return Math.min(mtu - tcb.ipHeaderLength - TCP_HEADER_LENGTH, mssLimit(tcb)) - optionsLength(tcb);
}

/** The packet that a segment with so much payload makes, in bytes. */
export function mtuFor(tcb: Tcb, mss: number): number {
  return mss + optionsLength(tcb) + TCP_HEADER_LENGTH + tcb.ipHeaderLength;
}

/** What the peer's MSS option and TCP_MAXSEG leave (Linux's mss_clamp). */
export function mssLimit({ settings, peerMss }: Tcb): number {
  return settings.maxSeg > 0 ? Math.min(peerMss, settings.maxSeg) : peerMss;
}

function optionsLength(tcb: Tcb): number {
  return tcb.timestamps ? TIMESTAMPS_LENGTH : 0;
}
