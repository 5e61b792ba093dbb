/**
 * TCP options: MSS (RFC 9293), window scale and timestamps (RFC 7323), SACK (RFC 2018).
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

/** The largest shift that RFC 7323 section 2.3 allows. */
export const WINDOW_SCALE_MAX = 14;
/** Blocks that fit in 40 bytes of options without timestamps. */
export const SACK_BLOCKS_MAX = 4;

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

  clear(): void {
    this.mss = 0;
    this.windowScale = -1;
    this.sackPermitted = false;
    this.timestamps = false;
    this.tsVal = 0;
    this.tsEcr = 0;
    this.sackCount = 0;
  }

  /** Adds a SACK block; ignored when there is no room for it. */
  addSack(left: Seq, right: Seq): void {
    if (this.sackCount === SACK_BLOCKS_MAX) return;
    this.sack[2 * this.sackCount] = left;
    this.sack[2 * this.sackCount + 1] = right;
    this.sackCount++;
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
  }
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
  return length;
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
  if (options.sackCount > 0) emitSack(view, at, options);
}

function emitSack(view: DataView, at: number, options: TcpOptions): void {
  view.setInt32(at, 0x01010000 | (OPTION_SACK << 8) | (2 + 8 * options.sackCount));
  for (let i = 0; i < 2 * options.sackCount; i++) view.setInt32(at + 4 + 4 * i, options.sack[i] ?? 0);
}
