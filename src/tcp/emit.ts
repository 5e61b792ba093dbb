/**
 * Building the segments a connection sends: header fields, options, window.
 * @module
 */
import { type Seq, seqDiff, seqGt } from '../base/seq.ts';
import { ACK, CWR, FIN, PSH, RST, SYN } from '../wire/tcp.ts';
import { ecnEcho, synAckEcnFlags, synEcnFlags } from './ecn.ts';
import type { FastOpenCookie } from './fast-open/fast-open.ts';
import { currentMss } from './mss.ts';
import { stampSent } from './notices.ts';
import { ackWasSent } from './receive/ack-policy.ts';
import { putSack } from './receive/sack-blocks.ts';
import { advertiseWindow, offeredScale } from './receive/window.ts';
import { enterCwr } from './recovery/cwr.ts';
import { type OutSegment, resetFor, type Segment } from './segment.ts';
import { noteDeparture } from './send/pacing.ts';
import type { Tcb } from './tcb.ts';
import { markUrgent } from './urgent.ts';

/**
 * Sends a SYN, or the SYN-ACK of a simultaneous open or of Fast Open; `cookie` goes in the Fast Open option, with the
 * first `length` bytes of the queue. False when the option did not fit.
 */
export function emitSyn(tcb: Tcb, cookie: FastOpenCookie | null = null, length = 0): boolean {
  const { sysctl } = tcb.context.host;
  const both = tcb.state !== 'SYN_SENT';
  const flags = both ? SYN | ACK | synAckEcnFlags(tcb) : SYN | synEcnFlags(tcb);
  const out = tcb.context.out.begin(tcb.iss, both ? tcb.rcvNxt : 0, flags);
  const { options } = out;
  out.window = advertiseWindow(tcb, true);
  options.mss = tcb.advMss;
  // A SYN-ACK of a simultaneous open repeats what the SYN offered (Linux).
  const answers = both && tcb.isFastOpenChild;
  if (answers ? tcb.sack : sysctl.tcp_sack) options.sackPermitted = true;
  if (answers ? tcb.timestamps : sysctl.tcp_timestamps !== 0) putTimestamps(tcb, out);
  if (answers ? tcb.windowScaling : sysctl.tcp_window_scaling)
    options.windowScale = answers ? tcb.rcvWscale : offeredScale(tcb);
  const complete = cookie === null || options.putCookie(cookie.bytes, cookie.experimental);
  if (length > 0) {
    out.data = tcb.sendQueue;
    out.dataLength = length;
  }
  emit(tcb, out);
  return complete;
}

/** Sends an ACK without data, with SACK blocks when something waits behind a gap. */
export function sendAck(tcb: Tcb): void {
  const out = tcb.context.out.begin(acceptableSeq(tcb), tcb.rcvNxt, ACK);
  out.window = advertiseWindow(tcb, false);
  if (tcb.timestamps) putTimestamps(tcb, out);
  if (tcb.sack) putSack(tcb, out);
  tcb.dsackStart = tcb.dsackEnd;
  ackWasSent(tcb);
  emit(tcb, out);
}

/**
 * SND.NXT, or the end of the peer's window when the peer has taken a part of it back: beyond it the peer would not
 * accept even an ACK.
 */
function acceptableSeq(tcb: Tcb): Seq {
  return seqGt(tcb.sndNxt, tcb.sndWndEnd) ? tcb.sndWndEnd : tcb.sndNxt;
}

/**
 * A window probe or keepalive: an old sequence number without data, which the peer must answer. False when this host
 * had no room for it.
 */
export function sendProbe(tcb: Tcb): boolean {
  const out = tcb.context.out.begin((tcb.sndUna - 1) | 0, tcb.rcvNxt, ACK);
  out.window = advertiseWindow(tcb, false);
  if (tcb.timestamps) putTimestamps(tcb, out);
  return emit(tcb, out);
}

/** Sends a reset that the peer will accept (RFC 9293 section 3.10.5). */
export function sendReset(tcb: Tcb): void {
  const out = tcb.context.out.begin(acceptableSeq(tcb), tcb.rcvNxt, RST | ACK);
  out.window = advertiseWindow(tcb, false);
  if (tcb.timestamps) putTimestamps(tcb, out);
  emit(tcb, out);
}

