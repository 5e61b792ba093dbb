/**
 * RFC 9293 section 3.10.7.3: a segment arrives in SYN-SENT.
 * @module
 */
import { ECONNREFUSED } from '../base/errno.ts';
import { seqDiff, seqLe } from '../base/seq.ts';
import { POLLERR, POLLHUP, POLLIN, POLLOUT } from '../core/readiness.ts';
import { ACK, FIN, RST, SYN } from '../wire/tcp.ts';
import { acknowledgesNew, processAck } from './ack.ts';
import { changeState, endConnection } from './change-state.ts';
import { agreeOnEcn } from './ecn.ts';
import { emitSyn, refuse, sendAck } from './emit.ts';
import { synAckArrived } from './fast-open/active.ts';
import { type FastOpen, takeSynText } from './fast-open/fast-open.ts';
import { updateMss } from './mss.ts';
import { enterQuickAck } from './receive/ack-policy.ts';
import { receiveFin } from './receive/receive.ts';
import { WINDOW_MAX } from './receive/window.ts';
import { repeatSynSoon, restartRetransmit } from './recovery/transmit-timer.ts';
import type { Segment } from './segment.ts';
import { beginMtuSearch } from './send/mtu-probe.ts';
import { flush } from './send/output.ts';
import { DELAYED_ACK_MAX_US } from './settings.ts';
import type { Tcb } from './tcb.ts';
import { setTimer, stopTimer, TIMER_DELAYED_ACK, TIMER_RETRANSMIT } from './timers.ts';

/** Called when the connection has reached ESTABLISHED; input.ts. */
type Established = (tcb: Tcb) => void;

/** First ACK, second RST, third security, fourth SYN, fifth neither. */
export function synSentInput(tcb: Tcb, segment: Segment, established: Established): void {
  // Nothing was sent yet that could be answered.
  if (tcb.fastOpen?.deferred === true) return;
  const ackGood = segment.has(ACK) && acknowledgesNew(tcb, segment.ack);
  if (segment.has(ACK) && !(ackGood && timestampGood(tcb, segment))) {
    if (!segment.has(RST)) refuse(tcb, segment);
    // The peer has an old connection, and has just been told to forget it, or has: our first SYN can come again soon.
    if (!ackGood && tcb.retransmits === 0) repeatSynSoon(tcb);
    return;
  }
  if (segment.has(RST)) {
    if (!ackGood) return;
    endConnection(tcb, 'receive RST', ECONNREFUSED);
    tcb.output.ready(POLLIN | POLLOUT | POLLERR | POLLHUP);
    return;
  }
  if (!segment.has(SYN)) return;
  takeSyn(tcb, segment);
  agreeOnEcn(tcb, segment, ackGood);
  if (ackGood) completeHandshake(tcb, segment, established);
  else answerSimultaneousSyn(tcb);
}

/** RFC 7323 section 3.2 (as Linux): an echo of a timestamp that we never sent is not an answer to our SYN. */
function timestampGood(tcb: Tcb, segment: Segment): boolean {
  const { timestamps, tsEcr } = segment.options;
  if (!timestamps || tsEcr === 0) return true;
  return seqLe(tsEcr, tcb.tsNow);
}

/** The peer's SYN: its sequence number, and what its options agree to. */
export function takeSyn(tcb: Tcb, segment: Segment): void {
  const { options } = segment;
  const { sysctl } = tcb.context.host;
  tcb.irs = segment.seq;
  tcb.rcvNxt = (segment.seq + 1) | 0;
  tcb.rcvWup = tcb.rcvNxt;
  tcb.copiedSeq = tcb.rcvNxt;
  tcb.timestamps = options.timestamps && sysctl.tcp_timestamps !== 0;
  tcb.tsRecent = options.tsVal;
  tcb.tsRecentUs = tcb.timestamps ? tcb.nowUs : 0;
  tcb.sack = options.sackPermitted && sysctl.tcp_sack;
  agreeOnScale(tcb, options.windowScale);
  if (options.mss > 0) tcb.peerMss = Math.max(options.mss, sysctl.tcp_min_snd_mss);
  // A window in a SYN is never scaled (RFC 7323 section 2.2).
  tcb.sndWnd = segment.window;
  tcb.maxSndWnd = segment.window;
  tcb.sndWl1 = segment.seq;
  updateMss(tcb);
}

function agreeOnScale(tcb: Tcb, peerScale: number): void {
  const both = peerScale >= 0 && tcb.context.host.sysctl.tcp_window_scaling;
  tcb.windowScaling = both;
  tcb.sndWscale = both ? peerScale : 0;
  if (both) return;
  tcb.rcvWscale = 0;
  tcb.windowClamp = Math.min(tcb.windowClamp, WINDOW_MAX);
}

function completeHandshake(tcb: Tcb, segment: Segment, established: Established): void {
  const writerWaits = tcb.writeBlocked;
  processAck(tcb, segment);
  stopTimer(tcb, TIMER_RETRANSMIT);
  changeState(tcb, 'receive SYN,ACK');
  tcb.lastReceivedUs = tcb.nowUs;
  // Here already, so that the first segments are no larger than the search allows; the passive side is less careful.
  beginMtuSearch(tcb);
  established(tcb);
  if (tcb.fastOpen !== null && synAckArrived(tcb, tcb.fastOpen, segment))
    takeSynAckText(tcb, tcb.fastOpen, segment);
  const before = tcb.segsOut;
  flush(tcb);
  if (tcb.segsOut === before) acknowledgeSyn(tcb, writerWaits);
}

/** Text and FIN of a SYN-ACK. Without Fast Open they are left for the peer to send again (as Linux). */
function takeSynAckText(tcb: Tcb, fastOpen: FastOpen, segment: Segment): void {
  const taken = takeSynText(tcb, segment);
  if (taken || segment.has(FIN)) fastOpen.synDataAcked = true;
  if (!segment.has(FIN) || segment.dataLength !== seqDiff(tcb.rcvNxt, tcb.irs) - 1) return;
  receiveFin(tcb);
  changeState(tcb, 'receive FIN');
  // Our answer will carry the ACK (Linux).
  tcb.pingPong = true;
}

/** At once, or a little later with the data that is about to be written (as Linux). */
function acknowledgeSyn(tcb: Tcb, writerWaits: boolean): void {
  if (!writerWaits && !tcb.pingPong && tcb.settings.deferAcceptUs === 0) {
    sendAck(tcb);
    return;
  }
  enterQuickAck(tcb);
  tcb.lastReceivedUs = tcb.nowUs;
  tcb.ackPending = true;
  setTimer(tcb, TIMER_DELAYED_ACK, tcb.nowUs + DELAYED_ACK_MAX_US);
}

/** Both sides have opened at once: SYN-RECEIVED, and our SYN again, now with an ACK. */
function answerSimultaneousSyn(tcb: Tcb): void {
  changeState(tcb, 'receive SYN');
  emitSyn(tcb);
  restartRetransmit(tcb);
}
