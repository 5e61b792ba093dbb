/**
 * The interfaces of one host that configure themselves.
 * @module
 */
import { EEXIST, EINVAL } from '../base/errno.ts';
import type { Host } from '../core/host.ts';
import type { IpLayer } from '../net/ip-layer.ts';
import type { Netif } from '../net/netif.ts';
import type { UdpLayer } from '../udp/udp-layer.ts';
import type { IpAddress } from '../wire/address.ts';
import { InformationRequest } from './information-request.ts';
import { type DhcpClientOptions, Ipv4Configuration, type Ipv4Settings } from './ipv4-configuration.ts';

/** Who takes care of what: DHCP, link-local addresses and, where routers say so, stateless DHCPv6. */
export class Autoconfiguration {
  /** Told whenever an interface has another address, or none any more. */
  onChange: () => void = () => {};
  private readonly host: Host;
  private readonly ip: IpLayer;
  private readonly udp: UdpLayer;
  private readonly ipv4 = new Map<Netif, Ipv4Configuration>();
  private readonly requests = new Map<Netif, InformationRequest>();
  /** Interfaces that had their cable when they were last looked at. */
  private readonly connected = new Set<Netif>();

  constructor(host: Host, ip: IpLayer, udp: UdpLayer) {
    this.host = host;
    this.ip = ip;
    this.udp = udp;
    ip.onConflict(({ netif, address, defended }) => {
      if (!defended) this.ipv4.get(netif)?.conflict(address);
    });
    ip.onNetifChange(netif => this.netifChanged(netif));
    ip.ipv6.onAdvert = (netif, { managed, other }) => {
      if (managed || other) this.ask(netif);
    };
  }

  /** Has an interface ask for an address. 0, -EEXIST (it does already), -EADDRINUSE, -EINVAL (no Ethernet). */
  startDhcp(netif: Netif, options: DhcpClientOptions): number {
    if (this.ipv4.has(netif)) return -EEXIST;
    const configuration = this.add(netif, options);
    const result = configuration.startDhcp();
    if (result < 0) this.ipv4.delete(netif);
    return result;
  }

  /** Has an interface pick a link-local address, without asking for another one. 0, -EEXIST, -EINVAL (no Ethernet). */
  startLinkLocal(netif: Netif): number {
    if (this.ipv4.has(netif)) return -EEXIST;
    if (!netif.needsNeighbor) return -EINVAL;
    this.add(netif, {}).linkLocal.start();
    return 0;
  }

  /** What an interface does; null for one that was configured by hand. */
  of(netif: Netif): Ipv4Configuration | null {
    return this.ipv4.get(netif) ?? null;
  }

  /** Until when a server has granted an address to an interface, in microseconds; Infinity when none has. */
  leaseEndUs(netif: Netif, address: IpAddress): number {
    const lease = this.of(netif)?.client.lease;
    return lease?.address.equals(address) === true ? lease.expiresUs : Number.POSITIVE_INFINITY;
  }

  /** What the interfaces that configure themselves have now; null while one of them has nothing. */
  get settings(): readonly Ipv4Settings[] | null {
    const all = [...this.ipv4.values()].map(({ settings }) => settings);
    return all.includes(null) ? null : all.filter(settings => settings !== null);
  }

  /** An interface is not to configure itself any more: its address is given back. */
  stop(netif: Netif): void {
    this.host.refreshNow();
    this.ipv4.get(netif)?.stop(true);
    this.ipv4.delete(netif);
    this.onChange();
  }

  /** Gives everything back and stops every timer. */
  close(): void {
    for (const configuration of this.ipv4.values()) configuration.stop(true);
    for (const request of this.requests.values()) request.stop();
    this.ipv4.clear();
    this.requests.clear();
  }

  private add(netif: Netif, options: DhcpClientOptions): Ipv4Configuration {
    const { host, ip, udp } = this;
    host.refreshNow();
    const configuration = new Ipv4Configuration(host, ip, udp, netif, options, () => this.onChange());
    this.ipv4.set(netif, configuration);
    if (netif.up && netif.hasCarrier) this.connected.add(netif);
    return configuration;
  }

  /** RFC 8415 section 18.2.6, RFC 4861 section 4.2: managed addresses mean that there is other information, too. */
  private ask(netif: Netif): void {
    const request = this.requests.get(netif) ?? new InformationRequest(this.host, this.ip, this.udp, netif);
    this.requests.set(netif, request);
    this.connected.add(netif);
    request.start();
  }

  private netifChanged(netif: Netif): void {
    const isConnected = netif.up && netif.hasCarrier;
    if (isConnected === this.connected.has(netif)) return;
    if (isConnected) this.connected.add(netif);
    else this.connected.delete(netif);
    if (isConnected) this.ipv4.get(netif)?.linkUp();
    else this.requests.get(netif)?.stop();
  }
}
