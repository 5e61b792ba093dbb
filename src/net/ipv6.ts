import type { Host } from '../core/host.ts';
import type { IpSendOptions } from '../core/network.ts';
import type { Packet } from '../core/packet.ts';
import { ALL_ROUTERS, type IpAddress, solicitedNode } from '../wire/address.ts';
import { macFromParts } from '../wire/ethernet.ts';
import { ICMP6_PORT_UNREACHABLE, ICMP6_UNREACHABLE, ND_REDIRECT } from '../wire/icmp6.ts';
import type { RouterAdvert } from '../wire/ndp.ts';
import { ADDRESS_LOCAL, ADDRESS_LOOPBACK } from './address-cache.ts';
import { Dad } from './dad.ts';
import type { DnsRepository } from './dns-repository.ts';
import type { IpFamily, Transports } from './family.ts';
import { Icmp6 } from './icmp6.ts';
import type { Interfaces } from './interfaces.ts';
import type { IpRoute } from './ip-route.ts';
import { Ipv6Address } from './ipv6-address.ts';
import { Ipv6Input } from './ipv6-input.ts';
import { Ipv6Netif } from './ipv6-netif.ts';
import { Ipv6Output } from './ipv6-output.ts';
import { Mld } from './mld.ts';
import { Ndp } from './ndp.ts';
import type { NeighborTable } from './neighbor.ts';
import type { Netif, NetifAddress } from './netif.ts';
import type { IcmpRateLimit } from './rate-limit.ts';
import type { RouteEntry, RouteTable } from './route-table.ts';
import { type AdvertiseOptions, RouterAdvertiser } from './router-advertiser.ts';
import { RouterDiscovery } from './router-discovery.ts';
import { Router6 } from './router6.ts';
import { Slaac } from './slaac.ts';

/** Bytes of the packet that a redirect quotes: the whole stays under 1280. */
const REDIRECTED_MAX = 1000;

/** The IPv6 of one host: what IpLayer does for this family. */
export class Ipv6 implements IpFamily {
  readonly icmp: Icmp6;
  /** Told when an address turned out to be somebody else's, or certainly ours. */
  onAddress: (netif: Netif, entry: Ipv6Address) => void = () => {};
  /** Told of each router advertisement that is believed. */
  onAdvert: (netif: Netif, message: RouterAdvert) => void = () => {};
  private readonly host: Host;
  private readonly interfaces: Interfaces;
  private readonly table: RouteTable;
  private readonly limit: IcmpRateLimit;
  private readonly dns: DnsRepository;
  private readonly router: Router6;
  private readonly ndp: Ndp;
  private readonly dad: Dad;
  private readonly mld: Mld;
  private readonly slaac: Slaac;
  private readonly discovery: RouterDiscovery;
  private readonly advertiser: RouterAdvertiser;
  private readonly output: Ipv6Output;
  private readonly input: Ipv6Input;
  /** Interfaces whose link was there when they were last looked at. */
  private readonly active = new Set<Netif>();

  constructor(
    host: Host,
    interfaces: Interfaces,
    table: RouteTable,
    transports: Transports,
    limit: IcmpRateLimit,
    dns: DnsRepository,
  ) {
    this.host = host;
    this.interfaces = interfaces;
    this.table = table;
    this.limit = limit;
    this.dns = dns;
    this.router = new Router6(host, interfaces, table);
    this.output = new Ipv6Output(host, interfaces);
    this.icmp = new Icmp6(host, interfaces, this.router, this.output, transports, limit);
    this.ndp = new Ndp(host, interfaces, this.router, this.icmp);
    this.output.neighbors = this.ndp.neighbors;
    this.mld = new Mld(host, this.router, this.output, this.icmp);
    this.slaac = new Slaac(host, interfaces);
    this.dad = new Dad(host, this.ndp, this);
    this.discovery = new RouterDiscovery(host, interfaces, table, this.ndp, this.slaac, this.router, dns);
    this.advertiser = new RouterAdvertiser(host, this.ndp);
    this.discovery.onAdvert = (netif, message) => this.onAdvert(netif, message);
    this.input = new Ipv6Input(host, interfaces, this.router, this.output, this.icmp, transports);
    this.ndp.connect(this.dad, this.discovery);
    this.ndp.onUnreachable = packet => this.icmp.hostUnreachable(packet);
    this.ndp.onSolicit = (netif, from) => this.advertiser.solicited(netif, from);
    this.input.onDetour = (packet, route) => this.detour(packet, route);
    this.mld.find = index => interfaces.byIndex(index);
    this.icmp.ndp = this.ndp;
    this.icmp.mld = this.mld;
  }

