/**
 * TCP options: MSS (RFC 9293), window scale and timestamps (RFC 7323), SACK (RFC 2018), Fast Open (RFC 7413).
 * @module
 */
import type { Seq } from '../base/seq.ts';
import { TCP_HEADER_LENGTH } from './tcp.ts';

export const OPTION_END = 0;
export const OPTION_NOP = 1;
export const OPTION_MSS = 2;
export const OPTION_WINDOW_SCALE = 3;
export const OPTION_SACK_PERMITTED = 4;
export const OPTION_SACK = 5;
export const OPTION_TIMESTAMPS = 8;
/** A Fast Open cookie, or without one the request for it. */
export const OPTION_FAST_OPEN = 34;
/** Shared by experiments, which are told apart by the 16 bits that follow (RFC 6994). */
export const OPTION_EXPERIMENTAL = 254;
/** Fast Open's number there, from before it had a kind of its own (RFC 7413 appendix A). */
export const FAST_OPEN_EXPERIMENT = 0xf989;

/** The largest shift that RFC 7323 section 2.3 allows. */
export const WINDOW_SCALE_MAX = 14;
/** Blocks that fit in 40 bytes of options without timestamps. */
export const SACK_BLOCKS_MAX = 4;

/** Bytes of the options of one header. */
const OPTIONS_LENGTH_MAX = 40;
/** Bytes of a Fast Open cookie (RFC 7413 section 4.1.1); one of another length is no cookie. */
export const FAST_OPEN_COOKIE_MIN = 4;
export const FAST_OPEN_COOKIE_MAX = 16;

/** NOP, NOP, kind, length. */
const TIMESTAMPS_PADDING = 0x01010000 | (OPTION_TIMESTAMPS << 8) | 10;
/** Bytes that timestamps take, with their padding. */
export const TIMESTAMPS_LENGTH = 12;

/** The options of one segment. Made once and filled again for each. */
export class TcpOptions {
  /** 0 when absent. */
  mss = 0;
  /** -1 when absent. */
  windowScale = -1;
  sackPermitted = false;
  timestamps = false;
  tsVal = 0;
  tsEcr = 0;
  sackCount = 0;
  /** Left and right edges, in pairs. */
  readonly sack = new Int32Array(2 * SACK_BLOCKS_MAX);
  /** Length of the Fast Open cookie: 0 asks for one, -1 when the option is absent. It counts in a SYN only. */
  cookieLength = -1;
  readonly cookie = new Uint8Array(FAST_OPEN_COOKIE_MAX);
  /** Whether it is the option of the experiment. */
  cookieExperimental = false;

  clear(): void {
    this.mss = 0;
    this.windowScale = -1;
    this.sackPermitted = false;
    this.timestamps = false;
    this.tsVal = 0;
    this.tsEcr = 0;
    this.sackCount = 0;
    this.cookieLength = -1;
  }

  /** Adds a SACK block; ignored when there is no room for it. */
  addSack(left: Seq, right: Seq): void {
    if (this.sackCount === SACK_BLOCKS_MAX) return;
    this.sack[2 * this.sackCount] = left;
    this.sack[2 * this.sackCount + 1] = right;
    this.sackCount++;
  }

  /** Adds the Fast Open option with a cookie, or without: its request. False when there is no room for it. */
  putCookie(cookie: Uint8Array, experimental: boolean): boolean {
    const length = fastOpenLength(cookie.length, experimental);
    if (tcpOptionsLength(this) + length > OPTIONS_LENGTH_MAX) return false;
    this.cookie.set(cookie);
    this.cookieLength = cookie.length;
    this.cookieExperimental = experimental;
    return true;
  }
}

/**
 * Reads the options in [start, end) into `into`. Unknown options are skipped by their length; a malformed one ends
 * the list, and what came before it stands (RFC 9293 section 3.2, MUST-7).
 */
export function parseTcpOptions(view: DataView, start: number, end: number, into: TcpOptions): void {
  into.clear();
  if (end - start === TIMESTAMPS_LENGTH && view.getInt32(start) === TIMESTAMPS_PADDING) {
    readTimestamps(view, start + 4, into);
    return;
  }
  let at = start;
  while (at < end) {
    const kind = view.getUint8(at);
    if (kind === OPTION_END) return;
    if (kind === OPTION_NOP) {
      at++;
      continue;
    }
    if (at + 1 >= end) return;
    const length = view.getUint8(at + 1);
    if (length < 2 || at + length > end) return;
    readOption(view, at, kind, length, into);
    at += length;
  }
}

