/**
 * TCP Fast Open (RFC 7413): what a connection knows of it. What a client does is in fast-open-active.ts, what a
 * server's connection does in fast-open-passive.ts; cookies, keys and the queue of a listener are the transport's.
 * @module
 */
import type { Seq } from '../../base/seq.ts';
import { POLLIN } from '../../core/readiness.ts';
import { truesize } from '../receive/receive-memory.ts';
import type { Segment } from '../segment.ts';
import type { Tcb } from '../tcb.ts';

/** Bits of tcp_fastopen. */
export const FAST_OPEN_CLIENT = 1;
export const FAST_OPEN_SERVER = 2;
export const FAST_OPEN_CLIENT_NO_COOKIE = 4;
export const FAST_OPEN_SERVER_NO_COOKIE = 0x200;
/** Listeners without TCP_FASTOPEN, too. */
export const FAST_OPEN_EVERY_LISTENER = 0x400;

/** The option's value: a cookie, or no bytes to ask for one; and whether it is the option of the experiment. */
export interface FastOpenCookie {
  readonly bytes: Uint8Array;
  readonly experimental: boolean;
}

/** What is remembered of a server (RFC 7413 section 4.1.3). */
export interface FastOpenMetrics {
  /** The MSS of its SYN-ACK, in bytes; 0 when not known. */
  mss: number;
  cookie: FastOpenCookie | null;
  /** How asking for a cookie in vain is varied: 1 ask by the option of the experiment, 2 that was in vain, too. */
  tryExperimental: 0 | 1 | 2;
}

/** The place where a server is remembered. */
export interface FastOpenDestination {
  /** Whether it is on this host. */
  readonly isLoopback: boolean;
  /** What is known; null for nothing. */
  recall(): FastOpenMetrics | null;
  /** The entry to change: a fresh one when nothing was known. */
  learn(): FastOpenMetrics;
}

/** Why a client's data did not go the fast way: tcpi_fastopen_client_fail. */
export type FastOpenFailure = 0 | 1 | 2 | 3;
/** There was no cookie. */
export const COOKIE_UNAVAILABLE = 1;
/** The server acknowledged the SYN alone. */
export const DATA_NOT_ACKED = 2;
/** The SYN had to be sent again, which is done without data. */
export const SYN_RETRANSMITTED = 3;

/** The place of a connection among those of its listener whose handshake is not done. */
export interface FastOpenPlace {
  /** Whether accept(2) has returned the connection. */
  accepted: boolean;
  /** The handshake is done, or the connection over. */
  leave(): void;
  /** A reset has ended the connection. */
  reset(nowUs: number): void;
}

/** Fast Open of one connection; a connection without has none. */
export class FastOpen {
  /** Where the server is remembered; null on the server's side. */
  readonly destination: FastOpenDestination | null;
  /** TCP_FASTOPEN_CONNECT: connect() has returned, and the SYN waits for data to take along. */
  deferred = false;
  /** connect() had to ask for a cookie. */
  byConnect = false;
  /** Our SYN had the option; that of the experiment. */
  asked = false;
  experimental = false;
  /** Data went with our SYN. */
  synData = false;
  /** Data with a SYN, or with a SYN-ACK, was taken: TCPI_OPT_SYN_DATA. */
  synDataAcked = false;
  clientFail: FastOpenFailure = 0;
  /** The first of its kind after a pause: when it receives data there is no black hole any more. */
  afterPause = false;
  /** A server's connection that was made by the SYN: its SYN-ACK is not acknowledged. */
  synAckOut = false;
  /** Until then it has this place in the listener's queue. */
  place: FastOpenPlace | null = null;
  /** When that was sent first, and how often again. */
  synAckSentUs = 0;
  synAckTimeouts = 0;

  constructor(destination: FastOpenDestination | null) {
    this.destination = destination;
  }
}

/** Takes the text of a SYN or SYN-ACK, which begins behind the SYN, into the receive queue. True when there was any. */
export function takeSynText(tcb: Tcb, segment: Segment): boolean {
  const { start } = segment;
  const length = Math.min(segment.dataLength, tcb.rcvWndLeft);
  const text: Seq = (segment.seq + 1) | 0;
  if (length === 0 || text !== tcb.rcvNxt) return false;
  tcb.receiveQueue.append(segment.bytes, start, start + length);
  tcb.rcvNxt = (text + length) | 0;
  tcb.receiveQueue.memory.add(tcb.rcvNxt, truesize(tcb.ipHeaderLength + segment.headerLength + length));
  tcb.bytesReceived += length;
  tcb.output.ready(POLLIN);
  return true;
}
