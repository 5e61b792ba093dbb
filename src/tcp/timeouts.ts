/**
 * What happens when a timer goes off: RFC 9293 sections 3.8 and 3.10.8, RFC 6298, RFC 1122 section 4.2.3.5; the limits
 * are Linux's.
 * @module
 */
import { ETIMEDOUT } from '../base/errno.ts';
import { POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDHUP } from '../core/readiness.ts';
import { headIs } from './ack.ts';
import { endConnection } from './change-state.ts';
import { SSTHRESH_INFINITE } from './congestion/congestion.ts';
import { sendAck, sendProbe, sendReset } from './emit.ts';
import { noteTimeout } from './fast-open/blackhole.ts';
import { synAckTimeout } from './fast-open/passive.ts';
import { TX_SYN } from './flight.ts';
import { ackDueNow, delayedAckExpired } from './receive/ack-policy.ts';
import { sendPutOff } from './receive/receive.ts';
import { timeoutTotals, traceCwnd } from './recovery/ca-state.ts';
import { enterLoss, onReorderTimeout } from './recovery/recovery.ts';
import { NO_ROOM, retransmit } from './recovery/retransmit.ts';
import { sendLossProbe } from './recovery/tail-probe.ts';
import { armAfterSend, restartRetransmit, resumeRetransmit } from './recovery/transmit-timer.ts';
import { backOff, probeWaitUs, rtoMaxUs, rtoMinUs, setRto } from './rtt.ts';
import { blackHoleRetries, suspectBlackHole } from './send/mtu-probe.ts';
import { flush, hasWindow, sendIntoWindow } from './send/output.ts';
import { RTO_INITIAL_US, type Tcb } from './tcb.ts';
import {
  isTimerSet,
  rearm,
  setTimer,
  TIMER_COMPRESSED_ACK,
  TIMER_DELAYED_ACK,
  TIMER_FIN_WAIT_2,
  TIMER_KEEPALIVE,
  TIMER_LOSS_PROBE,
  TIMER_PACING,
  TIMER_PERSIST,
  TIMER_REORDER,
  TIMER_RETRANSMIT,
  type TimerKind,
  takeDueTimer,
} from './timers.ts';

/** What finds no room in this host is tried again after so long (Linux's TCP_RESOURCE_PROBE_INTERVAL). */
const NO_ROOM_WAIT_US = 500_000;

/** Time-outs that come at an even pace with tcp_thin_linear_timeouts, and fewer segments than this are few. */
const THIN_LINEAR_RETRIES = 6;
const THIN_SEGMENTS = 4;

/** What each timer does, by its number. */
const HANDLERS: { readonly [kind in TimerKind]: (tcb: Tcb) => void } = {
  [TIMER_RETRANSMIT]: retransmitTimeout,
  [TIMER_PERSIST]: persistTimeout,
  [TIMER_DELAYED_ACK]: delayedAckTimeout,
  [TIMER_KEEPALIVE]: keepaliveTimeout,
  [TIMER_FIN_WAIT_2]: tcb => endConnection(tcb, 'timeout', 0),
  [TIMER_LOSS_PROBE]: sendLossProbe,
  [TIMER_REORDER]: reorderTimeout,
  [TIMER_PACING]: flush,
  [TIMER_COMPRESSED_ACK]: sendPutOff,
};

/** Fires every timer of the connection that is due. */
export function fireTimers(tcb: Tcb, nowUs: number): void {
  for (let kind = takeDueTimer(tcb, nowUs); kind !== null; kind = takeDueTimer(tcb, nowUs))
    HANDLERS[kind](tcb);
  rearm(tcb);
}

/** RFC 6298 section 5.4 to 5.7: the oldest segment again, with twice the time-out, until the limits are reached. */
function retransmitTimeout(tcb: Tcb): void {
  const { fastOpen } = tcb;
  const child = fastOpen?.synAckOut === true;
  if (tcb.flight.packetsOut === 0 && !child) return;
  if (!child && isWindowTakenBack(tcb)) {
    probeByRepetition(tcb);
    return;
  }
  tcb.context.host.mib.TcpExt.TCPTimeouts++;
  if (child) {
    if (!synAckTimeout(tcb, fastOpen)) giveUp(tcb);
    return;
  }
  const expired = isTooLong(tcb);
  if (fastOpen !== null) noteTimeout(tcb, expired);
  if (expired) {
    giveUp(tcb);
    return;
  }
  if (headIs(tcb, TX_SYN)) {
    countTimeout(tcb);
    tcb.flight.lostOut = 0;
  } else {
    if (isUserTimeout(tcb, backoffSum(tcb, blackHoleRetries(tcb)))) suspectBlackHole(tcb);
    countTimeout(tcb);
    enterLoss(tcb);
  }
  tcb.retransmits++;
  repeatHead(tcb);
}

