import type { Host } from '../core/host.ts';
import type { IpSendOptions } from '../core/network.ts';
import type { Packet } from '../core/packet.ts';
import { AF_INET, type IpAddress } from '../wire/address.ts';
import { ICMP4_PORT_UNREACHABLE, ICMP4_UNREACHABLE } from '../wire/icmp4.ts';
import { ADDRESS_LOCAL, ADDRESS_LOOPBACK } from './address-cache.ts';
import { Arp } from './arp.ts';
import type { IpFamily, Transports } from './family.ts';
import { Icmp4 } from './icmp4.ts';
import { Igmp } from './igmp.ts';
import type { Interfaces } from './interfaces.ts';
import type { IpRoute } from './ip-route.ts';
import { Ipv4Input } from './ipv4-input.ts';
import { Ipv4Output } from './ipv4-output.ts';
import type { NeighborTable } from './neighbor.ts';
import type { Netif, NetifAddress } from './netif.ts';
import type { IcmpRateLimit } from './rate-limit.ts';
import type { RouteTable } from './route-table.ts';
import { Router } from './router.ts';

/** The IPv4 of one host: what IpLayer does for this family. */
export class Ipv4 implements IpFamily {
  readonly arp: Arp;
  readonly icmp: Icmp4;
  readonly igmp: Igmp;
  private readonly host: Host;
  private readonly interfaces: Interfaces;
  private readonly table: RouteTable;
  private readonly router: Router;
  private readonly output: Ipv4Output;
  private readonly input: Ipv4Input;

  constructor(
    host: Host,
    interfaces: Interfaces,
    table: RouteTable,
    transports: Transports,
    limit: IcmpRateLimit,
  ) {
    this.host = host;
    this.interfaces = interfaces;
    this.table = table;
    this.router = new Router(host, interfaces, table);
    this.arp = new Arp(host, interfaces.cache);
    this.output = new Ipv4Output(host, interfaces, this.arp.neighbors);
    this.icmp = new Icmp4(host, interfaces, this.router, this.output, transports, limit);
    this.input = new Ipv4Input(host, interfaces, this.router, this.output, this.icmp, transports);
    this.igmp = new Igmp(host, interfaces);
    this.arp.onUnreachable = packet => this.icmp.hostUnreachable(packet);
    host.mib.Ip.DefaultTTL = host.sysctl.ip_default_ttl;
    host.mib.Ip.Forwarding = host.sysctl.ip_forward ? 1 : 2;
  }

  get neighbors(): NeighborTable {
    return this.arp.neighbors;
  }

  receive(packet: Packet, netif: Netif, toGroup: boolean): void {
    this.input.receive(packet, netif, toGroup);
  }

  route(destination: IpAddress, source: IpAddress | null, netif: number): IpRoute | number {
    return this.router.route(destination, source, netif);
  }

  /** A route to somebody on a link, from an address that need not be ours: for those who have none yet. */
  directRoute(netif: Netif, destination: IpAddress, source: IpAddress): IpRoute {
    return this.router.direct(destination, source, netif);
  }

  send(packet: Packet, route: IpRoute, protocol: number, options: IpSendOptions): number {
    return this.output.send(packet, route, protocol, options);
  }

  sendIcmp(packet: Packet, route: IpRoute, options: IpSendOptions): number {
    return this.icmp.send(packet, route, options);
  }

  portUnreachable(packet: Packet): void {
    this.icmp.sendError(packet, ICMP4_UNREACHABLE, ICMP4_PORT_UNREACHABLE, 0);
  }

  learnPathMtu(destination: IpAddress, mtu: number): void {
    this.router.learnPathMtu(destination, mtu);
  }

  isLocal(address: IpAddress): boolean {
    const { kind } = this.interfaces.cache.lookup(address.w3);
    return kind === ADDRESS_LOCAL || kind === ADDRESS_LOOPBACK;
  }

  addressAdded(netif: Netif, { address, prefixLength }: NetifAddress): void {
    this.interfaces.changed();
    if (netif.isLoopback) return;
    if (netif.up && netif.hasCarrier) this.igmp.reportAll(netif);
    if (prefixLength < 32) this.table.addOnLink(netif.index, address, prefixLength);
    if (this.host.sysctl.arp_notify) this.arp.announce(netif, address);
  }

  addressRemoved(netif: Netif, { address }: NetifAddress): void {
    this.table.removeWhere(entry => entry.netif === netif.index && entry.source?.equals(address) === true);
    this.interfaces.changed();
  }

  changed(netif: Netif): void {
    const isActive = netif.up && netif.hasCarrier;
    if (!isActive) this.arp.neighbors.flush(netif, !netif.up);
    if (isActive) this.igmp.reportAll(netif);
    else this.igmp.forget(netif);
    if (netif.isLoopback || !isActive || !this.host.sysctl.arp_notify) return;
    for (const { address } of netif.addresses) {
      if (address.family === AF_INET) this.arp.announce(netif, address);
    }
  }

  close(): void {
    this.arp.close();
    this.igmp.close();
    this.input.reassembly.close();
    this.router.close();
  }
}
