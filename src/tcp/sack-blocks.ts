/**
 * The SACK blocks that we send (RFC 2018 section 4, RFC 2883), with ACKs and, as on Linux, with data too.
 * @module
 */
import { TCP_HEADER_LENGTH } from '../wire/tcp.ts';
import { TIMESTAMPS_LENGTH } from '../wire/tcp-options.ts';
import type { OutSegment } from './segment.ts';
import type { Tcb } from './tcb.ts';

/** SACK blocks beside timestamps, and alone: what 40 bytes of options hold. */
const BLOCKS_WITH_TIMESTAMPS = 3;
const BLOCKS_ALONE = 4;
/** Of the SACK option without its blocks, padded, and of a block, in bytes. */
const OPTION_LENGTH = 4;
const BLOCK_LENGTH = 8;

/** Bytes of options that the SACK blocks of the next segment take. */
export function sackLength(tcb: Tcb): number {
  const { receiveQueue } = tcb;
  const dsack = tcb.dsackStart === tcb.dsackEnd ? 0 : 1;
  if (!tcb.sack || (dsack === 0 && !waitsBehindGap(tcb))) return 0;
  const fin = finStandsAlone(tcb) ? 1 : 0;
  const blocks = Math.min(receiveQueue.sackRanges.length + dsack + fin, blocksMax(tcb));
  return blocks === 0 ? 0 : OPTION_LENGTH + blocks * BLOCK_LENGTH;
}

/** Whether something that came too early, text or the FIN, waits for what is missing before it. */
export function waitsBehindGap(tcb: Tcb): boolean {
  return tcb.receiveQueue.hasGap || (tcb.finKnown && !tcb.finReceived);
}

/** Puts the blocks into the options: what came twice, then what waits behind gaps, the newest first. */
export function putSack(tcb: Tcb, out: OutSegment): void {
  const max = blocksMax(tcb);
  const { options } = out;
  if (max <= 0) return;
  if (tcb.dsackStart !== tcb.dsackEnd) options.addSack(tcb.dsackStart, tcb.dsackEnd);
  // A FIN that came too early counts as received.
  const fin = tcb.finKnown && !tcb.finReceived;
  for (const range of tcb.receiveQueue.sackRanges) {
    if (options.sackCount === max) return;
    options.addSack(range.start, fin && range.end === tcb.finSeq ? (range.end + 1) | 0 : range.end);
  }
  if (finStandsAlone(tcb) && options.sackCount < max) options.addSack(tcb.finSeq, (tcb.finSeq + 1) | 0);
}

function finStandsAlone(tcb: Tcb): boolean {
  if (!tcb.finKnown || tcb.finReceived) return false;
  return tcb.receiveQueue.sackRanges.every(range => range.end !== tcb.finSeq);
}

/** On the narrowest paths (RFC 791: 68 bytes) a header with all options would be too long a packet. */
function blocksMax(tcb: Tcb): number {
  const timestamps = tcb.timestamps ? TIMESTAMPS_LENGTH : 0;
  const room = tcb.pathMtu - tcb.ipHeaderLength - TCP_HEADER_LENGTH - timestamps;
  const most = tcb.timestamps ? BLOCKS_WITH_TIMESTAMPS : BLOCKS_ALONE;
  return Math.min(Math.floor((room - OPTION_LENGTH) / BLOCK_LENGTH), most);
}
