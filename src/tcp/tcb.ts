import { Ring } from '../base/ring.ts';
import type { RunningExtreme } from '../base/running-extreme.ts';
import type { Seq } from '../base/seq.ts';
import { seqDiff } from '../base/seq.ts';
import { ByteQueue } from '../core/byte-queue.ts';
import type { Timer } from '../core/timers.ts';
import { type CongestionControl, type CongestionState, SSTHRESH_INFINITE } from './congestion/congestion.ts';
import { Cubic } from './congestion/cubic.ts';
import { createCongestionControl } from './congestion/registry.ts';
import type { TcpContext } from './context.ts';
import type { FastOpen } from './fast-open/fast-open.ts';
import { Flight } from './flight.ts';
import type { Notices } from './notices.ts';
import { ReceiveQueue } from './receive/receive-queue.ts';
import { SCALING_RATIO_DEFAULT } from './receive/window.ts';
import type { ReorderingWindow } from './recovery/rack.ts';
import type { OutSegment } from './segment.ts';
import { CHRONO_NONE } from './send/chrono.ts';
import { isPacedFromStart } from './send/pacing.ts';
import type { WriteQueue } from './send/write-queue.ts';
import { nagleOf, type TcpSettings } from './settings.ts';
import { maySend, type TcpState } from './state.ts';
import { Times } from './times.ts';
import type { Urgent } from './urgent.ts';

/** What a connection needs of what lies around it. */
export interface TcpOutput {
  /** 'address:port' of both ends, for the trace. */
  readonly local: string;
  readonly remote: string;
  /**
   * Whether the way out is full, so that more would be dropped before it has left this host (Linux's TCP small queues).
   * After true was returned, `flush` is to be called again when there is room.
   */
  isBusy(): boolean;
  /** The most bytes that may be handed down at once. */
  readonly burstMax: number;
  /** Sends a segment; lent until it returns. False when this host had no room for it (Linux's NET_XMIT_DROP). */
  emit(segment: OutSegment): boolean;
  /** POLL* bits rose for the user. */
  ready(mask: number): void;
  /** The connection takes part in nothing any more; `timeWait`: what remains of it is a TIME_WAIT entry. */
  ended(timeWait: boolean): void;
  /** The peer made progress: its link-layer address is right. */
  confirmed(): void;
}

/** Where the search for the path's MTU stands (Linux's icsk_mtup). Lengths are those of packets, in bytes. */
export interface MtuSearch {
  /** The largest that is known to get through, and the largest that may. */
  low: number;
  high: number;
  /** The probe that is under way, 0 for none: its length and its place in the stream. */
  size: number;
  startSeq: Seq;
  endSeq: Seq;
  /** When this search began. */
  stampUs: number;
}

/** A reduction of the window that may have been for nothing. */
export interface Undo {
  /** SND.UNA when it began. */
  readonly seq: Seq;
  /** The retransmissions that no D-SACK has called needless yet, -1 while there were none. */
  retrans: number;
}

/** What time-outs have cost so far. */
export interface TimeoutTotals {
  /** How many there were, and how often several in a row, or one, began a repair. */
  count: number;
  recoveries: number;
  /** Time spent repairing after them, in microseconds, without the present such repair. */
  repairUs: number;
  /** When the present repair began, 0 when there is none. */
  sinceUs: number;
}

/** Linux's tcp_ca_state: where loss recovery stands. */
export type CaState = 'Open' | 'Disorder' | 'CWR' | 'Recovery' | 'Loss';

/** The time-out that RFC 6298 section 2.1 starts from, in microseconds. */
export const RTO_INITIAL_US = 1_000_000;
/** The time-out to begin with when the handshake gave no measurement (RFC 6298 section 5.7), in microseconds. */
export const RTO_FALLBACK_US = 3_000_000;
/** The MSS to assume when the peer names none, over IPv4 and over IPv6 (RFC 9293 section 3.7.1). */
export const MSS_DEFAULT = 536;
export const MSS_DEFAULT_V6 = 1220;
/** The least that a peer's segments are taken for (Linux's TCP_MIN_MSS). */
export const MSS_LEAST = 88;
const IPV6_HEADER_LENGTH = 40;

/**
 * The transmission control block: all that is known of one connection, by its RFC 9293 section 3.3.1 names. It is data:
 * input.ts, output.ts, recovery.ts and timeouts.ts work on it. Times are in microseconds, windows in bytes unless
 * they are called segments.
 */
export abstract class Tcb extends Times implements Timer, CongestionState {
  // Place in the stack's timer heap.
  heapIndex = -1;

