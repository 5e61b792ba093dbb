/**
 * How one interface gets its IPv4 address by itself: from a DHCP server, or when there is none, link-local.
 * @module
 */
import { EADDRINUSE, EINVAL } from '../base/errno.ts';
import type { Host } from '../core/host.ts';
import { IPPROTO_UDP } from '../core/network.ts';
import type { Packet } from '../core/packet.ts';
import { Alarm } from '../core/timers.ts';
import type { IpLayer } from '../net/ip-layer.ts';
import type { Netif } from '../net/netif.ts';
import type { UdpLayer } from '../udp/udp-layer.ts';
import { UdpService } from '../udp/udp-service.ts';
import { AF_INET, ANY_V4, IpAddress } from '../wire/address.ts';
import {
  DHCP_CLIENT_PORT,
  DHCP_SERVER_PORT,
  type DhcpMessageSpec,
  emitDhcp,
  parseDhcp,
} from '../wire/dhcp.ts';
import { macFromParts } from '../wire/ethernet.ts';
import { UDP_HEADER_LENGTH, udpDestinationPort } from '../wire/udp.ts';
import { DhcpClient, type DhcpClientPort } from './client.ts';
import type { DhcpLease } from './lease.ts';
import { LeaseUser } from './lease-user.ts';
import { LinkLocal } from './link-local.ts';
import type { DhcpState } from './state.ts';

/** How an interface is configured by DHCP. */
export interface DhcpClientOptions {
  /** The name that the server may put into its DNS; none is sent by default. */
  readonly hostName?: string | undefined;
  /** What the server knows this client by (RFC 2132 section 9.14). Default: 1 and the hardware address. */
  readonly clientId?: Uint8Array;
  /** The address it had before: it is asked for first, which is quicker (INIT-REBOOT). */
  readonly lastAddress?: string;
  /** Asks for answers by broadcast, for the sake of what does not carry others. Default false. */
  readonly broadcast?: boolean;
  /** Whether an address is probed for before it is used (RFC 5227), which takes 4 to 7 seconds. Default true. */
  readonly probe?: boolean;
  /**
   * Seconds without a lease after which a link-local address is taken (RFC 3927), until there is a lease. Default 60:
   * four DHCPDISCOVERs. Infinity for never.
   */
  readonly linkLocalAfter?: number;
}

/** How an interface came by its address, and what came with it. */
export interface Ipv4Settings {
  /** Its name. */
  readonly netif: string;
  readonly source: 'dhcp' | 'link-local';
  readonly address: IpAddress;
  readonly prefixLength: number;
  /** Null for a link-local address. */
  readonly lease: DhcpLease | null;
}

/** The default of `linkLocalAfter`. */
export const LINK_LOCAL_AFTER_SECONDS = 60;
const LINK_LOCAL_PREFIX = 16;
/** States in which answers may come to an address that is not ours yet. */
const WITHOUT_ADDRESS: ReadonlySet<DhcpState> = new Set(['SELECTING', 'REQUESTING', 'REBOOTING']);
/** The type of hardware address that a client id begins with. */
const HTYPE_ETHERNET = 1;

/** One interface that configures itself. */
export class Ipv4Configuration implements DhcpClientPort {
  readonly netif: Netif;
  readonly client: DhcpClient;
  readonly linkLocal: LinkLocal;
  private readonly host: Host;
  private readonly ip: IpLayer;
  private readonly options: DhcpClientOptions;
  private readonly service: UdpService;
  private readonly user: LeaseUser;
  private readonly onChange: () => void;
  private readonly fallback = new Alarm(() => this.linkLocal.start());
  private usesDhcp = false;

  /** `onChange` is told whenever `settings` may be others. */
  constructor(
    host: Host,
    ip: IpLayer,
    udp: UdpLayer,
    netif: Netif,
    options: DhcpClientOptions,
    onChange: () => void,
  ) {
    this.host = host;
    this.ip = ip;
    this.netif = netif;
    this.options = options;
    this.onChange = onChange;
    this.user = new LeaseUser(ip, netif);
    this.linkLocal = new LinkLocal(host, ip, netif, onChange);
    this.service = new UdpService(udp, datagram => this.receive(datagram));
    const mac = macFromParts(netif.macHigh, netif.macLow);
    const { clientId = Uint8Array.of(HTYPE_ETHERNET, ...mac), hostName, broadcast = false } = options;
    const identity = { mac, clientId, hostName, broadcast, maxMessageSize: netif.mtu };
    this.client = new DhcpClient(host, netif.name, identity, this);
  }

