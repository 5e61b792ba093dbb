/**
 * What links of the kernel's have carried.
 * @module
 */
import type { Packet } from '../../core/packet.ts';

/** Counters of one link, since it was opened. */
export interface LinkStats {
  /** Frames for the stack. */
  received: number;
  receivedBytes: number;
  /** Super-segments among them. */
  receivedSuper: number;
  /** Received frames that were lost: the pool was at its limit, or the frame was not whole or too large. */
  receivedDropped: number;
  sent: number;
  sentBytes: number;
  sentSuper: number;
  /** Frames that were too big, that the kernel did not take, or that found no carrier. */
  sentDropped: number;
}

/** Counters that have counted nothing. */
export function newLinkStats(): LinkStats {
  return {
    received: 0,
    receivedBytes: 0,
    receivedSuper: 0,
    receivedDropped: 0,
    sent: 0,
    sentBytes: 0,
    sentSuper: 0,
    sentDropped: 0,
  };
}

/** Counts a frame that was sent. */
export function countSent(stats: LinkStats, packet: Packet): void {
  stats.sent++;
  stats.sentBytes += packet.length;
  if (packet.gsoSize > 0) stats.sentSuper++;
}