  // --- configuration ---

  get neighbors(): NeighborTable {
    return this.ndp.neighbors;
  }

  /** The name servers that routers told of (RFC 8106). */
  get nameServers(): readonly IpAddress[] {
    return this.dns.serversOf('ra');
  }

  /** The routers that said they may be used as default. */
  get defaultRouters(): readonly IpAddress[] {
    return this.discovery.defaultRouters;
  }

  /** As RouterDiscovery.routeEndUs. */
  routeEndUs(route: RouteEntry): number {
    return this.discovery.routeEndUs(route);
  }

  /** Gives an interface IPv6, as its first address does: it makes itself a link-local one and looks for routers. */
  enable(netif: Netif): void {
    if (netif.ipv6 !== null || this.host.sysctl.disable_ipv6) return;
    netif.ipv6 = new Ipv6Netif(netif);
    this.interfaces.changed();
    if (netif.isLoopback) return;
    if (netif.up && netif.hasCarrier) this.active.add(netif);
    this.slaac.addLinkLocal(netif);
    if (this.host.sysctl.forwarding) this.mld.join(netif, ALL_ROUTERS);
  }

  /** Has this router tell the hosts of a link of itself and of prefixes (RFC 4861 section 6.2); null ends it. */
  advertise(netif: Netif, options: AdvertiseOptions | null): void {
    this.host.refreshNow();
    this.advertiser.set(netif, options);
  }

  /** Joins a multicast group on an interface; as often as it is joined it must be left. */
  join(netif: Netif, group: IpAddress): void {
    this.mld.join(netif, group);
  }

  /** Leaves a multicast group. */
  leave(netif: Netif, group: IpAddress): void {
    this.mld.leave(netif, group);
  }

  // --- IpFamily ---

  receive(packet: Packet, netif: Netif, toGroup: boolean): void {
    this.input.receive(packet, netif, toGroup);
  }

  route(destination: IpAddress, source: IpAddress | null, netif: number): IpRoute | number {
    return this.router.route(destination, source, netif);
  }

  send(packet: Packet, route: IpRoute, protocol: number, options: IpSendOptions): number {
    return this.output.send(packet, route, protocol, options);
  }

  sendIcmp(packet: Packet, route: IpRoute, options: IpSendOptions): number {
    return this.icmp.send(packet, route, options);
  }

  portUnreachable(packet: Packet): void {
    this.icmp.sendError(packet, ICMP6_UNREACHABLE, ICMP6_PORT_UNREACHABLE, 0);
  }

  learnPathMtu(destination: IpAddress, mtu: number): void {
    this.router.learnPathMtu(destination, mtu);
  }

  isLocal(address: IpAddress): boolean {
    const { kind } = this.interfaces.cache6.of(address);
    return kind === ADDRESS_LOCAL || (kind === ADDRESS_LOOPBACK && this.interfaces.loopback.ipv6 !== null);
  }

  addressAdded(netif: Netif, entry: NetifAddress): void {
    if (!(entry instanceof Ipv6Address)) return;
    this.enable(netif);
    const { address, prefixLength, origin } = entry;
    // Whether the prefix of an address is on the link only routers know, unless it was given by hand.
    const isConnected = origin === 'manual' || origin === 'link-local';
    if (!netif.isLoopback && isConnected && prefixLength < 128) {
      this.table.addAutomatic({
        destination: address.withZone(0),
        prefixLength,
        gateway: null,
        netif: netif.index,
        metric: 0,
        protocol: 'kernel',
      });
    }
    if (netif.up && netif.hasCarrier) this.check(netif, entry);
    this.interfaces.changed();
  }

