/**
 * The IP layer of one host: interfaces, routes, and the way between interfaces and transports. What the two families
 * do differently is in ipv4.ts and ipv6.ts.
 * @module
 */
import { assert } from '../base/assert.ts';
import { ENETUNREACH } from '../base/errno.ts';
import type { Host } from '../core/host.ts';
import type { Link } from '../core/link.ts';
import type { IpSendOptions, PingListener, Route, TransportProtocol } from '../core/network.ts';
import type { Packet } from '../core/packet.ts';
import { AF_INET, type IpAddress, LOOPBACK_V4, LOOPBACK_V6 } from '../wire/address.ts';
import {
  checkEthernet,
  ETHERNET_HEADER_LENGTH,
  ETHERTYPE_ARP,
  ETHERTYPE_IPV4,
  ETHERTYPE_IPV6,
  ethernetDestinationHigh,
  ethernetDestinationLow,
  ethernetType,
  isGroupMac,
} from '../wire/ethernet.ts';
import { checkVlan, isVlanType, VLAN_ID_NONE, VLAN_TAG_LENGTH, vlanId, vlanInnerType } from '../wire/vlan.ts';
import { ADDRESS_BROADCAST } from './address-cache.ts';
import type { AddressConflict } from './arp.ts';
import { DnsRepository } from './dns-repository.ts';
import type { IpFamily } from './family.ts';
import { Interfaces, LOOPBACK_INDEX } from './interfaces.ts';
import { IpRoute } from './ip-route.ts';
import { Ipv4 } from './ipv4.ts';
import { Ipv6 } from './ipv6.ts';
import type { NeighborTable } from './neighbor.ts';
import { Netif, type NetifAddress, type NetifOwner } from './netif.ts';
import { IcmpRateLimit } from './rate-limit.ts';
import { RouteTable } from './route-table.ts';
import { sortDestinations } from './source-address.ts';

/** Frames taken from one interface before the next one has its turn. */
const QUANTUM = 32;

/** The IP layer of one host. Nothing is processed but in `run` and by timers. */
export class IpLayer implements NetifOwner {
  /** Told when a link queued something where nothing was: `run` has work. */
  onIngress: () => void = () => {};
  /** Told when the queue of an interface that was busy is empty again. */
  onRoom: () => void = () => {};
  /** The routing table, of both families. */
  readonly routes: RouteTable;
  /** What only one of the families has. */
  readonly ipv4: Ipv4;
  readonly ipv6: Ipv6;
  /** Name servers and search domains. */
  readonly dns: DnsRepository;
  private readonly host: Host;
  private readonly interfaces: Interfaces;
  /** By protocol number; ICMP is each family's own. */
  private readonly transports4: (TransportProtocol | undefined)[] = [];
  private readonly transports6: (TransportProtocol | undefined)[] = [];
  private readonly conflictListeners: ((conflict: AddressConflict) => void)[] = [];
  private readonly netifListeners: ((netif: Netif) => void)[] = [];
  /** Whose turn it is in `run`: a position in the list of interfaces. */
  private turn = 0;
  private running = false;

  /** `loopback` is the link of the interface 'lo', which has 127.0.0.1/8 and ::1/128 from the start. */
  constructor(host: Host, loopback: Link) {
    const interfaces = new Interfaces();
    this.host = host;
    this.interfaces = interfaces;
    this.routes = new RouteTable(
      () => interfaces.changed(),
      index => interfaces.byIndex(index)?.up === true,
    );
    const limit = new IcmpRateLimit(host);
    this.dns = new DnsRepository(host);
    this.ipv4 = new Ipv4(host, interfaces, this.routes, this.transports4, limit);
    this.ipv6 = new Ipv6(host, interfaces, this.routes, this.transports6, limit, this.dns);
    this.transports4[this.ipv4.icmp.protocol] = this.ipv4.icmp;
    this.transports6[this.ipv6.icmp.protocol] = this.ipv6.icmp;
    this.transports4[this.ipv4.igmp.protocol] = this.ipv4.igmp;
    this.ipv4.arp.onConflict = conflict => {
      for (const listener of this.conflictListeners) listener(conflict);
    };
    const lo = this.addNetif(loopback, 'lo');
    lo.addAddress(LOOPBACK_V4, 8);
    if (!host.sysctl.disable_ipv6) lo.addAddress(LOOPBACK_V6, 128);
  }

