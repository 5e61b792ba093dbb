/**
 * RACK (RFC 8985 section 6): a segment is lost when one that was sent clearly later has arrived. "Clearly" is the
 * reordering window: nothing on a path that keeps the order, a quarter of the least round trip on one that does not,
 * more where D-SACKs say that even this was too little. It finds lost repetitions as it finds lost originals.
 * @module
 */
import { type Seq, seqDiff, seqGe, seqGt } from '../../base/seq.ts';
import { TX_EVER_RETRANS, TX_LOST, TX_RETRANS, TX_SACKED, TX_UNTIMED, type TxSegment } from '../flight.ts';
import type { Tcb } from '../tcb.ts';
import type { AckOutcome } from './ack-outcome.ts';
import { markLost } from './lost-marks.ts';
import { armReorder } from './transmit-timer.ts';

/** Bits of tcp_recovery. Without the first, 1, there would be no RACK: Linux ignores it since 6.17. */
const RECOVERY_STATIC_WINDOW = 2;
const RECOVERY_NO_DUPTHRESH = 4;
/** Recoveries without D-SACK after which a widened window is given up (RFC 8985 section 6.2, step 4). */
const PERSIST_RECOVERIES = 16;
/** The widest window, in quarters of the least round trip (as Linux); never more than a round trip. */
const STEPS_MAX = 255;

/**
 * RFC 8985 section 6.2, step 2: a segment has arrived for the first time. The one sent last of all that have is what
 * counts, and the round trip that was measured last. One that was sent again says nothing when it is known too soon: it
 * was an earlier sending that has arrived.
 */
export function advanceRack(tcb: Tcb, segment: TxSegment): void {
  const rttUs = tcb.nowUs - segment.sentUs;
  if ((segment.marks & TX_EVER_RETRANS) !== 0 && (tcb.minRttUs === 0 || rttUs < tcb.minRttUs)) return;
  tcb.rackAdvanced = true;
  tcb.rackRttUs = rttUs;
  if (seqGt(segment.order, tcb.rackOrder)) tcb.rackOrder = segment.order;
}

/**
 * RFC 8985 section 6.2, step 5: marks what is lost. What may only be late is looked at again when the reordering
 * timer goes off. True when that was set.
 */
export function markLostByTime(tcb: Tcb): boolean {
  if (!tcb.rackAdvanced) return false;
  const waitUs = detectLosses(tcb);
  if (waitUs === 0) return false;
  armReorder(tcb, waitUs);
  return true;
}

/** Marks what is lost by now; returns how long the youngest of the others may still take, 0 when there is none. */
export function detectLosses(tcb: Tcb): number {
  const { flight } = tcb;
  const windowUs = reorderingWindowUs(tcb);
  let waitUs = 0;
  tcb.rackAdvanced = false;
  for (let index = 0; index < flight.packetsOut; index++) {
    const segment = flight.at(index) as TxSegment;
    const { marks } = segment;
    if ((marks & (TX_SACKED | TX_UNTIMED)) !== 0 || (marks & (TX_LOST | TX_RETRANS)) === TX_LOST) continue;
    if (seqGe(segment.order, tcb.rackOrder)) {
      // What stands behind a segment that was sent but once was sent later still.
      if ((marks & TX_EVER_RETRANS) === 0) break;
      continue;
    }
    const leftUs = timeLeftUs(tcb, segment, windowUs);
    if (leftUs <= 0) {
      markLost(tcb, segment);
      segment.marks |= TX_UNTIMED;
    } else if (leftUs > waitUs) {
      waitUs = leftUs;
    }
  }
  return waitUs;
}

/** How long the segment may still take to arrive before it counts as lost; not positive when it does. */
export function timeLeftUs(tcb: Tcb, segment: TxSegment, windowUs: number): number {
  return segment.sentUs + tcb.rackRttUs + windowUs - tcb.nowUs;
}

/** RFC 8985 section 6.2, step 4: how long something may be late, in microseconds. */
function reorderingWindowUs(tcb: Tcb): number {
  if (tcb.reorderingSeen === 0) {
    if (tcb.caState === 'Recovery' || tcb.caState === 'Loss') return 0;
    const counts = (tcb.context.host.sysctl.tcp_recovery & RECOVERY_NO_DUPTHRESH) === 0;
    if (counts && tcb.flight.sackedOut >= tcb.reordering) return 0;
  }
  return Math.min((tcb.minRttUs >> 2) * tcb.reoWndSteps, tcb.srttUs);
}

/** How D-SACKs have widened the reordering window (RFC 8985 section 6.2, step 4). */
export interface ReorderingWindow {
  /** In quarters of the least round trip, and for how many recoveries more that holds. */
  steps: number;
  persist: number;
  /** A D-SACK asks for more; what had arrived in all when one last got it. */
  dsackSeen: boolean;
  delivered: number;
}

function newReorderingWindow(): ReorderingWindow {
  return { steps: 1, persist: 0, dsackSeen: false, delivered: 0 };
}

/** A D-SACK on a path that reorders: the window was too narrow. */
export function noteTooNarrow(tcb: Tcb): void {
  tcb.reordered ??= newReorderingWindow();
  tcb.reordered.dsackSeen = true;
}

/** A window that was too narrow grows once a round trip: when something arrives that was sent after it grew last. */
export function adaptReorderingWindow(
  { reordered, context, delivered: before }: Tcb,
  outcome: AckOutcome,
): void {
  const { rate, delivered } = outcome;
  if (reordered === null || !rate.tagged) return;
  if ((context.host.sysctl.tcp_recovery & RECOVERY_STATIC_WINDOW) !== 0) return;
  if (rate.priorDelivered < reordered.delivered) reordered.dsackSeen = false;
  if (reordered.dsackSeen) {
    reordered.dsackSeen = false;
    reordered.delivered = before + delivered;
    reordered.steps = Math.min(reordered.steps + 1, STEPS_MAX);
    reordered.persist = PERSIST_RECOVERIES;
  } else if (reordered.persist === 0) {
    reordered.steps = 1;
  }
}

/** A recovery is over; one that was `needless` keeps a widened window longer. */
export function noteRecoveryEnd(tcb: Tcb, needless: boolean): void {
  if (needless) {
    tcb.reordered ??= newReorderingWindow();
    tcb.reordered.persist = Math.min(tcb.reordered.persist + 1, PERSIST_RECOVERIES);
  } else if (tcb.reordered !== null && tcb.reordered.persist > 0) {
    tcb.reordered.persist--;
  }
}

/**
 * What begins at `low` arrived after something behind it, and only the first time that it was sent: the path reorders,
 * by so many segments at least. `how`: whether SACK, or a timestamp, has told.
 */
export function noteReordering(tcb: Tcb, low: Seq, how: 'TCPSACKReorder' | 'TCPTSReorder'): void {
  const distance = seqDiff(tcb.highestSacked, low);
  if (distance <= 0) return;
  const { mib, sysctl } = tcb.context.host;
  if (distance > tcb.reordering * tcb.mss)
    tcb.reordering = Math.min(Math.ceil(distance / tcb.mss), sysctl.tcp_max_reordering);
  tcb.reorderingSeen++;
  mib.TcpExt[how]++;
}
