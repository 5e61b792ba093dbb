/**
 * Finds where IPv4 packets for a destination go: the outgoing interface, the next hop, the source address and the
 * path's MTU. What it found stays good while `Interfaces.generation` stays the same.
 * @module
 */
import { EADDRNOTAVAIL, EINVAL, ENETDOWN, ENETUNREACH } from '../base/errno.ts';
import type { Host } from '../core/host.ts';
import type { Route } from '../core/network.ts';
import { AF_INET, ANY_V4, type IpAddress, LOOPBACK_V4 } from '../wire/address.ts';
import { IPV4_MAX_LENGTH } from '../wire/ipv4.ts';
import { ADDRESS_BROADCAST, ADDRESS_LOCAL, ADDRESS_LOOPBACK, ADDRESS_MULTICAST } from './address-cache.ts';
import { type Interfaces, LOOPBACK_INDEX } from './interfaces.ts';
import { IpRoute } from './ip-route.ts';
import type { Netif } from './netif.ts';
import { PathMtus } from './path-mtu.ts';
import type { RouteEntry, RouteMetrics, RouteTable } from './route-table.ts';

/** Destinations whose route is remembered. */
const CACHE_MAX = 4096;

/** IPv4 routes, as the transports and the forwarding see them. */
export class Router {
  private readonly table: RouteTable;
  private readonly interfaces: Interfaces;
  /** Results for a destination alone, with no source and no interface asked for. */
  private readonly cache = new Map<number, IpRoute>();
  private readonly pathMtus: PathMtus;
  private readonly leastMtu: () => number;

  constructor(host: Host, interfaces: Interfaces, table: RouteTable) {
    this.table = table;
    this.interfaces = interfaces;
    this.pathMtus = new PathMtus(host, () => interfaces.changed());
    this.leastMtu = () => host.sysctl.min_pmtu;
    interfaces.onChange(() => this.cache.clear());
  }

  /**
   * The route to `destination`, from `source` when one is asked for, by the interface with index `netif` unless 0.
   * -ENETUNREACH, -EADDRNOTAVAIL (`source` is not ours), -ENETDOWN, -EINVAL.
   */
  route(destination: IpAddress, source: IpAddress | null, netif: number): IpRoute | number {
    if (destination.family !== AF_INET) return -ENETUNREACH;
    const asked = source === null || source.isUnspecified ? null : source;
    if (netif !== 0) return this.resolve(destination, asked, netif);
    const plain = this.plainRoute(destination);
    // Most ask for the source that would have been chosen for them.
    if (asked === null || (typeof plain !== 'number' && plain.source.equals(asked))) return plain;
    return this.resolve(destination, asked, 0);
  }

  private plainRoute(destination: IpAddress): IpRoute | number {
    const cached = this.cache.get(destination.w3);
    if (cached !== undefined) return cached;
    const made = this.resolve(destination, null, 0);
    if (typeof made === 'number') return made;
    if (this.cache.size >= CACHE_MAX) this.cache.clear();
    this.cache.set(destination.w3, made);
    return made;
  }

  /** A route by one interface with exactly this source, which need not be ours; everyone is on that link. */
  direct(destination: IpAddress, source: IpAddress, out: Netif): IpRoute {
    const kind = destination.isLimitedBroadcast ? 'broadcast' : 'unicast';
    const made = this.make(destination, source, destination, out, kind);
    made.loopsBack = false;
    return made;
  }

  /** Remembers that packets to `destination` may be `mtu` bytes long at most. It only ever lowers. */
  learnPathMtu(destination: IpAddress, mtu: number): void {
    this.pathMtus.learn(destination, mtu, this.leastMtu());
  }

  /** Forgets what was learned and stops every timer. */
  close(): void {
    this.pathMtus.close();
  }

