import { type Seq, seqDiff } from '../../base/seq.ts';
import type { BlockPool } from '../../core/blocks.ts';
import { ByteQueue } from '../../core/byte-queue.ts';
import { OutOfOrderQueue, type OutOfOrderRange } from './out-of-order-queue.ts';
import { ReceiveMemory } from './receive-memory.ts';

/**
 * What was received and not yet read: bytes in order, and behind gaps the out-of-order queue, whose bytes already
 * lie where they belong in the same memory. `rcvNxt` is the connection's RCV.NXT; the caller keeps it.
 */
export class ReceiveQueue {
  /** What all of it costs; the caller counts what is appended in order. */
  readonly memory = new ReceiveMemory();
  private readonly bytes: ByteQueue;
  /** Null while nothing has ever come out of order. */
  private behind: OutOfOrderQueue | null = null;

  constructor(blocks: BlockPool) {
    this.bytes = new ByteQueue(blocks);
  }

  /** Bytes that can be read. */
  get readable(): number {
    return this.bytes.length;
  }

  /** Whether something waits behind a gap. */
  get hasGap(): boolean {
    return this.rangeCount > 0;
  }

  /** How many ranges wait behind gaps. */
  get rangeCount(): number {
    return this.behind === null ? 0 : this.behind.ranges.length;
  }

  /** The ranges to report in SACK blocks, newest first; at most 4. */
  get sackRanges(): readonly OutOfOrderRange[] {
    return this.behind === null ? NO_RANGES : this.behind.recent;
  }

  /** What came twice in the last segment that was inserted or that joined, for D-SACK; none when equal. */
  get againStart(): Seq {
    return this.behind?.againStart ?? 0;
  }

  get againEnd(): Seq {
    return this.behind?.againEnd ?? 0;
  }

  /** The highest sequence number that was received, or `rcvNxt` when there is no gap. */
  highest(rcvNxt: Seq): Seq {
    return this.behind?.ranges.at(-1)?.end ?? rcvNxt;
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
    this.behind ??= new OutOfOrderQueue(this.memory);
    const result = this.behind.insert(seq, dataEnd, cost, rangesMax);
    if (result === 'kept') this.bytes.writeAt(this.bytes.length + seqDiff(seq, rcvNxt), data, start, end);
    return result;
  }

  /**
   * After in-order data, which began at `before`: takes in what the gap's filling has made contiguous, up to `limit`
   * where the FIN stands. Returns the new RCV.NXT.
   */
  join(before: Seq, rcvNxt: Seq, limit: Seq | null): Seq {
    return this.behind === null ? rcvNxt : this.behind.join(this.bytes, before, rcvNxt, limit);
  }

  /** Forgets what waits behind gaps, the newest first, until no more than `most` bytes of memory are used. */
  prune(most: number): void {
    this.behind?.prune(most);
  }

  /** Forgets all that waits behind gaps. */
  dropWaiting(): void {
    this.behind?.clear();
  }

  /** Copies up to `into.length` bytes out; removes them unless `peek`. Returns how many. */
  read(into: Uint8Array, start: number, end: number, peek: boolean): number {
    const n = Math.min(end - start, this.bytes.length);
    this.bytes.copyTo(0, into, start, n);
    if (peek) return n;
    this.bytes.consume(n);
    if (!this.hasGap) this.bytes.releaseIfEmpty();
    return n;
  }

  /** Copies out what can be read behind the first `skip` bytes, which all stays; returns how many. */
  peek(skip: number, into: Uint8Array, start: number, end: number): number {
    const n = Math.max(Math.min(end - start, this.bytes.length - skip), 0);
    this.bytes.copyTo(skip, into, start, n);
    return n;
  }

  /** Forgets everything. */
  clear(): void {
    this.behind = null;
    this.bytes.clear();
    this.memory.clear();
  }
}

const NO_RANGES: readonly OutOfOrderRange[] = Object.freeze([]);
