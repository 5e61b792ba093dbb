/**
 * The SACK blocks that we send (RFC 2018 section 4, RFC 2883), with ACKs and, as on Linux, with data too.
 * @module
 */
import { TCP_HEADER_LENGTH } from '../../wire/tcp.ts';
import { TIMESTAMPS_LENGTH } from '../../wire/tcp-options.ts';
import type { OutSegment } from '../segment.ts';
import type { Tcb } from '../tcb.ts';

/** SACK blocks beside timestamps, and alone: what 40 bytes of options hold. */
const BLOCKS_WITH_TIMESTAMPS = 3;
const BLOCKS_ALONE = 4;
/** Of the SACK option without its blocks, padded, and of a block, in bytes. */
const OPTION_LENGTH = 4;
const BLOCK_LENGTH = 8;
/** The least payload of a full segment, whatever a peer or a path says. */
export const MSS_MIN = 8;

/** Bytes of options that the SACK blocks of the next segment with data take. */
export function sackLength(tcb: Tcb): number {
  const { receiveQueue } = tcb;
  const dsack = tcb.dsackStart === tcb.dsackEnd ? 0 : 1;
  if (!tcb.sack || (dsack === 0 && !receiveQueue.hasGap)) return 0;
  const blocks = Math.min(receiveQueue.sackRanges.length + dsack, blocksMax(tcb, MSS_MIN));
  return blocks === 0 ? 0 : OPTION_LENGTH + blocks * BLOCK_LENGTH;
}

/** Puts the blocks into the options: what came twice, then what waits behind gaps, the newest first. */
export function putSack(tcb: Tcb, { options, dataLength }: OutSegment): void {
  if (tcb.dsackStart === tcb.dsackEnd && !tcb.receiveQueue.hasGap) return;
  const max = blocksMax(tcb, dataLength > 0 ? MSS_MIN : 0);
  if (max <= 0) return;
  if (tcb.dsackStart !== tcb.dsackEnd) options.addSack(tcb.dsackStart, tcb.dsackEnd);
  for (const range of tcb.receiveQueue.sackRanges) {
    if (options.sackCount === max) return;
    options.addSack(range.start, range.end);
  }
}

/** On the narrowest paths (RFC 791: 68 bytes) a header with all options and `payload` bytes is too long a packet. */
function blocksMax(tcb: Tcb, payload: number): number {
  const timestamps = tcb.timestamps ? TIMESTAMPS_LENGTH : 0;
  const room = tcb.pathMtu - tcb.ipHeaderLength - TCP_HEADER_LENGTH - timestamps - payload;
  const most = tcb.timestamps ? BLOCKS_WITH_TIMESTAMPS : BLOCKS_ALONE;
  return Math.min(Math.floor((room - OPTION_LENGTH) / BLOCK_LENGTH), most);
}
