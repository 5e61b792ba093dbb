/**
 * The passive side as Linux does it: a SYN queue of half-open requests, an accept queue of finished connections, and
 * SYN cookies when the SYN queue is full.
 * @module
 */
import { Bag } from '../base/bag.ts';
import { Ring } from '../base/ring.ts';
import { type Seq, seqAdd } from '../base/seq.ts';
import { takes } from '../core/bound-address.ts';
import type { Route } from '../core/network.ts';
import { POLLIN, type ReadyListener } from '../core/readiness.ts';
import { asksForEcn } from '../tcp/ecn.ts';
import type { FastOpenCookie } from '../tcp/fast-open/fast-open.ts';
import { beginChild } from '../tcp/fast-open/passive.ts';
import { initialWindow, WINDOW_MAX, windowFromSpace } from '../tcp/receive/window.ts';
import { type OutSegment, resetFor, Segment } from '../tcp/segment.ts';
import type { TcpSettings } from '../tcp/settings.ts';
import type { TcpCause } from '../tcp/state.ts';
import { cookieTimestamp, NOTHING_KEPT, readCookieTimestamp } from '../tcp/syn-cookie.ts';
import { MSS_DEFAULT, MSS_DEFAULT_V6 } from '../tcp/tcb.ts';
import { TRACE_QUEUE, TRACE_STATE } from '../trace/events.ts';
import { formatEndpoint, type IpAddress } from '../wire/address.ts';
import { ACK, ECE, SYN } from '../wire/tcp.ts';
import { TIMESTAMPS_LENGTH } from '../wire/tcp-options.ts';
import { FastOpenListener } from './fast-open-listener.ts';
import { type SynOptions, SynRequest } from './syn-request.ts';
import type { TcpEndpoint } from './tcp-endpoint.ts';
import type { TcpLayer } from './tcp-layer.ts';
import type { PortBinding } from './tcp-ports.ts';

/** A socket in LISTEN. */
export class TcpListenerEndpoint {
  readonly layer: TcpLayer;
  readonly binding: PortBinding;
  /** Who is told that `accept` has something. */
  user: ReadyListener | null;
  settings: TcpSettings;
  /** listen(2)'s backlog, at most somaxconn: either queue holds one more than this (as Linux). */
  backlog: number;
  private readonly requests = new Bag<SynRequest>();
  private readonly accepted = new Ring<TcpEndpoint>();
  /** When a cookie was last sent: an ACK can only answer one for a while after it. */
  private lastCookieUs = Number.NEGATIVE_INFINITY;
  private closed = false;
  private readonly fastOpen = new FastOpenListener(this);

  constructor(
    layer: TcpLayer,
    binding: PortBinding,
    backlog: number,
    settings: TcpSettings,
    user: ReadyListener | null,
  ) {
    this.layer = layer;
    this.binding = binding;
    this.backlog = backlog;
    this.settings = settings;
    this.user = user;
  }

  get localAddress(): IpAddress {
    return this.binding.address;
  }

  /** Whether it listens on `local`: that address, or any. */
  accepts(local: IpAddress): boolean {
    return takes(this.binding, local);
  }

  get localPort(): number {
    return this.binding.port;
  }

  /** Connections that wait for accept(2). */
  get acceptQueueLength(): number {
    return this.accepted.length;
  }

  /** Half-open connections. */
  get synQueueLength(): number {
    return this.requests.size;
  }

  /** The oldest finished connection, or null when there is none. */
  accept(): TcpEndpoint | null {
    const endpoint = this.accepted.shift() ?? null;
    if (endpoint === null) return null;
    endpoint.connection.awaitsAccept = false;
    const place = endpoint.connection.fastOpen?.place ?? null;
    if (place !== null) place.accepted = true;
    this.traceQueue('accept', this.accepted.length);
    return endpoint;
  }

  /** Forgets what is half open, resets what was never accepted, and frees the port. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.stopListening();
    this.traceState('CLOSED', 'close', null);
    this.binding.release();
  }

  /** RFC 9293 section 3.10.2: a SEND on a passive OPEN makes it an active one. An endpoint in SYN_SENT, or -errno. */
  connect(remote: IpAddress, remotePort: number): TcpEndpoint | number {
    const result = this.layer.connectFromListener(this, remote, remotePort);
    if (typeof result === 'number') return result;
    this.closed = true;
    this.stopListening();
    return result;
  }

  // --- a SYN arrives: RFC 9293 section 3.10.7.2 -------------------------------------------------------------------