/** The oldest segment goes out again, and the next time-out comes later. */
function repeatHead(tcb: Tcb): void {
  // A SYN does not find the path congested: it is lost, and asks again soon.
  const linear = tcb.state === 'SYN_SENT' ? tcb.context.host.sysctl.tcp_syn_linear_timeouts : -1;
  if (isThin(tcb)) {
    tcb.backoff = 0;
    setRto(tcb);
  } else if (tcb.retransmits > linear) {
    backOff(tcb);
  }
  if (retransmit(tcb, 0, 1, 'rto') === NO_ROOM) setTimer(tcb, TIMER_RETRANSMIT, tcb.nowUs + NO_ROOM_WAIT_US);
  else restartRetransmit(tcb);
}

/**
 * The peer has closed a window that we had used: our repetitions are probes (RFC 9293 section 3.8.6.1, MUST-36), for as
 * long as it answers (Linux's tcp_rtx_probe0_timed_out).
 */
function probeByRepetition(tcb: Tcb): void {
  const { userTimeoutUs } = tcb.settings;
  const limitUs = Math.min(2 * rtoMaxUs(tcb), userTimeoutUs || Number.POSITIVE_INFINITY);
  const sinceUs = tcb.nowUs - (tcb.retransmitStampUs || (tcb.flight.head?.sentUs ?? tcb.nowUs));
  const silentUs = tcb.nowUs - tcb.lastAckReceivedUs;
  if ((userTimeoutUs > 0 && sinceUs > userTimeoutUs) || (silentUs > limitUs && sinceUs > limitUs)) {
    giveUp(tcb);
    return;
  }
  enterLoss(tcb);
  repeatHead(tcb);
}

function isWindowTakenBack({ sndWnd, orphan, state }: Tcb): boolean {
  return sndWnd === 0 && !orphan && state !== 'SYN_SENT' && state !== 'SYN_RCVD';
}

/** A connection with little in flight that is past its first slow start does not help anybody by its patience. */
function isThin({ state, settings, context, flight, ssthresh, retransmits }: Tcb): boolean {
  if (state !== 'ESTABLISHED' || retransmits > THIN_LINEAR_RETRIES) return false;
  if (!settings.thinLinearTimeouts && !context.host.sysctl.tcp_thin_linear_timeouts) return false;
  return flight.packetsOut < THIN_SEGMENTS && ssthresh < SSTHRESH_INFINITE;
}

/** Statistics: what the time-out put an end to. */
function countTimeout(tcb: Tcb): void {
  const { TcpExt } = tcb.context.host.mib;
  const totals = timeoutTotals(tcb);
  totals.count++;
  if (tcb.retransmits > 0) return;
  totals.recoveries++;
  if (totals.sinceUs === 0) totals.sinceUs = tcb.nowUs;
  if (tcb.caState === 'Recovery') TcpExt[tcb.sack ? 'TCPSackRecoveryFail' : 'TCPRenoRecoveryFail']++;
  else if (tcb.caState === 'Loss') TcpExt.TCPLossFailures++;
  else if (tcb.caState === 'Disorder') TcpExt[tcb.sack ? 'TCPSackFailures' : 'TCPRenoFailures']++;
}

/** RFC 8985 section 6.3: what was late is lost, and is sent again now. */
function reorderTimeout(tcb: Tcb): void {
  if (tcb.flight.packetsOut === 0) return;
  onReorderTimeout(tcb);
  traceCwnd(tcb);
  flush(tcb);
  if (!isTimerSet(tcb, TIMER_RETRANSMIT)) resumeRetransmit(tcb);
}

function isTooLong(tcb: Tcb): boolean {
  const { sysctl } = tcb.context.host;
  const { userTimeoutUs, synCount } = tcb.settings;
  if (tcb.state === 'SYN_SENT') {
    if (tcb.retransmits >= synCount + sysctl.tcp_syn_linear_timeouts) return true;
    // No longer than it would take without those that come at an even pace.
    const limitUs = userTimeoutUs || backoffSum(tcb, synCount, RTO_INITIAL_US);
    return tcb.retransmits > 0 && tcb.nowUs - tcb.lastSentUs >= limitUs;
  }
  if (tcb.state === 'SYN_RCVD')
    return tcb.retransmits >= sysctl.tcp_synack_retries || isUserTimeout(tcb, userTimeoutUs);
  if (userTimeoutUs > 0) return isUserTimeout(tcb, userTimeoutUs);
  const retries = tcb.orphan ? orphanRetries(tcb) : sysctl.tcp_retries2;
  return isUserTimeout(tcb, backoffSum(tcb, retries));
}

function isUserTimeout(tcb: Tcb, limitUs: number): boolean {
  return limitUs > 0 && tcb.retransmitStampUs !== 0 && tcb.nowUs - tcb.retransmitStampUs >= limitUs;
}

