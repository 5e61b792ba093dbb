import type { Seq } from '../base/seq.ts';
import { RateSample } from './rate-sample.ts';

/**
 * What one acknowledgement brought. One object for each stack, filled again for each acknowledgement: sack.ts and
 * ack.ts write it, loss recovery reads it.
 */
export class AckOutcome {
  /** SND.UNA, and the end of the highest SACKed segment if there was one, before this acknowledgement. */
  priorUna: Seq = 0;
  hadSacked = false;
  priorHighSacked: Seq = 0;
  /** SND.UNA moved. */
  advanced = false;
  /** Segments that were cumulatively acknowledged and not SACKed before, and newly SACKed ones. */
  delivered = 0;
  /** Nothing new in sequence, window or data: counts as a duplicate without SACK (RFC 5681 section 2). */
  duplicate = false;
  /** It says that data of ours has met congestion (RFC 3168). */
  ece = false;
  /** Something was newly SACKed. */
  sacked = false;
  /** A believable D-SACK (RFC 2883): something arrived twice; and it was the tail loss probe. */
  dsack = false;
  dsackOfProbe = false;
  /** A segment from before the recovery began arrived that was never sent again: it was not lost. */
  originalArrived = false;
  /** Something arrived below what had arrived before, though it was never sent again: the lowest such. */
  late = false;
  lateSeq: Seq = 0;
  /** TSecr, when the option was there (RFC 7323 section 3). */
  hasEcho = false;
  tsEcr = 0;
  /** Round-trip time of the first newly SACKed segment that was sent once, in microseconds; -1 when none. */
  sackRttUs = -1;
  /** Of the segments that arrived the one sent last, by its place in the order of sendings (RACK.segment). */
  timed = false;
  newestOrder = 0;
  /** `tcb.lost` before this acknowledgement. */
  priorLost = 0;
  /** What it says of the path's rate. */
  readonly rate = new RateSample();

  /** Begins anew: nothing is known. */
  clear(): void {
    this.hadSacked = false;
    this.advanced = false;
    this.delivered = 0;
    this.duplicate = false;
    this.ece = false;
    this.sacked = false;
    this.dsack = false;
    this.dsackOfProbe = false;
    this.originalArrived = false;
    this.late = false;
    this.hasEcho = false;
    this.sackRttUs = -1;
    this.timed = false;
  }
}