  /**
   * Answers a SYN for `local`. `iss` is given when it takes over a connection in TIME_WAIT; otherwise 0 and a fresh
   * one is chosen.
   */
  receiveSyn(segment: Segment, local: IpAddress, remote: IpAddress, remotePort: number, iss: Seq): void {
    const { host } = this.layer;
    const { TcpExt } = host.mib;
    const full = this.synQueueFull;
    const cookie = iss === 0 && (host.sysctl.tcp_syncookies === 2 || full);
    // A SYN that takes over a TIME_WAIT needs a place in the queue; when it comes again it is a SYN like any other.
    if (full && (iss !== 0 || host.sysctl.tcp_syncookies === 0)) {
      TcpExt.TCPReqQFullDrop++;
      this.overflow('TCP_REQQFULLDROP');
      return;
    }
    if (this.acceptQueueFull) {
      TcpExt.ListenOverflows++;
      this.overflow('TCP_LISTEN_OVERFLOW');
      return;
    }
    const options = synOptions(segment, remote, host.sysctl);
    if (cookie) {
      this.answerWithCookie(segment, options, local, remote, remotePort);
      return;
    }
    const request = this.newRequest(segment.seq, options, local, remote, remotePort, iss, false);
    const { open, cookie: fastOpenCookie } = this.fastOpen.answer(segment, request);
    if (!open || !this.openAtOnce(request, segment, fastOpenCookie)) this.enqueue(request, fastOpenCookie);
  }

  /** Sends the SYN-ACK of a request, the first time with a Fast Open cookie for who has asked for one, or again. */
  sendSynAck(request: SynRequest, cookie: FastOpenCookie | null = null): void {
    const { layer } = this;
    const { options } = request;
    const flags = options.ecn ? SYN | ACK | ECE : SYN | ACK;
    const out = layer.context.out.begin(request.iss, seqAdd(request.irs, 1), flags);
    out.window = Math.min(request.rcvWnd, WINDOW_MAX);
    out.options.mss = this.advMss(request);
    out.options.sackPermitted = options.sack;
    if (options.windowScale >= 0) out.options.windowScale = request.rcvWscale;
    this.putTimestamps(request, out);
    if (request.cookie && options.timestamps) {
      out.options.tsVal = cookieTimestamp(out.options.tsVal, options);
    }
    if (cookie !== null) out.options.putCookie(cookie.bytes, cookie.experimental);
    layer.reply(request, out);
  }

  putTimestamps(request: SynRequest, out: OutSegment): void {
    if (!request.options.timestamps) return;
    out.options.timestamps = true;
    out.options.tsVal = (Math.floor(this.layer.host.nowUs / 1000) + request.tsOffset) | 0;
    out.options.tsEcr = request.options.tsVal;
  }

  private enqueue(request: SynRequest, cookie: FastOpenCookie | null): void {
    this.layer.flows.add(request);
    this.requests.add(request);
    this.traceState('SYN_RCVD', 'receive SYN', request);
    this.traceQueue('syn', this.requests.size);
    this.sendSynAck(request, cookie);
    request.arm();
  }

  /** Fast Open: the connection is made by the SYN, with its data, and may be accepted now. False without a route. */
  private openAtOnce(request: SynRequest, syn: Segment, cookie: FastOpenCookie | null): boolean {
    const { layer } = this;
    const { TcpExt } = layer.host.mib;
    const route = layer.ip.route(request.remoteAddress, request.localAddress);
    if (typeof route === 'number') {
      TcpExt.TCPFastOpenPassiveFail++;
      return false;
    }
    TcpExt.TCPFastOpenPassive++;
    this.traceState('SYN_RCVD', 'receive SYN', request);
    const endpoint = this.newConnection(request, route, false);
    beginChild(endpoint.connection, syn, cookie, this.fastOpen.queue.enter());
    this.offer(endpoint);
    return true;
  }

  private answerWithCookie(
    segment: Segment,
    options: SynOptions,
    local: IpAddress,
    remote: IpAddress,
    remotePort: number,
  ): void {
    const { layer } = this;
    const { host } = layer;
    host.mib.TcpExt.TCPReqQFullDoCookies++;
    host.mib.TcpExt.SyncookiesSent++;
    this.lastCookieUs = host.nowUs;
    // Without timestamps a cookie has no room for these.
    if (!options.timestamps) {
      options.windowScale = -1;
      options.sack = false;
      options.ecn = false;
    }
    const flow = { localAddress: local, localPort: this.localPort, remoteAddress: remote, remotePort };
    const iss = layer.cookies.make(flow, segment.seq, options.mss, host.nowUs);
    this.sendSynAck(this.newRequest(segment.seq, options, local, remote, remotePort, iss, true));
  }

