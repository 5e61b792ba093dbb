import { EACCES, EADDRNOTAVAIL, EEXIST, EINVAL, ENETDOWN } from '../base/errno.ts';
import { Ring } from '../base/ring.ts';
import type { Host } from '../core/host.ts';
import type { Link, LinkPort } from '../core/link.ts';
import type { Packet } from '../core/packet.ts';
import { AF_INET, IpAddress } from '../wire/address.ts';
import { ETHERNET_HEADER_LENGTH, emitEthernet, macHigh, macLow } from '../wire/ethernet.ts';
import { IPV6_MIN_MTU } from '../wire/ipv6.ts';
import { emitVlan, VLAN_ID_NONE, VLAN_TAG_LENGTH, VLAN_TYPE } from '../wire/vlan.ts';
import { Egress } from './egress.ts';
import { Ipv6Address } from './ipv6-address.ts';
import type { Ipv6Netif } from './ipv6-netif.ts';
import { tracePacket, traceQueue } from './packet-trace.ts';

/** Bytes of the longest link header that is written in front of an IP packet. */
export const LINK_HEADER_MAX = ETHERNET_HEADER_LENGTH + VLAN_TAG_LENGTH;

/** An address of an interface. */
export interface NetifAddress {
  readonly address: IpAddress;
  readonly prefixLength: number;
  /** The subnet's broadcast address; null where there is none (/31, /32, IPv6). */
  readonly broadcast: IpAddress | null;
}

/** Whoever the interfaces belong to. */
export interface NetifOwner {
  /** The ingress queue of an interface is no longer empty. */
  ingress(): void;
  /** The queue towards the link is empty again. */
  room(): void;
  addressAdded(netif: Netif, entry: NetifAddress): void;
  addressRemoved(netif: Netif, entry: NetifAddress): void;
  /** The MTU changed, the interface was put up or down, or the cable was put in or pulled out. */
  changed(netif: Netif): void;
}

/** A network interface: a link, the addresses on it, and the queues between it and the IP layer. */
export class Netif implements LinkPort {
  readonly host: Host;
  /** 1 for the loopback, then counting up. */
  readonly index: number;
  readonly name: string;
  readonly link: Link;
  readonly isLoopback: boolean;
  /** The hardware address, in two parts as in wire/ethernet.ts. */
  readonly macHigh: number;
  readonly macLow: number;
  /** Where frames wait for `IpLayer.run`. */
  readonly ingress = new Ring<Packet>();
  readonly egress: Egress;
  /** What was received, in the words of /proc/net/dev. */
  readonly stats = { packets: 0, bytes: 0, dropped: 0 };
  /** IPv4 multicast groups joined, as int32, with how many reasons there are for it; 224.0.0.1 needs no joining. */
  readonly groups = new Map<number, number>();
  /** The interface's IPv6; null while it has none. Written by the IP layer. */
  ipv6: Ipv6Netif | null = null;
  /**
   * Says of a unicast IPv4 packet to an address that is not ours whether we take it all the same: a host that is given
   * its address by DHCP hears of it at that address (RFC 2131 section 4.1). Null for never.
   */
  claims: ((packet: Packet) => boolean) | null = null;
  /** The 802.1Q VLAN this interface is in; 0 for untagged frames. */
  vlan = VLAN_ID_NONE;
  /** Whether there is a cable. */
  hasCarrier = true;
  private readonly owner: NetifOwner;
  private entries: readonly NetifAddress[] = [];
  private isUp = true;
  private mtuSet = 0;
  private closed = false;

  constructor(host: Host, owner: NetifOwner, index: number, name: string, link: Link, isLoopback: boolean) {
    this.host = host;
    this.owner = owner;
    this.index = index;
    this.name = name;
    this.link = link;
    this.isLoopback = isLoopback;
    const mac = link.mac ?? new Uint8Array(6);
    this.macHigh = macHigh(mac);
    this.macLow = macLow(mac);
    this.egress = new Egress(host, name, link);
    link.attach(this);
  }

  /** Whether packets to it need a neighbour's hardware address. */
  get needsNeighbor(): boolean {
    return this.link.medium === 'ethernet' && !this.isLoopback;
  }

  get addresses(): readonly NetifAddress[] {
    return this.entries;
  }

  /** The largest IP packet, in bytes: the link's, unless a smaller one was set. */
  get mtu(): number {
    return this.mtuSet > 0 ? Math.min(this.mtuSet, this.link.mtu) : this.link.mtu;
  }

  set mtu(bytes: number) {
    this.mtuSet = bytes;
    this.owner.changed(this);
  }

  /** Whether the interface is administratively up (`ip link set dev up`). */
  get up(): boolean {
    return this.isUp;
  }

  set up(up: boolean) {
    if (this.isUp === up) return;
    this.isUp = up;
    if (!up) this.clear();
    this.owner.changed(this);
  }