  private resolve(asked: IpAddress, source: IpAddress | null, netif: number): IpRoute | number {
    // 0.0.0.0 as a destination is this host, as on every Unix.
    const destination = asked.isUnspecified ? (source ?? LOOPBACK_V4) : asked;
    const { interfaces } = this;
    if (netif !== 0 && interfaces.byIndex(netif)?.up !== true) return -ENETDOWN;
    if (source !== null && !this.isOurs(source)) return -EADDRNOTAVAIL;
    const { kind } = interfaces.cache.lookup(destination.w3);
    if (kind === ADDRESS_LOCAL || kind === ADDRESS_LOOPBACK) return this.toSelf(destination, source);
    if (source?.isLoopback === true) return -EINVAL;
    if (kind === ADDRESS_BROADCAST || kind === ADDRESS_MULTICAST) {
      return this.toMany(destination, source, netif, kind === ADDRESS_BROADCAST);
    }
    const entry = this.table.lookup(destination, netif);
    // An interface that was asked for by name is taken at its word: everyone is on that link.
    const out = interfaces.byIndex(entry === null ? netif : entry.netif);
    if (out === null) return -ENETUNREACH;
    const nextHop = entry?.gateway ?? destination;
    const from = source ?? this.sourceBy(entry, out, nextHop);
    if (from === null && netif === 0) return -EADDRNOTAVAIL;
    return this.make(destination, from ?? ANY_V4, nextHop, out, 'unicast', entry?.metrics);
  }

  private toSelf(destination: IpAddress, source: IpAddress | null): IpRoute {
    const { loopback } = this.interfaces;
    const own = destination.isLoopback ? (loopback.sourceFor(destination) ?? LOOPBACK_V4) : destination;
    return this.make(destination, source ?? own, destination, loopback, 'local');
  }

  private toMany(
    destination: IpAddress,
    source: IpAddress | null,
    netif: number,
    broadcast: boolean,
  ): IpRoute | number {
    const out = this.outForMany(destination, source, netif);
    if (out === null) return -ENETUNREACH;
    const from = source ?? out.sourceFor(destination) ?? ANY_V4;
    return this.make(destination, from, destination, out, broadcast ? 'broadcast' : 'multicast');
  }

  /** The interface asked for, that of the source or of the subnet, that of a route, or the first there is. */
  private outForMany(destination: IpAddress, source: IpAddress | null, netif: number): Netif | null {
    const { interfaces } = this;
    if (netif !== 0) return interfaces.byIndex(netif);
    const owner = (source === null ? null : interfaces.owner(source)) ?? interfaces.owner(destination);
    if (owner !== null) return owner;
    const entry = this.table.lookup(destination, 0);
    if (entry !== null) return interfaces.byIndex(entry.netif);
    return interfaces.list.find(other => other.up && !other.isLoopback) ?? null;
  }

  private sourceBy(entry: RouteEntry | null, out: Netif, nextHop: IpAddress): IpAddress | null {
    if (entry?.source != null) return entry.source;
    const own = out.sourceFor(nextHop);
    if (own !== null) return own;
    for (const netif of this.interfaces.list) {
      const other = netif.index === LOOPBACK_INDEX || !netif.up ? null : netif.sourceFor(nextHop);
      if (other !== null) return other;
    }
    return null;
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
    // The loopback's MTU is 65536, but the length field of IPv4 ends at 65535 (Linux: IP_MAX_MTU).
    const most = Math.min(out.mtu, metrics.mtu ?? IPV4_MAX_LENGTH, IPV4_MAX_LENGTH);
    const mtu = Math.min(known?.mtu ?? most, most);
    const { generation } = this.interfaces;
    const made = new IpRoute(destination, source, nextHop, out, mtu, IPV4_MAX_LENGTH, kind, generation);
    made.narrow = metrics.mtuLock === true || (known?.narrow === true && known.mtu <= out.mtu);
    made.advmss = metrics.advmss ?? 0;
    return made;
  }

  private isOurs(address: IpAddress): boolean {
    const { kind } = this.interfaces.cache.lookup(address.w3);
    return address.family === AF_INET && (kind === ADDRESS_LOCAL || kind === ADDRESS_LOOPBACK);
  }
}