/** Answers a segment, which is no reset, as if there were no connection for it (RFC 9293 section 3.10.7.1). */
export function refuse(tcb: Tcb, segment: Segment): void {
  tcb.context.host.mib.Tcp.OutRsts++;
  tcb.output.emit(resetFor(segment, tcb.context.out));
}

/**
 * Sends `length` bytes from `seq` on: as one super-segment where the link takes it, otherwise cut to `mss`. FIN and
 * PSH go with the last segment, CWR with the first. `ect`: as ECN-capable. False when this host had no room for it:
 * then nothing was sent.
 */
export function emitData(
  tcb: Tcb,
  seq: Seq,
  length: number,
  flags: number,
  ect: boolean,
  mss: number = currentMss(tcb),
): boolean {
  const size = tcb.gsoMaxSize >= length ? Math.max(length, 1) : mss;
  if (length > 0) noteData(tcb, length, mss);
  let sent = 0;
  do {
    const part = Math.min(length - sent, size);
    const last = sent + part === length;
    const absent = (last ? 0 : FIN | PSH) | (sent === 0 ? 0 : CWR);
    if (!emitPart(tcb, (seq + sent) | 0, part, flags & ~absent, ect, mss) && sent === 0) return false;
    sent += part;
  } while (sent < length);
  tcb.dsackStart = tcb.dsackEnd;
  return true;
}

/** Data goes out, for the first time or again. */
function noteData(tcb: Tcb, length: number, mss: number): void {
  const { nowUs } = tcb;
  tcb.dataSegsOut += Math.ceil(length / mss);
  tcb.bytesSent += length;
  tcb.lastSentUs = nowUs;
  noteDeparture(tcb, length);
  // A reply within the delayed-ACK time: from now on our data will carry the ACKs.
  if (nowUs - tcb.lastReceivedUs < tcb.atoUs) tcb.pingPong = true;
}

function emitPart(tcb: Tcb, seq: Seq, length: number, flags: number, ect: boolean, mss: number): boolean {
  const out = tcb.context.out.begin(seq, tcb.rcvNxt, flags);
  out.window = advertiseWindow(tcb, false);
  if (tcb.timestamps) putTimestamps(tcb, out);
  out.data = tcb.sendQueue;
  out.dataOffset = seqDiff(seq, tcb.queueSeq);
  out.dataLength = length;
  out.gsoSize = length > mss ? mss : 0;
  out.ect = ect;
  if (tcb.sack) putSack(tcb, out);
  ackWasSent(tcb);
  const sent = emit(tcb, out);
  if (sent && tcb.notices !== null) stampSent(tcb, tcb.notices, seq, length);
  return sent;
}

/** False when this host's own queue was full, which is congestion, too. */
function emit(tcb: Tcb, out: OutSegment): boolean {
  if (tcb.ecnFlags !== 0) out.flags |= ecnEcho(tcb);
  if (tcb.urgentOut) markUrgent(tcb, out);
  const segments = out.gsoSize === 0 ? 1 : Math.ceil(out.dataLength / out.gsoSize);
  tcb.segsOut += segments;
  tcb.lastEmitStamp = tcb.nowUs | 0;
  const length = out.dataLength + (out.flags & FIN);
  tcb.lastEmitEnd = length > 0 ? (out.seq + length) | 0 : (tcb.sndUna - 1) | 0;
  tcb.context.host.mib.Tcp.OutSegs += segments;
  if ((out.flags & RST) !== 0) tcb.context.host.mib.Tcp.OutRsts++;
  const sent = tcb.output.emit(out);
  if (!sent) enterCwr(tcb);
  return sent;
}

function putTimestamps(tcb: Tcb, out: OutSegment): void {
  out.options.timestamps = true;
  out.options.tsVal = tcb.tsNow;
  out.options.tsEcr = (out.flags & ACK) !== 0 ? tcb.tsRecent : 0;
}
