import type { FiveTuple, IcmpError } from '../core/network.ts';
import type { Segment } from '../tcp/segment.ts';

/**
 * What a segment's five-tuple leads to: a connection (tcp-endpoint.ts), a half-open request (syn-request.ts) or what
 * remains in TIME_WAIT (time-wait.ts).
 */
export interface Flow extends FiveTuple {
  /** Written by the flow table alone. */
  flowHash: number;
  /** A segment of this flow arrives; it is lent. */
  segment(segment: Segment): void;
  /** An ICMP error about a segment of this flow; `seq` is the sequence number that it quotes. */
  icmp(error: IcmpError, seq: number): void;
  /** The stack is closed: forget everything, send nothing. */
  destroy(): void;
}
