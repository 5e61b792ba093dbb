import { type Seq, seqDiff, seqGe, seqGt, seqLe, seqLt, seqMax, seqMin } from '../../base/seq.ts';
import type { ByteQueue } from '../../core/byte-queue.ts';
import { SACK_BLOCKS_MAX } from '../../wire/tcp-options.ts';
import type { ReceiveMemory } from './receive-memory.ts';

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
 * What waits behind gaps. The bytes lie in the receive queue's memory, where they belong; this knows which they are.
 * What they cost is counted in `memory`.
 */
export class OutOfOrderQueue {
  /** What came twice in the last segment that was inserted or that joined, for D-SACK; none when equal. */
  againStart: Seq = 0;
  againEnd: Seq = 0;
  /** Sorted, disjoint, not touching. */
  readonly ranges: OutOfOrderRange[] = [];
  /** The ranges that changed last, newest first: the order of SACK blocks (RFC 2018 section 4). */
  readonly recent: OutOfOrderRange[] = [];
  /** The segments that make up the ranges, sorted; they may overlap. */
  private readonly waiting: Waiting[] = [];
  private readonly memory: ReceiveMemory;

  constructor(memory: ReceiveMemory) {
    this.memory = memory;
  }

  /**
   * Notes the segment [start, end), which costs `cost`. 'known' when all of it was there already. 'full', and it is not
   * kept, when it would need a range more than `rangesMax`.
   */
  insert(start: Seq, end: Seq, cost: number, rangesMax: number): 'kept' | 'known' | 'full' {
    if (this.ranges.length >= rangesMax && !this.touches(start, end)) return 'full';
    const kept = this.store({ start, end, cost });
    this.addRange(start, end);
    return kept ? 'kept' : 'known';
  }

  /**
   * After in-order data, which began at `before`: takes what the gap's filling has made contiguous into `bytes`, up to
   * `limit` where the FIN stands. Returns the new RCV.NXT.
   */
  join(bytes: ByteQueue, before: Seq, rcvNxt: Seq, limit: Seq | null): Seq {
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
      bytes.advance(length);
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

  /** Forgets everything. */
  clear(): void {
    for (const { cost } of this.waiting) this.memory.used -= cost;
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
