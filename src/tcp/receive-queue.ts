import { type Seq, seqDiff, seqGe, seqGt, seqLe, seqLt, seqMax, seqMin } from '../base/seq.ts';
import type { BlockPool } from '../core/blocks.ts';
import { ByteQueue } from '../core/byte-queue.ts';
import { SACK_BLOCKS_MAX } from '../wire/tcp-options.ts';
import { ReceiveMemory } from './receive-memory.ts';

/** Sequence numbers [start, end) that arrived ahead of a gap. */
export interface OutOfOrderRange {
  start: Seq;
  end: Seq;
}

/** A segment behind a gap, and what it costs in memory. */
interface Waiting extends OutOfOrderRange {
  cost: number;
}

/**
 * What was received and not yet read: bytes in order, and behind gaps the out-of-order queue, whose bytes already
 * lie where they belong in the same memory. `rcvNxt` is the connection's RCV.NXT; the caller keeps it.
 */
export class ReceiveQueue {
  /** What all of it costs; the caller counts what is appended in order. */
  readonly memory = new ReceiveMemory();
  /** What came twice in the last segment that was inserted or that joined, for D-SACK; none when equal. */
  againStart: Seq = 0;
  againEnd: Seq = 0;
  private readonly bytes: ByteQueue;
  /** Sorted, disjoint, not touching. */
  private readonly ranges: OutOfOrderRange[] = [];
  /** The ranges that changed last, newest first: the order of SACK blocks (RFC 2018 section 4). */
  private readonly recent: OutOfOrderRange[] = [];
  /** The segments that make up the ranges, sorted; they may overlap. */
  private readonly waiting: Waiting[] = [];

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
   * Keeps data[start, end), which begins at `seq` behind a gap and costs `cost` bytes of memory; with `fin` a FIN
   * takes one sequence number more. 'known' when all of it was there already. 'full', and it is not kept, when it would
   * need a range more than `rangesMax`.
   */
  insert(
    rcvNxt: Seq,
    seq: Seq,
    data: Uint8Array,
    start: number,
    end: number,
    rangesMax: number,
    cost: number,
    fin = false,
  ): 'kept' | 'known' | 'full' {
    const length = end - start;
    const dataEnd = (seq + length + (fin ? 1 : 0)) | 0;
    if (this.ranges.length >= rangesMax && !this.touches(seq, dataEnd)) return 'full';
    const kept = this.store({ start: seq, end: dataEnd, cost });
    this.addRange(seq, dataEnd);
    if (!kept) return 'known';
    this.bytes.writeAt(this.bytes.length + seqDiff(seq, rcvNxt), data, start, end);
    return 'kept';
  }

  /**
   * After in-order data, which began at `before`: takes in what the gap's filling has made contiguous, up to `limit`
   * where the FIN stands. Returns the new RCV.NXT.
   */
  join(before: Seq, rcvNxt: Seq, limit: Seq | null): Seq {
    let next = rcvNxt;
    this.againEnd = this.againStart;
    for (let first = this.waiting[0]; first !== undefined; first = this.waiting[0]) {
      if (seqGt(first.start, next) || next === limit) break;
      this.waiting.shift();
      if (seqLt(first.start, rcvNxt) && seqLt(before, first.end))
        this.again(first.start, seqMin(first.end, rcvNxt));
      if (!seqGt(first.end, next)) {
        this.memory.used -= first.cost;
        continue;
      }
      const end = limit === null ? first.end : seqMin(first.end, limit);
      const length = Math.max(seqDiff(end, next), 0);
      this.bytes.advance(length);
      this.memory.addCounted(end, first.cost);
      next = (next + length) | 0;
    }
    this.forgetRanges(next);
    return next;
  }

  /** Forgets what waits behind gaps, the newest first, until no more than `most` bytes of memory are used. */
  prune(most: number): void {
    for (let last = this.waiting.pop(); last !== undefined; last = this.waiting.pop()) {
      this.memory.used -= last.cost;
      if (this.memory.used <= most) break;
    }
    this.ranges.length = 0;
    this.recent.length = 0;
    for (const { start, end } of this.waiting) this.addRange(start, end);
    this.recent.length = 0;
  }

  /** Forgets all that waits behind gaps. */
  dropWaiting(): void {
    for (const { cost } of this.waiting) this.memory.used -= cost;
    this.waiting.length = 0;
    this.ranges.length = 0;
    this.recent.length = 0;
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

  /** Forgets everything. */
  clear(): void {
    this.bytes.clear();
    this.memory.clear();
    this.waiting.length = 0;
    this.ranges.length = 0;
    this.recent.length = 0;
  }

  /** Puts a segment among those that wait (tcp_data_queue_ofo). False when all of it is there already. */
  private store(segment: Waiting): boolean {
    const { waiting, memory } = this;
    const { start, end } = segment;
    this.againEnd = this.againStart;
    let at = waiting.length;
    while (at > 0 && seqGt((waiting[at - 1] as Waiting).start, start)) at--;
    const before = waiting[at - 1];
    if (before !== undefined && seqLt(start, before.end)) {
      if (seqLe(end, before.end)) {
        this.again(start, end);
        return false;
      }
      this.again(start, before.end);
      if (before.start === start) {
        waiting.splice(--at, 1);
        memory.used -= before.cost;
      }
    }
    waiting.splice(at, 0, segment);
    memory.used += segment.cost;
    this.dropCovered(at + 1, end);
    return true;
  }

  /** Of the segments from index `at` on: those that one which ends at `end` covers are not needed any more. */
  private dropCovered(at: number, end: Seq): void {
    const { waiting, memory } = this;
    for (let next = waiting[at]; next !== undefined && seqGt(end, next.start); next = waiting[at]) {
      if (seqLt(end, next.end)) {
        this.again(next.start, end);
        return;
      }
      this.again(next.start, next.end);
      waiting.splice(at, 1);
      memory.used -= next.cost;
    }
  }

  /** [start, end) came twice: the first such, and what continues it. */
  private again(start: Seq, end: Seq): void {
    if (this.againStart === this.againEnd) {
      this.againStart = start;
      this.againEnd = end;
    } else if (seqLe(start, this.againEnd) && seqLe(this.againStart, end)) {
      this.againStart = seqMin(this.againStart, start);
      this.againEnd = seqMax(this.againEnd, end);
    }
  }

  private touches(start: Seq, end: Seq): boolean {
    return this.ranges.some(range => seqLe(range.start, end) && seqGe(range.end, start));
  }

  private addRange(start: Seq, end: Seq): void {
    const { ranges } = this;
    let from = 0;
    while (from < ranges.length && seqLt((ranges[from] as OutOfOrderRange).end, start)) from++;
    let to = from;
    while (to < ranges.length && seqLe((ranges[to] as OutOfOrderRange).start, end)) to++;
    const merged = ranges.slice(from, to);
    const range = {
      start: merged.reduce((seq, other) => seqMin(seq, other.start), start),
      end: merged.reduce((seq, other) => seqMax(seq, other.end), end),
    };
    ranges.splice(from, to - from, range);
    for (const old of merged) this.forget(old);
    this.remember(range);
  }

  private forgetRanges(rcvNxt: Seq): void {
    const { ranges } = this;
    for (let first = ranges[0]; first !== undefined && seqLe(first.start, rcvNxt); first = ranges[0]) {
      ranges.shift();
      this.forget(first);
    }
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
