/**
 * The composition root: one host with its layers, its run loop and its API.
 * @module
 */

import { assert } from '../base/assert.ts';
import { EINVAL } from '../base/errno.ts';
import type { Env, Task } from '../core/env.ts';
import type { Hook, HookPoint } from '../core/hook.ts';
import { Host } from '../core/host.ts';
import type { Link } from '../core/link.ts';
import type { Mib } from '../core/mib.ts';
import type { NameResolver } from '../core/name-resolver.ts';
import type { FiveTuple } from '../core/network.ts';
import { PacketPool } from '../core/pool.ts';
import { DEFAULT_SYSCTL, type Sysctl } from '../core/sysctl.ts';
import { Autoconfiguration } from '../dhcp/autoconfiguration.ts';
import type { Dhcp6Server } from '../dhcp/dhcp6-server.ts';
import type { DhcpClientOptions, Ipv4Settings } from '../dhcp/ipv4-configuration.ts';
import type { DhcpServer } from '../dhcp/server.ts';
import type { DhcpServerOptions } from '../dhcp/server-plan.ts';
import { type Dhcp6ServerOptions, Services } from '../dhcp/services.ts';
import { PingLayer } from '../icmp/ping-layer.ts';
import { Loopback } from '../link/loopback.ts';
import { IpLayer } from '../net/ip-layer.ts';
import type { Netif } from '../net/netif.ts';
import type { SocketAddress } from '../socket/api/address.ts';
import { type ConnectOptions, connect } from '../socket/api/connect.ts';
import { type DatagramSocket, type UdpOptions, udp } from '../socket/api/datagram.ts';
import { SocketError } from '../socket/api/errors.ts';
import { type Listener, type ListenOptions, listen } from '../socket/api/listen.ts';
import type { TcpSocketStream } from '../socket/api/tcp-stream.ts';
import { Sys } from '../socket/calls.ts';
import { RunQueue } from '../socket/run-queue.ts';
import type { WaitOptions } from '../socket/wait.ts';
import type { InterfaceRow, NeighborRow, RouteRow } from '../trace/ip-rows.ts';
import type { TraceSink } from '../trace/sink.ts';
import { TcpLayer } from '../transport/tcp-layer.ts';
import { UdpLayer } from '../udp/udp-layer.ts';
import { AF_INET, ANY_V4, ANY_V6, IpAddress, parseCidr } from '../wire/address.ts';
import { Configured } from './configured.ts';
import { interfaceRows, neighborRows, routeRows } from './network.ts';
import { advertiseOptions, type RouterOptions } from './router-options.ts';
import { type SocketRow, socketRows } from './sockets.ts';

/** Packets and timers that one `run` processes before others have their turn. */
const RUN_BUDGET = 256;

/** What a stack is made of. */
export interface StackOptions {
  readonly env: Env;
  /** In the trace. Default 'host'. */
  readonly name?: string;
  /** Memory for packets; of its own by default. Stacks of one simulated world share one. */
  readonly pool?: PacketPool;
  /** Limits and policies that differ from Linux's defaults. */
  readonly sysctl?: Partial<Sysctl>;
  readonly trace?: TraceSink | null;
  /** Addresses of name servers, preferred to those that are learned. RangeError for what is not an address. */
  readonly nameServers?: readonly string[];
  /** Domains to complete a short name with, preferred to those that are learned. */
  readonly searchDomains?: readonly string[];
  /** Chooses TCP's initial sequence numbers instead of RFC 6528. For tests: a remote party can guess them. */
  readonly iss?: (flow: FiveTuple) => number;
}

/** How a link is attached. */
export interface AttachOptions {
  /** Default eth0, eth1 ... */
  readonly name?: string;
  /** 'A.B.C.D/N'. */
  readonly address?: string;
  /** The default gateway, reached by this link. */
  readonly gateway?: string;
  /** The same of IPv6: 'fd00::1/64', and 'fd00::fe' or 'fe80::1'. */
  readonly address6?: string;
  readonly gateway6?: string;
  /** More addresses, of either family. */
  readonly addresses?: readonly string[];
  /** Gives the interface IPv6 without an address: a link-local one, and what routers tell of. */
  readonly ipv6?: boolean;
  /** Asks a DHCP server for an address; without one, a link-local address is taken after a minute. */
  readonly dhcp?: boolean | DhcpClientOptions;
  /** Takes a link-local IPv4 address (RFC 3927), 169.254.N.N. */
  readonly linkLocal?: boolean;
}

/**
 * A host: attach links, then use the BSD calls (`sys`) or `connect`, `listen` and `udp`.
 * @example
 * const stack = new Stack({ env: nodeEnv() });
 * stack.attach(link, { address: '10.0.0.1/24', address6: 'fd00::1/64' }); // or { dhcp: true }, and
 * await stack.configured();
 * const socket = stack.connect({ hostname: '10.0.0.2', port: 80 });
 */
