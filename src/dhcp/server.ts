/**
 * A small DHCP server for one link (RFC 2131 section 4.3). Relay agents are not served.
 * @module
 */
import { EADDRINUSE } from '../base/errno.ts';
import { toHex } from '../base/hex.ts';
import type { Host } from '../core/host.ts';
import type { IpLayer } from '../net/ip-layer.ts';
import type { Netif } from '../net/netif.ts';
import type { UdpLayer } from '../udp/udp-layer.ts';
import { UdpService } from '../udp/udp-service.ts';
import { ANY_V4, BROADCAST_V4, formatMac, type IpAddress } from '../wire/address.ts';
import {
  BOOTREPLY,
  BOOTREQUEST,
  DHCP_ACK,
  DHCP_CLIENT_PORT,
  DHCP_DECLINE,
  DHCP_DISCOVER,
  DHCP_INFORM,
  DHCP_NAK,
  DHCP_OFFER,
  DHCP_RELEASE,
  DHCP_REQUEST,
  DHCP_SERVER_PORT,
  type DhcpMessage,
  emitDhcp,
  parseDhcp,
} from '../wire/dhcp.ts';
import { DHCP_INFINITE, type DhcpOptions, dhcpOptionCode } from '../wire/dhcp-options.ts';
import { isGroupMac, macHigh, macLow } from '../wire/ethernet.ts';
import { LeaseTable, type TableClient, type TableEntry } from './lease-table.ts';
import type { DhcpServerPlan } from './server-plan.ts';

/** How long an offer is kept for its client, and an address that somebody else uses for nobody. */
const OFFER_US = 60e6;
const DECLINED_US = 600e6;
/** Bytes of a client's identifier that count. */
const CLIENT_ID_MAX = 255;

/** The server of one link. */
export class DhcpServer {
  private readonly host: Host;
  private readonly ip: IpLayer;
  private readonly netif: Netif;
  private readonly plan: DhcpServerPlan;
  private readonly table: LeaseTable;
  private readonly service: UdpService;

  constructor(host: Host, ip: IpLayer, udp: UdpLayer, netif: Netif, plan: DhcpServerPlan) {
    this.host = host;
    this.ip = ip;
    this.netif = netif;
    this.plan = plan;
    const excluded = (address: IpAddress): boolean =>
      ip.isLocal(address) || ip.isBroadcast(address) || address.equals(plan.network);
    this.table = new LeaseTable({ ...plan, excluded });
    this.service = new UdpService(udp, datagram => this.receive(parseDhcp(datagram)));
  }

  /** Begins to serve. 0 or -EADDRINUSE. */
  open(): number {
    return this.service.open(ANY_V4, DHCP_SERVER_PORT, this.netif.index) < 0 ? -EADDRINUSE : 0;
  }

  /** The addresses it has given, those whose time is over as well: see `untilUs`. */
  get leases(): readonly TableEntry[] {
    return this.table.list();
  }

  /** Serves no more, and forgets the leases. */
  close(): void {
    this.service.close();
  }

  private receive(request: DhcpMessage | null): void {
    if (request === null || request.op !== BOOTREQUEST || !request.giaddr.isUnspecified) return;
    const { chaddr, options } = request;
    if (isGroupMac(macHigh(chaddr))) return;
    const id = options.clientId?.subarray(0, CLIENT_ID_MAX) ?? chaddr;
    const client = { client: toHex(id), mac: formatMac(chaddr), hostName: options.hostName ?? '' };
    switch (options.messageType) {
      case DHCP_DISCOVER:
        this.discovered(request, client);
        break;
      case DHCP_REQUEST:
        this.requested(request, client);
        break;
      case DHCP_DECLINE:
        this.declined(request, client);
        break;
      case DHCP_RELEASE:
        this.released(request, client);
        break;
      case DHCP_INFORM:
        this.reply(request, DHCP_ACK, ANY_V4, this.settings(request));
        break;
      default:
        break;
    }
  }

  private discovered(request: DhcpMessage, client: TableClient): void {
    const { nowUs } = this.host;
    const address = this.table.choose(client, request.options.requestedAddress ?? null, nowUs);
    if (address === null) return;
    const known = this.table.of(client);
    // A client that begins anew keeps what it has until it takes the offer.
    const keeps = known?.address.equals(address) === true && known.state === 'bound' && known.untilUs > nowUs;
    if (!keeps) this.table.give(client, address, 'offered', nowUs + OFFER_US);
    this.reply(request, DHCP_OFFER, address, { ...this.lease(), ...this.settings(request) });
  }

