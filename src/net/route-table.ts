import { EEXIST, EINVAL, ENETUNREACH, ENOENT } from '../base/errno.ts';
import { AF_INET, ANY_V4, ANY_V6, type IpAddress, networkOf } from '../wire/address.ts';

/** What is known of the paths by a route, beyond what its interface says (`ip route add ... mtu lock 1400 advmss 1300`). */
export interface RouteMetrics {
  /** The largest packet, in bytes; `mtuLock`: routers may cut such packets, no search for the path's MTU is needed. */
  readonly mtu?: number;
  readonly mtuLock?: boolean;
  /** What TCP announces as MSS at most, in bytes. */
  readonly advmss?: number;
}

/** A line of the routing table. */
export interface RouteEntry {
  readonly destination: IpAddress;
  readonly prefixLength: number;
  /** The router to hand packets to; null when the destination is on the link itself. */
  readonly gateway: IpAddress | null;
  /** Index of the interface. */
  readonly netif: number;
  /** Of two routes with the same prefix the one with the lower metric is used. */
  readonly metric: number;
  /** The source address to prefer; null leaves it to the interface. */
  readonly source: IpAddress | null;
  /** 'kernel' when it came with an address, 'ra' or 'dhcp' when a router or a server told of it, else 'static'. */
  readonly protocol: 'kernel' | 'ra' | 'dhcp' | 'static';
  readonly metrics?: RouteMetrics;
}

/** What `RouteTable.add` takes: an entry whose interface may be left to the table when there is a gateway. */
export interface RouteSpec {
  readonly destination: IpAddress;
  readonly prefixLength: number;
  readonly gateway?: IpAddress | null;
  readonly netif?: number;
  readonly metric?: number;
  readonly source?: IpAddress | null;
  readonly metrics?: RouteMetrics;
}

/** The routing table: longest prefix first, then the lowest metric, then the oldest. */
export class RouteTable {
  private entries: readonly RouteEntry[] = [];
  private readonly onChange: () => void;
  private readonly isUp: (netif: number) => boolean;

  /** `onChange` is called after each change; `isUp` says which interfaces' routes can be used. */
  constructor(onChange: () => void, isUp: (netif: number) => boolean) {
    this.onChange = onChange;
    this.isUp = isUp;
  }

  /** Every route, the most specific first. */
  list(): readonly RouteEntry[] {
    return this.entries;
  }

  /** Adds a route. 0, -EINVAL, -EEXIST, or -ENETUNREACH when the gateway is not on a link of ours. */
  add(spec: RouteSpec): number {
    const { destination, prefixLength, metric = 0, source = null } = spec;
    const gateway = spec.gateway?.withZone(spec.gateway.zone || (spec.netif ?? 0)) ?? null;
    if (prefixLength < 0 || prefixLength > destination.byteLength * 8) return -EINVAL;
    let netif = spec.netif ?? gateway?.zone ?? 0;
    if (gateway !== null) {
      const link = this.onLink(gateway, netif);
      if (link === null) return -ENETUNREACH;
      netif = link.netif;
    }
    if (netif === 0) return -EINVAL;
    const { metrics = {} } = spec;
    return this.insert({
      destination,
      prefixLength,
      gateway,
      netif,
      metric,
      source,
      protocol: 'static',
      metrics,
    });
  }

  /** Puts a route in the place of one that differs from it in its metrics at most (`ip route change`). As `add`. */
  change(spec: RouteSpec): number {
    this.remove(spec.destination, spec.prefixLength, spec.gateway ?? null);
    return this.add(spec);
  }

  /** Adds the route to everywhere else, by `gateway`. As `add`. */
  addDefault(gateway: IpAddress, metric = 0): number {
    const destination = gateway.family === AF_INET ? ANY_V4 : ANY_V6;
    return this.add({ destination, prefixLength: 0, gateway, metric });
  }

  /** Adds the route to the subnet of an address that was given to an interface. 0 or -EEXIST. */
  addOnLink(netif: number, address: IpAddress, prefixLength: number): number {
    const entry = { destination: address, prefixLength, netif, source: address };
    return this.insert({ ...entry, gateway: null, metric: 0, protocol: 'kernel' });
  }

  /** Adds a route that comes and goes by itself. 0 or -EEXIST. */
  addAutomatic(entry: Omit<RouteEntry, 'source'>): number {
    return this.insert({ ...entry, source: null });
  }

  /** Removes the first route to exactly this prefix, and by this gateway if one is given. 0 or -ENOENT. */
  remove(destination: IpAddress, prefixLength: number, gateway: IpAddress | null = null): number {
    const found = this.entries.find(
      entry =>
        entry.prefixLength === prefixLength &&
        destination.inPrefix(entry.destination, prefixLength) &&
        (gateway === null || entry.gateway?.equals(gateway) === true),
    );
    if (found === undefined) return -ENOENT;
    return this.removeWhere(entry => entry === found);
  }

  /** Removes every route for which `match` holds. 0, or -ENOENT when there was none. */
  removeWhere(match: (entry: RouteEntry) => boolean): number {
    const kept = this.entries.filter(entry => !match(entry));
    if (kept.length === this.entries.length) return -ENOENT;
    this.entries = kept;
    this.onChange();
    return 0;
  }

  /** The route to an address, by one interface only unless `netif` is 0; null when there is none. */
  lookup(destination: IpAddress, netif: number): RouteEntry | null {
    for (const entry of this.entries) {
      if (netif !== 0 && entry.netif !== netif) continue;
      if (destination.inPrefix(entry.destination, entry.prefixLength) && this.isUp(entry.netif)) return entry;
    }
    return null;
  }

  private onLink(gateway: IpAddress, netif: number): RouteEntry | null {
    const reaches = (entry: RouteEntry): boolean =>
      entry.gateway === null &&
      (netif === 0 || entry.netif === netif) &&
      gateway.inPrefix(entry.destination, entry.prefixLength);
    return this.entries.find(reaches) ?? null;
  }

  private insert(spec: RouteEntry): number {
    const added = { ...spec, destination: networkOf(spec.destination, spec.prefixLength) };
    if (this.entries.some(entry => sameRoute(entry, added))) return -EEXIST;
    const before = (entry: RouteEntry): boolean =>
      entry.prefixLength > added.prefixLength ||
      (entry.prefixLength === added.prefixLength && entry.metric <= added.metric);
    const at = this.entries.filter(before).length;
    this.entries = [...this.entries.slice(0, at), added, ...this.entries.slice(at)];
    this.onChange();
    return 0;
  }
}

function sameRoute(a: RouteEntry, b: RouteEntry): boolean {
  return (
    a.prefixLength === b.prefixLength &&
    a.metric === b.metric &&
    a.netif === b.netif &&
    a.destination.equals(b.destination) &&
    sameAddress(a.gateway, b.gateway) &&
    sameAddress(a.source, b.source)
  );
}

function sameAddress(a: IpAddress | null, b: IpAddress | null): boolean {
  return a === b || (a !== null && b !== null && a.equals(b));
}
