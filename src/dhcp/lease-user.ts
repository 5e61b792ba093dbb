import type { IpLayer } from '../net/ip-layer.ts';
import type { Netif } from '../net/netif.ts';
import { IPV6_MIN_MTU } from '../wire/ipv6.ts';
import type { DhcpLease } from './lease.ts';

/** Of routes that a server told of; those that were added by hand come first. */
const METRIC = 1024;
/** A smaller MTU is not believed: every host takes this much (RFC 791). */
const MTU_MIN = 576;

/** Configures an interface as its lease says. */
export class LeaseUser {
  private readonly ip: IpLayer;
  private readonly netif: Netif;
  private lease: DhcpLease | null = null;
  /** Whether the address is there because of the lease. */
  private added = false;
  /** The MTU there was before; 0 when the lease did not change it. */
  private mtuBefore = 0;

  constructor(ip: IpLayer, netif: Netif) {
    this.ip = ip;
    this.netif = netif;
  }

  /** Uses a lease, or the new terms of the one in use. */
  use(lease: DhcpLease): void {
    const { netif, ip, lease: before } = this;
    const same = before?.address.equals(lease.address) === true && before.prefixLength === lease.prefixLength;
    if (!same) this.drop();
    this.lease = lease;
    if (!same) {
      this.added = netif.addAddress(lease.address, lease.prefixLength) === 0;
      ip.ipv4.arp.announceAgain(netif, lease.address);
      this.meet(lease);
    }
    this.useRoutes(lease);
    this.useMtu(lease.mtu);
    ip.dns.replace('dhcp', netif.index, lease.nameServers, lease.searchDomains, lease.expiresUs);
  }

  /** Takes everything back. */
  drop(): void {
    const { netif, ip, lease } = this;
    if (lease === null) return;
    this.lease = null;
    ip.dns.forget('dhcp', netif.index);
    this.useMtu(0);
    ip.routes.removeWhere(({ protocol, netif: index }) => protocol === 'dhcp' && index === netif.index);
    if (this.added) netif.removeAddress(lease.address);
    this.added = false;
  }

  /** Asks for the server's hardware address: at the end there is no time to ask before the last word. */
  private meet({ server, address, prefixLength }: DhcpLease): void {
    if (!server.inPrefix(address, prefixLength)) return;
    const neighbor = this.ip.neighbors.get(this.netif, server);
    if (typeof neighbor !== 'number') neighbor.seek();
  }

  private useRoutes({ routes }: DhcpLease): void {
    const { ip, netif } = this;
    ip.routes.removeWhere(({ protocol, netif: index }) => protocol === 'dhcp' && index === netif.index);
    for (const { destination, prefixLength, router } of routes) {
      const gateway = router.isUnspecified ? null : router;
      ip.routes.addAutomatic({
        destination,
        prefixLength,
        gateway,
        netif: netif.index,
        metric: METRIC,
        protocol: 'dhcp',
      });
    }
  }

  private useMtu(mtu: number): void {
    const { netif } = this;
    const least = netif.ipv6 === null ? MTU_MIN : IPV6_MIN_MTU;
    const wanted = mtu >= least ? mtu : this.mtuBefore;
    if (mtu >= least && this.mtuBefore === 0) this.mtuBefore = netif.mtu;
    if (wanted !== 0 && wanted !== netif.mtu) netif.mtu = wanted;
    if (mtu < least) this.mtuBefore = 0;
  }
}
