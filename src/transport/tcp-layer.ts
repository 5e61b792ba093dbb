/**
 * TCP between IP and the sockets: finds the connection, listener or TIME_WAIT entry that a segment belongs to, and
 * opens connections.
 * @module
 */
import { EADDRINUSE, EADDRNOTAVAIL, ENETUNREACH } from '../base/errno.ts';
import type { Seq } from '../base/seq.ts';
import { seqAdd } from '../base/seq.ts';
import type { Host } from '../core/host.ts';
import {
  type FiveTuple,
  type IcmpError,
  IPPROTO_TCP,
  type IpSendOptions,
  type Route,
  type TransportProtocol,
} from '../core/network.ts';
import type { Packet } from '../core/packet.ts';
import type { ReadyListener } from '../core/readiness.ts';
import type { IpLayer } from '../net/ip-layer.ts';
import { TcpContext } from '../tcp/context.ts';
import { FAST_OPEN_EVERY_LISTENER, FAST_OPEN_SERVER } from '../tcp/fast-open/fast-open.ts';
import { type OutSegment, resetFor, Segment, saneFlags } from '../tcp/segment.ts';
import { defaultTcpSettings, type TcpSettings } from '../tcp/settings.ts';
import { SynCookies } from '../tcp/syn-cookie.ts';
import { ANY_V4, type IpAddress } from '../wire/address.ts';
import { ACK, RST, SYN, TCP_HEADER_LENGTH, tcpDestinationPort, tcpSeq, tcpSourcePort } from '../wire/tcp.ts';
import { FastOpenCache } from './fast-open-cache.ts';
import { HostCookies } from './fast-open-cookies.ts';
import type { Flow } from './flow.ts';
import { FlowTable } from './flow-table.ts';
import { TcpEndpoint } from './tcp-endpoint.ts';
import { TcpListenerEndpoint } from './tcp-listener.ts';
import { type PortBinding, TcpPorts } from './tcp-ports.ts';
import { TcpSecrets } from './tcp-secrets.ts';
import { checkTcpPacket, readSegment, sendSegment } from './tcp-segments.ts';
import { TimeWait, TimeWaits } from './time-wait.ts';

export type { TcpInfo } from '../tcp/info.ts';
export { TcpEndpoint } from './tcp-endpoint.ts';
export { TcpListenerEndpoint } from './tcp-listener.ts';
export type { PortBinding } from './tcp-ports.ts';

/** What a connection may send before the next one has its turn, while several wait: ten full segments (RFC 6928). */
const TURN_BYTES = 14_600;

/** How far past the old connection a reused port's sequence numbers begin (RFC 6191, Linux's 65535 + 2). */
const REUSE_DISTANCE = 65537;

/** The TCP of one stack. */
export class TcpLayer implements TransportProtocol {
  readonly protocol = IPPROTO_TCP;
  readonly host: Host;
  readonly ip: IpLayer;
  readonly context: TcpContext;
  readonly flows: FlowTable;
  readonly ports: TcpPorts;
  readonly timeWaits: TimeWaits;
  readonly secrets: TcpSecrets;
  readonly cookies: SynCookies;
  readonly fastOpenCookies: HostCookies;
  readonly fastOpenCache: FastOpenCache;
  /** Settings of a fresh socket. */
  defaults: TcpSettings;
  /** Chooses initial sequence numbers instead of RFC 6528: for tests. */
  chooseIss: ((flow: FiveTuple) => Seq) | null = null;
  private readonly listeners = new Map<number, TcpListenerEndpoint[]>();
  private readonly received = new Segment();
  /** Connections that have something to send and found their interface busy, in the order of their turn. */
  private readonly waiting = new Set<TcpEndpoint>();
  private hasRoom = false;
  /** How many connections have lost their socket and are not over. */
  private orphans = 0;
  private readonly replyOptions: IpSendOptions;

