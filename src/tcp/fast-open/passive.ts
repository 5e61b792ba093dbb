/**
 * TCP Fast Open, the server's side (RFC 7413 section 4.2): a SYN with a good cookie makes a connection at once, which
 * may be read and written while its SYN-ACK is still on the way. Until that is acknowledged nothing but the
 * SYN-ACK is sent again.
 * @module
 */

import { seqGt } from '../../base/seq.ts';
import { ACK, RST, SYN } from '../../wire/tcp.ts';
import { elapsedSinceEcho, mayAnswerInvalid } from '../ack.ts';
import { emitSyn, sendAck } from '../emit.ts';
import { beginReceiveSpace } from '../receive/receive-space.ts';
import { timeoutTotals } from '../recovery/ca-state.ts';
import { enterLoss } from '../recovery/recovery.ts';
import { traceRetransmit } from '../recovery/retransmit.ts';
import { restartRetransmit } from '../recovery/transmit-timer.ts';
import { undoAtEnd } from '../recovery/undo.ts';
import { updateRtt } from '../rtt.ts';
import type { Segment } from '../segment.ts';
import { startCongestionControl } from '../send/pacing.ts';
import { expandSendBuffer } from '../send/send-space.ts';
import { RTO_FALLBACK_US, RTO_INITIAL_US, type Tcb } from '../tcb.ts';
import { setTimer, TIMER_RETRANSMIT } from '../timers.ts';
import { FastOpen, type FastOpenCookie, type FastOpenPlace, takeSynText } from './fast-open.ts';

/** Time-outs of the SYN-ACK beyond tcp_synack_retries (as Linux): the connection may be in use already. */
const EXTRA_RETRIES = 1;

/**
 * Begins a connection in SYN_RCVD that was made by `syn`: its text is taken, and the SYN-ACK sent, with a new cookie.
 * `place` is the connection's in its listener's queue.
 */
export function beginChild(
  tcb: Tcb,
  syn: Segment,
  cookie: FastOpenCookie | null,
  place: FastOpenPlace,
): void {
  const fastOpen = new FastOpen(null);
  tcb.fastOpen = fastOpen;
  fastOpen.place = place;
  fastOpen.synAckOut = true;
  fastOpen.synAckSentUs = tcb.nowUs;
  // The SYN-ACK is not in the flight, where it would take a place in the congestion window: it has been taken already.
  tcb.sndUna = tcb.sndNxt;
  beginReceiveSpace(tcb);
  tcb.rtoUs = RTO_FALLBACK_US;
  startCongestionControl(tcb);
  expandSendBuffer(tcb);
  fastOpen.synDataAcked = takeSynText(tcb, syn);
  if (fastOpen.synDataAcked) tcb.dataSegsIn = 1;
  emitSynAck(tcb, cookie);
  setTimer(tcb, TIMER_RETRANSMIT, tcb.nowUs + RTO_INITIAL_US);
}

/** The SYN-ACK was not acknowledged in time: it is sent again. False when that was done often enough. */
export function synAckTimeout(tcb: Tcb, fastOpen: FastOpen): boolean {
  const { sysctl } = tcb.context.host;
  if (fastOpen.synAckTimeouts >= sysctl.tcp_synack_retries + EXTRA_RETRIES) return false;
  if (tcb.retransmits === 1) enterLoss(tcb);
  sendSynAckAgain(tcb);
  fastOpen.synAckTimeouts++;
  tcb.retransmits++;
  timeoutTotals(tcb).count++;
  if (tcb.undoStampUs === 0) tcb.undoStampUs = tcb.nowUs;
  setTimer(tcb, TIMER_RETRANSMIT, tcb.nowUs + RTO_INITIAL_US * 2 ** fastOpen.synAckTimeouts);
  return true;
}

/** The client sends its SYN again: so does this side with its answer, within limits. False for any other segment. */
export function answerSynAgain(tcb: Tcb, { seq, flags }: Segment): boolean {
  if (!tcb.isFastOpenChild || seq !== tcb.irs || (flags & (SYN | ACK | RST)) !== SYN) return false;
  if (mayAnswerInvalid(tcb, 'TCPACKSkippedSynRecv')) sendSynAckAgain(tcb);
  return true;
}

/** All of the segment came with the SYN: it says nothing of our SYN-ACK, and is told what we have (as Linux). */
export function refuseRepetition(tcb: Tcb, { seq, length }: Segment): boolean {
  if (length === 0 || seqGt((seq + length) | 0, tcb.rcvNxt)) return false;
  if (mayAnswerInvalid(tcb, 'TCPACKSkippedSynRecv')) sendAck(tcb);
  return true;
}

function sendSynAckAgain(tcb: Tcb): void {
  const { mib } = tcb.context.host;
  tcb.totalRetrans++;
  mib.Tcp.RetransSegs++;
  mib.TcpExt.TCPSynRetrans++;
  traceRetransmit(tcb, 'syn-ack', tcb.iss, 1, tcb.totalRetrans);
  emitSynAck(tcb, null);
}

/** It is none of the connection's segments (tcpi_segs_out, as Linux). */
function emitSynAck(tcb: Tcb, cookie: FastOpenCookie | null): void {
  emitSyn(tcb, cookie);
  tcb.segsOut--;
}

/** Our SYN-ACK is acknowledged, and perhaps data behind it: from now on this is a connection like any other. */
export function synAckAcknowledged(tcb: Tcb, fastOpen: FastOpen): void {
  const { outcome } = tcb.context;
  fastOpen.synAckOut = false;
  fastOpen.place?.leave();
  fastOpen.place = null;
  tcb.delivered++;
  if (tcb.srttUs === 0) measureSynAck(tcb, fastOpen);
  if (tcb.caState === 'Loss' && tcb.flight.packetsOut === 0) undoAtEnd(tcb, outcome);
  tcb.retransmits = 0;
  tcb.undoStampUs = 0;
  restartRetransmit(tcb);
}

/** The round trip of a SYN-ACK that was sent once; of one that was sent again its timestamps tell. */
function measureSynAck(tcb: Tcb, { synAckSentUs }: FastOpen): void {
  const { outcome } = tcb.context;
  const sampleUs = tcb.totalRetrans === 0 ? tcb.nowUs - synAckSentUs : elapsedSinceEcho(tcb, outcome);
  if (sampleUs >= 0) updateRtt(tcb, sampleUs, sampleUs, false);
}
