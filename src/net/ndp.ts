/**
 * Neighbour discovery (RFC 4861): who has which hardware address. The states are in neighbor.ts, duplicate addresses in
 * dad.ts, what routers say in router-discovery.ts.
 * @module
 */
import type { Host } from '../core/host.ts';
import type { IpSendOptions } from '../core/network.ts';
import type { Packet } from '../core/packet.ts';
import type { DropReason } from '../trace/events.ts';
import { ALL_NODES, formatMac, type IpAddress, solicitedNode } from '../wire/address.ts';
import { isGroupMac, macFromParts, macHigh, macLow } from '../wire/ethernet.ts';
import {
  icmp6Code,
  ND_NEIGHBOR_ADVERT,
  ND_NEIGHBOR_SOLICIT,
  ND_REDIRECT,
  ND_ROUTER_ADVERT,
  ND_ROUTER_SOLICIT,
} from '../wire/icmp6.ts';
import { ipv6HopLimit } from '../wire/ipv6.ts';
import {
  emitNdp,
  type NdpRepr,
  type NeighborAdvert,
  type NeighborSolicit,
  ndpLength,
  parseNdp,
} from '../wire/ndp.ts';
import type { Dad } from './dad.ts';
import type { Icmp6, LinkMessages } from './icmp6.ts';
import type { Interfaces } from './interfaces.ts';
import type { Ipv6Address } from './ipv6-address.ts';
import { type Neighbor, type NeighborProtocol, NeighborTable, traceNeighbor } from './neighbor.ts';
import type { Netif } from './netif.ts';
import type { RouterDiscovery } from './router-discovery.ts';
import type { Router6 } from './router6.ts';

/** RFC 4861 section 4: what came over a router has less. */
const HOP_LIMIT = 255;
const OPTIONS: IpSendOptions = { ttl: HOP_LIMIT, tos: 0, dontFragment: true };

/** The neighbour discovery of one host, and its neighbour table for IPv6. */
export class Ndp implements NeighborProtocol, LinkMessages {
  readonly layer = 'ndp';
  readonly lockTimeUs: number = 0;
  readonly neighbors: NeighborTable;
  /** Takes packets that waited in vain for a neighbour. */
  onUnreachable: (packet: Packet) => void = packet => packet.release();
  /** Answers the solicitations of hosts, on a router that was told to. The packet is lent. */
  onSolicit: (netif: Netif, from: IpAddress) => void = () => {};
  private readonly host: Host;
  private readonly interfaces: Interfaces;
  private readonly router: Router6;
  private readonly icmp: Icmp6;
  private dad: Dad | null = null;
  private discovery: RouterDiscovery | null = null;

  constructor(host: Host, interfaces: Interfaces, router: Router6, icmp: Icmp6) {
    this.host = host;
    this.interfaces = interfaces;
    this.router = router;
    this.icmp = icmp;
    this.neighbors = new NeighborTable(host, this);
  }

  /** Says who looks after duplicate addresses, and after routers. */
  connect(dad: Dad, discovery: RouterDiscovery): void {
    this.dad = dad;
    this.discovery = discovery;
  }

  /** LinkMessages: checks a message as RFC 4861 sections 6.1, 7.1 and 8.1 demand, and acts on it. */
  receive(packet: Packet): void {
    const { view, l3, l4, end, src } = packet;
    const netif = this.interfaces.byIndex(packet.netif);
    if (netif === null) return;
    if (ipv6HopLimit(view, l3) !== HOP_LIMIT) {
      this.bad('IPV6_NDISC_HOP_LIMIT');
      return;
    }
    if (icmp6Code(view, l4) !== 0) {
      this.bad('IPV6_NDISC_BAD_CODE');
      return;
    }
    const message = parseNdp(view, l4, end);
    if (message === null) {
      this.bad('IPV6_NDISC_BAD_OPTIONS');
      return;
    }
    switch (message.type) {
      case ND_NEIGHBOR_SOLICIT:
        this.solicited(packet, netif, message);
        break;
      case ND_NEIGHBOR_ADVERT:
        this.advertised(packet, netif, message);
        break;
      case ND_ROUTER_SOLICIT:
        this.learn(netif, src, message.options.sourceMac);
        if (!src.isUnspecified || message.options.sourceMac === undefined) this.onSolicit(netif, src);
        break;
      case ND_ROUTER_ADVERT:
        if (src.isLinkLocal) this.discovery?.advertised(netif, src, message);
        else this.bad('IP_INVALID_SOURCE');
        break;
      case ND_REDIRECT:
        if (src.isLinkLocal) this.discovery?.redirect(netif, src, message);
        else this.bad('IP_INVALID_SOURCE');
        break;
    }
  }