  constructor(host: Host, ip: IpLayer) {
    this.host = host;
    this.ip = ip;
    this.context = new TcpContext(host);
    this.flows = new FlowTable(host);
    this.ports = new TcpPorts(host);
    this.timeWaits = new TimeWaits(this);
    this.secrets = new TcpSecrets(host);
    this.cookies = new SynCookies(host.newHash(), host.newHash());
    this.fastOpenCookies = new HostCookies(host);
    this.fastOpenCache = new FastOpenCache(host);
    this.defaults = defaultTcpSettings(host.sysctl);
    this.replyOptions = { ttl: -1, tos: 0, dontFragment: true };
    host.mib.Tcp.RtoAlgorithm = 1;
    host.mib.Tcp.RtoMin = host.sysctl.tcp_rto_min_us / 1000;
    host.mib.Tcp.RtoMax = host.sysctl.tcp_rto_max_ms;
    host.mib.Tcp.MaxConn = -1;
    ip.register(this);
    ip.onRoom = () => this.room();
  }

  // --- from IP --------------------------------------------------------------------------------------------------

  receive(packet: Packet): void {
    this.host.mib.Tcp.InSegs++;
    if (checkTcpPacket(this.host, packet)) this.deliver(packet);
    packet.release();
  }

  /** An ICMP error goes to the flow that it quotes, if that flow believes it. */
  error(error: IcmpError): void {
    const { view } = error.packet;
    const remotePort = tcpDestinationPort(view, error.offset);
    const flow = this.flows.find(error.src, tcpSourcePort(view, error.offset), error.dst, remotePort);
    if (flow === undefined) this.host.mib.Icmp.InErrors++;
    else flow.icmp(error, tcpSeq(view, error.offset));
  }

  private deliver(packet: Packet): void {
    const { view, l4, src, dst } = packet;
    const localPort = tcpDestinationPort(view, l4);
    const remotePort = tcpSourcePort(view, l4);
    const segment = this.received;
    readSegment(packet, segment);
    const flow = this.flows.find(dst, localPort, src, remotePort);
    if (flow !== undefined) {
      flow.segment(segment);
      return;
    }
    // TCP is between two hosts: never answer what was sent to many, or says that it comes from many.
    if (dst.isMulticast || this.ip.isBroadcast(dst) || src.isMulticast || this.ip.isBroadcast(src)) return;
    const listener = this.listenerFor(dst, localPort, src, remotePort);
    if (listener === null || !this.toListener(listener, segment, dst, src, remotePort)) {
      this.refuse(segment, { localAddress: dst, localPort, remoteAddress: src, remotePort });
    }
  }

  /** RFC 9293 section 3.10.7.2: LISTEN. False when the segment is to be answered with a reset. */
  private toListener(
    listener: TcpListenerEndpoint,
    segment: Segment,
    local: IpAddress,
    remote: IpAddress,
    remotePort: number,
  ): boolean {
    if (segment.has(RST)) return true;
    if (segment.has(ACK))
      return !segment.has(SYN) && listener.receiveCookie(segment, local, remote, remotePort);
    if (!segment.has(SYN) || !saneFlags(segment.flags)) {
      this.host.dropped('tcp', 'TCP_FLAGS');
      return true;
    }
    listener.receiveSyn(segment, local, remote, remotePort, 0);
    return true;
  }

  /** RFC 9293 section 3.10.7.1: CLOSED. Everything but a reset is answered by one. */
  private refuse(segment: Segment, flow: FiveTuple): void {
    this.host.dropped('tcp', 'NO_SOCKET');
    if (segment.has(RST)) return;
    this.reply(flow, resetFor(segment, this.context.out));
  }

