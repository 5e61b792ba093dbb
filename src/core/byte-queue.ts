import { Ring } from '../base/ring.ts';
import { BLOCK_SIZE, type BlockPool } from './blocks.ts';

/**
 * A queue of bytes in blocks: appended at the tail, consumed at the head, readable at any offset.
 * Bytes may also be written ahead of the tail (out-of-order data); `advance` then takes them into the queue.
 */
export class ByteQueue {
  private readonly pool: BlockPool;
  /** null where nothing was written yet in front of something written ahead. */
  private readonly blocks = new Ring<Uint8Array | null>();
  /** Offset of the first byte in the first block. */
  private head = 0;
  /** How many bytes are queued. */
  length = 0;

  constructor(pool: BlockPool) {
    this.pool = pool;
  }

  /** Appends bytes[start, end). */
  append(bytes: Uint8Array, start: number, end: number): void {
    this.writeAt(this.length, bytes, start, end);
    this.length += end - start;
  }

  /** Writes bytes[start, end) at `offset` from the head, which may lie behind the tail. The length stays. */
  writeAt(offset: number, bytes: Uint8Array, start: number, end: number): void {
    let at = this.head + offset;
    const source = end - start > BLOCK_SIZE ? plain(bytes) : bytes;
    let from = start;
    while (from < end) {
      const within = at % BLOCK_SIZE;
      const n = Math.min(end - from, BLOCK_SIZE - within);
      const block = this.blockAt((at - within) / BLOCK_SIZE);
      block.set(from === 0 && n === source.length ? source : source.subarray(from, from + n), within);
      from += n;
      at += n;
    }
  }

  /** Takes `n` bytes that were written ahead into the queue. */
  advance(n: number): void {
    this.length += n;
  }

  /** Copies `n` bytes from `offset` behind the head to into[at, at + n). All of them must be queued. */
  copyTo(offset: number, into: Uint8Array, at: number, n: number): void {
    let from = this.head + offset;
    let to = at;
    const end = at + n;
    while (to < end) {
      const within = from % BLOCK_SIZE;
      const part = Math.min(end - to, BLOCK_SIZE - within);
      const block = this.blocks.at((from - within) / BLOCK_SIZE);
      if (block) into.set(part === BLOCK_SIZE ? block : block.subarray(within, within + part), to);
      from += part;
      to += part;
    }
  }

  /** Drops `n` bytes from the head. */
  consume(n: number): void {
    this.length -= n;
    this.head += n;
    while (this.head >= BLOCK_SIZE) {
      this.drop();
      this.head -= BLOCK_SIZE;
    }
  }

  /** Gives the blocks back when nothing is queued. Not to be called while bytes are written ahead. */
  releaseIfEmpty(): void {
    if (this.length === 0) this.clear();
  }

  /** Drops everything, also what was written ahead. */
  clear(): void {
    while (this.blocks.length > 0) this.drop();
    this.blocks.clear();
    this.head = 0;
    this.length = 0;
  }

  private drop(): void {
    const block = this.blocks.shift();
    if (block) this.pool.give(block);
  }

  private blockAt(index: number): Uint8Array {
    while (this.blocks.length <= index) this.blocks.push(null);
    const block = this.blocks.at(index);
    if (block) return block;
    const fresh = this.pool.take();
    this.blocks.set(index, fresh);
    return fresh;
  }
}

/** A subclass, such as Node's Buffer, makes its views several times as slowly. */
function plain(bytes: Uint8Array): Uint8Array {
  return bytes.constructor === Uint8Array
    ? bytes
    : new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}