  addressRemoved(netif: Netif, entry: NetifAddress): void {
    if (!(entry instanceof Ipv6Address)) return;
    this.dad.stop(entry);
    this.leaveSolicited(netif, entry);
    const { address, prefixLength } = entry;
    const isShared = netif.ipv6?.addresses.some(
      other => other.prefixLength === prefixLength && other.address.inPrefix(address, prefixLength),
    );
    if (isShared !== true) {
      this.table.removeWhere(
        route =>
          route.protocol === 'kernel' &&
          route.netif === netif.index &&
          route.prefixLength === prefixLength &&
          address.inPrefix(route.destination, prefixLength),
      );
    }
    this.interfaces.changed();
  }

  changed(netif: Netif): void {
    const isActive = netif.up && netif.hasCarrier;
    if (netif.ipv6 === null || isActive === this.active.has(netif)) return;
    if (isActive) this.activate(netif);
    else this.deactivate(netif);
  }

  close(): void {
    this.ndp.neighbors.flush(null, true);
    this.dad.close();
    this.mld.close();
    this.slaac.close();
    this.discovery.close();
    this.advertiser.close();
    this.input.extensions.reassembly.close();
    this.router.close();
  }

  // --- DadListener ---

  /** Nobody else has the address: from now on it is used without reserve. */
  unique(netif: Netif, entry: Ipv6Address): void {
    this.interfaces.changed();
    this.ndp.askAll(netif);
    if (entry.address.isLinkLocal) {
      this.mld.reportAll(netif);
      this.discovery.start(netif);
      this.advertiser.start(netif);
    }
    this.onAddress(netif, entry);
  }

  /** Somebody else has the address: an address that we made ourselves is replaced by another. */
  duplicate(netif: Netif, entry: Ipv6Address): void {
    this.leaveSolicited(netif, entry);
    this.interfaces.changed();
    this.onAddress(netif, entry);
    this.slaac.replace(netif, entry);
  }

  /** The link is there (again): who else is on it is not known. */
  private activate(netif: Netif): void {
    this.active.add(netif);
    this.mld.reportAll(netif);
    const entries = netif.ipv6?.addresses ?? [];
    for (const entry of entries) this.check(netif, entry);
    if (!entries.some(({ address }) => address.isLinkLocal)) this.slaac.addLinkLocal(netif);
  }

  private deactivate(netif: Netif): void {
    this.active.delete(netif);
    this.ndp.neighbors.flush(netif, !netif.up);
    this.mld.forget(netif);
    for (const entry of netif.ipv6?.addresses ?? []) this.dad.stop(entry);
    this.advertiser.stop(netif);
    // What routers said of a link holds when its cable is put back; not when the interface was taken down.
    if (netif.up) return;
    this.discovery.forget(netif);
    this.slaac.forget(netif);
  }

  /** Tells a neighbour of the way that its packet takes now (RFC 4861 section 8.2). */
  private detour(packet: Packet, { out, nextHop }: IpRoute): void {
    const { src, dst } = packet;
    const source = out.ipv6?.linkLocal ?? null;
    const back = this.router.route(src, null, src.zone);
    // Only a neighbour can be told, and only of a router that has a link-local address.
    const isNeighbor = typeof back !== 'number' && back.out === out && back.nextHop.equals(src);
    if (source === null || !isNeighbor || !(nextHop.isLinkLocal || nextHop.equals(dst))) return;
    if (!this.limit.take(`${src.w0} ${src.w1}`, this.host.mib.Icmp6)) return;
    const neighbor = this.ndp.neighbors.find(out, nextHop);
    const targetMac = neighbor?.isValid ? macFromParts(neighbor.macHigh, neighbor.macLow) : undefined;
    const length = Math.min(packet.end - packet.l3, REDIRECTED_MAX);
    const redirected = packet.bytes.slice(packet.l3, packet.l3 + length);
    this.ndp.send(out, source, src, {
      type: ND_REDIRECT,
      target: nextHop,
      destination: dst,
      options: { targetMac, redirected },
    });
  }

  private check(netif: Netif, entry: Ipv6Address): void {
    if (!entry.joined) this.mld.join(netif, solicitedNode(entry.address, netif.index));
    entry.joined = true;
    this.dad.start(netif, entry);
  }

  private leaveSolicited(netif: Netif, entry: Ipv6Address): void {
    if (entry.joined) this.mld.leave(netif, solicitedNode(entry.address, netif.index));
    entry.joined = false;
  }
}
