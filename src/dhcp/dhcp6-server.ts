/**
 * A server of stateless DHCPv6 for one link (RFC 8415 section 18.3.6): name servers for hosts that have their addresses
 * from a router.
 * @module
 */
import { EADDRINUSE } from '../base/errno.ts';
import type { DatagramInfo } from '../datagram/received.ts';
import type { IpLayer } from '../net/ip-layer.ts';
import type { Netif } from '../net/netif.ts';
import type { UdpLayer } from '../udp/udp-layer.ts';
import { UdpService } from '../udp/udp-service.ts';
import { ANY_V6, type IpAddress } from '../wire/address.ts';
import {
  ALL_DHCP6_SERVERS,
  DHCP6_DOMAIN_LIST,
  DHCP6_INFORMATION_REQUEST,
  DHCP6_NAME_SERVERS,
  DHCP6_REFRESH_TIME,
  DHCP6_REPLY,
  DHCP6_SERVER_PORT,
  duidOf,
  emitDhcp6,
  parseDhcp6,
} from '../wire/dhcp6.ts';
import { macFromParts } from '../wire/ethernet.ts';

/** What a stateless server tells. */
export interface Dhcp6ServerPlan {
  readonly nameServers: readonly IpAddress[];
  readonly searchDomains: readonly string[];
  /** Seconds after which clients ask again. */
  readonly refreshSeconds: number;
}

/** The server of one link. */
export class Dhcp6Server {
  private readonly ip: IpLayer;
  private readonly netif: Netif;
  private readonly plan: Dhcp6ServerPlan;
  private readonly service: UdpService;
  private readonly group: IpAddress;

  constructor(ip: IpLayer, udp: UdpLayer, netif: Netif, plan: Dhcp6ServerPlan) {
    this.ip = ip;
    this.netif = netif;
    this.plan = plan;
    this.group = ALL_DHCP6_SERVERS.withZone(netif.index);
    this.service = new UdpService(udp, (datagram, from) => this.receive(datagram, from));
  }

  /** Begins to serve. 0 or -EADDRINUSE. */
  open(): number {
    if (this.service.open(ANY_V6, DHCP6_SERVER_PORT, this.netif.index) < 0) return -EADDRINUSE;
    this.ip.ipv6.enable(this.netif);
    this.ip.ipv6.join(this.netif, this.group);
    return 0;
  }

  /** Serves no more. */
  close(): void {
    this.ip.ipv6.leave(this.netif, this.group);
    this.service.close();
  }

  private receive(datagram: Uint8Array, { address, port, destination }: DatagramInfo): void {
    const request = parseDhcp6(datagram);
    if (request?.type !== DHCP6_INFORMATION_REQUEST || !destination.isMulticast) return;
    const serverId = duidOf(macFromParts(this.netif.macHigh, this.netif.macLow));
    const { serverId: asked, optionRequest = [], transactionId, clientId } = request;
    // Section 16.12: a request that names another server is not for us.
    if (asked?.some((byte, i) => byte !== serverId[i]) === true) return;
    const { nameServers, searchDomains, refreshSeconds } = this.plan;
    const wanted = (code: number): boolean => optionRequest.includes(code);
    const reply = emitDhcp6({
      type: DHCP6_REPLY,
      transactionId,
      clientId,
      serverId,
      nameServers: wanted(DHCP6_NAME_SERVERS) && nameServers.length > 0 ? nameServers : undefined,
      domains: wanted(DHCP6_DOMAIN_LIST) && searchDomains.length > 0 ? searchDomains : undefined,
      refreshTime: wanted(DHCP6_REFRESH_TIME) ? refreshSeconds : undefined,
    });
    this.service.send(reply, address, port);
  }
}