  /** Sends a message from `source` to `destination`, which are on the link of `netif`. */
  send(netif: Netif, source: IpAddress, destination: IpAddress, message: NdpRepr): void {
    const length = ndpLength(message);
    const packet = this.host.pool.take(length);
    if (packet === null) {
      this.host.dropped('ndp', 'NOMEM');
      return;
    }
    packet.l4 = packet.start;
    packet.end = packet.l4 + length;
    emitNdp(message, packet.view, packet.l4);
    this.icmp.send(packet, this.router.direct(destination, source, netif), OPTIONS);
  }

  /** The hardware address of an interface, for options; undefined where there are none. */
  macOf(netif: Netif): Uint8Array | undefined {
    return netif.needsNeighbor ? macFromParts(netif.macHigh, netif.macLow) : undefined;
  }

  /** A neighbour told its hardware address unasked: it becomes known, if not reachable. */
  learn(netif: Netif, address: IpAddress, mac: Uint8Array | undefined): Neighbor | null {
    if (mac === undefined || address.isUnspecified || !netif.needsNeighbor) return null;
    const high = macHigh(mac);
    if (isGroupMac(high)) return null;
    const neighbor = this.neighbors.get(netif, address.withZone(netif.index), true);
    if (typeof neighbor === 'number') return null;
    neighbor.learn(high, macLow(mac), false);
    return neighbor;
  }

  // --- NeighborProtocol ---

  solicit(neighbor: Neighbor, unicast: boolean): void {
    const { netif, address } = neighbor;
    const source = this.sourceFor(neighbor);
    if (source === null) {
      // While it is asked whether our own addresses are free nobody else is asked, and nobody given up.
      if (netif.ipv6?.addresses.some(({ check }) => check === 'optimistic' || check === 'tentative')) {
        neighbor.probes--;
      }
      return;
    }
    const options = { sourceMac: this.macOf(netif) };
    const destination = unicast ? address : solicitedNode(address, netif.index);
    const message = { type: ND_NEIGHBOR_SOLICIT, target: address, options } as const;
    this.send(netif, source, destination, message);
  }

  unreachable(packet: Packet): void {
    this.onUnreachable(packet);
  }

  changed(neighbor: Neighbor): void {
    this.discovery?.neighborChanged(neighbor);
  }

  retransUs(netif: Netif): number {
    return (netif.ipv6?.retransMs || this.host.sysctl.retrans_time_ms) * 1000;
  }

  reachableUs(netif: Netif): number {
    return (netif.ipv6?.reachableMs || this.host.sysctl.base_reachable_time_ms) * 1000;
  }

  /** Neighbours that wait for an address of ours to be checked are asked for now. */
  askAll(netif: Netif): void {
    for (const neighbor of this.neighbors.list()) if (neighbor.netif === netif) neighbor.askNow();
  }

  // --- what is received ---