/** The time that `retries` doublings take (RFC 1122's R2 as Linux counts it), the first time-out `min` microseconds. */
function backoffSum(tcb: Tcb, retries: number, min = rtoMinUs(tcb)): number {
  const max = rtoMaxUs(tcb);
  const doublings = Math.floor(Math.log2(max / min));
  if (retries <= doublings) return (2 ** (retries + 1) - 1) * min;
  return (2 ** (doublings + 1) - 1) * min + (retries - doublings) * max;
}

function orphanRetries(tcb: Tcb): number {
  // A peer that answers at least our window probes deserves the full time; a silent one only if it was there lately.
  return tcb.softError !== 0 ? 0 : tcb.context.host.sysctl.tcp_orphan_retries;
}

function giveUp(tcb: Tcb): void {
  tcb.context.host.mib.TcpExt.TCPAbortOnTimeout++;
  endConnection(tcb, 'timeout', tcb.softError === 0 ? ETIMEDOUT : tcb.softError);
  tcb.output.ready(POLLIN | POLLOUT | POLLERR | POLLHUP | POLLRDHUP);
}

/** RFC 9293 section 3.8.6.1: probes a closed window for as long as the peer answers; sends what was held back. */
function persistTimeout(tcb: Tcb): void {
  if (tcb.flight.packetsOut > 0 || nothingWaits(tcb)) {
    endProbing(tcb);
    return;
  }
  if (isProbedEnough(tcb)) {
    giveUp(tcb);
    return;
  }
  if (tcb.probesStampUs === 0) tcb.probesStampUs = tcb.nowUs;
  const sent = sendWindowProbe(tcb);
  if (tcb.flight.packetsOut > 0 || nothingWaits(tcb)) {
    endProbing(tcb);
    tcb.backoff = 0;
    armAfterSend(tcb);
    return;
  }
  tcb.probesOut++;
  if (sent && tcb.backoff < tcb.context.host.sysctl.tcp_retries2) tcb.backoff++;
  setTimer(
    tcb,
    TIMER_PERSIST,
    Math.min(tcb.nowUs + (sent ? probeWaitUs(tcb) : NO_ROOM_WAIT_US), probesEndUs(tcb)),
  );
}

function nothingWaits(tcb: Tcb): boolean {
  return tcb.unsent === 0 && (!tcb.finQueued || tcb.finSent);
}

function endProbing(tcb: Tcb): void {
  tcb.probesOut = 0;
  tcb.probesStampUs = 0;
}

function sendWindowProbe(tcb: Tcb): boolean {
  if (hasWindow(tcb)) return sendIntoWindow(tcb);
  tcb.context.host.mib.TcpExt.TCPWinProbe++;
  return sendProbe(tcb);
}

function isProbedEnough(tcb: Tcb): boolean {
  const { sysctl } = tcb.context.host;
  const limit = tcb.orphan ? sysctl.tcp_orphan_retries : sysctl.tcp_retries2;
  // A peer that keeps its window closed for ever cannot hold a connection that nobody owns any more.
  const tooPatient = tcb.orphan && tcb.backoff >= limit && probeWaitUs(tcb) >= rtoMaxUs(tcb);
  return tooPatient || tcb.probesOut >= limit || (tcb.probesStampUs > 0 && tcb.nowUs >= probesEndUs(tcb));
}

/** TCP_USER_TIMEOUT counts from the first probe, whether the peer answers or not (as Linux). */
function probesEndUs({ settings, probesStampUs }: Tcb): number {
  return settings.userTimeoutUs === 0 ? Number.POSITIVE_INFINITY : probesStampUs + settings.userTimeoutUs;
}

function delayedAckTimeout(tcb: Tcb): void {
  if (!tcb.ackPending) return;
  delayedAckExpired(tcb);
  tcb.ackNow = true;
  if (ackDueNow(tcb)) sendAck(tcb);
}

/** RFC 9293 section 3.8.4: probes a silent peer, and gives it up when it stays silent. */
function keepaliveTimeout(tcb: Tcb): void {
  const { settings } = tcb;
  if (!settings.keepAlive || tcb.state === 'SYN_SENT') return;
  if (tcb.flight.packetsOut > 0 || tcb.unsent > 0) {
    // Data is on its way: the retransmission timer finds out.
    setTimer(tcb, TIMER_KEEPALIVE, tcb.nowUs + settings.keepIdleUs);
    return;
  }
  const silentUs = tcb.nowUs - Math.max(tcb.lastReceivedUs, tcb.lastAckReceivedUs);
  const tooLong = settings.userTimeoutUs > 0 && silentUs >= settings.userTimeoutUs && tcb.probesOut > 0;
  if (tooLong || (settings.userTimeoutUs === 0 && tcb.probesOut >= settings.keepCount)) {
    sendReset(tcb);
    giveUp(tcb);
    return;
  }
  tcb.context.host.mib.TcpExt.TCPKeepAlive++;
  sendProbe(tcb);
  tcb.probesOut++;
  setTimer(tcb, TIMER_KEEPALIVE, tcb.nowUs + settings.keepIntervalUs);
}