  readonly context: TcpContext;
  readonly output: TcpOutput;
  settings: TcpSettings;
  state: TcpState = 'CLOSED';
  /** The user has closed: nobody reads or writes any more. */
  orphan = false;
  /** shutdown(SHUT_RD). */
  readShut = false;
  /** SO_ERROR: the pending error, positive; 0 when none. And a soft one that a time-out will report. */
  error = 0;
  softError = 0;

  // Send sequence variables.
  readonly iss: Seq;
  sndUna: Seq;
  sndNxt: Seq;
  sndWnd = 0;
  sndWl1: Seq = 0;
  /** The largest window the peer ever offered. */
  maxSndWnd = 0;
  /** What was written and not yet acknowledged; its head has sequence number `queueSeq`. */
  readonly sendQueue: ByteQueue;
  queueSeq: Seq;
  /** What of it was not sent, in the pieces in which it will be. */
  readonly writeQueue: WriteQueue = new Ring();
  /** The user closed the sending side: a FIN follows the queue. */
  finQueued = false;
  /** End of what was last marked to be pushed; end of the last segment that was smaller than the MSS. */
  pushSeq: Seq;
  smallSeq: Seq;
  /** NAGLE_* bits (settings.ts): TCP_NODELAY, TCP_CORK, and whether what waits goes out with the next chance. */
  nagle: number;
  readonly flight = new Flight();

  // Receive sequence variables.
  irs: Seq = 0;
  rcvNxt: Seq = 0;
  rcvWnd = 0;
  /** RCV.NXT when the window was last advertised; that is also the last ACK number sent. */
  rcvWup: Seq = 0;
  readonly receiveQueue: ReceiveQueue;
  /** The sequence number of the next byte that the user reads. */
  copiedSeq: Seq = 0;
  /** Where the peer's FIN stands, once one has come; and whether it was taken in its turn. */
  finSeq: Seq | null = null;
  finReceived = false;

  // What the handshake agreed on.
  sndWscale = 0;
  rcvWscale = 0;
  /** Whether the peer scales its windows, and lets us scale ours, perhaps by nothing. */
  windowScaling = false;
  timestamps = false;
  sack = false;
  /** ECN_* bits (ecn.ts); 0 without ECN. */
  ecnFlags = 0;
  /** MSS option we sent, the peer's, and the payload of a full segment as we send it now. */
  advMss = MSS_DEFAULT;
  peerMss = MSS_DEFAULT;
  mss = MSS_DEFAULT;
  /** The largest packet towards the peer, and the largest super-segment's payload (0: none), from the route. */
  pathMtu = 576;
  /** The path has changed since the MSS was chosen. */
  mssStale = false;
  /** Null while nobody searches for the path's MTU (mtu-probe.ts). */
  mtuSearch: MtuSearch | null = null;
  gsoMaxSize = 0;
  /** Bytes of the IP header, for the MSS: 20 or 40. */
  readonly ipHeaderLength: number;
  tsRecent = 0;
  /** Added to the clock, so that a peer learns nothing of our uptime or of other connections (RFC 7323 section 7.1). */
  readonly tsOffset: number;

  // Round-trip time and retransmission time-out (rtt.ts).
  /** The smoothed round-trip time in eighths of a microsecond; its mean deviation in quarters. */
  srtt8Us = 0;
  mdevUs = 0;
  mdevMaxUs = 0;
  rttvarUs = 0;
  rttSeq: Seq = 0;
  rtoUs = RTO_INITIAL_US;
  /** The least round-trip time of the last minutes, 0 when none is known; and how it is kept. */
  minRttUs = 0;
  /** The window of the least one; made with the second measurement, which idle connections never have. */
  minRtt: RunningExtreme | null = null;
  /** Doublings of the time-out since the last good acknowledgement. */
  backoff = 0;
  /** Time-outs in a row. */
  retransmits = 0;
  probesOut = 0;

