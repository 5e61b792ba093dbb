/**
 * The first SYN of an active open.
 * @module
 */

import type { Seq } from '../base/seq.ts';
import { emitSyn } from './emit.ts';
import type { FastOpenCookie } from './fast-open/fast-open.ts';
import { TX_PUSH, TX_SKB_END, TX_SYN } from './flight.ts';
import { restartRetransmit } from './recovery/transmit-timer.ts';
import { beginRateSending, tagSegment } from './send/rate-sample.ts';
import type { Tcb } from './tcb.ts';

/**
 * Sends the SYN and starts its timer. With Fast Open `length` bytes of the queue and the option go along, but never
 * with a SYN that is sent again. False when the option was wanted and did not fit.
 */
export function sendSyn(tcb: Tcb, cookie: FastOpenCookie | null = null, length = 0): boolean {
  const { mib } = tcb.context.host;
  const text = (tcb.iss + 1) | 0;
  beginRateSending(tcb);
  push(tcb, tcb.iss, text, TX_SYN | TX_SKB_END);
  tcb.sndNxt = (text + length) | 0;
  if (length > 0) {
    push(tcb, text, tcb.sndNxt, TX_PUSH | TX_SKB_END);
    mib.TcpExt.TCPOrigDataSent++;
    tcb.dataSegsOut++;
    tcb.bytesSent += length;
  }
  mib.Tcp.ActiveOpens++;
  const complete = emitSyn(tcb, cookie, length);
  tcb.lastSentUs = tcb.nowUs;
  restartRetransmit(tcb);
  return complete;
}

function push(tcb: Tcb, seq: Seq, end: Seq, marks: number): void {
  const segment = tcb.context.newSegment(seq, end, tcb.nowUs, marks);
  tagSegment(tcb, segment);
  tcb.flight.push(segment);
}
