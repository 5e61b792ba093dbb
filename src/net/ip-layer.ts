/**
 * The IP layer of one host: interfaces, routes, neighbours, and the way between interfaces and transports.
 * @module
 */
import { assert } from '../base/assert.ts';
import { ENETUNREACH } from '../base/errno.ts';
import type { Host } from '../core/host.ts';
import type { Link } from '../core/link.ts';
import type { IpSendOptions, PingListener, Route, TransportProtocol } from '../core/network.ts';
import type { Packet } from '../core/packet.ts';
import type { IpAddress } from '../wire/address.ts';
import { AF_INET, LOOPBACK_V4 } from '../wire/address.ts';
import {
  checkEthernet,
  ETHERNET_HEADER_LENGTH,
  ETHERTYPE_ARP,
  ETHERTYPE_IPV4,
  ethernetDestinationHigh,
  ethernetDestinationLow,
  ethernetType,
  isGroupMac,
} from '../wire/ethernet.ts';
import { checkVlan, isVlanType, VLAN_ID_NONE, VLAN_TAG_LENGTH, vlanId, vlanInnerType } from '../wire/vlan.ts';
import { ADDRESS_BROADCAST, ADDRESS_LOCAL, ADDRESS_LOOPBACK } from './address-cache.ts';
import { type AddressConflict, Arp } from './arp.ts';
import { Icmp4 } from './icmp4.ts';
import { Interfaces, LOOPBACK_INDEX } from './interfaces.ts';
import { Ipv4Input } from './ipv4-input.ts';
import { Ipv4Output } from './ipv4-output.ts';
import type { NeighborTable } from './neighbor.ts';
import { Netif, type NetifAddress, type NetifOwner } from './netif.ts';
import type { RouteTable } from './route-table.ts';
import { IpRoute, Router } from './router.ts';

/** Frames taken from one interface before the next one has its turn. */
const QUANTUM = 32;

/** The IP layer of one host. Nothing is processed but in `run` and by timers. */
export class IpLayer implements NetifOwner {
  /** Told when a link queued something where nothing was: `run` has work. */
  onIngress: () => void = () => {};
  /** Told when the queue of an interface that was busy is empty again. */
  onRoom: () => void = () => {};
  private readonly host: Host;
  private readonly interfaces: Interfaces;
  private readonly router: Router;
  private readonly arp: Arp;
  private readonly output: Ipv4Output;
  private readonly icmp: Icmp4;
  private readonly input: Ipv4Input;
  /** By protocol number. */
  private readonly transports: (TransportProtocol | undefined)[] = [];
  /** Whose turn it is in `run`: a position in the list of interfaces. */
  private turn = 0;
  private running = false;