  private newRequest(
    irs: Seq,
    options: SynOptions,
    local: IpAddress,
    remote: IpAddress,
    remotePort: number,
    iss: Seq,
    cookie: boolean,
  ): SynRequest {
    const { layer } = this;
    const flow = { localAddress: local, localPort: this.localPort, remoteAddress: remote, remotePort };
    const { settings } = this;
    const { sysctl } = layer.host;
    const space = windowFromSpace(settings.rcvBuf);
    const mss = layer.advMss(local, remote, settings) - (options.timestamps ? TIMESTAMPS_LENGTH : 0);
    const window = initialWindow(sysctl, space, mss, settings);
    const chosen = iss !== 0 || cookie ? iss : layer.initialSeq(flow);
    const tsOffset = layer.secrets.timestampOffset(local, remote);
    return new SynRequest(this, local, remote, remotePort, chosen, irs, options, tsOffset, window, cookie);
  }

  private overflow(reason: 'TCP_LISTEN_OVERFLOW' | 'TCP_REQQFULLDROP'): void {
    this.layer.host.mib.TcpExt.ListenDrops++;
    this.layer.host.dropped('tcp', reason);
  }

  // --- the handshake's last ACK arrives ---------------------------------------------------------------------------

  /** An ACK in the window of a request: the connection is made, or the ACK is dropped. */
  completed(request: SynRequest, segment: Segment): void {
    if (segment.ack !== seqAdd(request.iss, 1)) {
      this.layer.reply(request, resetFor(segment, this.layer.context.out));
      return;
    }
    const { host } = this.layer;
    if (this.settings.deferAcceptUs > 0 && segment.length === 0 && !request.deferExpired()) {
      request.acked = true;
      host.mib.TcpExt.TCPDeferAcceptDrop++;
      return;
    }
    if (this.acceptQueueFull) {
      request.acked = true;
      host.mib.TcpExt.ListenOverflows++;
      this.overflow('TCP_LISTEN_OVERFLOW');
      if (host.sysctl.tcp_abort_on_overflow) this.drop(request, 'abort', segment);
      return;
    }
    const route = this.layer.ip.route(request.remoteAddress, request.localAddress);
    if (typeof route === 'number') {
      this.drop(request, 'error');
      return;
    }
    this.removeRequest(request);
    this.establish(request, segment, route);
  }

  /** An ACK that belongs to no connection: it may answer a cookie. False when it does not. */
  receiveCookie(segment: Segment, local: IpAddress, remote: IpAddress, remotePort: number): boolean {
    const { layer } = this;
    const { host } = layer;
    const { TcpExt } = host.mib;
    if (host.sysctl.tcp_syncookies === 0 || host.nowUs - this.lastCookieUs > 2 * 60e6) return false;
    const flow = { localAddress: local, localPort: this.localPort, remoteAddress: remote, remotePort };
    const irs = seqAdd(segment.seq, -1);
    const iss = seqAdd(segment.ack, -1);
    const mss = layer.cookies.check(flow, irs, iss, host.nowUs);
    if (mss === 0) {
      TcpExt.SyncookiesFailed++;
      return false;
    }
    TcpExt.SyncookiesRecv++;
    const { timestamps, tsVal, tsEcr } = segment.options;
    const kept = timestamps ? readCookieTimestamp(tsEcr) : NOTHING_KEPT;
    const ecn = kept.ecn && host.sysctl.tcp_ecn !== 0;
    const options = { mss, ...kept, ecn, timestamps, tsVal, window: segment.window };
    const request = this.newRequest(irs, options, local, remote, remotePort, iss, true);
    const route = layer.ip.route(remote, local);
    if (this.acceptQueueFull || typeof route === 'number') {
      TcpExt.ListenOverflows++;
      this.overflow('TCP_LISTEN_OVERFLOW');
      return true;
    }
    // The SYN was answered and forgotten: only now it turns out that there was one.
    this.traceState('SYN_RCVD', 'receive SYN', request);
    this.establish(request, segment, route);
    return true;
  }

  /** Forgets a half-open connection; `refused` is a segment to answer with a reset. */
  drop(request: SynRequest, cause: TcpCause, refused: Segment | null = null): void {
    this.removeRequest(request);
    this.traceState('CLOSED', cause, request, 'SYN_RCVD');
    if (refused !== null) this.layer.reply(request, resetFor(refused, this.layer.context.out));
  }

  /** As Linux: one more than the backlog fits; without cookies a quarter of tcp_max_syn_backlog stays free, too. */
  private get synQueueFull(): boolean {
    const { tcp_syncookies, tcp_max_syn_backlog } = this.layer.host.sysctl;
    const { size } = this.requests;
    if (size > this.backlog) return true;
    return tcp_syncookies === 0 && tcp_max_syn_backlog - size < tcp_max_syn_backlog >> 2;
  }

