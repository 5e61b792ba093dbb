import type { Seq } from '../base/seq.ts';
import type { ByteQueue } from '../core/byte-queue.ts';
import { NOT_ECT } from '../wire/ecn.ts';
import { ACK, FIN, RST, SYN, TCP_HEADER_LENGTH } from '../wire/tcp.ts';
import { TcpOptions } from '../wire/tcp-options.ts';

/** A received segment, header parsed. Made once for each stack and filled again for each segment. */
export class Segment {
  /** SEG.SEQ, SEG.ACK (RFC 9293 section 3.3.1). */
  seq: Seq = 0;
  ack: Seq = 0;
  flags = 0;
  /** SEG.WND as it stands in the header, not scaled. */
  window = 0;
  /** The urgent pointer; means something only with URG. */
  urgent = 0;
  /** The ECN field of its IP header (wire/ecn.ts). */
  ecn: number = NOT_ECT;
  readonly options = new TcpOptions();
  /** The payload is bytes[start, end). */
  bytes: Uint8Array = NO_BYTES;
  start = 0;
  end = 0;
  /** Bytes of its TCP header. */
  headerLength = TCP_HEADER_LENGTH;
  /** Payload of each of the segments that have arrived as one; 0 for one alone. */
  gsoSize = 0;

  /** As how many segments it came. */
  get count(): number {
    return this.gsoSize === 0 ? 1 : Math.max(Math.ceil(this.dataLength / this.gsoSize), 1);
  }

  has(flag: number): boolean {
    return (this.flags & flag) !== 0;
  }

  /** Bytes of payload. */
  get dataLength(): number {
    return this.end - this.start;
  }

  /** SEG.LEN: payload plus one for SYN and one for FIN. */
  get length(): number {
    return this.end - this.start + ((this.flags >> 1) & 1) + (this.flags & FIN);
  }
}

const NO_BYTES: Uint8Array = new Uint8Array(0);

/** A segment to be sent. Made once for each stack, filled and emitted; lent for the time of `emit`. */
export class OutSegment {
  seq: Seq = 0;
  ack: Seq = 0;
  flags = 0;
  /** The window field as it goes on the wire. */
  window = 0;
  /** The urgent pointer, with URG. */
  urgent = 0;
  readonly options = new TcpOptions();
  /** Where the payload is copied from: `dataLength` bytes from `dataOffset` behind the queue's head. */
  data: ByteQueue | null = null;
  dataOffset = 0;
  dataLength = 0;
  /** Payload of each segment when this is a super-segment; 0 otherwise. */
  gsoSize = 0;
  /** Its IP header says ECT(0): ECN-capable (RFC 3168 section 5). */
  ect = false;

  /** Starts a new segment without payload or options. */
  begin(seq: Seq, ack: Seq, flags: number): this {
    this.seq = seq;
    this.ack = ack;
    this.flags = flags;
    this.window = 0;
    this.urgent = 0;
    this.options.clear();
    this.data = null;
    this.dataOffset = 0;
    this.dataLength = 0;
    this.gsoSize = 0;
    this.ect = false;
    return this;
  }
}

/**
 * The reset that answers a segment which belongs to no connection (RFC 9293 section 3.10.7.1), filled into `out`.
 * The caller makes sure that the segment is not a reset itself.
 */
export function resetFor(segment: Segment, out: OutSegment): OutSegment {
  if (segment.has(ACK)) return out.begin(segment.ack, 0, RST);
  return out.begin(0, (segment.seq + segment.length) | 0, RST | ACK);
}

/** Whether the flags of a segment make sense together; SYN with FIN or RST is what scanners send. */
export function saneFlags(flags: number): boolean {
  const control = flags & (SYN | FIN | RST);
  return control === 0 || control === SYN || control === FIN || control === RST;
}