  /** Sends a segment that no connection sends: a reset, a SYN-ACK, an ACK from TIME_WAIT. */
  reply(flow: FiveTuple, out: OutSegment): void {
    const route = this.ip.route(flow.remoteAddress, flow.localAddress);
    if (typeof route === 'number') return;
    this.host.mib.Tcp.OutSegs++;
    if ((out.flags & RST) !== 0) this.host.mib.Tcp.OutRsts++;
    sendSegment(this.host, this.ip, out, flow, route, this.replyOptions);
  }

  // --- busy interfaces ------------------------------------------------------------------------------------------

  /** Told when `run` has work that no packet or timer brings. */
  onWork: () => void = () => {};

  /** The connection's turn comes when an interface has room again. */
  waitForRoom(endpoint: TcpEndpoint): void {
    this.waiting.add(endpoint);
  }

  /** Lets connections that waited for room send on, a turn each; who is not done goes to the end of the line. */
  run(): void {
    if (!this.hasRoom) return;
    this.hasRoom = false;
    for (const endpoint of this.waiting) {
      if (this.ip.isBusy(endpoint.path)) continue;
      this.waiting.delete(endpoint);
      endpoint.resume(this.waiting.size === 0 ? Number.POSITIVE_INFINITY : TURN_BYTES);
    }
  }

  private room(): void {
    if (this.waiting.size === 0) return;
    this.hasRoom = true;
    this.onWork();
  }

  // --- from sockets ---------------------------------------------------------------------------------------------

  /**
   * bind(2): holds a port; 0 picks one (RFC 6056). `dualStack`: on :: for IPv4, too; `anywhere`: the
   * address need not be this host's (IP_FREEBIND). -EADDRINUSE, -EADDRNOTAVAIL.
   */
  bind(
    address: IpAddress,
    port: number,
    reuseAddress: boolean,
    reusePort: boolean,
    dualStack = false,
    anywhere = false,
  ): PortBinding | number {
    if (!anywhere && !address.isUnspecified && !this.ip.isLocal(address)) return -EADDRNOTAVAIL;
    return this.ports.bind(address, port, reuseAddress, reusePort, dualStack);
  }

  /** Settings of a fresh IPv6 socket: the hop limit is the route's. */
  get defaults6(): TcpSettings {
    return { ...this.defaults, ttl: -1 };
  }

  /** listen(2). Takes over the binding, or picks a port on `any` when it is null. -EADDRINUSE. */
  listen(
    binding: PortBinding | null,
    backlog: number,
    settings: TcpSettings,
    user: ReadyListener | null,
    any: IpAddress = ANY_V4,
  ): TcpListenerEndpoint | number {
    const bound = binding ?? this.ports.bind(any, 0, false, false);
    if (typeof bound === 'number') return bound;
    if (!this.ports.mayListen(bound)) return -EADDRINUSE;
    const limit = clampBacklog(backlog, this.host.sysctl.somaxconn);
    const listener = new TcpListenerEndpoint(
      this,
      bound,
      limit,
      this.fastOpenByDefault(settings, limit),
      user,
    );
    bound.listening = true;
    const list = this.listeners.get(bound.port);
    if (list === undefined) this.listeners.set(bound.port, [listener]);
    else list.push(listener);
    listener.traceState('LISTEN', 'passive open', null, 'CLOSED');
    return listener;
  }

  /** tcp_fastopen may give Fast Open to every listener; then as many as the backlog may be open so at a time. */
  private fastOpenByDefault(settings: TcpSettings, backlog: number): TcpSettings {
    const every = FAST_OPEN_EVERY_LISTENER | FAST_OPEN_SERVER;
    const applies = (this.host.sysctl.tcp_fastopen & every) === every;
    return applies && settings.fastOpenQueue === 0 ? { ...settings, fastOpenQueue: backlog } : settings;
  }

  /** listen(2) on a socket that listens already: only the backlog changes. */
  setBacklog(listener: TcpListenerEndpoint, backlog: number): void {
    listener.backlog = clampBacklog(backlog, this.host.sysctl.somaxconn);
  }

