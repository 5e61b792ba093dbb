/**
 * What routers say (RFC 4861 section 6.3, RFC 4191, RFC 8106): default routers, prefixes on the link, name servers; and
 * redirects (section 8.3).
 * @module
 */
import type { Host } from '../core/host.ts';
import { Alarm } from '../core/timers.ts';
import { ALL_ROUTERS, ANY_V6, type IpAddress } from '../wire/address.ts';
import { ND_ROUTER_SOLICIT } from '../wire/icmp6.ts';
import { IPV6_MIN_MTU } from '../wire/ipv6.ts';
import type { Redirect, RouterAdvert } from '../wire/ndp.ts';
import type { NameServers, PrefixInformation, SearchDomains } from '../wire/ndp-options.ts';
import type { DnsRepository } from './dns-repository.ts';
import type { Interfaces } from './interfaces.ts';
import { lifetimeEndUs } from './lifetime.ts';
import type { Ndp } from './ndp.ts';
import type { Neighbor } from './neighbor.ts';
import type { Netif } from './netif.ts';
import type { RouteEntry, RouteTable } from './route-table.ts';
import type { Router6 } from './router6.ts';
import type { Slaac } from './slaac.ts';

/** Metrics of what routers tell, as Linux has them: default routes, and prefixes on the link. */
const DEFAULT_METRIC = 1024;
const PREFIX_METRIC = 256;
/** Added to the metric of a router that does not answer, so that another one is tried (RFC 4861 section 6.3.6). */
const UNREACHABLE_METRIC = 1024;
/** What a router may ask for as "reachable time": an hour at most (RFC 4861 section 6.2.1), in milliseconds. */
const REACHABLE_MAX_MS = 3_600_000;
/**
 * And between two solicitations. The RFC has no limits; but with a value of weeks one forged advertisement would cut a
 * host off from every neighbour it does not know yet. The lower one is Linux's.
 */
const RETRANS_MIN_MS = 10;
const RETRANS_MAX_MS = 10_000;
/** Destinations for which a redirect is remembered. */
const REDIRECTS_MAX = 1024;

/** A router that takes packets to everywhere. */
interface DefaultRouter {
  readonly netif: Netif;
  readonly address: IpAddress;
  untilUs: number;
  metric: number;
}

/** A prefix that is on the link. */
interface OnLinkPrefix {
  readonly netif: Netif;
  readonly prefix: IpAddress;
  readonly prefixLength: number;
  untilUs: number;
}

/** The solicitations for routers on one interface. */
interface Solicitation {
  readonly alarm: Alarm;
  sent: number;
}

/** What one host knows from routers. */
export class RouterDiscovery {
  /** Told of each advertisement that is believed, after it took effect. */
  onAdvert: (netif: Netif, message: RouterAdvert) => void = () => {};
  private readonly host: Host;
  private readonly interfaces: Interfaces;
  private readonly table: RouteTable;
  private readonly ndp: Ndp;
  private readonly slaac: Slaac;
  private readonly router: Router6;
  private readonly dns: DnsRepository;
  private routers: DefaultRouter[] = [];
  private prefixes: OnLinkPrefix[] = [];
  private readonly solicitations = new Map<Netif, Solicitation>();
  private readonly redirects = new Map<string, IpAddress>();
  private readonly alarm = new Alarm(() => this.expire());

  constructor(
    host: Host,
    interfaces: Interfaces,
    table: RouteTable,
    ndp: Ndp,
    slaac: Slaac,
    router: Router6,
    dns: DnsRepository,
  ) {
    this.host = host;
    this.interfaces = interfaces;
    this.table = table;
    this.ndp = ndp;
    this.slaac = slaac;
    this.router = router;
    this.dns = dns;
    router.redirected = (destination, netif) =>
      this.redirects.size === 0 ? null : (this.redirects.get(`${netif} ${destination}`) ?? null);
  }

  /** The routers that may be used as default, as 'address%zone'. */
  get defaultRouters(): readonly IpAddress[] {
    return this.routers.map(({ address }) => address);
  }

  /** When the word of a router that made a route is over, in microseconds; Infinity when there was none. */
  routeEndUs({ netif, gateway, destination, prefixLength }: RouteEntry): number {
    const isOf = (known: { readonly netif: Netif }): boolean => known.netif.index === netif;
    const made =
      gateway === null
        ? this.prefixes.find(
            known =>
              isOf(known) &&
              known.prefixLength === prefixLength &&
              destination.inPrefix(known.prefix, prefixLength),
          )
        : this.routers.find(known => isOf(known) && known.address.equals(gateway));
    return made?.untilUs ?? Number.POSITIVE_INFINITY;
  }