  /** `loopback` is the link of the interface 'lo', which has 127.0.0.1/8 from the start. */
  constructor(host: Host, loopback: Link) {
    this.host = host;
    this.interfaces = new Interfaces();
    this.router = new Router(host, this.interfaces);
    this.arp = new Arp(host, this.interfaces.cache);
    this.output = new Ipv4Output(host, this.interfaces, this.arp.neighbors);
    this.icmp = new Icmp4(host, this.interfaces, this.router, this.output, this.transports);
    this.input = new Ipv4Input(host, this.interfaces, this.router, this.output, this.icmp, this.transports);
    this.arp.onUnreachable = packet => this.icmp.hostUnreachable(packet);
    this.register(this.icmp);
    host.mib.Ip.DefaultTTL = host.sysctl.ip_default_ttl;
    host.mib.Ip.Forwarding = host.sysctl.ip_forward ? 1 : 2;
    this.addNetif(loopback, 'lo').addAddress(LOOPBACK_V4, 8);
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

  get routes(): RouteTable {
    return this.router.table;
  }

  /** The IPv4 neighbour table. */
  get neighbors(): NeighborTable {
    return this.arp.neighbors;
  }

  /** Adds the transport that packets with its protocol number go to. */
  register(transport: TransportProtocol): void {
    this.transports[transport.protocol] = transport;
  }

  /** Who hears of echo replies; null for nobody. */
  set ping(listener: PingListener | null) {
    this.icmp.ping = listener;
  }

  /** Told when somebody else on the link uses an address of ours. */
  set onConflict(listener: (conflict: AddressConflict) => void) {
    this.arp.onConflict = listener;
  }

  /** Asks the link whether an address is free (RFC 5227), as `Arp.probe`. */
  probeAddress(netif: Netif, address: IpAddress, done: (free: boolean) => void): () => void {
    this.host.refreshNow();
    return this.arp.probe(netif, address, done);
  }

  // --- for transports ---

  /** Changes whenever a Route that `route` returned before may be wrong. */
  get generation(): number {
    return this.router.generation;
  }

  /** As `Router.route`; counts what cannot be reached. */
  route(destination: IpAddress, source: IpAddress | null, netif = 0): IpRoute | number {
    const route = this.router.route(destination, source, netif);
    if (route === -ENETUNREACH) this.host.mib.Ip.OutNoRoutes++;
    return route;
  }

  /**
   * Sends bytes[l4, end) of `packet` by a route that `route` returned. Always takes the packet. 0, -EMSGSIZE,
   * -ENOBUFS, -ENETDOWN. A CHECKSUM_PARTIAL packet has the pseudo-header's sum for its whole length in the field.
   */
  send(packet: Packet, route: Route, protocol: number, options: IpSendOptions): number {
    assert(route instanceof IpRoute, 'a route comes from IpLayer.route');
    return this.output.send(packet, route, protocol, options);
  }

  /** Whether `address` is one of ours: assigned to an interface that is up, or a loopback address. */
  isLocal(address: IpAddress): boolean {
    if (address.family !== AF_INET) return false;
    const { kind } = this.interfaces.cache.lookup(address.w3);
    return kind === ADDRESS_LOCAL || kind === ADDRESS_LOOPBACK;
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
    this.router.learnPathMtu(destination, mtu);
  }

  /** Sends an ICMP error about a received packet, as `Icmp4.sendError`. The packet stays the caller's. */
  sendIcmpError(packet: Packet, type: number, code: number, info = 0): void {
    this.icmp.sendError(packet, type, code, info);
  }

  /**
   * Sends an ICMP message that is complete but for its checksum, by a route that `route` returned: bytes[l4, end) of
   * `packet`, which it always takes. 0 or -errno.
   */
  sendIcmp(packet: Packet, route: Route, options: IpSendOptions): number {
    assert(route instanceof IpRoute, 'a route comes from IpLayer.route');
    return this.icmp.send(packet, route, options);
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
    this.arp.close();
    this.input.reassembly.close();
    this.router.close();
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
    if (netif.link.medium === 'ip') {
      this.input.receive(packet, netif, false);
      return;
    }
    const { view, start } = packet;
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
    if (type === ETHERTYPE_IPV4) this.input.receive(packet, netif, toGroup);
    else if (type === ETHERTYPE_ARP) this.arp.receive(packet, netif);
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
    this.router.changed();
    return netif;
  }

  // --- NetifOwner: what the interfaces tell ---

  ingress(): void {
    this.onIngress();
  }

  room(): void {
    this.onRoom();
  }

  addressAdded(netif: Netif, { address, prefixLength }: NetifAddress): void {
    this.host.refreshNow();
    this.router.changed();
    if (netif.isLoopback || address.family !== AF_INET) return;
    if (prefixLength < 32) this.routes.addOnLink(netif.index, address, prefixLength);
    if (this.host.sysctl.arp_notify) this.arp.announce(netif, address);
  }

  addressRemoved(netif: Netif, { address }: NetifAddress): void {
    this.host.refreshNow();
    this.routes.removeWhere(
      entry => entry.netif === netif.index && entry.source !== null && entry.source.equals(address),
    );
    this.router.changed();
  }

  changed(netif: Netif): void {
    this.host.refreshNow();
    if (!netif.up || !netif.hasCarrier) this.arp.neighbors.flush(netif, !netif.up);
    this.router.changed();
    if (netif.up && netif.hasCarrier && this.host.sysctl.arp_notify) {
      for (const { address } of netif.addresses) if (!netif.isLoopback) this.arp.announce(netif, address);
    }
  }
}