  // --- configuration ---

  /** Puts an interface on a link; it is up and has no address. The name is eth0, eth1 ... unless given. */
  attach(link: Link, name = `eth${this.interfaces.list.length - 1}`): Netif {
    return this.addNetif(link, name);
  }

  /** Every interface, 'lo' first. */
  get netifs(): readonly Netif[] {
    return this.interfaces.list;
  }

  /** The interface with this index or name, or null. */
  netif(which: number | string): Netif | null {
    return typeof which === 'number' ? this.interfaces.byIndex(which) : this.interfaces.byName(which);
  }

  /** An address as users write it, the zone by the name of its interface: 'fe80::1%eth0'. */
  textOf(address: IpAddress): string {
    const { zone } = address;
    return zone === 0 ? `${address}` : `${address.withZone(0)}%${this.netif(zone)?.name ?? zone}`;
  }

  /** The IPv4 neighbour table; IPv6's is `ipv6.neighbors`. */
  get neighbors(): NeighborTable {
    return this.ipv4.neighbors;
  }

  /** Adds the transport that packets with its protocol number go to. */
  register(transport: TransportProtocol): void {
    this.transports4[transport.protocol] = transport;
    this.transports6[transport.protocol] = transport;
  }

  /** Who hears of echo replies; null for nobody. */
  set ping(listener: PingListener | null) {
    this.ipv4.icmp.ping = listener;
    this.ipv6.icmp.ping = listener;
  }

  /** Has `listener` called when somebody else on the link uses an IPv4 address of ours, or one that we probe for. */
  onConflict(listener: (conflict: AddressConflict) => void): void {
    this.conflictListeners.push(listener);
  }

  /** Has `listener` called when an interface was put up or down, lost its cable or got it back, or has another MTU. */
  onNetifChange(listener: (netif: Netif) => void): void {
    this.netifListeners.push(listener);
  }

  /** Asks the link whether an IPv4 address is free (RFC 5227), as `Arp.probe`. */
  probeAddress(netif: Netif, address: IpAddress, done: (free: boolean) => void): () => void {
    this.host.refreshNow();
    return this.ipv4.arp.probe(netif, address, done);
  }

  /** Joins a multicast group of either family on an interface; as often as it is joined it must be left. */
  joinGroup(netif: Netif, group: IpAddress): void {
    this.host.refreshNow();
    if (group.family === AF_INET) this.ipv4.igmp.join(netif, group);
    else this.ipv6.join(netif, group);
  }

  /** Leaves a multicast group. */
  leaveGroup(netif: Netif, group: IpAddress): void {
    this.host.refreshNow();
    if (group.family === AF_INET) this.ipv4.igmp.leave(netif, group);
    else this.ipv6.leave(netif, group);
  }

  // --- for transports ---

  /** Changes whenever a Route that `route` returned before may be wrong. */
  get generation(): number {
    return this.interfaces.generation;
  }

  /**
   * The route to `destination`, from `source` when one is asked for, by the interface with index `netif` unless 0.
   * -ENETUNREACH, -EADDRNOTAVAIL (`source` is not ours), -ENETDOWN, -EINVAL.
   */
  route(destination: IpAddress, source: IpAddress | null, netif = 0): IpRoute | number {
    const { Ip, Ip6 } = this.host.mib;
    const isV4 = destination.family === AF_INET;
    const route = isV4
      ? this.ipv4.route(destination, source, netif)
      : this.ipv6.route(destination, source, netif);
    if (route === -ENETUNREACH) (isV4 ? Ip : Ip6).OutNoRoutes++;
    return route;
  }