  /**
   * connect(2), which only begins: an endpoint in SYN_SENT, or -ENETUNREACH, -EADDRNOTAVAIL. Takes over the binding on
   * success.
   */
  connect(
    binding: PortBinding | null,
    remote: IpAddress,
    remotePort: number,
    settings: TcpSettings,
    user: ReadyListener | null,
  ): TcpEndpoint | number {
    const endpoint = this.prepare(binding, remote, remotePort, settings);
    if (typeof endpoint === 'number') return endpoint;
    endpoint.user = user;
    endpoint.open();
    return endpoint;
  }

  /** The active open that a SEND makes of a passive one. */
  connectFromListener(
    listener: TcpListenerEndpoint,
    remote: IpAddress,
    remotePort: number,
  ): TcpEndpoint | number {
    const endpoint = this.prepare(listener.binding, remote, remotePort, listener.settings);
    if (typeof endpoint === 'number') return endpoint;
    endpoint.user = listener.user;
    endpoint.connection.openFromListen();
    return endpoint;
  }

  /** `connect` up to the SYN: an endpoint in CLOSED with its addresses and ports, that nothing was sent from yet. */
  prepare(
    binding: PortBinding | null,
    remote: IpAddress,
    remotePort: number,
    settings: TcpSettings,
  ): TcpEndpoint | number {
    const source = binding === null || binding.address.isUnspecified ? null : binding.address;
    const route = this.ip.route(remote, source);
    if (typeof route === 'number') return route;
    if (route.kind === 'broadcast' || route.kind === 'multicast') return -ENETUNREACH;
    const local = route.source;
    const isFree = (port: number): boolean => this.mayUse(local, port, remote, remotePort);
    if (binding !== null && !isFree(binding.port)) return -EADDRNOTAVAIL;
    const start = this.secrets.portStart(local, remote, remotePort);
    const bound = binding ?? this.ports.bindEphemeral(local, start, isFree);
    if (bound === null) return -EADDRNOTAVAIL;
    const flow = { localAddress: local, localPort: bound.port, remoteAddress: remote, remotePort };
    const iss = this.takeOverTimeWait(flow) ?? this.initialSeq(flow);
    const tsOffset = this.secrets.timestampOffset(local, remote);
    const endpoint = this.newEndpoint(bound, route, flow, settings, iss, tsOffset);
    this.flows.add(endpoint);
    return endpoint;
  }

  newEndpoint(
    binding: PortBinding,
    route: Route,
    flow: FiveTuple,
    settings: TcpSettings,
    iss: Seq,
    tsOffset: number,
  ): TcpEndpoint {
    const { localAddress, localPort, remoteAddress, remotePort } = flow;
    return new TcpEndpoint(
      this,
      binding,
      route,
      localAddress,
      localPort,
      remoteAddress,
      remotePort,
      settings,
      iss,
      tsOffset,
    );
  }

  initialSeq(flow: FiveTuple): Seq {
    return this.chooseIss === null ? this.secrets.initialSeq(flow) : this.chooseIss(flow) | 0;
  }

  /** The MSS to offer towards `remote`: what its route's MTU leaves, or less when the socket wants less. */
  advMss(local: IpAddress, remote: IpAddress, settings: TcpSettings): number {
    const route = this.ip.route(remote, local);
    const { mtu, advmss } = typeof route === 'number' ? { mtu: 576, advmss: 0 } : route;
    const fromMtu = mtu - (remote.byteLength === 4 ? 20 : 40) - TCP_HEADER_LENGTH;
    const mss = advmss > 0 ? Math.min(advmss, fromMtu) : fromMtu;
    return settings.maxSeg > 0 ? Math.min(mss, settings.maxSeg) : mss;
  }

  // --- TIME_WAIT ------------------------------------------------------------------------------------------------