  /** RFC 2131 section 4.3.2: what a client asks for tells the state it is in. */
  private requested(request: DhcpMessage, client: TableClient): void {
    const { serverId, requestedAddress } = request.options;
    const known = this.table.of(client);
    if (serverId !== undefined) {
      // It takes an offer: ours, or another's.
      if (serverId.equals(this.plan.server))
        this.grant(request, client, requestedAddress ?? request.ciaddr, true);
      else if (known?.state === 'offered') this.table.release(known, this.host.nowUs);
      return;
    }
    // It had an address before it came here, or wants to keep the one it has.
    const address = requestedAddress ?? request.ciaddr;
    const { network, prefixLength, authoritative } = this.plan;
    const hasAnother =
      known?.state === 'bound' && known.untilUs > this.host.nowUs && !known.address.equals(address);
    if (!address.inPrefix(network, prefixLength)) this.refuse(request, 'wrong network');
    else if (hasAnother) this.refuse(request, 'not your address');
    else this.grant(request, client, address, authoritative || known !== null);
  }

  /** Grants an address, or refuses it; a server that does not know for sure says nothing. */
  private grant(request: DhcpMessage, client: TableClient, address: IpAddress, isSure: boolean): void {
    const { table, plan, host } = this;
    if (!isSure) return;
    if (!table.mayHave(client, address, host.nowUs)) {
      this.refuse(request, 'address not available');
      return;
    }
    const { leaseSeconds } = plan;
    const untilUs = host.nowUs + leaseSeconds * 1e6;
    table.give(client, address, 'bound', untilUs);
    this.reply(request, DHCP_ACK, address, { ...this.lease(), ...this.settings(request) });
  }

  private refuse(request: DhcpMessage, message: string): void {
    this.reply(request, DHCP_NAK, ANY_V4, { message });
  }

  private declined({ options }: DhcpMessage, client: TableClient): void {
    const known = this.table.of(client);
    if (options.serverId?.equals(this.plan.server) !== true || known === null) return;
    if (options.requestedAddress?.equals(known.address) !== true) return;
    this.table.decline(known, this.host.nowUs + DECLINED_US);
  }

  private released({ ciaddr, options }: DhcpMessage, client: TableClient): void {
    const known = this.table.of(client);
    if (options.serverId?.equals(this.plan.server) !== true || known?.address.equals(ciaddr) !== true) return;
    this.table.release(known, this.host.nowUs);
  }

  /** How long the address may be used. */
  private lease(): DhcpOptions {
    const { leaseSeconds, renewSeconds, rebindSeconds } = this.plan;
    if (leaseSeconds === Number.POSITIVE_INFINITY) return { leaseTime: DHCP_INFINITE };
    return { leaseTime: leaseSeconds, renewalTime: renewSeconds, rebindingTime: rebindSeconds };
  }

  /** What else a client is told: all there is, or what it asks for. */
  private settings({ options }: DhcpMessage): DhcpOptions {
    const { settings } = this.plan;
    const { parameters } = options;
    if (parameters === undefined) return settings;
    const names = Object.keys(settings) as (keyof DhcpOptions)[];
    const wanted = names.filter(name => parameters.includes(dhcpOptionCode(name)));
    return Object.fromEntries(wanted.map(name => [name, settings[name]]));
  }

  private reply(request: DhcpMessage, messageType: number, yiaddr: IpAddress, options: DhcpOptions): void {
    const { xid, broadcast, chaddr } = request;
    const { server } = this.plan;
    const ciaddr = messageType === DHCP_ACK ? request.ciaddr : ANY_V4;
    const reply = { op: BOOTREPLY, xid, broadcast, ciaddr, yiaddr, chaddr };
    const bytes = emitDhcp(
      { ...reply, options: { messageType, serverId: server, ...options } },
      Math.min(request.options.maxMessageSize ?? 0, this.netif.mtu),
    );
    const route = this.ip.ipv4.directRoute(
      this.netif,
      this.destination(request, messageType, yiaddr),
      server,
    );
    this.service.sendBy(route, bytes, DHCP_CLIENT_PORT);
  }

  /** RFC 2131 section 4.1: where a client can hear us. */
  private destination(request: DhcpMessage, messageType: number, yiaddr: IpAddress): IpAddress {
    const { ciaddr, broadcast, chaddr } = request;
    const { plan } = this;
    if (messageType === DHCP_NAK) return BROADCAST_V4;
    if (!ciaddr.isUnspecified && ciaddr.inPrefix(plan.network, plan.prefixLength)) return ciaddr;
    if (broadcast || yiaddr.isUnspecified) return BROADCAST_V4;
    // It does not answer ARP for an address that it does not have yet.
    const neighbor = this.ip.neighbors.get(this.netif, yiaddr, true);
    if (typeof neighbor === 'number') return BROADCAST_V4;
    neighbor.learn(macHigh(chaddr), macLow(chaddr), false);
    return yiaddr;
  }
}
