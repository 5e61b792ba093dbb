/**
 * What received segments cost in memory, as Linux counts it: each lies in a buffer of its own, whose size is a power of
 * two, with a header of its own; SO_RCVBUF limits the sum, and the window to offer follows from it. The figures are
 * those of a packet that a tun device hands to a 64-bit kernel.
 * @module
 */
import { type Seq, seqLe } from '../../base/seq.ts';

/** Bytes in front of a packet, behind it (skb_shared_info), and beside it (sk_buff). */
const HEADROOM = 64;
const SHARED_INFO = 320;
const SK_BUFF = 256;
/** The buffer of a small packet; the most that lies in one piece, beyond which pages follow; and a page. */
const SMALL_BUFFER = 576;
const LINEAR_MAX = 3712;
const PAGE = 4096;
const CACHE_LINE = 64;

/** `size` made a whole number of `unit`, a power of two. */
function up(size: number, unit: number): number {
  return (size + unit - 1) & -unit;
}

function bufferFor(bytes: number): number {
  const needed = up(bytes, CACHE_LINE) + SHARED_INFO;
  return needed <= SMALL_BUFFER ? SMALL_BUFFER : 1 << (32 - Math.clz32(needed - 1));
}

/** What a packet of so many bytes, headers and all, costs (skb->truesize). */
export function truesize(packetLength: number): number {
  const pages = packetLength > LINEAR_MAX ? up(packetLength - LINEAR_MAX, PAGE) : 0;
  return bufferFor(HEADROOM + Math.min(packetLength, LINEAR_MAX)) + SK_BUFF + pages;
}

/** Bytes that fit a buffer of one page, into which queued segments are moved when memory is short. */
const COLLAPSED = PAGE - SHARED_INFO;
/** Places that are kept when nothing waits. */
const PLACES_KEPT = 8;

/** The memory of what waits in order to be read, and the sum with what waits behind gaps. */
export class ReceiveMemory {
  /** Bytes in use (sk_rmem_alloc). */
  used = 0;
  /** Where each buffer's bytes end and what it costs: a ring of pairs, as many as a power of two. */
  private ring: number[] = NO_PLACES;
  private head = 0;
  private count = 0;

  /** Whether anything waits to be read. */
  get isEmpty(): boolean {
    return this.count === 0;
  }

  /** Takes a segment whose bytes end at `end` and that costs `cost`. */
  add(end: Seq, cost: number): void {
    this.push(end, cost);
    this.used += cost;
  }

  /** As `add`, of a segment that waited behind a gap, whose cost is in the sum already. */
  addCounted(end: Seq, cost: number): void {
    this.push(end, cost);
  }

  /** Gives back the buffers whose bytes the user has read: all up to `copied`. */
  free(copied: Seq): void {
    while (this.count > 0) {
      const at = this.place(0);
      if (!seqLe(this.ring[at] as number, copied)) return;
      this.used -= this.ring[at + 1] as number;
      this.head = (this.head + 1) & ((this.ring.length >> 1) - 1);
      this.count--;
    }
    if (this.ring.length > 2 * PLACES_KEPT) this.ring = NO_PLACES;
  }

  /** Moves what waits, `length` bytes up to `end`, into as few buffers as can hold it (tcp_collapse), if that saves some. */
  collapse(length: number, end: Seq): boolean {
    const last = bufferFor(length % COLLAPSED) + SK_BUFF;
    const after = Math.floor(length / COLLAPSED) * (PAGE + SK_BUFF) + (length % COLLAPSED > 0 ? last : 0);
    const before = this.cost;
    if (after >= before) return false;
    this.count = 0;
    let at = (end - length) | 0;
    for (let left = length; left > 0; left -= COLLAPSED) {
      const size = Math.min(left, COLLAPSED);
      at = (at + size) | 0;
      this.push(at, bufferFor(size) + SK_BUFF);
    }
    this.used += after - before;
    return true;
  }

  /** Forgets everything. */
  clear(): void {
    this.used = 0;
    this.count = 0;
  }

  private get cost(): number {
    let sum = 0;
    for (let index = 0; index < this.count; index++) sum += this.ring[this.place(index) + 1] as number;
    return sum;
  }

  private place(index: number): number {
    return (2 * (this.head + index)) & (this.ring.length - 1);
  }

  private push(end: Seq, cost: number): void {
    if (2 * this.count === this.ring.length) this.grow();
    const at = this.place(this.count++);
    this.ring[at] = end;
    this.ring[at + 1] = cost;
  }

  private grow(): void {
    const size = Math.max(2 * this.ring.length, 2);
    const ring: number[] = [];
    for (let index = 0; index < this.count; index++) {
      const at = this.place(index);
      ring.push(this.ring[at] as number, this.ring[at + 1] as number);
    }
    while (ring.length < size) ring.push(0, 0);
    this.ring = ring;
    this.head = 0;
  }
}

const NO_PLACES = Object.freeze([]) as unknown as number[];
