/** The first sequence numbers seen in each direction; what is printed is relative to them. */
interface Bases {
  /** Of the end whose name sorts first. */
  low: number;
  high: number;
}

/** What to subtract from the numbers of one segment. */
export interface SeqBase {
  seq: number;
  ack: number;
  /** For the edges of SACK blocks: relative even in the segment whose own numbers are absolute. */
  sack: number;
}

/**
 * Remembers TCP connections, so that sequence numbers can be printed relative as tcpdump prints them: absolute in the
 * first segment with an ACK (of a connection seen from its start, the SYN-ACK) and from then on counted from there.
 */
export class Conversations {
  private readonly table = new Map<string, Bases>();
  private readonly max: number;

  /** Remembers at most `max` connections and forgets the oldest first. */
  constructor(max: number) {
    this.max = max;
  }

  /** The bases for a segment with the ACK flag from `source` to `destination` ('address.port'). */
  base(source: string, destination: string, seq: number, ack: number, syn: boolean): SeqBase {
    const low = source < destination;
    const key = low ? `${source} ${destination}` : `${destination} ${source}`;
    const known = syn ? undefined : this.table.get(key);
    if (known !== undefined) {
      const other = low ? known.high : known.low;
      return { seq: low ? known.low : known.high, ack: other, sack: other };
    }
    const theirs = (ack - 1) >>> 0;
    this.table.set(key, low ? { low: seq, high: theirs } : { low: theirs, high: seq });
    if (this.table.size > this.max) this.forgetOldest();
    return { seq: 0, ack: 0, sack: theirs };
  }

  private forgetOldest(): void {
    for (const key of this.table.keys()) {
      this.table.delete(key);
      return;
    }
  }
}
