/**
 * A half-open connection in a listener's SYN queue (Linux's request_sock): a SYN came, our SYN-ACK is on its way.
 * @module
 */
import type { BagItem } from '../base/bag.ts';
import { type Seq, seqAdd, seqGt, seqLt } from '../base/seq.ts';
import type { IcmpError } from '../core/network.ts';
import type { Timer } from '../core/timers.ts';
import { WINDOW_MAX } from '../tcp/receive/window.ts';
import type { Segment } from '../tcp/segment.ts';
import { TRACE_RETRANSMIT } from '../trace/events.ts';
import { AF_INET, formatEndpoint, type IpAddress } from '../wire/address.ts';
import {
  ICMP4_HOST_UNREACHABLE,
  ICMP4_NET_UNREACHABLE,
  ICMP4_PARAMETER_PROBLEM,
  ICMP4_TIME_EXCEEDED,
  ICMP4_UNREACHABLE,
} from '../wire/icmp4.ts';
import { ACK, RST, SYN } from '../wire/tcp.ts';
import type { Flow } from './flow.ts';
import type { TcpListenerEndpoint } from './tcp-listener.ts';

/** The first SYN-ACK is sent again after this long, then after twice as long (Linux's TCP_TIMEOUT_INIT). */
const SYN_ACK_TIMEOUT_US = 1_000_000;

/** What the SYN of a half-open connection agreed to. */
export interface SynOptions {
  mss: number;
  /** The peer's window scale; -1 when it offered none. */
  windowScale: number;
  sack: boolean;
  timestamps: boolean;
  tsVal: number;
  /** It asked for ECN, and we do it, too. */
  ecn: boolean;
  /** The window in the SYN. */
  window: number;
}

/** One half-open connection. */
export class SynRequest implements Flow, Timer, BagItem {
  heapIndex = -1;
  readonly localAddress: IpAddress;
  readonly localPort: number;
  readonly remoteAddress: IpAddress;
  readonly remotePort: number;
  flowHash = 0;
  bagIndex = -1;
  readonly listener: TcpListenerEndpoint;
  readonly iss: Seq;
  readonly irs: Seq;
  readonly options: SynOptions;
  readonly tsOffset: number;
  /** The window and the scale that our SYN-ACK offers. */
  readonly rcvWnd: number;
  readonly rcvWscale: number;
  readonly sentUs: number;
  /** SYN-ACKs that were sent again because of a time-out, and because the SYN came again. */
  retransmits = 0;
  repetitions = 0;
  private lastAnswerUs = Number.NEGATIVE_INFINITY;
  /** The last ACK came and could not be used: TCP_DEFER_ACCEPT waits for data, or the accept queue is full. */
  acked = false;
  /** A SYN cookie stands for it: it is in no queue. */
  readonly cookie: boolean;

  constructor(
    listener: TcpListenerEndpoint,
    localAddress: IpAddress,
    remoteAddress: IpAddress,
    remotePort: number,
    iss: Seq,
    irs: Seq,
    options: SynOptions,
    tsOffset: number,
    window: { window: number; scale: number },
    cookie: boolean,
  ) {
    this.listener = listener;
    this.localAddress = localAddress;
    this.localPort = listener.localPort;
    this.remoteAddress = remoteAddress;
    this.remotePort = remotePort;
    this.iss = iss;
    this.irs = irs;
    this.options = options;
    this.tsOffset = tsOffset;
    this.rcvWnd = window.window;
    this.rcvWscale = options.windowScale >= 0 ? window.scale : 0;
    this.sentUs = listener.layer.host.nowUs;
    this.cookie = cookie;
  }

  /** RFC 9293 section 3.10.7.4 for SYN-RECEIVED, as Linux's tcp_check_req. */
  segment(segment: Segment): void {
    const { listener } = this;
    const rcvNxt = seqAdd(this.irs, 1);
    const old = this.isOldByTimestamp(segment);
    if (segment.has(SYN) && !segment.has(RST) && !segment.has(ACK) && segment.seq === this.irs && !old) {
      if (this.mayAnswer('TCPACKSkippedSynRecv')) this.answerAgain();
      return;
    }
    if (old) {
      listener.layer.host.mib.TcpExt.PAWSEstab++;
      if (this.mayAnswer('TCPACKSkippedPAWS')) this.acknowledge(rcvNxt);
      return;
    }
    const end = seqAdd(segment.seq, segment.length);
    if (!this.inWindow(segment.seq, end, rcvNxt)) {
      if (!segment.has(RST) && this.mayAnswer('TCPACKSkippedSynRecv')) this.acknowledge(rcvNxt);
      return;
    }
    if (segment.has(RST) || segment.has(SYN)) {
      this.resetOrChallenge(segment, rcvNxt);
      return;
    }
    if (segment.has(ACK)) listener.completed(this, segment);
  }

  /** The SYN came again: so does the SYN-ACK, and its timer starts anew. */
  private answerAgain(): void {
    this.repetitions++;
    this.listener.sendSynAck(this);
    this.arm();
  }