  /** RFC 4861 section 7.2.3 and 7.2.4, RFC 4862 section 5.4.3. */
  private solicited(packet: Packet, netif: Netif, { target, options }: NeighborSolicit): void {
    const { src, dst } = packet;
    const scoped = target.withZone(netif.index);
    const isCheck = src.isUnspecified;
    const toGroup = dst.equals(solicitedNode(scoped, netif.index));
    if (target.isMulticast || (isCheck && (!toGroup || options.sourceMac !== undefined))) {
      this.bad('IPV6_NDISC_BAD_OPTIONS');
      return;
    }
    const entry = netif.ipv6?.find(scoped) ?? null;
    if (entry === null || entry.check === 'duplicate') {
      this.host.dropped('ndp', 'IPV6_NDISC_NS_OTHERHOST');
      return;
    }
    if (isCheck && entry.check !== 'done') {
      this.dad?.sameCheck(netif, entry, options.nonce);
      return;
    }
    if (entry.check === 'tentative') return;
    if (this.isOwn(netif, src)) return; // our own, come back
    if (!isCheck) this.learn(netif, src, options.sourceMac);
    this.advertise(netif, entry, isCheck ? ALL_NODES : src, !isCheck);
  }

  /** Tells our hardware address for an address of ours. */
  private advertise(netif: Netif, entry: Ipv6Address, destination: IpAddress, solicited: boolean): void {
    this.send(netif, entry.address, destination, {
      type: ND_NEIGHBOR_ADVERT,
      target: entry.address,
      router: this.host.sysctl.forwarding,
      solicited,
      // RFC 4429 section 3.3: an address that is not yet certain takes nobody's place.
      override: entry.check === 'done',
      options: { targetMac: this.macOf(netif) },
    });
  }

  /** RFC 4861 section 7.2.5, RFC 4862 section 5.4.4. */
  private advertised(packet: Packet, netif: Netif, message: NeighborAdvert): void {
    const { target, router, solicited, override, options } = message;
    if (target.isMulticast || (packet.dst.isMulticast && solicited)) {
      this.bad('IPV6_NDISC_BAD_OPTIONS');
      return;
    }
    const scoped = target.withZone(netif.index);
    const own = netif.ipv6?.find(scoped) ?? null;
    const mac = options.targetMac;
    if (own !== null) {
      if (own.check !== 'done') this.dad?.conflict(netif, own, mac);
      else this.reportConflict(netif, scoped, mac);
      return;
    }
    const neighbor = this.neighbors.find(netif, scoped);
    if (neighbor === null || (mac !== undefined && isGroupMac(macHigh(mac)))) return;
    const wasRouter = neighbor.isRouter;
    neighbor.advertised({
      macHigh: mac === undefined ? null : macHigh(mac),
      macLow: mac === undefined ? null : macLow(mac),
      router,
      solicited,
      override,
    });
    if (wasRouter && !neighbor.isRouter) this.discovery?.noRouter(netif, scoped);
  }

  private reportConflict(netif: Netif, address: IpAddress, mac: Uint8Array | undefined): void {
    // Our own advertisements may come back.
    if (mac !== undefined && macHigh(mac) === netif.macHigh && macLow(mac) === netif.macLow) return;
    traceNeighbor(netif, address, mac === undefined ? '' : formatMac(mac), 'LOCAL', 'CONFLICT');
  }

  private isOwn(netif: Netif, source: IpAddress): boolean {
    const entry = source.isUnspecified ? null : (netif.ipv6?.find(source) ?? null);
    // Somebody else has a duplicate, and may talk to our other addresses from it.
    return entry !== null && entry.check !== 'duplicate';
  }

  /**
   * Where to ask from: the address that the first packet which waits comes from, if it is one of the interface's, else
   * any. None that is not yet certain (RFC 4429 section 3.2).
   */
  private sourceFor({ netif, firstQueued }: Neighbor): IpAddress | null {
    const certain = netif.ipv6?.addresses.filter(({ check }) => check === 'done') ?? [];
    const asked = certain.find(({ address }) => firstQueued?.src.equals(address) === true);
    return (asked ?? certain[0])?.address ?? null;
  }

  private bad(reason: DropReason): void {
    this.host.mib.Icmp6.InErrors++;
    this.host.dropped('ndp', reason);
  }
}
