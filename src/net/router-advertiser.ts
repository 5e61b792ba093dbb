/**
 * The router's side of router discovery (RFC 4861 section 6.2): tells the hosts of a link which prefixes there are.
 * @module
 */
import type { Host } from '../core/host.ts';
import { Alarm } from '../core/timers.ts';
import { ALL_NODES, type IpAddress, networkOf } from '../wire/address.ts';
import { ND_ROUTER_ADVERT } from '../wire/icmp6.ts';
import type { PrefixInformation } from '../wire/ndp-options.ts';
import type { Ndp } from './ndp.ts';
import type { Netif } from './netif.ts';

/** What a router says on one link. */
export interface AdvertiseOptions {
  /** Seconds for which hosts may use it as default router. Default 1800; always 0 when it does not forward. */
  readonly lifetime?: number;
  /** RFC 4191: 1 high, 0 medium (the default), -1 low. */
  readonly preference?: -1 | 0 | 1;
  /** The prefixes of the link. Default: those of the interface's addresses, for 30 days, preferred for 7. */
  readonly prefixes?: readonly PrefixInformation[];
  /** In bytes; not said by default. */
  readonly mtu?: number;
  /** Recommended to hosts; 64 by default. */
  readonly hopLimit?: number;
  readonly nameServers?: readonly IpAddress[];
  /** Domains to complete a short name with. */
  readonly searchDomains?: readonly string[];
  /** Addresses, or other configuration, are to be had by DHCPv6. */
  readonly managed?: boolean;
  readonly other?: boolean;
  /** Seconds between two unsolicited advertisements, at least and at most. Default 200 and 600. */
  readonly interval?: readonly [number, number];
}

const LIFETIME_SECONDS = 1800;
const VALID_SECONDS = 2592000;
const PREFERRED_SECONDS = 604800;
const INTERVAL: readonly [number, number] = [200, 600];
/** RFC 4861 section 10: the first few come sooner; an answer is delayed, and two are never closer than this. */
const INITIAL_COUNT = 3;
const INITIAL_INTERVAL_US = 16e6;
const ANSWER_DELAY_US = 500_000;
const MIN_DELAY_US = 3e6;

/** One link that is told. */
interface Advertised {
  readonly netif: Netif;
  readonly options: AdvertiseOptions;
  readonly alarm: Alarm;
  sent: number;
  lastUs: number;
}

/** The router advertisements that one host sends. */
export class RouterAdvertiser {
  private readonly host: Host;
  private readonly ndp: Ndp;
  private readonly links = new Map<Netif, Advertised>();

  constructor(host: Host, ndp: Ndp) {
    this.host = host;
    this.ndp = ndp;
  }

  /** Begins, or (null) ends with a last word that it is no router any more. */
  set(netif: Netif, options: AdvertiseOptions | null): void {
    const before = this.links.get(netif);
    if (before !== undefined) {
      this.host.timers.delete(before.alarm);
      this.links.delete(netif);
      if (options === null) this.send({ ...before, options: { ...before.options, lifetime: 0 } });
    }
    if (options === null) return;
    const lastUs = Number.NEGATIVE_INFINITY;
    const link = { netif, options, alarm: new Alarm(() => this.next(link)), sent: 0, lastUs };
    this.links.set(netif, link);
    this.start(netif);
  }

  /** The interface has a link-local address now. */
  start(netif: Netif): void {
    const link = this.links.get(netif);
    if (link === undefined || netif.ipv6?.linkLocal == null) return;
    link.sent = 0;
    this.schedule(link, 0, ANSWER_DELAY_US);
  }

  /** The link is gone. */
  stop(netif: Netif): void {
    const link = this.links.get(netif);
    if (link !== undefined) this.host.timers.delete(link.alarm);
  }

  /** A host asks: everyone gets the answer, soon (RFC 4861 section 6.2.6). */
  solicited(netif: Netif, _from: IpAddress): void {
    const link = this.links.get(netif);
    if (link === undefined) return;
    const { nowUs } = this.host;
    const soonestUs = Math.max(0, link.lastUs + MIN_DELAY_US - nowUs);
    if (this.host.timers.dueOf(link.alarm) <= nowUs + soonestUs + ANSWER_DELAY_US) return;
    this.schedule(link, soonestUs, soonestUs + ANSWER_DELAY_US);
  }

  /** Stops every timer. */
  close(): void {
    for (const { alarm } of this.links.values()) this.host.timers.delete(alarm);
    this.links.clear();
  }

  private next(link: Advertised): void {
    this.send(link);
    link.sent++;
    link.lastUs = this.host.nowUs;
    const [least, most] = link.options.interval ?? INTERVAL;
    const limitUs = link.sent < INITIAL_COUNT ? INITIAL_INTERVAL_US : Number.POSITIVE_INFINITY;
    this.schedule(link, Math.min(least * 1e6, limitUs), Math.min(most * 1e6, limitUs));
  }

  private schedule({ alarm }: Advertised, leastUs: number, mostUs: number): void {
    const { host } = this;
    const share = host.randomShare();
    host.timers.set(alarm, host.nowUs + leastUs + Math.floor(share * (mostUs - leastUs)));
  }

  private send({ netif, options }: Advertised): void {
    const source = netif.ipv6?.linkLocal;
    if (source == null) return;
    const {
      searchDomains = [],
      nameServers = [],
      managed = false,
      other = false,
      preference = 0,
      hopLimit = 64,
    } = options;
    const lifetime = this.host.sysctl.forwarding ? (options.lifetime ?? LIFETIME_SECONDS) : 0;
    const servers =
      nameServers.length === 0 ? undefined : [{ lifetime: VALID_SECONDS, addresses: nameServers }];
    this.ndp.send(netif, source, ALL_NODES, {
      type: ND_ROUTER_ADVERT,
      hopLimit,
      managed,
      other,
      preference,
      lifetime,
      reachableMs: 0,
      retransMs: 0,
      options: {
        sourceMac: this.ndp.macOf(netif),
        mtu: options.mtu,
        prefixes: (options.prefixes ?? ownPrefixes(netif)).map(withoutHost),
        nameServers: servers,
        searchDomains:
          searchDomains.length === 0 ? undefined : [{ lifetime: VALID_SECONDS, domains: searchDomains }],
      },
    });
  }
}

/** RFC 4861 section 4.6.2: the bits behind the prefix are zero. */
function withoutHost(info: PrefixInformation): PrefixInformation {
  return { ...info, prefix: networkOf(info.prefix, info.prefixLength) };
}

/** The prefixes of the addresses that an interface was given by hand, each once. */
function ownPrefixes(netif: Netif): PrefixInformation[] {
  const own = (netif.ipv6?.addresses ?? []).filter(
    ({ address, origin }) => origin === 'manual' && !address.isLinkLocal,
  );
  return own
    .filter(({ address, prefixLength }, at) => {
      const first = own.findIndex(
        other => other.prefixLength === prefixLength && other.address.inPrefix(address, prefixLength),
      );
      return first === at;
    })
    .map(({ address, prefixLength }) => ({
      prefix: address,
      prefixLength,
      onLink: true,
      autonomous: prefixLength === 64,
      validSeconds: VALID_SECONDS,
      preferredSeconds: PREFERRED_SECONDS,
    }));
}