  /** Begins with DHCP. 0, -EADDRINUSE (somebody has the client port), or -EINVAL (no Ethernet, or a bad option). */
  startDhcp(): number {
    const { netif } = this;
    const { lastAddress } = this.options;
    const last = lastAddress === undefined ? null : IpAddress.parse(lastAddress);
    if (lastAddress !== undefined && last?.family !== AF_INET) return -EINVAL;
    if (!netif.needsNeighbor) return -EINVAL;
    if (this.service.open(ANY_V4, DHCP_CLIENT_PORT, netif.index) < 0) return -EADDRINUSE;
    this.usesDhcp = true;
    this.awaitLease();
    this.client.start(last);
    return 0;
  }

  /** What the interface has now; null while it has nothing. */
  get settings(): Ipv4Settings | null {
    const netif = this.netif.name;
    const { lease, state } = this.client;
    if (lease !== null && state !== 'STOPPED') {
      const { address, prefixLength } = lease;
      return { netif, source: 'dhcp', address, prefixLength, lease };
    }
    const { address } = this.linkLocal;
    if (address === null) return null;
    return { netif, source: 'link-local', address, prefixLength: LINK_LOCAL_PREFIX, lease: null };
  }

  /** The cable is back. */
  linkUp(): void {
    this.client.linkUp();
    this.linkLocal.linkUp();
  }

  /** Somebody else uses an address of ours and does not give way. */
  conflict(address: IpAddress): void {
    this.client.conflict(address);
    this.linkLocal.conflict(address);
  }

  /** Ends, and tells the server if `release`. */
  stop(release: boolean): void {
    this.client.stop(release);
    this.linkLocal.stop();
    this.host.timers.delete(this.fallback);
    if (this.usesDhcp) this.service.close();
    this.usesDhcp = false;
  }

  /** Whoever has no lease for a while takes a link-local address. */
  private awaitLease(): void {
    const { linkLocalAfter = LINK_LOCAL_AFTER_SECONDS } = this.options;
    if (linkLocalAfter === Number.POSITIVE_INFINITY || this.fallback.armed) return;
    this.host.timers.set(this.fallback, this.host.nowUs + linkLocalAfter * 1e6);
  }

  private receive(datagram: Uint8Array): void {
    const message = parseDhcp(datagram);
    if (message !== null) this.client.receive(message);
  }

  // --- DhcpClientPort -------------------------------------------------------------------------------------------

  send(message: DhcpMessageSpec, source: IpAddress, destination: IpAddress): void {
    const { ip, netif } = this;
    // Our server may be behind a router: a relay agent brought us together.
    const found = destination.isLimitedBroadcast ? null : ip.route(destination, source, netif.index);
    const isFound = found !== null && typeof found !== 'number';
    const route = isFound ? found : ip.ipv4.directRoute(netif, destination, source);
    this.service.sendBy(route, emitDhcp(message), DHCP_SERVER_PORT);
  }

  probe(address: IpAddress, done: (free: boolean) => void): () => void {
    const { ip, host, netif } = this;
    if (this.options.probe !== false) return ip.probeAddress(netif, address, done);
    const alarm = new Alarm(() => done(true));
    host.timers.set(alarm, host.nowUs);
    return () => host.timers.delete(alarm);
  }

  bound(lease: DhcpLease): void {
    this.host.timers.delete(this.fallback);
    this.linkLocal.stop();
    this.user.use(lease);
  }

  unbound(): void {
    this.user.drop();
    this.awaitLease();
  }

  changed(state: DhcpState): void {
    this.netif.claims = WITHOUT_ADDRESS.has(state) ? isForClient : null;
    this.onChange();
  }
}

/** Whether a packet is for the client port, whoever it is for. */
function isForClient({ protocol, view, l4, end }: Packet): boolean {
  const isWhole = protocol === IPPROTO_UDP && end - l4 >= UDP_HEADER_LENGTH;
  return isWhole && udpDestinationPort(view, l4) === DHCP_CLIENT_PORT;
}
