import { type Seq, seqDiff, seqGe, seqGt, seqLe, seqLt, seqMax, seqMin } from '../base/seq.ts';
import type { BlockPool } from '../core/blocks.ts';
import { ByteQueue } from '../core/byte-queue.ts';
import { SACK_BLOCKS_MAX } from '../wire/tcp-options.ts';

/** Sequence numbers [start, end) that arrived ahead of a gap. */
export interface OutOfOrderRange {
  start: Seq;
  end: Seq;
}

/**
 * What was received and not yet read: bytes in order, and behind gaps the out-of-order queue, whose bytes already
 * lie where they belong in the same memory. `rcvNxt` is the connection's RCV.NXT; the caller keeps it.
 */
export class ReceiveQueue {
  private readonly bytes: ByteQueue;
  /** Sorted, disjoint, not touching. */
  private readonly ranges: OutOfOrderRange[] = [];
  /** The ranges that changed last, newest first: the order of SACK blocks (RFC 2018 section 4). */
  private readonly recent: OutOfOrderRange[] = [];

  constructor(blocks: BlockPool) {
    this.bytes = new ByteQueue(blocks);
  }

  /** Bytes that can be read. */
  get readable(): number {
    return this.bytes.length;
  }

  /** Whether something waits behind a gap. */
  get hasGap(): boolean {
    return this.ranges.length > 0;
  }

  /** How many ranges wait behind gaps. */
  get rangeCount(): number {
    return this.ranges.length;
  }

  /** What waits behind gaps, lowest first. */
  get outOfOrderRanges(): readonly OutOfOrderRange[] {
    return this.ranges;
  }

  /** Bytes that wait behind gaps. */
  get outOfOrder(): number {
    let bytes = 0;
    for (const { start, end } of this.ranges) bytes += seqDiff(end, start);
    return bytes;
  }

  /** The ranges to report in SACK blocks, newest first; at most 4. */
  get sackRanges(): readonly OutOfOrderRange[] {
    return this.recent;
  }

  /** The highest sequence number that was received, or `rcvNxt` when there is no gap. */
  highest(rcvNxt: Seq): Seq {
    return this.ranges[this.ranges.length - 1]?.end ?? rcvNxt;
  }

  /** Takes data[start, end), which begins at rcvNxt, into the queue. */
  append(data: Uint8Array, start: number, end: number): void {
    this.bytes.append(data, start, end);
  }

  /**
   * Keeps data[start, end), which begins at `seq` behind a gap. Returns false, and keeps nothing, when it would need
   * a range more than `rangesMax`.
   */
  insert(rcvNxt: Seq, seq: Seq, data: Uint8Array, start: number, end: number, rangesMax: number): boolean {
    const dataEnd = (seq + end - start) | 0;
    if (!this.addRange(seq, dataEnd, rangesMax)) return false;
    this.bytes.writeAt(this.bytes.length + seqDiff(seq, rcvNxt), data, start, end);
    return true;
  }

  /** After in-order data: takes in what the gap's filling has made contiguous. Returns the new RCV.NXT. */
  join(rcvNxt: Seq): Seq {
    let next = rcvNxt;
    for (;;) {
      const first = this.ranges[0];
      if (first === undefined || seqGt(first.start, next)) return next;
      if (seqGt(first.end, next)) {
        this.bytes.advance(seqDiff(first.end, next));
        next = first.end;
      }
      this.ranges.shift();
      this.forget(first);
    }
  }

  /** Whether all of [start, end) waits behind a gap already; the range that holds it, for D-SACK, or null. */
  covering(start: Seq, end: Seq): OutOfOrderRange | null {
    return this.ranges.find(range => seqLe(range.start, start) && seqGe(range.end, end)) ?? null;
  }

  /** Makes a range the first that is reported: something of it came again (RFC 2883 section 4.2). */
  promote(range: OutOfOrderRange): void {
    this.forget(range);
    this.remember(range);
  }

  /** Copies up to `into.length` bytes out; removes them unless `peek`. Returns how many. */
  read(into: Uint8Array, start: number, end: number, peek: boolean): number {
    const n = Math.min(end - start, this.bytes.length);
    this.bytes.copyTo(0, into, start, n);
    if (peek) return n;
    this.bytes.consume(n);
    if (this.ranges.length === 0) this.bytes.releaseIfEmpty();
    return n;
  }

  /** Forgets what waits behind gaps. */
  forgetRanges(): void {
    this.ranges.length = 0;
    this.recent.length = 0;
  }

  /** Forgets everything. */
  clear(): void {
    this.bytes.clear();
    this.forgetRanges();
  }

  private addRange(start: Seq, end: Seq, rangesMax: number): boolean {
    const { ranges } = this;
    let from = 0;
    while (from < ranges.length && seqLt((ranges[from] as OutOfOrderRange).end, start)) from++;
    let to = from;
    while (to < ranges.length && seqLe((ranges[to] as OutOfOrderRange).start, end)) to++;
    const merged = ranges.slice(from, to);
    if (merged.length === 0 && ranges.length >= rangesMax) return false;
    const range = {
      start: merged.reduce((seq, other) => seqMin(seq, other.start), start),
      end: merged.reduce((seq, other) => seqMax(seq, other.end), end),
    };
    ranges.splice(from, to - from, range);
    for (const old of merged) this.forget(old);
    this.remember(range);
    return true;
  }

  private remember(range: OutOfOrderRange): void {
    this.recent.unshift(range);
    if (this.recent.length > SACK_BLOCKS_MAX) this.recent.pop();
  }

  private forget(range: OutOfOrderRange): void {
    const index = this.recent.indexOf(range);
    if (index >= 0) this.recent.splice(index, 1);
  }
}