  /** Destinations in the order in which to try them (RFC 6724 section 6), of both families. */
  sortDestinations(destinations: readonly IpAddress[]): IpAddress[] {
    const candidates = destinations.map(destination => {
      const route = this.route(destination, null);
      return { destination, source: typeof route === 'number' ? null : route.source };
    });
    return sortDestinations(candidates);
  }

  /**
   * Sends bytes[l4, end) of `packet` by a route that `route` returned. Always takes the packet. 0, -EMSGSIZE,
   * -ENOBUFS, -ENETDOWN. A CHECKSUM_PARTIAL packet has the pseudo-header's sum for its whole length in the field.
   */
  send(packet: Packet, route: Route, protocol: number, options: IpSendOptions): number {
    assert(route instanceof IpRoute, 'a route comes from IpLayer.route');
    if (route.destination.family === AF_INET) return this.ipv4.send(packet, route, protocol, options);
    return this.ipv6.send(packet, route, protocol, options);
  }

  /** Whether `address` is one of ours: assigned to an interface that is up, or a loopback address. */
  isLocal(address: IpAddress): boolean {
    return this.familyOf(address).isLocal(address);
  }

  /** Whether `address` is 255.255.255.255 or the broadcast address of a subnet that we are in. */
  isBroadcast(address: IpAddress): boolean {
    if (address.family !== AF_INET) return false;
    return this.interfaces.cache.lookup(address.w3).kind === ADDRESS_BROADCAST;
  }

  /** Whether the interface has packets queued because its link takes no more now: `onRoom` follows. */
  isBusy(route: Route): boolean {
    return (route as IpRoute).out.egress.length > 0;
  }

  /** The MTU of the interface that a route goes out by, in bytes; `route.mtu` may be smaller. */
  interfaceMtu(route: Route): number {
    return (route as IpRoute).out.mtu;
  }

  /** A transport saw that its packets arrive: the next hop is alive, it need not be asked. */
  neighborConfirm(route: Route): void {
    (route as IpRoute).neighbor?.confirm();
  }

  /**
   * A transport that has checked an EMSGSIZE error believes it: packets to `destination` may have `mtu` bytes at most,
   * for mtu_expires seconds. Routes that were handed out become invalid.
   */
  learnPathMtu(destination: IpAddress, mtu: number): void {
    this.familyOf(destination).learnPathMtu(destination, mtu);
  }

  /** Tells the sender of a received packet that nobody listens on its port. The packet stays the caller's. */
  portUnreachable(packet: Packet): void {
    this.familyOf(packet.src).portUnreachable(packet);
  }

  /** Sends an ICMP error about a received IPv4 packet, as `Icmp4.sendError`. The packet stays the caller's. */
  sendIcmpError(packet: Packet, type: number, code: number, info = 0): void {
    this.ipv4.icmp.sendError(packet, type, code, info);
  }

  /**
   * Sends an ICMP message that is complete but for its checksum, by a route that `route` returned: bytes[l4, end) of
   * `packet`, which it always takes. 0 or -errno.
   */
  sendIcmp(packet: Packet, route: Route, options: IpSendOptions): number {
    assert(route instanceof IpRoute, 'a route comes from IpLayer.route');
    return this.familyOf(route.destination).sendIcmp(packet, route, options);
  }

  private familyOf(address: IpAddress): IpFamily {
    return address.family === AF_INET ? this.ipv4 : this.ipv6;
  }

  // --- work ---

  /** Whether received frames wait for `run`. */
  get hasIngress(): boolean {
    return this.interfaces.list.some(netif => netif.ingress.length > 0);
  }

  /** Processes at most `budget` received frames, the interfaces taking turns; returns whether some are left. */
  run(budget: number): boolean {
    assert(!this.running, 'IpLayer.run is not nested');
    this.running = true;
    try {
      this.takeTurns(budget);
    } finally {
      this.running = false;
    }
    return this.hasIngress;
  }