  /**
   * Assigns an address. 0, -EINVAL (not a host address, or a bad prefix; IPv6 on a link under 1280 bytes), -EEXIST,
   * -EACCES (disable_ipv6). An IPv6 address may be used once duplicate address detection allows it.
   */
  addAddress(address: IpAddress, prefixLength: number): number {
    const bits = address.byteLength * 8;
    if (!Number.isInteger(prefixLength) || prefixLength < 0 || prefixLength > bits) return -EINVAL;
    if (address.isUnspecified || address.isMulticast || address.isLimitedBroadcast) return -EINVAL;
    if (address.family === AF_INET) {
      return this.addEntry({ address, prefixLength, broadcast: subnetBroadcast(address, prefixLength) });
    }
    if (this.host.sysctl.disable_ipv6) return -EACCES;
    if (this.mtu < IPV6_MIN_MTU || address.isMapped) return -EINVAL;
    return this.addEntry(new Ipv6Address(address.withZone(this.index), prefixLength, 'manual'));
  }

  /** Assigns an address that is known to be good. 0 or -EEXIST. */
  addEntry(entry: NetifAddress): number {
    if (this.entries.some(other => other.address.equals(entry.address))) return -EEXIST;
    this.entries = [...this.entries, entry];
    this.owner.addressAdded(this, entry);
    return 0;
  }

  /** Takes an address away. 0 or -EADDRNOTAVAIL. */
  removeAddress(address: IpAddress): number {
    const scoped = address.withZone(this.index);
    const entry = this.entries.find(other => other.address.equals(scoped));
    if (entry === undefined) return -EADDRNOTAVAIL;
    this.entries = this.entries.filter(other => other !== entry);
    this.owner.addressRemoved(this, entry);
    return 0;
  }

  /** The IPv4 address to use as source towards `target`: the one whose subnet holds it, else the first, else null. */
  sourceFor(target: IpAddress): IpAddress | null {
    let first: IpAddress | null = null;
    for (const { address, prefixLength } of this.entries) {
      if (target.inPrefix(address, prefixLength)) return address;
      if (first === null && address.family === target.family) first = address;
    }
    return first;
  }

  // --- sending ---

  /**
   * Sends an IP or ARP packet that begins at `start`, with a link header for this destination in front of it.
   * Always takes it. 0, -ENOBUFS, or -ENETDOWN.
   */
  transmit(packet: Packet, destinationHigh: number, destinationLow: number, type: number): number {
    const { host } = this;
    if (!this.isUp || !this.hasCarrier || this.closed) {
      host.dropped('netif', 'LINK_DOWN', this.name);
      packet.release();
      // A host does not notice a pulled cable from its own sending; an interface that is down it does.
      return this.isUp ? 0 : -ENETDOWN;
    }
    packet.netif = this.index;
    packet.atUs = host.nowUs;
    if (this.link.medium === 'ethernet') this.header(packet, destinationHigh, destinationLow, type);
    if (!host.hooks.egress.pass(packet)) {
      host.dropped('netif', 'HOOK_DROP', this.name);
      packet.release();
      return 0;
    }
    return this.egress.send(packet);
  }

  private header(packet: Packet, destinationHigh: number, destinationLow: number, type: number): void {
    const { view } = packet;
    if (this.vlan === VLAN_ID_NONE) {
      packet.start -= ETHERNET_HEADER_LENGTH;
      emitEthernet(view, packet.start, destinationHigh, destinationLow, this.macHigh, this.macLow, type);
      return;
    }
    packet.start -= LINK_HEADER_MAX;
    emitEthernet(view, packet.start, destinationHigh, destinationLow, this.macHigh, this.macLow, VLAN_TYPE);
    emitVlan(view, packet.start + 12, VLAN_TYPE, this.vlan, 0, false, type);
  }

  // --- LinkPort: what the link calls ---

  receive(packet: Packet): void {
    const { host, ingress } = this;
    const limit = host.sysctl.netdev_max_backlog;
    if (!this.isUp || this.closed || ingress.length >= limit) {
      this.stats.dropped++;
      host.dropped('netif', this.isUp && !this.closed ? 'FULL_RING' : 'LINK_DOWN', this.name);
      packet.release();
      return;
    }
    ingress.push(packet);
    traceQueue(host, 'ingress', this.name, ingress.length, limit);
    if (ingress.length === 1) this.owner.ingress();
  }

  writable(): void {
    this.egress.writable();
    if (this.egress.length === 0) this.owner.room();
  }

  carrier(up: boolean): void {
    if (this.hasCarrier === up) return;
    this.hasCarrier = up;
    this.owner.changed(this);
  }

  // --- receiving ---

  /** The next frame that waits, already counted, traced and past the ingress hooks; null when one of them took it. */
  next(): Packet | null {
    const packet = this.ingress.shift();
    if (packet === undefined) return null;
    const { host } = this;
    packet.netif = this.index;
    packet.atUs = host.nowUs;
    this.stats.packets++;
    this.stats.bytes += packet.length;
    tracePacket(host, this.name, this.link.medium, 'in', packet);
    if (host.hooks.ingress.pass(packet)) return packet;
    host.dropped('netif', 'HOOK_DROP', this.name);
    packet.release();
    return null;
  }

  /** Gives back every packet that is queued. */
  clear(): void {
    for (let packet = this.ingress.shift(); packet !== undefined; packet = this.ingress.shift()) {
      packet.release();
    }
    this.egress.clear();
  }

  /** Ends the interface: what the link still delivers is dropped. The link stays its owner's to close. */
  close(): void {
    this.closed = true;
    this.clear();
  }
}

function subnetBroadcast(address: IpAddress, prefixLength: number): IpAddress | null {
  if (address.family !== AF_INET || prefixLength > 30) return null;
  return IpAddress.v4(address.w3 | (0xffffffff >>> prefixLength));
}