  /** Whether a segment begins at RCV.NXT, or some of it lies in the window, or it is empty at the end of that. */
  private inWindow(seq: Seq, end: Seq, rcvNxt: Seq): boolean {
    const windowEnd = seqAdd(rcvNxt, this.rcvWnd);
    if (seq === rcvNxt || (seqGt(end, rcvNxt) && seqLt(seq, windowEnd))) return true;
    return seq === windowEnd && seq === end;
  }

  icmp(error: IcmpError, seq: Seq): void {
    const { mib } = this.listener.layer.host;
    if (seq !== this.iss) {
      mib.TcpExt.OutOfWindowIcmps++;
    } else if (endsRequest(error)) {
      mib.TcpExt.ListenDrops++;
      this.listener.drop(this, 'error');
    }
  }

  destroy(): void {
    this.listener.drop(this, 'abort');
  }

  /** The SYN-ACK timer: sends it again, or forgets the request after tcp_synack_retries. */
  fire(): void {
    const { listener } = this;
    const { host } = listener.layer;
    if (this.retransmits >= host.sysctl.tcp_synack_retries) {
      host.mib.Tcp.AttemptFails++;
      listener.drop(this, 'timeout');
      return;
    }
    this.retransmits++;
    // While TCP_DEFER_ACCEPT waits for data the peer need not be asked again.
    if (!this.acked || listener.settings.deferAcceptUs === 0 || this.deferExpired()) this.sendAgain();
    this.arm();
  }

  /** Starts the SYN-ACK timer. */
  arm(): void {
    const { host } = this.listener.layer;
    const delayUs = Math.min(SYN_ACK_TIMEOUT_US * 2 ** this.retransmits, host.sysctl.tcp_rto_max_ms * 1000);
    host.timers.set(this, host.nowUs + delayUs);
  }

  /** Whether TCP_DEFER_ACCEPT has waited long enough for data. */
  deferExpired(): boolean {
    const { host } = this.listener.layer;
    return host.nowUs - this.sentUs >= this.listener.settings.deferAcceptUs;
  }

  private sendAgain(): void {
    const { host } = this.listener.layer;
    host.mib.Tcp.RetransSegs++;
    host.mib.TcpExt.TCPSynRetrans++;
    this.traceSynAckAgain();
    this.listener.sendSynAck(this);
  }

  private traceSynAckAgain(): void {
    const { host } = this.listener.layer;
    const { trace } = host;
    if (trace === null || (trace.wants & TRACE_RETRANSMIT) === 0) return;
    trace.emit({
      type: 'tcp:retransmit',
      atUs: host.nowUs,
      host: host.name,
      local: formatEndpoint(this.localAddress, this.localPort),
      remote: formatEndpoint(this.remoteAddress, this.remotePort),
      reason: 'syn-ack',
      seq: this.iss >>> 0,
      length: 1,
      attempt: this.retransmits,
    });
  }

  /** RFC 5961: only a reset at exactly RCV.NXT ends the request. A SYN in the window does too (Linux). */
  private resetOrChallenge(segment: Segment, rcvNxt: Seq): void {
    const { listener } = this;
    const { host, context } = listener.layer;
    if (segment.has(RST) && segment.seq !== rcvNxt) {
      if (context.mayChallenge()) {
        host.mib.TcpExt.TCPChallengeACK++;
        this.acknowledge(rcvNxt);
      }
      return;
    }
    host.mib.TcpExt.EmbryonicRsts++;
    host.mib.Tcp.AttemptFails++;
    listener.drop(this, segment.has(RST) ? 'receive RST' : 'abort');
  }

  /** RFC 7323 section 5: older than the SYN. */
  private isOldByTimestamp(segment: Segment): boolean {
    const { timestamps, tsVal } = segment.options;
    return this.options.timestamps && timestamps && !segment.has(RST) && seqLt(tsVal, this.options.tsVal);
  }

  /** Whether a segment that changes nothing is answered: at most one in tcp_invalid_ratelimit. */
  private mayAnswer(skipped: 'TCPACKSkippedSynRecv' | 'TCPACKSkippedPAWS'): boolean {
    const { host } = this.listener.layer;
    if (host.nowUs - this.lastAnswerUs < host.sysctl.tcp_invalid_ratelimit * 1000) {
      host.mib.TcpExt[skipped]++;
      return false;
    }
    this.lastAnswerUs = host.nowUs;
    return true;
  }

  private acknowledge(rcvNxt: Seq): void {
    const { layer } = this.listener;
    const out = layer.context.out.begin(seqAdd(this.iss, 1), rcvNxt, ACK);
    out.window = Math.min(this.rcvWnd >> this.rcvWscale, WINDOW_MAX);
    this.listener.putTimestamps(this, out);
    layer.reply(this, out);
  }
}

/**
 * Whether an ICMP error ends a half-open connection, by Linux's tcp_req_err: over IPv4 what says that the peer cannot
 * be reached, which a spoofed SYN brings about, and not that it refuses; over IPv6 every final one.
 */
function endsRequest({ type, code, fatal, dst }: IcmpError): boolean {
  if (dst.family !== AF_INET) return fatal;
  if (type === ICMP4_UNREACHABLE) return code === ICMP4_NET_UNREACHABLE || code === ICMP4_HOST_UNREACHABLE;
  return type === ICMP4_TIME_EXCEEDED || type === ICMP4_PARAMETER_PROBLEM;
}