function readOption(view: DataView, at: number, kind: number, length: number, into: TcpOptions): void {
  if (kind === OPTION_MSS && length === 4) {
    into.mss = view.getUint16(at + 2);
  } else if (kind === OPTION_WINDOW_SCALE && length === 3) {
    into.windowScale = Math.min(view.getUint8(at + 2), WINDOW_SCALE_MAX);
  } else if (kind === OPTION_SACK_PERMITTED && length === 2) {
    into.sackPermitted = true;
  } else if (kind === OPTION_TIMESTAMPS && length === 10) {
    readTimestamps(view, at + 2, into);
  } else if (kind === OPTION_SACK && length >= 10 && (length - 2) % 8 === 0) {
    for (let block = at + 2; block < at + length; block += 8) {
      into.addSack(view.getInt32(block), view.getInt32(block + 4));
    }
  } else if (kind === OPTION_FAST_OPEN) {
    readCookie(view, at + 2, length - 2, false, into);
  } else if (kind === OPTION_EXPERIMENTAL && length >= 4 && view.getUint16(at + 2) === FAST_OPEN_EXPERIMENT) {
    readCookie(view, at + 4, length - 4, true, into);
  }
}

/** As Linux: an odd length is ignored, one out of bounds is as good as no option; the last option counts. */
function readCookie(
  view: DataView,
  at: number,
  length: number,
  experimental: boolean,
  into: TcpOptions,
): void {
  if (length % 2 !== 0) return;
  into.cookieExperimental = experimental;
  if (length !== 0 && (length < FAST_OPEN_COOKIE_MIN || length > FAST_OPEN_COOKIE_MAX)) {
    into.cookieLength = -1;
    return;
  }
  into.cookieLength = length;
  for (let i = 0; i < length; i++) into.cookie[i] = view.getUint8(at + i);
}

function readTimestamps(view: DataView, at: number, into: TcpOptions): void {
  into.timestamps = true;
  into.tsVal = view.getInt32(at);
  into.tsEcr = view.getInt32(at + 4);
}

/** Bytes that `emitTcpOptions` will write. */
export function tcpOptionsLength(options: TcpOptions): number {
  let length = options.mss > 0 ? 4 : 0;
  if (options.timestamps) length += TIMESTAMPS_LENGTH;
  else if (options.sackPermitted) length += 4;
  if (options.windowScale >= 0) length += 4;
  if (options.sackCount > 0) length += 4 + 8 * options.sackCount;
  if (options.cookieLength >= 0) length += fastOpenLength(options.cookieLength, options.cookieExperimental);
  return length;
}

/** Bytes of the Fast Open option, padded. */
function fastOpenLength(cookieLength: number, experimental: boolean): number {
  return ((experimental ? 4 : 2) + cookieLength + 3) & ~3;
}

/** Writes the options in the order in which Linux writes them, behind a header at `offset`. */
export function emitTcpOptions(view: DataView, offset: number, options: TcpOptions): void {
  let at = offset + TCP_HEADER_LENGTH;
  if (options.mss > 0) {
    view.setInt32(at, (OPTION_MSS << 24) | (4 << 16) | options.mss);
    at += 4;
  }
  if (options.timestamps) {
    // SACK-permitted takes the place of the two NOPs that would pad the timestamps.
    const padding = options.sackPermitted ? (OPTION_SACK_PERMITTED << 24) | (2 << 16) : 0x01010000;
    view.setInt32(at, padding | (OPTION_TIMESTAMPS << 8) | 10);
    view.setInt32(at + 4, options.tsVal);
    view.setInt32(at + 8, options.tsEcr);
    at += TIMESTAMPS_LENGTH;
  } else if (options.sackPermitted) {
    view.setInt32(at, 0x01010000 | (OPTION_SACK_PERMITTED << 8) | 2);
    at += 4;
  }
  if (options.windowScale >= 0) {
    view.setInt32(at, 0x01000000 | (OPTION_WINDOW_SCALE << 16) | (3 << 8) | options.windowScale);
    at += 4;
  }
  if (options.sackCount > 0) {
    emitSack(view, at, options);
    at += 4 + 8 * options.sackCount;
  }
  if (options.cookieLength >= 0) emitFastOpen(view, at, options);
}

function emitSack(view: DataView, at: number, options: TcpOptions): void {
  view.setInt32(at, 0x01010000 | (OPTION_SACK << 8) | (2 + 8 * options.sackCount));
  for (let i = 0; i < 2 * options.sackCount; i++) view.setInt32(at + 4 + 4 * i, options.sack[i] ?? 0);
}

function emitFastOpen(view: DataView, offset: number, options: TcpOptions): void {
  const { cookie, cookieLength, cookieExperimental } = options;
  let at = offset;
  if (cookieExperimental) {
    view.setUint16(at, (OPTION_EXPERIMENTAL << 8) | (4 + cookieLength));
    view.setUint16(at + 2, FAST_OPEN_EXPERIMENT);
    at += 4;
  } else {
    view.setUint16(at, (OPTION_FAST_OPEN << 8) | (2 + cookieLength));
    at += 2;
  }
  for (let i = 0; i < cookieLength; i++) view.setUint8(at + i, cookie[i] as number);
  const end = offset + fastOpenLength(cookieLength, cookieExperimental);
  for (let i = at + cookieLength; i < end; i++) view.setUint8(i, OPTION_NOP);
}