  /** RFC 6191: a SYN takes over a connection in TIME_WAIT. False, and nothing is changed, when nobody listens. */
  reopen(old: TimeWait, segment: Segment): boolean {
    const listener = this.listenerFor(old.localAddress, old.localPort, old.remoteAddress, old.remotePort);
    if (listener === null) return false;
    this.timeWaits.end(old, 'receive SYN');
    // 0 would mean "choose one".
    const iss = seqAdd(old.sndNxt, REUSE_DISTANCE) || 1;
    listener.receiveSyn(segment, old.localAddress, old.remoteAddress, old.remotePort, iss);
    return true;
  }

  private mayUse(local: IpAddress, port: number, remote: IpAddress, remotePort: number): boolean {
    const flow = this.flows.find(local, port, remote, remotePort);
    return flow === undefined || (flow instanceof TimeWait && flow.mayReuse());
  }

  /** The first sequence number when the five-tuple is in TIME_WAIT and may be reused; null when it is not. */
  private takeOverTimeWait(flow: FiveTuple): Seq | null {
    const old = this.flows.find(flow.localAddress, flow.localPort, flow.remoteAddress, flow.remotePort);
    if (!(old instanceof TimeWait)) return null;
    this.timeWaits.end(old, 'receive SYN');
    this.host.mib.TcpExt.TWRecycled++;
    return seqAdd(old.sndNxt, REUSE_DISTANCE);
  }

  // --- for endpoints and listeners --------------------------------------------------------------------------------

  /** A connection has ended; with a binding it goes on in TIME_WAIT. */
  forget(endpoint: TcpEndpoint, timeWait: PortBinding | null): void {
    this.waiting.delete(endpoint);
    if (endpoint.orphan) this.orphans--;
    endpoint.orphan = false;
    if (timeWait === null) this.flows.remove(endpoint);
    else this.timeWaits.add(endpoint, timeWait);
  }

  /** A connection goes on without a socket; one too many is reset (tcp_max_orphans). */
  adoptOrphan(endpoint: TcpEndpoint): void {
    if (this.orphans < this.host.sysctl.tcp_max_orphans) {
      this.orphans++;
      endpoint.orphan = true;
      return;
    }
    this.host.mib.TcpExt.TCPAbortOnMemory++;
    endpoint.abort();
  }

  forgetListener(listener: TcpListenerEndpoint): void {
    const { port } = listener.binding;
    const rest = (this.listeners.get(port) ?? []).filter(other => other !== listener);
    if (rest.length === 0) this.listeners.delete(port);
    else this.listeners.set(port, rest);
  }

  /** Every listener, for ss. */
  *allListeners(): Iterable<TcpListenerEndpoint> {
    for (const list of this.listeners.values()) yield* list;
  }

  /** Forgets every connection and listener without a word to the peers. */
  close(): void {
    for (const listener of [...this.allListeners()]) listener.close();
    for (const flow of [...this.flows] as Flow[]) if (this.flows.has(flow)) flow.destroy();
  }

  /** The listener for a new connection: an exact address before a wildcard; one of a SO_REUSEPORT group by hash. */
  private listenerFor(
    local: IpAddress,
    port: number,
    remote: IpAddress,
    remotePort: number,
  ): TcpListenerEndpoint | null {
    const list = this.listeners.get(port);
    if (list === undefined) return null;
    const only = list[0] as TcpListenerEndpoint;
    if (list.length === 1) return only.accepts(local) ? only : null;
    const exact = list.filter(listener => listener.localAddress.equals(local));
    const group = exact.length > 0 ? exact : list.filter(listener => listener.accepts(local));
    if (group.length <= 1) return group[0] ?? null;
    const hash = this.secrets.portStart(local, remote, remotePort) >>> 0;
    return group[hash % group.length] ?? null;
  }
}

function clampBacklog(backlog: number, limit: number): number {
  // A negative backlog is a huge unsigned one, as in Linux.
  return backlog < 0 ? limit : Math.min(backlog, limit);
}
