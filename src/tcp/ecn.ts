/**
 * Explicit congestion notification (RFC 3168): a router marks packets instead of dropping them, the receiver echoes
 * the mark until it hears that the sender has slowed down.
 *
 *     sender    data (not repetitions, not pure ACKs) goes out as ECT(0); an ECE begins the state CWR (recovery.ts),
 *               and the next new data says CWR
 *     receiver  CE sets ECE on everything that is sent, until a CWR comes
 *
 * The rules are RFC 3168's section 6.1, the choices that it leaves Linux's. docs/ECN.md tells of them.
 * @module
 */
import { CE, NOT_ECT } from '../wire/ecn.ts';
import { CWR, ECE, SYN } from '../wire/tcp.ts';
import { enterQuickAck } from './receive/ack-policy.ts';
import type { Segment } from './segment.ts';
import type { Tcb } from './tcb.ts';

/** Bits of `tcb.ecnFlags` (Linux's names): both ends do ECN. */
export const ECN_OK = 1;
/** The next new data is to say CWR. */
const ECN_QUEUE_CWR = 2;
/** CE has come: everything says ECE until the peer says CWR. */
const ECN_DEMAND_CWR = 4;
/** The peer has sent something ECN-capable. */
export const ECN_SEEN = 8;

/** Values of tcp_ecn: ask for it, or only agree to it. Any other: neither. */
const ECN_ASK = 1;
const ECN_AGREE = 2;

/** ACKs that are sent at once when a mark comes, or something that is probably a repetition (Linux). */
const QUICK_ACKS_AFTER_MARK = 2;

// --- the handshake: section 6.1.1 ----------------------------------------------------------------------------------

/** ECE and CWR of our SYN; a SYN that is sent again asks no more where tcp_ecn_fallback suspects a firewall. */
export function synEcnFlags(tcb: Tcb): number {
  const { sysctl } = tcb.context.host;
  const first = tcb.totalRetrans === 0;
  if (first) tcb.ecnFlags = sysctl.tcp_ecn === ECN_ASK ? ECN_OK : 0;
  const asks = (tcb.ecnFlags & ECN_OK) !== 0 && (first || !sysctl.tcp_ecn_fallback);
  return asks ? ECE | CWR : 0;
}

/** ECE of the SYN-ACK of a simultaneous open. */
export function synAckEcnFlags(tcb: Tcb): number {
  return (tcb.ecnFlags & ECN_OK) !== 0 ? ECE : 0;
}

/** The peer's SYN-ACK, or its SYN in a simultaneous open, agrees to ECN or does not. */
export function agreeOnEcn(tcb: Tcb, segment: Segment, isSynAck: boolean): void {
  const agreed = isSynAck ? ECE : ECE | CWR;
  if ((segment.flags & (ECE | CWR)) !== agreed) tcb.ecnFlags = 0;
}

/** Whether a listener agrees to what a SYN asks for. One that is ECN-capable itself is none of RFC 3168. */
export function asksForEcn(segment: Segment, tcpEcn: number): boolean {
  if ((segment.flags & (ECE | CWR)) !== (ECE | CWR) || segment.ecn !== NOT_ECT) return false;
  return tcpEcn === ECN_ASK || tcpEcn === ECN_AGREE;
}

// --- the sender: section 6.1.2 -------------------------------------------------------------------------------------

/** The window was reduced: the peer is to hear of it. */
export function queueCwr(tcb: Tcb): void {
  if ((tcb.ecnFlags & ECN_OK) !== 0) tcb.ecnFlags |= ECN_QUEUE_CWR;
}

/** The reduction was undone before the peer heard of it. */
export function withdrawCwr(tcb: Tcb): void {
  tcb.ecnFlags &= ~ECN_QUEUE_CWR;
}

/** CWR, once after each reduction, for new data; gone with that when this host had no room for it (Linux). */
export function takeCwr(tcb: Tcb): number {
  if ((tcb.ecnFlags & ECN_QUEUE_CWR) === 0) return 0;
  tcb.ecnFlags &= ~ECN_QUEUE_CWR;
  return CWR;
}

/** Whether an acknowledgement says that our data has met congestion. */
export function isEcnEcho(tcb: Tcb, segment: Segment): boolean {
  return (segment.flags & (ECE | SYN)) === ECE && (tcb.ecnFlags & ECN_OK) !== 0;
}

// --- the receiver: section 6.1.3 -----------------------------------------------------------------------------------

/** ECE while a mark waits for the peer's CWR. */
export function ecnEcho(tcb: Tcb): number {
  return (tcb.ecnFlags & ECN_DEMAND_CWR) !== 0 ? ECE : 0;
}

/**
 * The peer has heard of the mark. Its window may be very small now, so data is acknowledged at once. A CWR without data
 * counts, too: some send it so (as Linux).
 */
export function takePeerCwr(tcb: Tcb, segment: Segment): void {
  if (!segment.has(CWR) || (tcb.ecnFlags & ECN_OK) === 0) return;
  tcb.ecnFlags &= ~ECN_DEMAND_CWR;
  if (segment.length > 0) tcb.ackNow = true;
}

/** Data has arrived, with this ECN field. */
export function noteEcnOfData(tcb: Tcb, ecn: number): void {
  if ((tcb.ecnFlags & ECN_OK) === 0) return;
  if (ecn === NOT_ECT) {
    // Only repetitions are not ECN-capable: the peer is repairing a loss and waits for our ACK.
    if ((tcb.ecnFlags & ECN_SEEN) !== 0) enterQuickAck(tcb, QUICK_ACKS_AFTER_MARK);
    return;
  }
  if (ecn === CE && (tcb.ecnFlags & ECN_DEMAND_CWR) === 0) {
    enterQuickAck(tcb, QUICK_ACKS_AFTER_MARK);
    tcb.ecnFlags |= ECN_DEMAND_CWR;
  }
  tcb.ecnFlags |= ECN_SEEN;
}
