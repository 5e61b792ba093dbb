/**
 * What a host does for the others of its links: it gives them addresses and tells them of name servers.
 * @module
 */
import type { Host } from '../core/host.ts';
import type { IpLayer } from '../net/ip-layer.ts';
import type { Netif } from '../net/netif.ts';
import type { UdpLayer } from '../udp/udp-layer.ts';
import { AF_INET6, IpAddress } from '../wire/address.ts';
import { isDomainName } from '../wire/domain-name.ts';
import { Dhcp6Server } from './dhcp6-server.ts';
import { DhcpServer } from './server.ts';
import { type DhcpServerOptions, dhcpServerPlan } from './server-plan.ts';

/** What a stateless DHCPv6 server tells. */
export interface Dhcp6ServerOptions {
  readonly nameServers?: readonly string[];
  readonly searchDomains?: readonly string[];
  /** Seconds after which clients ask again. Default 86400. */
  readonly refreshSeconds?: number;
}

const REFRESH_SECONDS = 86400;

/** The servers of one host. */
export class Services {
  private readonly host: Host;
  private readonly ip: IpLayer;
  private readonly udp: UdpLayer;
  private readonly running = new Set<{ close(): void }>();

  constructor(host: Host, ip: IpLayer, udp: UdpLayer) {
    this.host = host;
    this.ip = ip;
    this.udp = udp;
  }

  /** Serves IPv4 addresses on a link. -EADDRINUSE; RangeError for options that make no sense. */
  dhcp(netif: Netif, options: DhcpServerOptions): DhcpServer | number {
    const plan = dhcpServerPlan(netif, options, this.host.sysctl.ip_forward);
    return this.open(new DhcpServer(this.host, this.ip, this.udp, netif, plan));
  }

  /** Tells the hosts of a link of IPv6 name servers. As `dhcp`. */
  dhcp6(netif: Netif, options: Dhcp6ServerOptions): Dhcp6Server | number {
    const { nameServers = [], searchDomains = [], refreshSeconds = REFRESH_SECONDS } = options;
    for (const name of searchDomains)
      if (!isDomainName(name)) throw new RangeError(`not a domain name: '${name}'`);
    const plan = { nameServers: nameServers.map(v6), searchDomains, refreshSeconds };
    return this.open(new Dhcp6Server(this.ip, this.udp, netif, plan));
  }

  /** Ends every server. */
  close(): void {
    for (const server of this.running) server.close();
    this.running.clear();
  }

  private open<T extends DhcpServer | Dhcp6Server>(server: T): T | number {
    this.host.refreshNow();
    const result = server.open();
    if (result < 0) return result;
    this.running.add(server);
    return server;
  }
}

function v6(text: string): IpAddress {
  const address = IpAddress.parse(text);
  if (address?.family !== AF_INET6) throw new RangeError(`not an IPv6 address: '${text}'`);
  return address;
}