  /** Asks for routers on an interface, which has a link-local address now. */
  start(netif: Netif): void {
    if (!this.listens || netif.isLoopback) return;
    this.endSolicitation(netif);
    const solicitation = { sent: 0, alarm: new Alarm(() => this.solicit(netif, solicitation)) };
    this.solicitations.set(netif, solicitation);
    const { nowUs, sysctl } = this.host;
    const share = this.host.randomShare();
    const delayUs = Math.floor(share * sysctl.router_solicitation_delay * 1e6);
    this.host.timers.set(solicitation.alarm, nowUs + delayUs);
  }

  /** Forgets what routers said on an interface: the link is gone. */
  forget(netif: Netif): void {
    this.endSolicitation(netif);
    for (const { address } of this.routers.filter(router => router.netif === netif)) {
      this.noRouter(netif, address);
    }
    for (const known of this.prefixes.filter(prefix => prefix.netif === netif)) this.removePrefix(known);
    this.dns.forget('ra', netif.index);
    this.redirects.clear();
    netif.ipv6?.forgetRouters();
    this.schedule();
  }

  /** Stops every timer. */
  close(): void {
    for (const netif of [...this.solicitations.keys()]) this.endSolicitation(netif);
    this.host.timers.delete(this.alarm);
  }

  /** Acts on a router advertisement (RFC 4861 section 6.3.4) from a link-local address. */
  advertised(netif: Netif, source: IpAddress, message: RouterAdvert): void {
    if (!this.listens || netif.ipv6 === null) return;
    const { options, lifetime } = message;
    const { ipv6 } = netif;
    if (lifetime > 0) this.endSolicitation(netif);
    if (message.hopLimit > 0) ipv6.hopLimit = message.hopLimit;
    if (message.reachableMs > 0 && message.reachableMs <= REACHABLE_MAX_MS) {
      ipv6.reachableMs = message.reachableMs;
    }
    if (message.retransMs >= RETRANS_MIN_MS && message.retransMs <= RETRANS_MAX_MS) {
      ipv6.retransMs = message.retransMs;
    }
    const neighbor =
      this.ndp.learn(netif, source, options.sourceMac) ?? this.ndp.neighbors.find(netif, source);
    if (neighbor !== null) neighbor.isRouter = true;
    if (lifetime === 0) this.noRouter(netif, source);
    else this.addRouter(netif, source, message);
    this.setMtu(netif, options.mtu ?? 0);
    for (const prefix of options.prefixes ?? []) this.prefix(netif, prefix);
    for (const servers of options.nameServers ?? []) this.addServers(netif, servers);
    for (const domains of options.searchDomains ?? []) this.addDomains(netif, domains);
    this.schedule();
    this.onAdvert(netif, message);
  }

  /** A router is none any more, or its time is over. */
  noRouter(netif: Netif, address: IpAddress): void {
    const at = this.routers.findIndex(known => known.netif === netif && known.address.equals(address));
    if (at < 0) return;
    this.routers.splice(at, 1);
    this.removeRoute(netif, address);
    for (const [key, nextHop] of this.redirects) if (nextHop.equals(address)) this.redirects.delete(key);
  }

  /** A neighbour fell silent or was heard again: if it is a router, others come before it, or no longer. */
  neighborChanged({ netif, address, state }: Neighbor): void {
    const router = this.routers.find(known => known.netif === netif && known.address.equals(address));
    if (router === undefined) return;
    this.removeRoute(netif, address);
    this.addRoute(router, state === 'FAILED' ? UNREACHABLE_METRIC : 0);
  }

  /** RFC 4861 section 8.1 and 8.3. Only the router that we would use can say that there is a better way. */
  redirect(netif: Netif, source: IpAddress, { target, destination, options }: Redirect): void {
    if (!this.host.sysctl.accept_redirects || this.host.sysctl.forwarding) return;
    const scoped = destination.withZone(netif.index);
    const nextHop = target.withZone(netif.index);
    if (destination.isMulticast || (!target.isLinkLocal && !target.equals(destination))) return;
    const present = this.router.route(scoped, null, netif.index);
    if (typeof present === 'number' || !present.nextHop.equals(source)) return;
    if (this.redirects.size >= REDIRECTS_MAX) this.redirects.clear();
    this.redirects.set(`${netif.index} ${scoped}`, nextHop);
    const neighbor = this.ndp.learn(netif, nextHop, options.targetMac);
    if (neighbor !== null && !target.equals(destination)) neighbor.isRouter = true;
    this.interfaces.changed();
  }

  /** Whether this host believes routers: a router itself does not. */
  private get listens(): boolean {
    const { accept_ra, forwarding } = this.host.sysctl;
    return accept_ra && !forwarding;
  }

  private solicit(netif: Netif, solicitation: Solicitation): void {
    const { host, ndp } = this;
    const { router_solicitations, router_solicitation_interval } = host.sysctl;
    if (solicitation.sent >= router_solicitations) {
      this.endSolicitation(netif);
      return;
    }
    solicitation.sent++;
    const source = netif.ipv6?.linkLocal ?? ANY_V6;
    const options = source.isUnspecified ? {} : { sourceMac: ndp.macOf(netif) };
    ndp.send(netif, source, ALL_ROUTERS, { type: ND_ROUTER_SOLICIT, options });
    host.timers.set(solicitation.alarm, host.nowUs + router_solicitation_interval * 1e6);
  }