export class Stack {
  readonly host: Host;
  readonly ip: IpLayer;
  readonly tcp: TcpLayer;
  readonly udpLayer: UdpLayer;
  readonly pingLayer: PingLayer;
  /** The BSD socket calls. */
  readonly sys: Sys;
  /** Finds the addresses of the names that `connect` is given; null: it takes addresses only. */
  resolver: NameResolver | null = null;
  /** The interfaces that configure themselves. */
  readonly autoconfiguration: Autoconfiguration;
  private readonly services: Services;
  private readonly whenConfigured: Configured;
  private readonly links: Link[] = [];
  private readonly task: Task;
  private running = false;
  private closed = false;

  constructor(options: StackOptions) {
    const { env, name = 'host', pool = new PacketPool(), sysctl, trace = null, iss } = options;
    const { nameServers = [], searchDomains = [] } = options;
    this.host = new Host(name, env, pool, { ...DEFAULT_SYSCTL, ...sysctl });
    this.host.trace = trace;
    this.task = env.task(() => this.wake());
    this.ip = new IpLayer(this.host, new Loopback());
    this.ip.dns.replace('static', 0, nameServers.map(parseAddress), searchDomains);
    this.tcp = new TcpLayer(this.host, this.ip);
    this.udpLayer = new UdpLayer(this.host, this.ip);
    this.pingLayer = new PingLayer(this.host, this.ip);
    this.autoconfiguration = new Autoconfiguration(this.host, this.ip, this.udpLayer);
    this.services = new Services(this.host, this.ip, this.udpLayer);
    this.whenConfigured = new Configured(env, this.autoconfiguration);
    this.sys = new Sys({
      host: this.host,
      tcp: this.tcp,
      udp: this.udpLayer,
      ping: this.pingLayer,
      runQueue: new RunQueue(this.host),
    });
    if (iss !== undefined) this.tcp.chooseIss = iss;
    this.tcp.onWork = () => this.wakeAt(this.host.nowUs);
    this.ip.onIngress = () => this.wakeAt(this.host.nowUs);
    this.host.timers.onEarliest = dueUs => this.wakeAt(dueUs);
  }

  // --- configuration --------------------------------------------------------------------------------------------

  /**
   * Puts an interface on a link. Returns its index (2 for the first: 1 is lo), or -EINVAL for an address or a gateway
   * that is not one (or an IPv6 one on a link of less than 1280 bytes), -ENETUNREACH for a gateway that is not on the
   * link's network. IPv6 addresses are checked for a second or two before they are certain.
   */
  attach(link: Link, options: AttachOptions = {}): number {
    const { address, address6, gateway, gateway6, name, addresses = [] } = options;
    const given = [address, address6, ...addresses].filter(text => text !== undefined).map(parseCidr);
    const gateways = [gateway, gateway6]
      .filter(text => text !== undefined)
      .map(text => IpAddress.parse(text));
    if (given.includes(null) || gateways.includes(null)) return -EINVAL;
    this.links.push(link);
    const netif = this.ip.attach(link, name);
    for (const cidr of given) {
      const result = cidr === null ? 0 : netif.addAddress(cidr.address, cidr.prefixLength);
      if (result < 0) return result;
    }
    if (options.ipv6 === true) this.ip.ipv6.enable(netif);
    for (const router of gateways) {
      const result = router === null ? 0 : this.addDefaultRoute(router, netif.index);
      if (result < 0) return result;
    }
    const result = this.configure(netif, options);
    return result < 0 ? result : netif.index;
  }

  private configure(netif: Netif, { dhcp = false, linkLocal = false }: AttachOptions): number {
    const { autoconfiguration } = this;
    if (dhcp !== false) return autoconfiguration.startDhcp(netif, dhcp === true ? {} : dhcp);
    return linkLocal ? autoconfiguration.startLinkLocal(netif) : 0;
  }

  /**
   * Resolves once every interface that configures itself has an IPv4 address, from a server or link-local; rejects with
   * the signal's reason.
   */
  configured(options: WaitOptions = {}): Promise<readonly Ipv4Settings[]> {
    return this.whenConfigured.wait(options);
  }

  /**
   * Gives addresses to the hosts of a link, by DHCP; `netif` is an interface's index or name. RangeError for options that
   * make no sense there, SocketError (EADDRINUSE) when there is a server already.
   * @example
   * stack.dhcpServer('eth0', { pool: ['10.0.0.100', '10.0.0.199'], nameServers: ['10.0.0.1'] });
   */
  dhcpServer(netif: number | string, options: DhcpServerOptions = {}): DhcpServer {
    const server = this.services.dhcp(this.netif(netif), options);
    if (typeof server === 'number') throw new SocketError('dhcpServer', server);
    return server;
  }

