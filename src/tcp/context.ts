import { BlockPool } from '../core/blocks.ts';
import type { Host } from '../core/host.ts';
import { FastOpenBlackhole } from './fast-open/blackhole.ts';
import { newTxSegment, type TxSegment } from './flight.ts';
import { AckOutcome } from './recovery/ack-outcome.ts';
import { OutSegment } from './segment.ts';

/** Segments kept for the next use, per stack. */
const FREE_SEGMENTS_MAX = 8192;

/** What all connections of one stack share: its host, memory, and the limit on challenge ACKs. */
export class TcpContext {
  readonly host: Host;
  readonly blocks = new BlockPool();
  /** The one segment that is being built. */
  readonly out = new OutSegment();
  /** What the acknowledgement that is being processed brought. */
  readonly outcome = new AckOutcome();
  readonly blackhole: FastOpenBlackhole;
  private readonly freeSegments: TxSegment[] = [];
  private challengeSecond = 0;
  private challengesLeft = 0;

  constructor(host: Host) {
    this.host = host;
    this.blackhole = new FastOpenBlackhole(host);
  }

  newSegment(seq: number, end: number, sentUs = 0, marks = 0): TxSegment {
    const segment = this.freeSegments.pop();
    if (segment === undefined) return newTxSegment(seq, end, sentUs, marks);
    segment.seq = seq;
    segment.end = end;
    segment.sentUs = sentUs;
    segment.marks = marks;
    segment.attempts = 0;
    segment.delivered = -1;
    return segment;
  }

  freeSegment(segment: TxSegment): void {
    if (this.freeSegments.length < FREE_SEGMENTS_MAX) this.freeSegments.push(segment);
  }

  /**
   * Whether one more challenge ACK may be sent this second (RFC 5961 section 7). The limit varies at random around
   * tcp_challenge_ack_limit, so that an attacker cannot count with it (CVE-2016-5696).
   */
  mayChallenge(): boolean {
    const { host } = this;
    const second = Math.floor(host.nowUs / 1e6);
    if (second !== this.challengeSecond) {
      const half = Math.ceil(host.sysctl.tcp_challenge_ack_limit / 2);
      this.challengeSecond = second;
      this.challengesLeft = half + ((host.random32() >>> 0) % (2 * half));
    }
    if (this.challengesLeft === 0) return false;
    this.challengesLeft--;
    return true;
  }
}
