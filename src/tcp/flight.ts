import { Ring } from '../base/ring.ts';
import { type Seq, seqLe } from '../base/seq.ts';

/** Marks of a segment in flight (Linux's TCPCB_*). */
export const TX_SACKED = 1;
export const TX_LOST = 2;
/** Sent again, and that copy is thought to be in the network. */
export const TX_RETRANS = 4;
/** Was ever sent again: says nothing about the round-trip time (Karn's rule). */
export const TX_EVER_RETRANS = 8;
export const TX_SYN = 16;
export const TX_FIN = 32;
export const TX_PUSH = 64;
/** Was taken for lost by its time, and not sent again since: RACK looks at it no more, whatever an undo says. */
export const TX_UNTIMED = 128;
/**
 * Ends one of Linux's sk_buffs: what was written, sent or sent again together. The segments of one are sent again
 * together, and each costs memory of its own.
 */
export const TX_SKB_END = 256;
/** MSG_EOR: nothing that was written later joins the packet. */
export const TX_EOR = 512;
/** Of a write with MSG_ZEROCOPY, whose bytes Linux cannot move from one sk_buff to another. */
export const TX_ZEROCOPY = 1024;

/** What goes with the last byte when a segment is cut in two. */
const OF_LAST_BYTE = TX_FIN | TX_PUSH | TX_EOR;

/** A segment that was sent and is not yet acknowledged; or what was written together and not yet sent. */
export interface TxSegment {
  seq: Seq;
  /** One past its last sequence number. */
  end: Seq;
  /** When it was last sent, in microseconds; and its place in the order of all sendings, as clocks are coarse. */
  sentUs: number;
  order: number;
  marks: number;
  /** How many times it was sent again. */
  attempts: number;
  /**
   * When it was sent (rate-sample.ts): what had been delivered, -1 once that was used; when the last of that was; when
   * what was then acknowledged had been sent; and whether the user was the limit. Times are modulo 2^32 microseconds.
   */
  delivered: number;
  deliveredStamp: number;
  firstSentStamp: number;
  appLimited: boolean;
}

/** A segment that is about to be sent for the first time. */
export function newTxSegment(seq: Seq, end: Seq, sentUs: number, marks: number): TxSegment {
  return {
    seq,
    end,
    sentUs,
    order: 0,
    marks,
    attempts: 0,
    delivered: -1,
    deliveredStamp: 0,
    firstSentStamp: 0,
    appLimited: false,
  };
}

/**
 * The segments in flight, in order of their sequence numbers, with the counts that loss recovery works with.
 * They are Linux's: packets_out, sacked_out, lost_out, retrans_out. Without SACK, `sackedOut` counts duplicate
 * acknowledgements, each of which says that one segment has left the network (RFC 5681 section 3.2).
 */
export class Flight {
  private readonly segments = new Ring<TxSegment>();
  sackedOut = 0;
  lostOut = 0;
  retransOut = 0;
  /** How many sk_buffs the segments make up. */
  skbs = 0;
  /** How many were sent so far, repetitions included, modulo 2^32. */
  private sendings = 0;

  /** How many segments are not yet acknowledged. */
  get packetsOut(): number {
    return this.segments.length;
  }

  /** How many segments are thought to be in the network: RFC 6675's pipe. */
  get inFlight(): number {
    return this.segments.length - this.sackedOut - this.lostOut + this.retransOut;
  }

  /** The oldest segment. */
  get head(): TxSegment | undefined {
    return this.segments.at(0);
  }

  /** The newest segment. */
  get tail(): TxSegment | undefined {
    return this.segments.at(this.segments.length - 1);
  }

  at(index: number): TxSegment | undefined {
    return this.segments.at(index);
  }

  /** Adds a segment that was sent for the first time. */
  push(segment: TxSegment): void {
    segment.order = this.sendings;
    this.sendings = (this.sendings + 1) | 0;
    if ((segment.marks & TX_SKB_END) !== 0) this.skbs++;
    this.segments.push(segment);
  }

  /** A segment was sent again at `nowUs`. */
  sentAgain(segment: TxSegment, nowUs: number): void {
    segment.sentUs = nowUs;
    segment.marks &= ~TX_UNTIMED;
    segment.order = this.sendings;
    this.sendings = (this.sendings + 1) | 0;
    segment.attempts++;
  }

  /** Removes the oldest segment and its marks. */
  shift(): TxSegment | undefined {
    const segment = this.segments.shift();
    if (segment !== undefined && segment.marks !== 0)
      this.unmark(segment, TX_SACKED | TX_LOST | TX_RETRANS | TX_SKB_END);
    return segment;
  }

  /** Index of the first segment that ends after `seq`; packetsOut when there is none. */
  indexAfter(seq: Seq): number {
    let low = 0;
    let high = this.segments.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (seqLe((this.segments.at(middle) as TxSegment).end, seq)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Adds marks that are not there yet, and counts them. */
  mark(segment: TxSegment, marks: number): void {
    const added = marks & ~segment.marks;
    segment.marks |= added;
    this.count(added, 1);
  }

  /** Removes marks that are there, and counts them. */
  unmark(segment: TxSegment, marks: number): void {
    const removed = marks & segment.marks;
    segment.marks &= ~removed;
    this.count(removed, -1);
  }

  /** Cuts a segment in two at `seq`, which lies inside it; both keep the marks. They are sk_buffs of their own. */
  split(index: number, seq: Seq): void {
    const segment = this.segments.at(index) as TxSegment;
    const rest: TxSegment = { ...segment, seq };
    segment.end = seq;
    segment.marks &= ~(OF_LAST_BYTE | TX_SKB_END);
    this.count(segment.marks, 1);
    this.segments.insert(index + 1, rest);
    this.mark(segment, TX_SKB_END);
  }

  /** Joins a segment and the one behind it, which keeps nothing but what belongs to its last byte; returns that. */
  join(index: number): TxSegment {
    const segment = this.segments.at(index) as TxSegment;
    const next = this.segments.at(index + 1) as TxSegment;
    this.unmark(next, TX_SACKED | TX_LOST | TX_RETRANS | TX_SKB_END);
    segment.end = next.end;
    segment.marks |= next.marks & (OF_LAST_BYTE | TX_EVER_RETRANS);
    this.segments.remove(index + 1);
    return next;
  }

  clear(): void {
    this.segments.clear();
    this.sackedOut = 0;
    this.lostOut = 0;
    this.retransOut = 0;
    this.skbs = 0;
  }

  private count(marks: number, by: number): void {
    if ((marks & TX_SACKED) !== 0) this.sackedOut += by;
    if ((marks & TX_LOST) !== 0) this.lostOut += by;
    if ((marks & TX_RETRANS) !== 0) this.retransOut += by;
    if ((marks & TX_SKB_END) !== 0) this.skbs += by;
  }
}