  /** Tells the hosts of a link of IPv6 name servers, by stateless DHCPv6. As `dhcpServer`. */
  dhcp6Server(netif: number | string, options: Dhcp6ServerOptions = {}): Dhcp6Server {
    const server = this.services.dhcp6(this.netif(netif), options);
    if (typeof server === 'number') throw new SocketError('dhcp6Server', server);
    return server;
  }

  /** Tells the hosts of a link of this router and of prefixes; null ends it. RangeError as `dhcpServer`. */
  advertise(netif: number | string, options: RouterOptions | null = {}): void {
    this.ip.ipv6.advertise(this.netif(netif), options === null ? null : advertiseOptions(options));
  }

  private netif(which: number | string): Netif {
    const netif = this.ip.netif(which);
    if (netif === null) throw new RangeError(`there is no interface ${which}`);
    return netif;
  }

  private addDefaultRoute(gateway: IpAddress, netif: number): number {
    const destination = gateway.family === AF_INET ? ANY_V4 : ANY_V6;
    return this.ip.routes.add({ destination, prefixLength: 0, gateway, netif });
  }

  /** Looks at packets, changes them or stops them; returns what removes the hook. */
  hook(point: HookPoint, hook: Hook): () => void {
    return this.host.hooks[point].add(hook);
  }

  get name(): string {
    return this.host.name;
  }

  get trace(): TraceSink | null {
    return this.host.trace;
  }

  set trace(sink: TraceSink | null) {
    this.host.trace = sink;
  }

  /** The counters of /proc/net/snmp and /proc/net/netstat. */
  get mib(): Mib {
    return this.host.mib;
  }

  /** The name servers that were set or learned (DHCP, DHCPv6, router advertisements), the preferred one first. */
  get nameServers(): readonly IpAddress[] {
    return this.ip.dns.servers;
  }

  /** The domains to complete a short name with, without the final dot. */
  get searchDomains(): readonly string[] {
    return this.ip.dns.domains;
  }

  /** Every TCP socket, as `ss` lists them. */
  sockets(): SocketRow[] {
    this.host.refreshNow();
    return socketRows(this.tcp);
  }

  /** Every interface with its addresses, as `ip addr` lists them. */
  interfaces(): InterfaceRow[] {
    const { ip, autoconfiguration: auto, host } = this;
    return interfaceRows(ip, (netif, address) => auto.leaseEndUs(netif, address), host.refreshNow());
  }

  /** Every route, as `ip route` and `ip -6 route` list them. */
  routes(): RouteRow[] {
    return routeRows(this.ip, this.host.refreshNow());
  }

  /** Every neighbour, as `ip neigh` lists them. */
  neighbors(): NeighborRow[] {
    return neighborRows(this.ip);
  }

  // --- the high-level API ---------------------------------------------------------------------------------------

  /** Opens a TCP connection; returns at once, `opened` says how it went. Names are for `resolver` to look up. */
  connect(address: SocketAddress | string, options?: ConnectOptions): TcpSocketStream {
    return connect(this.sys, address, options, this.resolver);
  }

  /** Accepts TCP connections: iterate over it. */
  listen(options: ListenOptions): Listener {
    return listen(this.sys, options);
  }

  /** A UDP socket. */
  udp(options?: UdpOptions): DatagramSocket {
    return udp(this.sys, options);
  }

  // --- work -----------------------------------------------------------------------------------------------------

  /**
   * Does what is due now, within a budget: received packets, then timers. Returns when it wants to run again, in
   * microseconds (Infinity: when something arrives). The environment calls it; a caller of its own is welcome, too.
   */
  run(): number {
    assert(!this.running, 'Stack.run is not nested');
    this.running = true;
    const nowUs = this.host.refreshNow();
    this.ip.run(RUN_BUDGET);
    this.tcp.run();
    this.host.timers.run(nowUs, RUN_BUDGET);
    this.running = false;
    // Asked last: what a timer sends to this host itself is received at once.
    return this.ip.hasIngress ? nowUs : this.host.timers.nextUs;
  }

  /**
   * Ends everything: the sockets are closed as those of a process that exits (every promise settles, a FIN or RST goes
   * out), then connections, timers and links are forgotten, without waiting for the peers. The process can then exit
   * by itself. A second call does nothing.
   */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.host.refreshNow();
    this.sys.closeAll();
    this.autoconfiguration.close();
    this.whenConfigured.close();
    this.services.close();
    this.tcp.close();
    this.udpLayer.close();
    this.pingLayer.close();
    this.ip.close();
    for (const link of this.links) link.close();
    this.task.cancel();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }

  private wake(): void {
    if (this.closed) return;
    const nextUs = this.run();
    if (nextUs !== Number.POSITIVE_INFINITY) this.task.wakeAt(nextUs);
  }

  private wakeAt(atUs: number): void {
    if (!this.running && !this.closed) this.task.wakeAt(atUs);
  }
}

function parseAddress(text: string): IpAddress {
  const address = IpAddress.parse(text);
  if (address === null) throw new RangeError(`not an IP address: '${text}'`);
  return address;
}