  private get acceptQueueFull(): boolean {
    return this.accepted.length > this.backlog;
  }

  private removeRequest(request: SynRequest): void {
    if (!this.requests.delete(request)) return;
    this.layer.flows.remove(request);
    this.layer.host.timers.delete(request);
    this.traceQueue('syn', this.requests.size);
  }

  /** Makes the connection, gives it the ACK, and puts it into the accept queue. */
  private establish(request: SynRequest, segment: Segment, route: Route): void {
    const endpoint = this.newConnection(request, route, true);
    endpoint.segment(segment);
    this.offer(endpoint);
  }

  private newConnection(request: SynRequest, route: Route, synAckSent: boolean): TcpEndpoint {
    const { layer, settings } = this;
    const endpoint = layer.newEndpoint(
      this.binding.hold(),
      route,
      request,
      settings,
      request.iss,
      request.tsOffset,
    );
    const handshake = {
      rcvWnd: request.rcvWnd,
      rcvWscale: request.rcvWscale,
      // A cookie's SYN-ACK is forgotten: when it was sent is not known.
      synAckSentUs: request.cookie ? 0 : request.sentUs,
      synAckRetransmits: request.retransmits + request.repetitions,
      synAckTimeouts: request.retransmits,
      ecn: request.options.ecn,
    };
    endpoint.connection.accept(synOf(request), handshake, synAckSent);
    layer.flows.add(endpoint);
    return endpoint;
  }

  /** The connection waits for accept(2). */
  private offer(endpoint: TcpEndpoint): void {
    this.accepted.push(endpoint);
    this.traceQueue('accept', this.accepted.length);
    this.user?.ready(POLLIN);
  }

  private stopListening(): void {
    for (const request of [...this.requests]) this.drop(request, 'abort');
    this.layer.forgetListener(this);
    this.binding.listening = false;
    for (let endpoint = this.accepted.shift(); endpoint !== undefined; endpoint = this.accepted.shift())
      endpoint.abort();
  }

  private advMss(request: SynRequest): number {
    return this.layer.advMss(request.localAddress, request.remoteAddress, this.settings);
  }

  // --- trace ------------------------------------------------------------------------------------------------------

  private get owner(): string {
    return formatEndpoint(this.localAddress, this.localPort);
  }

  private traceQueue(queue: 'syn' | 'accept', length: number): void {
    const { trace, name, nowUs } = this.layer.host;
    if (trace === null || (trace.wants & TRACE_QUEUE) === 0) return;
    const limit = this.backlog + 1;
    trace.emit({ type: 'queue', atUs: nowUs, host: name, queue, owner: this.owner, length, limit });
  }

  /** The listener's own arrows, and the ones that its requests take from LISTEN to SYN_RCVD and out. */
  traceState(
    to: 'LISTEN' | 'SYN_RCVD' | 'CLOSED',
    cause: TcpCause,
    request: SynRequest | null,
    from = 'LISTEN',
  ): void {
    const { trace, name, nowUs } = this.layer.host;
    if (trace === null || (trace.wants & TRACE_STATE) === 0) return;
    const local = request === null ? this.owner : formatEndpoint(request.localAddress, request.localPort);
    const remote = request === null ? '*:*' : formatEndpoint(request.remoteAddress, request.remotePort);
    trace.emit({ type: 'tcp:state', atUs: nowUs, host: name, local, remote, from, to, cause });
  }
}

/** What a SYN offers, within what we allow. */
function synOptions(segment: Segment, remote: IpAddress, sysctl: TcpLayer['host']['sysctl']): SynOptions {
  const { options } = segment;
  const unnamed = remote.byteLength === 4 ? MSS_DEFAULT : MSS_DEFAULT_V6;
  const timestamps = options.timestamps && sysctl.tcp_timestamps !== 0;
  return {
    mss: options.mss > 0 ? Math.max(options.mss, sysctl.tcp_min_snd_mss) : unnamed,
    windowScale: sysctl.tcp_window_scaling ? options.windowScale : -1,
    sack: options.sackPermitted && sysctl.tcp_sack,
    timestamps,
    tsVal: timestamps ? options.tsVal : 0,
    ecn: asksForEcn(segment, sysctl.tcp_ecn),
    window: segment.window,
  };
}

/** The SYN of a request again, as a segment. */
function synOf(request: SynRequest): Segment {
  const syn = new Segment();
  const { options } = request;
  syn.seq = request.irs;
  syn.flags = SYN;
  syn.window = options.window;
  syn.options.mss = options.mss;
  syn.options.windowScale = options.windowScale;
  syn.options.sackPermitted = options.sack;
  syn.options.timestamps = options.timestamps;
  syn.options.tsVal = options.tsVal;
  return syn;
}
