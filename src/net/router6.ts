/**
 * Finds where IPv6 packets for a destination go: as router.ts, with zones, and source addresses by RFC 6724. What it
 * found stays good while `Interfaces.generation` stays the same.
 * @module
 */
import { EADDRNOTAVAIL, EINVAL, ENETDOWN, ENETUNREACH } from '../base/errno.ts';
import type { Host } from '../core/host.ts';
import type { Route } from '../core/network.ts';
import { AF_INET6, ANY_V6, type IpAddress, LOOPBACK_V6 } from '../wire/address.ts';
import { IPV6_HEADER_LENGTH, IPV6_MIN_MTU, IPV6_PAYLOAD_MAX } from '../wire/ipv6.ts';
import { ADDRESS_LOCAL, ADDRESS_LOOPBACK, ADDRESS_MULTICAST, ADDRESS_THIS_NETWORK } from './address-cache.ts';
import type { Interfaces } from './interfaces.ts';
import { IpRoute } from './ip-route.ts';
import type { Netif } from './netif.ts';
import { PathMtus } from './path-mtu.ts';
import type { RouteEntry, RouteMetrics, RouteTable } from './route-table.ts';
import { selectSource } from './source-address.ts';

/** The largest super-segment, in bytes of IP packet. */
const GSO_MAX = 65535;

/** Finds another next hop than the routing table does: a redirect told of it. Null when there is none. */
export type NextHopOverride = (destination: IpAddress, netif: number) => IpAddress | null;

/** IPv6 routes, as the transports and the forwarding see them. */
export class Router6 {
  /** What redirects have told. */
  redirected: NextHopOverride = () => null;
  private readonly host: Host;
  private readonly table: RouteTable;
  private readonly interfaces: Interfaces;
  private readonly pathMtus: PathMtus;
  private readonly flowSecret: number;

  constructor(host: Host, interfaces: Interfaces, table: RouteTable) {
    this.host = host;
    this.table = table;
    this.interfaces = interfaces;
    this.pathMtus = new PathMtus(host, () => interfaces.changed());
    this.flowSecret = host.random32();
  }

  /** As IpLayer.route. A link-local destination needs its zone, or an interface that is asked for. */
  route(destination: IpAddress, source: IpAddress | null, netif: number): IpRoute | number {
    const asked = source === null || source.isUnspecified ? null : source;
    const zone = netif || destination.zone;
    const target = destination.withZone(zone);
    const isPlain = netif === 0 || netif === target.zone;
    if (!isPlain) return this.resolve(target, asked, netif);
    const plain = this.plainRoute(target);
    if (asked === null || (typeof plain !== 'number' && plain.source.equals(asked))) return plain;
    return this.resolve(target, asked, zone);
  }

  /** A route by one interface with exactly this source, which need not be usable yet; the next hop is on the link. */
  direct(destination: IpAddress, source: IpAddress, out: Netif): IpRoute {
    const target = destination.withZone(out.index);
    return this.make(target, source, target, out, target.isMulticast ? 'multicast' : 'unicast');
  }

  /** Remembers that packets to `destination` may be `mtu` bytes long at most; less than 1280 is no MTU (RFC 8201). */
  learnPathMtu(destination: IpAddress, mtu: number): void {
    if (mtu >= IPV6_MIN_MTU) this.pathMtus.learn(destination, mtu, IPV6_MIN_MTU);
  }

  /** Forgets what was learned and stops every timer. */
  close(): void {
    this.pathMtus.close();
  }

  private plainRoute(destination: IpAddress): IpRoute | number {
    const known = this.interfaces.cache6.of(destination);
    if (known.route !== null) return known.route;
    const made = this.resolve(destination, null, destination.zone);
    if (typeof made !== 'number') known.route = made;
    return made;
  }

  private resolve(asked: IpAddress, source: IpAddress | null, netif: number): IpRoute | number {
    // :: as a destination is this host, as on every Unix.
    const destination = asked.isUnspecified ? (source ?? LOOPBACK_V6) : asked;
    const { interfaces } = this;
    if (netif !== 0 && interfaces.byIndex(netif)?.up !== true) return -ENETDOWN;
    if (source !== null && !this.isOurs(source)) return -EADDRNOTAVAIL;
    const { kind } = interfaces.cache6.of(destination);
    if (kind === ADDRESS_LOCAL || kind === ADDRESS_LOOPBACK) return this.toSelf(destination, source);
    if (kind === ADDRESS_THIS_NETWORK) return -ENETUNREACH;
    if (source?.isLoopback === true) return -EINVAL;
    if (kind === ADDRESS_MULTICAST) return this.toMany(destination, source, netif);
    // Without its zone a link-local address means nothing (RFC 4007).
    if (destination.needsZone && netif === 0) return -EINVAL;
    const entry = this.table.lookup(destination, netif || (source?.zone ?? 0));
    const out = interfaces.byIndex(entry === null ? netif : entry.netif);
    if (out === null || out.ipv6 === null) return -ENETUNREACH;
    return this.unicast(destination, source, entry, out);
  }