  // Congestion control and loss recovery (recovery.ts).
  congestion: CongestionControl;
  caState: CaState = 'Open';
  cwnd: number;
  ssthresh = SSTHRESH_INFINITE;
  cwndCount = 0;
  /** SND.NXT when recovery began: it ends when this is acknowledged. */
  highSeq: Seq = 0;
  /** Segments out of order that do not yet mean a loss. */
  reordering: number;
  /** End of the highest segment that was SACKed; valid while something is. */
  highSacked: Seq = 0;
  /** Proportional rate reduction (RFC 6937). */
  priorCwnd = 0;
  prrDelivered = 0;
  prrOut = 0;
  /** What the acknowledgement being processed asks for beside new data: what was lost, new data first, or nothing. */
  repair: 'lost' | 'new data' | 'nothing' = 'lost';
  /** RACK (rack.ts): the place, in the order of sendings, of the newest that is known to have arrived. */
  rackOrder = -1;
  /** Something arrived since segments were last looked through for losses. */
  rackAdvanced = false;
  /** How D-SACKs have widened the reordering window; null before the first. */
  reordered: ReorderingWindow | null = null;
  /** How often something arrived out of order; segments that arrived twice. */
  reorderingSeen = 0;
  dsackDups = 0;
  /** The tail loss probe under way (tail-probe.ts), and SND.NXT when it was sent. */
  probeOut: 'none' | 'new data' | 'repetition' = 'none';
  probeSeq: Seq = 0;
  /**
   * Undoing a reduction that was for nothing (undo.ts): null when there is none that could be; ssthresh before it, 0
   * for none.
   */
  undo: Undo | null = null;
  priorSsthresh = 0;
  /** F-RTO (RFC 5682): it is not yet known whether the time-out was spurious. */
  frto = false;
  /** The most segments in flight since `cwndUsageSeq` was sent, and whether the window was what held us back. */
  maxPacketsOut = 0;
  cwndLimited = false;
  cwndUsageSeq: Seq = 0;
  /** Of a window that was not full, what was used of it since it last was. */
  cwndUsed = 0;
  /** Segments leave one after another at a rate, not in bursts. */
  paced = false;
  /** The earliest time for the next one, in microseconds with a fraction; and a model's rate (pacing.ts). */
  nextSendUs = 0;
  pacingRate = 0;
  /** When anything was last sent, modulo 2^32. */
  lastEmitStamp = 0;
  /** Where the last packet that left ends; below SND.UNA when it took no sequence numbers. */
  lastEmitEnd: Seq = 0;
  totalRetrans = 0;
  delivered = 0;
  /** Of these, what was acknowledged with an ECN echo. */
  deliveredCe = 0;
  /** Segments that were taken for lost so far, each time they were. */
  lost = 0;
  /**
   * The path's rate (rate-sample.ts): when the newest segment that is known to have arrived was sent, and when that
   * became known, modulo 2^32 microseconds; until so many are delivered the user is the limit, 0 when the path is; and
   * the last sample that counts.
   */
  firstSentStamp = 0;
  deliveredStamp = 0;
  appLimited = -1;
  rateDelivered = 0;
  rateIntervalUs = 0;
  rateAppLimited = true;
  /** What time-outs have cost; null before the first. */
  timeouts: TimeoutTotals | null = null;

  // Delayed acknowledgements (ack-policy.ts).
  /** ACKs that will still be sent at once. */
  quickAcks = 0;
  /** The dialogue is interactive: our data will carry the ACK. */
  pingPong = false;
  ackPending = false;
  ackNow = false;
  /**
   * ACKs for what waits behind a gap (ack-policy.ts): how many are put off, how many were sent at once with RCV.NXT at
   * `dupAckSeq`.
   */
  compressedAcks = 0;
  dupAcks = 0;
  dupAckSeq: Seq = 0;
  /** Small segments that came since the last ACK, at most 2 are counted: when all is read they are acknowledged. */
  ackPushed = 0;
  /** Made by a listener, and no user has accepted it yet. */
  awaitsAccept = false;
  /** A segment found no memory: the next ACK closes the window. */
  ackNoMemory = false;
  /** The size of the segments the peer sends, as far as seen; and of the last, when it may be smaller than that. */
  rcvMss = MSS_LEAST;
  lastSegmentSize = 0;
  /** The peer's urgent byte, while the user has not read over it; null at all other times (urgent.ts). */
  urgent: Urgent | null = null;
  /** The end of our own urgent data, and whether the peer may not have it yet. */
  sndUp: Seq = 0;
  urgentOut = false;
  /** Data that came twice, to be reported first (RFC 2883); none when equal. */
  dsackStart: Seq = 0;
  dsackEnd: Seq = 0;

  // Buffers and their tuning (buffers.ts).
  sndBuf: number;
  rcvBuf: number;
  /** The window that may be offered now: it grows as data comes. And the largest one ever. */
  rcvSsthresh = 0;
  windowClamp = 0;
  /** How much of the receive buffer is window, in 256ths (window.ts). */
  scalingRatio = SCALING_RATIO_DEFAULT;
  rcvRttUs = 0;
  /** The last timestamp of ours that was used for it. */
  rcvRttEcho = 0;
  rcvRttSeq: Seq = 0;
  rcvSpace = 0;
  rcvSpaceSeq: Seq = 0;
  /** The user found no room to write, or nobody to write to yet, and is to be told when there is. */
  writeBlocked = false;
  /** TCP Fast Open; null without. */
  fastOpen: FastOpen | null = null;

