import type { Seq } from '../../base/seq.ts';
import { RateSample } from '../send/rate-sample.ts';

/** SACK blocks that one segment can hold: 40 bytes of options. */
export const SACK_BLOCKS_MAX = 4;

/**
 * What one acknowledgement brought. One object for each stack, filled again for each acknowledgement: sack.ts and
 * ack.ts write it, loss recovery reads it.
 */
export class AckOutcome {
  /** SND.UNA, and the end of the highest SACKed segment (SND.UNA when none was), before this acknowledgement. */
  priorUna: Seq = 0;
  priorHighSacked: Seq = 0;
  /** SND.UNA moved; and whole segments were acknowledged by that: of data, or our SYN. */
  advanced = false;
  dataAcked = false;
  synAcked = false;
  /** There is data in it, a FIN, or news of the window: not a duplicate whatever else it is. */
  hasNews = false;
  /** The same acknowledgement again, and nothing else: counts as a duplicate (RFC 5681 section 2). */
  duplicate = false;
  /** It says that data of ours has met congestion (RFC 3168). */
  ece = false;
  /** Segments that arrived: newly acknowledged, newly SACKed, or for the second time. */
  delivered = 0;
  /** What `tcb.lost` was before: the difference are the segments that were found lost. */
  priorLost = 0;
  /** Something was newly SACKed. */
  sacked = false;
  /** A believable D-SACK (RFC 2883): something arrived twice; and it was the tail loss probe. */
  dsack = false;
  dsackOfProbe = false;
  /** The valid SACK blocks, by their begin. */
  readonly starts: Seq[] = new Array<Seq>(SACK_BLOCKS_MAX).fill(0);
  readonly ends: Seq[] = new Array<Seq>(SACK_BLOCKS_MAX).fill(0);
  blocks = 0;
  /** A segment from before the recovery began arrived that was never sent again: it was not lost. */
  originalArrived = false;
  /** The oldest segment left is one that was SACKed: the receiver has thrown it away (RFC 2018 section 8). */
  reneged = false;
  /** TSecr, when the option was there (RFC 7323 section 3). */
  hasEcho = false;
  tsEcr = 0;
  /** When the first and the last of the newly SACKed segments were sent that were sent once; 0 when there is none. */
  firstSackedUs = 0;
  lastSackedUs = 0;
  /** The timer of what is in flight begins anew. */
  restartTimer = false;
  /** What it says of the path's rate. */
  readonly rate = new RateSample();

  /** Begins anew: nothing is known. */
  clear(): void {
    this.advanced = false;
    this.dataAcked = false;
    this.synAcked = false;
    this.hasNews = false;
    this.duplicate = false;
    this.ece = false;
    this.delivered = 0;
    this.sacked = false;
    this.dsack = false;
    this.dsackOfProbe = false;
    this.originalArrived = false;
    this.reneged = false;
    this.hasEcho = false;
    this.firstSackedUs = 0;
    this.lastSackedUs = 0;
    this.restartTimer = false;
  }
}