  /** Gives back every packet and stops every timer. The links are their owner's to close. */
  close(): void {
    for (const netif of this.interfaces.list) netif.close();
    this.ipv4.close();
    this.ipv6.close();
    this.dns.close();
    this.interfaces.changed();
  }

  private takeTurns(budget: number): void {
    const { list } = this.interfaces;
    let left = budget;
    for (let idle = 0; left > 0 && idle < list.length; ) {
      this.turn = (this.turn + 1) % list.length;
      const done = this.runNetif(list[this.turn] as Netif, Math.min(left, QUANTUM));
      left -= done;
      idle = done === 0 ? idle + 1 : 0;
    }
  }

  private runNetif(netif: Netif, budget: number): number {
    const count = Math.min(budget, netif.ingress.length);
    for (let i = 0; i < count; i++) {
      const packet = netif.next();
      if (packet !== null) this.frame(packet, netif);
    }
    return count;
  }

  /** Dispatches a frame by its Ethernet header, or a bare IP packet. */
  private frame(packet: Packet, netif: Netif): void {
    const { view, start } = packet;
    if (netif.link.medium === 'ip') {
      if (packet.length > 0 && view.getUint8(start) >> 4 === 6) this.ipv6.receive(packet, netif, false);
      else this.ipv4.receive(packet, netif, false);
      return;
    }
    if (!checkEthernet(start, packet.end)) {
      this.drop(packet, 'HDR_TRUNC');
      return;
    }
    const high = ethernetDestinationHigh(view, start);
    const toGroup = isGroupMac(high);
    const forUs = high === netif.macHigh && ethernetDestinationLow(view, start) === netif.macLow;
    if (!forUs && !toGroup) {
      this.drop(packet, 'OTHERHOST');
      return;
    }
    let type = ethernetType(view, start);
    packet.start += ETHERNET_HEADER_LENGTH;
    let vlan = VLAN_ID_NONE;
    if (isVlanType(type)) {
      if (!checkVlan(view, packet.start - 2, packet.end)) {
        this.drop(packet, 'HDR_TRUNC');
        return;
      }
      vlan = vlanId(view, packet.start - 2);
      type = vlanInnerType(view, packet.start - 2);
      packet.start += VLAN_TAG_LENGTH;
    }
    // A tag with identifier 0 only carries a priority.
    if (vlan !== netif.vlan) {
      this.drop(packet, 'OTHERHOST');
      return;
    }
    if (type === ETHERTYPE_IPV4) this.ipv4.receive(packet, netif, toGroup);
    else if (type === ETHERTYPE_IPV6) this.ipv6.receive(packet, netif, toGroup);
    else if (type === ETHERTYPE_ARP) this.ipv4.arp.receive(packet, netif);
    else this.drop(packet, 'UNHANDLED_PROTO');
  }

  private drop(packet: Packet, reason: 'HDR_TRUNC' | 'OTHERHOST' | 'UNHANDLED_PROTO'): void {
    this.host.dropped('netif', reason);
    packet.release();
  }

  private addNetif(link: Link, name: string): Netif {
    const index = this.interfaces.list.length + 1;
    const netif = new Netif(this.host, this, index, name, link, index === LOOPBACK_INDEX);
    this.interfaces.list.push(netif);
    this.interfaces.changed();
    return netif;
  }

  // --- NetifOwner: what the interfaces tell ---

  ingress(): void {
    this.onIngress();
  }

  room(): void {
    this.onRoom();
  }

  addressAdded(netif: Netif, entry: NetifAddress): void {
    this.host.refreshNow();
    this.familyOf(entry.address).addressAdded(netif, entry);
  }

  addressRemoved(netif: Netif, entry: NetifAddress): void {
    this.host.refreshNow();
    this.familyOf(entry.address).addressRemoved(netif, entry);
  }

  changed(netif: Netif): void {
    this.host.refreshNow();
    this.interfaces.changed();
    this.ipv4.changed(netif);
    this.ipv6.changed(netif);
    for (const listener of this.netifListeners) listener(netif);
  }
}