  private unicast(
    destination: IpAddress,
    source: IpAddress | null,
    entry: RouteEntry | null,
    out: Netif,
  ): IpRoute | number {
    const from = source ?? entry?.source ?? this.chooseSource(destination, out);
    if (from === null) return -EADDRNOTAVAIL;
    const nextHop = this.redirected(destination, out.index) ?? entry?.gateway ?? destination;
    return this.make(destination, from, nextHop, out, 'unicast', entry?.metrics);
  }

  private toSelf(destination: IpAddress, source: IpAddress | null): IpRoute | number {
    const { loopback } = this.interfaces;
    if (loopback.ipv6 === null) return -EADDRNOTAVAIL;
    return this.make(destination, source ?? destination, destination, loopback, 'local');
  }

  private toMany(destination: IpAddress, source: IpAddress | null, netif: number): IpRoute | number {
    const out = this.outForMany(destination, source, netif);
    if (out === null || out.ipv6 === null) return -ENETUNREACH;
    const from = source ?? this.chooseSource(destination, out) ?? ANY_V6;
    return this.make(destination.withZone(out.index), from, destination, out, 'multicast');
  }

  /** The interface asked for, that of the source, that of a route, or the first there is. */
  private outForMany(destination: IpAddress, source: IpAddress | null, netif: number): Netif | null {
    const { interfaces } = this;
    if (netif !== 0) return interfaces.byIndex(netif);
    const owner = source === null ? null : interfaces.owner(source);
    if (owner !== null) return owner;
    const entry = this.table.lookup(destination, 0);
    if (entry !== null) return interfaces.byIndex(entry.netif);
    return interfaces.list.find(other => other.up && !other.isLoopback && other.ipv6 !== null) ?? null;
  }

  /** RFC 6724 section 5, among the addresses of the interface, or for want of these of the others. */
  private chooseSource(destination: IpAddress, out: Netif): IpAddress | null {
    const { host, interfaces } = this;
    const own = selectSource(destination, out.ipv6?.addresses ?? [], host);
    if (own !== null || destination.needsZone) return own;
    const others = interfaces.list.flatMap(netif => (netif.up ? (netif.ipv6?.addresses ?? []) : []));
    return selectSource(
      destination,
      others.filter(({ address }) => !address.needsZone && !address.isLoopback),
      host,
    );
  }

  private make(
    destination: IpAddress,
    source: IpAddress,
    nextHop: IpAddress,
    out: Netif,
    kind: Route['kind'],
    metrics: RouteMetrics = {},
  ): IpRoute {
    const known = this.pathMtus.find(destination);
    const most = IPV6_PAYLOAD_MAX + IPV6_HEADER_LENGTH;
    const mtu = Math.min(out.ipv6?.mtu ?? out.mtu, metrics.mtu ?? most, known?.mtu ?? most, most);
    const { generation } = this.interfaces;
    const made = new IpRoute(destination, source, nextHop, out, mtu, GSO_MAX, kind, generation);
    made.flowSeed = this.flowSeed(source) ^ Math.imul(this.flowSeed(destination), 0x9e3779b1);
    made.advmss = metrics.advmss ?? 0;
    return made;
  }

  private flowSeed({ w0, w1, w2, w3 }: IpAddress): number {
    let hash = Math.imul(w3 ^ this.flowSecret, 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 13) ^ w2, 0xc2b2ae35);
    hash = Math.imul(hash ^ (hash >>> 16) ^ w1, 0x9e3779b1);
    return Math.imul(hash ^ (hash >>> 15) ^ w0, 0x85ebca6b);
  }

  private isOurs(address: IpAddress): boolean {
    if (address.family !== AF_INET6) return false;
    const { kind } = this.interfaces.cache6.of(address);
    return kind === ADDRESS_LOCAL || kind === ADDRESS_LOOPBACK;
  }
}
