/**
 * Sending IPv6 packets: the header, fragments (at the source alone), and the way to the neighbour.
 * @module
 */
import { EMSGSIZE, ENOBUFS } from '../base/errno.ts';
import { wireLength } from '../core/gso.ts';
import type { Host } from '../core/host.ts';
import { IPPROTO_TCP, IPPROTO_UDP, type IpSendOptions } from '../core/network.ts';
import type { Packet } from '../core/packet.ts';
import { completeChecksum } from '../core/partial-checksum.ts';
import type { IpAddress } from '../wire/address.ts';
import { ETHERTYPE_IPV6 } from '../wire/ethernet.ts';
import { emitIpv6, IPV6_HEADER_LENGTH, IPV6_PAYLOAD_MAX } from '../wire/ipv6.ts';
import { FRAGMENT_HEADER_LENGTH } from '../wire/ipv6-extension.ts';
import { fragmentDataSize } from './fragment.ts';
import { makeFragment6 } from './fragment6.ts';
import type { Interfaces } from './interfaces.ts';
import type { IpRoute } from './ip-route.ts';
import type { NeighborTable } from './neighbor.ts';

/** log2 of the counters of fragment ids. */
const ID_BITS = 10;
/** RFC 2464 section 7: 33:33 and the last 32 bits of the group. */
const MULTICAST_MAC_HIGH = 0x3333;

/** The way from a transport, or from the forwarding, to an interface. */
export class Ipv6Output {
  private readonly host: Host;
  private readonly interfaces: Interfaces;
  /** Set by the IP layer before anything is sent: the table's protocol sends by this way, too. */
  neighbors: NeighborTable | null = null;
  /** The next fragment id, one counter for each group of destinations (RFC 7739 section 5.3). */
  private readonly ids: Uint32Array;
  private readonly idSeed: number;

  constructor(host: Host, interfaces: Interfaces) {
    this.host = host;
    this.interfaces = interfaces;
    this.ids = new Uint32Array(host.randomBytes(4 << ID_BITS).buffer);
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
    const l3 = packet.l4 - IPV6_HEADER_LENGTH;
    const payload = packet.end - packet.l4;
    host.mib.Ip6.OutRequests++;
    if (payload > IPV6_PAYLOAD_MAX) return this.tooBig(packet);
    const hopLimit = options.ttl < 0 ? hopLimitOf(route) : options.ttl;
    const label = host.sysctl.auto_flowlabels ? flowLabel(packet, route, protocol) : 0;
    emitIpv6(packet.view, l3, options.tos, label, payload, protocol, hopLimit, source, destination);
    packet.start = packet.l3 = l3;
    packet.src = source;
    packet.dst = destination;
    packet.protocol = protocol;
    if (route.kind === 'multicast' && options.loopBack !== false) this.loopBack(packet, route);
    if (packet.end - l3 > mtu && wireLength(packet) > mtu) {
      return options.dontFragment ? this.tooBig(packet) : this.fragment(packet, route, mtu);
    }
    return this.emit(packet, route);
  }

  /** Sends an IPv6 packet at `l3` that is ready, with extension headers perhaps. Always takes it. As `send`. */
  forward(packet: Packet, route: IpRoute): number {
    packet.start = packet.l3;
    return this.emit(packet, route);
  }

  /** Hands an IPv6 packet that fits to the interface or the neighbour. */
  private emit(packet: Packet, route: IpRoute): number {
    const { Ip6 } = this.host.mib;
    const { out } = route;
    Ip6.OutOctets += packet.end - packet.start;
    if (route.kind === 'multicast') {
      Ip6.OutMcastPkts++;
      Ip6.OutMcastOctets += packet.end - packet.start;
      return out.transmit(packet, MULTICAST_MAC_HIGH, route.destination.w3, ETHERTYPE_IPV6);
    }
    if (!out.needsNeighbor) return out.transmit(packet, out.macHigh, out.macLow, ETHERTYPE_IPV6);
    let { neighbor } = route;
    if (neighbor === null || neighbor.dead) {
      const found = this.neighbors?.get(out, route.nextHop) ?? -ENOBUFS;
      if (typeof found === 'number') return this.discard(packet, found);
      neighbor = route.neighbor = found;
    }
    return neighbor.send(packet);
  }

  /** RFC 8200 section 4.5. */
  private fragment(packet: Packet, route: IpRoute, mtu: number): number {
    const { Ip6 } = this.host.mib;
    const size = fragmentDataSize(mtu, IPV6_HEADER_LENGTH + FRAGMENT_HEADER_LENGTH);
    // A super-segment is cut into segments that fit, or not at all.
    if (size === 0 || packet.gsoSize > 0) return this.tooBig(packet);
    completeChecksum(packet);
    const id = this.nextId(route.destination);
    const length = packet.end - packet.l4;
    let result = 0;
    for (let at = 0; at < length && result === 0; at += size) {
      const part = makeFragment6(packet, this.host.pool, at, Math.min(size, length - at), id);
      if (part === null) {
        result = -ENOBUFS;
      } else {
        Ip6.FragCreates++;
        result = this.emit(part, route);
      }
    }
    if (result === 0) Ip6.FragOKs++;
    else Ip6.FragFails++;
    packet.release();
    return result;
  }

  /** What we send to a group we get as well, if we are in it. */
  private loopBack(packet: Packet, route: IpRoute): void {
    const { out, destination } = route;
    // Messages of neighbour discovery and the like are not for ourselves.
    if (out.isLoopback || packet.protocol !== IPPROTO_UDP) return;
    if (out.ipv6?.isMember(destination) !== true) return;
    const copy = this.host.pool.take(packet.end);
    if (copy === null) return;
    copy.copyFrom(packet);
    const { loopback } = this.interfaces;
    loopback.transmit(copy, loopback.macHigh, loopback.macLow, ETHERTYPE_IPV6);
  }

  private nextId(destination: IpAddress): number {
    const hash = destination.w3 ^ destination.w1 ^ this.idSeed;
    const slot = Math.imul(hash, 0x9e3779b1) >>> (32 - ID_BITS);
    const id = this.ids[slot] as number;
    this.ids[slot] = id + 1;
    return id;
  }

  private tooBig(packet: Packet): number {
    this.host.mib.Ip6.FragFails++;
    this.host.dropped('ip', 'PKT_TOO_BIG');
    packet.release();
    return -EMSGSIZE;
  }

  private discard(packet: Packet, result: number): number {
    this.host.mib.Ip6.OutDiscards++;
    this.host.dropped('ip', 'NOMEM');
    packet.release();
    return result;
  }
}

/** What the routers of the link recommend, or the default. */
function hopLimitOf(route: IpRoute): number {
  return route.out.ipv6?.hopLimit ?? route.out.host.sysctl.hop_limit;
}

/** The same for all packets between two addresses and ports, and hard to guess from them (RFC 6437). */
function flowLabel(packet: Packet, route: IpRoute, protocol: number): number {
  const hasPorts = protocol === IPPROTO_TCP || protocol === IPPROTO_UDP;
  const ports = hasPorts ? packet.view.getInt32(packet.l4) : 0;
  let hash = Math.imul(route.flowSeed ^ ports, 0x9e3779b1);
  hash = Math.imul(hash ^ (hash >>> 15) ^ protocol, 0x85ebca6b);
  return (hash ^ (hash >>> 13)) & 0xfffff || 1;
}