  private endSolicitation(netif: Netif): void {
    const solicitation = this.solicitations.get(netif);
    if (solicitation !== undefined) this.host.timers.delete(solicitation.alarm);
    this.solicitations.delete(netif);
  }

  private addRouter(netif: Netif, address: IpAddress, { lifetime, preference }: RouterAdvert): void {
    const { host, routers } = this;
    const untilUs = host.nowUs + lifetime * 1e6;
    const metric = DEFAULT_METRIC - preference;
    const known = routers.find(router => router.netif === netif && router.address.equals(address));
    if (known !== undefined) {
      known.untilUs = untilUs;
      if (known.metric === metric) return;
      known.metric = metric;
      this.removeRoute(netif, address);
      this.addRoute(known, 0);
      return;
    }
    if (routers.length >= host.sysctl.max_addresses) return;
    const router = { netif, address, untilUs, metric };
    routers.push(router);
    this.addRoute(router, 0);
  }

  private addRoute({ netif, address, metric }: DefaultRouter, penalty: number): void {
    this.table.addAutomatic({
      destination: ANY_V6,
      prefixLength: 0,
      gateway: address,
      netif: netif.index,
      metric: metric + penalty,
      protocol: 'ra',
    });
  }

  private removeRoute(netif: Netif, address: IpAddress): void {
    this.table.removeWhere(
      ({ protocol, netif: index, gateway }) =>
        protocol === 'ra' && index === netif.index && gateway?.equals(address) === true,
    );
  }

  private setMtu(netif: Netif, mtu: number): void {
    const { ipv6 } = netif;
    if (ipv6 === null || mtu < IPV6_MIN_MTU || mtu > netif.mtu || mtu === ipv6.linkMtu) return;
    ipv6.linkMtu = mtu;
    this.interfaces.changed();
  }

  private prefix(netif: Netif, info: PrefixInformation): void {
    const { prefix, prefixLength } = info;
    if (prefixLength > 128 || prefix.isLinkLocal || prefix.isMulticast) return;
    if (info.onLink) this.onLink(netif, info);
    if (info.autonomous) this.slaac.prefix(netif, info);
  }

  private onLink(netif: Netif, { prefix, prefixLength, validSeconds }: PrefixInformation): void {
    const { host, prefixes } = this;
    const known = prefixes.find(
      other =>
        other.netif === netif &&
        other.prefixLength === prefixLength &&
        prefix.inPrefix(other.prefix, prefixLength),
    );
    if (validSeconds === 0) {
      if (known !== undefined) this.removePrefix(known);
      return;
    }
    const untilUs = lifetimeEndUs(host.nowUs, validSeconds);
    if (known !== undefined) {
      known.untilUs = untilUs;
    } else if (prefixes.length < host.sysctl.max_addresses) {
      prefixes.push({ netif, prefix, prefixLength, untilUs });
      this.table.addAutomatic({
        destination: prefix,
        prefixLength,
        gateway: null,
        netif: netif.index,
        metric: PREFIX_METRIC,
        protocol: 'ra',
      });
    }
  }

  private removePrefix(known: OnLinkPrefix): void {
    this.prefixes = this.prefixes.filter(other => other !== known);
    this.table.removeWhere(
      entry =>
        entry.protocol === 'ra' &&
        entry.gateway === null &&
        entry.netif === known.netif.index &&
        entry.prefixLength === known.prefixLength &&
        known.prefix.inPrefix(entry.destination, known.prefixLength),
    );
  }

  private addServers(netif: Netif, { addresses, lifetime }: NameServers): void {
    const untilUs = lifetimeEndUs(this.host.nowUs, lifetime);
    for (const address of addresses) this.dns.learnServer('ra', netif.index, address, untilUs);
  }

  private addDomains(netif: Netif, { domains, lifetime }: SearchDomains): void {
    const untilUs = lifetimeEndUs(this.host.nowUs, lifetime);
    for (const domain of domains) this.dns.learnDomain('ra', netif.index, domain, untilUs);
  }

  private expire(): void {
    const { nowUs } = this.host;
    for (const { netif, address } of this.routers.filter(({ untilUs }) => untilUs <= nowUs)) {
      this.noRouter(netif, address);
    }
    for (const known of this.prefixes.filter(({ untilUs }) => untilUs <= nowUs)) this.removePrefix(known);
    this.schedule();
  }

  private schedule(): void {
    const { timers } = this.host;
    const ends = [...this.routers, ...this.prefixes].map(({ untilUs }) => untilUs);
    const nextUs = Math.min(Number.POSITIVE_INFINITY, ...ends);
    if (nextUs === Number.POSITIVE_INFINITY) timers.delete(this.alarm);
    else timers.set(this.alarm, nextUs);
  }
}