  // For TCP_INFO.
  bytesAcked = 0;
  bytesReceived = 0;
  bytesSent = 0;
  bytesRetrans = 0;
  segsIn = 0;
  segsOut = 0;
  dataSegsIn = 0;
  /** Segments that came out of order. */
  rcvOooPack = 0;
  dataSegsOut = 0;
  /** What holds it back now: CHRONO_* (chrono.ts). */
  chrono = CHRONO_NONE;
  /** The error queue, and what will come into it; null while nobody asked for it. */
  notices: Notices | null = null;

  constructor(
    context: TcpContext,
    output: TcpOutput,
    settings: TcpSettings,
    iss: Seq,
    tsOffset: number,
    ipHeaderLength: number,
  ) {
    super();
    const { sysctl } = context.host;
    this.context = context;
    this.output = output;
    this.settings = settings;
    this.iss = iss;
    this.sndUna = iss;
    this.sndNxt = iss;
    this.queueSeq = (iss + 1) | 0;
    this.pushSeq = this.queueSeq;
    this.nagle = nagleOf(settings);
    this.smallSeq = iss;
    this.tsOffset = tsOffset;
    this.ipHeaderLength = ipHeaderLength;
    if (ipHeaderLength === IPV6_HEADER_LENGTH) this.peerMss = MSS_DEFAULT_V6;
    this.sendQueue = new ByteQueue(context.blocks);
    this.receiveQueue = new ReceiveQueue(context.blocks);
    this.congestion = createCongestionControl(settings.congestion) ?? new Cubic();
    this.cwnd = sysctl.ethertype_init_cwnd;
    this.reordering = sysctl.tcp_reordering;
    this.paced = isPacedFromStart(this);
    this.sndBuf = settings.sndBuf;
    this.rcvBuf = settings.rcvBuf;
  }

  /** SO_MAX_PACING_RATE, in bytes a second; Infinity for none. */
  get maxPacingRate(): number {
    return this.settings.maxPacingRate;
  }

  /** The reordering window in quarters of the least round trip. */
  get reoWndSteps(): number {
    return this.reordered === null ? 1 : this.reordered.steps;
  }

  /** The smoothed round-trip time, at least 1; 0 before the first measurement. */
  get srttUs(): number {
    return this.srtt8Us === 0 ? 0 : Math.max(this.srtt8Us >> 3, 1);
  }

  get nowUs(): number {
    return this.context.host.nowUs;
  }

  /** Whether data may be sent: a server's connection of Fast Open may before its handshake is done. */
  get maySend(): boolean {
    return maySend(this.state) || this.isFastOpenChild;
  }

  /** The sequence number of the next byte the user writes. */
  get writeSeq(): Seq {
    return (this.queueSeq + this.sendQueue.length) | 0;
  }

  /** Bytes written and not yet sent once. */
  get unsent(): number {
    return Math.max(seqDiff(this.writeSeq, this.sndNxt), 0);
  }

  /** Whether our FIN was sent (it may not have arrived). */
  get finSent(): boolean {
    return this.finQueued && seqDiff(this.sndNxt, this.writeSeq) > 0;
  }

  /** Whether the peer acknowledged our FIN. */
  get finAcked(): boolean {
    return this.finSent && this.sndUna === this.sndNxt;
  }

  /** Made by a SYN with a Fast Open cookie, whose SYN-ACK is not acknowledged: in use, but not yet synchronized. */
  get isFastOpenChild(): boolean {
    return this.fastOpen?.synAckOut === true;
  }

  /** End of the highest segment that was SACKed; SND.UNA when none is. */
  get highestSacked(): Seq {
    return this.flight.sackedOut > 0 ? this.highSacked : this.sndUna;
  }

  /** Right edge of the window that the peer offers. */
  get sndWndEnd(): Seq {
    return (this.sndUna + this.sndWnd) | 0;
  }

  /** What of the window we advertised is left: RCV.WND of RFC 9293. */
  get rcvWndLeft(): number {
    return Math.max(seqDiff((this.rcvWup + this.rcvWnd) | 0, this.rcvNxt), 0);
  }

  /** The clock of the timestamps option: milliseconds, with this connection's offset. */
  get tsNow(): number {
    return this.tsAt(this.nowUs);
  }

  /** What that clock showed at `us`. */
  tsAt(us: number): number {
    return (Math.floor(us / 1000) + this.tsOffset) | 0;
  }

  /** Called by the timer heap; connection.ts. */
  abstract fire(nowUs: number): void;
}
