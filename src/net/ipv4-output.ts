/**
 * Sending IPv4 packets: the header, fragments, and the way to the neighbour.
 * @module
 */
import { EMSGSIZE, ENOBUFS } from '../base/errno.ts';
import { segmentCount, wireLength } from '../core/gso.ts';
import type { Host } from '../core/host.ts';
import type { IpSendOptions } from '../core/network.ts';
import type { Packet } from '../core/packet.ts';
import { completeChecksum } from '../core/partial-checksum.ts';
import type { IpAddress } from '../wire/address.ts';
import { BROADCAST_MAC_HIGH, BROADCAST_MAC_LOW, ETHERTYPE_IPV4 } from '../wire/ethernet.ts';
import {
  emitIpv4,
  IPV4_HEADER_LENGTH,
  IPV4_MAX_LENGTH,
  ipv4DontFragment,
  ipv4HeaderLength,
} from '../wire/ipv4.ts';
import { fragmentDataSize, makeFragment } from './fragment.ts';
import type { Interfaces } from './interfaces.ts';
import type { IpRoute } from './ip-route.ts';
import { MULTICAST_MAC_HIGH, multicastMacLow } from './multicast-mac.ts';
import type { NeighborTable } from './neighbor.ts';

/** log2 of the counters of IP ids. */
const ID_BITS = 11;

/** The way from a transport, or from the forwarding, to an interface. */
export class Ipv4Output {
  private readonly host: Host;
  private readonly interfaces: Interfaces;
  private readonly neighbors: NeighborTable;
  /** The next IP id, one counter for each group of destinations, so that nobody sees how much goes to others. */
  private readonly ids: Uint16Array;
  private readonly idSeed: number;

  constructor(host: Host, interfaces: Interfaces, neighbors: NeighborTable) {
    this.host = host;
    this.interfaces = interfaces;
    this.neighbors = neighbors;
    this.ids = new Uint16Array(host.randomBytes(2 << ID_BITS).buffer);
    this.idSeed = host.random32();
  }

  /**
   * Sends bytes[l4, end) by `route`. Always takes the packet. 0, -EMSGSIZE (does not fit and must not be fragmented),
   * -ENOBUFS, -ENETDOWN.
   */
  send(packet: Packet, route: IpRoute, protocol: number, options: IpSendOptions): number {
    const { host } = this;
    const { source, destination } = route;
    const mtu = options.ignorePathMtu === true ? route.out.mtu : route.mtu;
    const l3 = packet.l4 - IPV4_HEADER_LENGTH;
    const length = packet.end - l3;
    host.mib.Ip.OutRequests++;
    if (length > IPV4_MAX_LENGTH) return this.tooBig(packet);
    const id = this.nextId(destination, segmentCount(packet));
    const { tos } = options;
    const ttl = options.ttl < 0 ? host.sysctl.ip_default_ttl : options.ttl;
    const dontFragment = options.dontFragment && (!route.narrow || options.ignorePathMtu === true);
    emitIpv4(packet.view, l3, tos, length, id, dontFragment, ttl, protocol, source.w3, destination.w3);
    packet.start = packet.l3 = l3;
    packet.src = source;
    packet.dst = destination;
    packet.protocol = protocol;
    if (route.kind !== 'unicast' && route.kind !== 'local' && options.loopBack !== false)
      this.loopBack(packet, route);
    if (length > mtu && wireLength(packet) > mtu) {
      return dontFragment ? this.tooBig(packet) : this.fragment(packet, route, mtu);
    }
    return this.emit(packet, route);
  }

  /** Sends an IPv4 packet at `l3` that is ready but for its size. Always takes it. As `send`. */
  forward(packet: Packet, route: IpRoute): number {
    packet.start = packet.l3;
    const { mtu } = route.out;
    if (wireLength(packet) <= mtu) return this.emit(packet, route);
    return ipv4DontFragment(packet.view, packet.l3) ? this.tooBig(packet) : this.fragment(packet, route, mtu);
  }

  /** Hands an IPv4 packet that fits to the interface or the neighbour. */
  private emit(packet: Packet, route: IpRoute): number {
    const { Ip, IpExt } = this.host.mib;
    const { out } = route;
    Ip.OutTransmits++;
    IpExt.OutOctets += packet.end - packet.start;
    if (route.kind === 'multicast') {
      IpExt.OutMcastPkts++;
      IpExt.OutMcastOctets += packet.end - packet.start;
      return out.transmit(packet, MULTICAST_MAC_HIGH, multicastMacLow(route.destination.w3), ETHERTYPE_IPV4);
    }
    if (route.kind === 'broadcast') {
      IpExt.OutBcastPkts++;
      IpExt.OutBcastOctets += packet.end - packet.start;
      return out.transmit(packet, BROADCAST_MAC_HIGH, BROADCAST_MAC_LOW, ETHERTYPE_IPV4);
    }
    if (!out.needsNeighbor) return out.transmit(packet, out.macHigh, out.macLow, ETHERTYPE_IPV4);
    let { neighbor } = route;
    if (neighbor === null || neighbor.dead) {
      const found = this.neighbors.get(out, route.nextHop);
      if (typeof found === 'number') return this.discard(packet, found);
      neighbor = route.neighbor = found;
    }
    return neighbor.send(packet);
  }

  private fragment(packet: Packet, route: IpRoute, mtu: number): number {
    const { Ip } = this.host.mib;
    const headerLength = ipv4HeaderLength(packet.view, packet.l3);
    const size = fragmentDataSize(mtu, headerLength);
    // A super-segment is cut into segments that fit, or not at all.
    if (size === 0 || packet.gsoSize > 0) return this.tooBig(packet);
    completeChecksum(packet);
    const length = packet.end - packet.l3 - headerLength;
    let result = 0;
    for (let at = 0; at < length && result === 0; at += size) {
      const part = makeFragment(packet, this.host.pool, at, Math.min(size, length - at));
      if (part === null) {
        result = -ENOBUFS;
      } else {
        Ip.FragCreates++;
        result = this.emit(part, route);
      }
    }
    if (result === 0) Ip.FragOKs++;
    else Ip.FragFails++;
    packet.release();
    return result;
  }

  /** What we send to everyone we get as well, as far as we listen. */
  private loopBack(packet: Packet, route: IpRoute): void {
    const { host, interfaces } = this;
    if (!route.loopsBack) return;
    if (route.kind === 'multicast' && !route.out.groups.has(route.destination.w3)) return;
    const copy = host.pool.take(packet.end);
    if (copy === null) return;
    copy.copyFrom(packet);
    const { loopback } = interfaces;
    loopback.transmit(copy, loopback.macHigh, loopback.macLow, ETHERTYPE_IPV4);
  }

  private nextId(destination: IpAddress, count: number): number {
    const slot = Math.imul(destination.w3 ^ this.idSeed, 0x9e3779b1) >>> (32 - ID_BITS);
    const id = this.ids[slot] as number;
    this.ids[slot] = id + count;
    return id;
  }

  private tooBig(packet: Packet): number {
    this.host.mib.Ip.FragFails++;
    this.host.dropped('ip', 'PKT_TOO_BIG');
    packet.release();
    return -EMSGSIZE;
  }

  private discard(packet: Packet, result: number): number {
    this.host.mib.Ip.OutDiscards++;
    this.host.dropped('ip', 'NOMEM');
    packet.release();
    return result;
  }
}
