/**
 * Receiving IPv6 packets (RFC 8200): checks, delivery to a transport, and forwarding. Extension headers are in
 * ipv6-extensions.ts.
 * @module
 */

import { wireLength } from '../core/gso.ts';
import type { Host } from '../core/host.ts';
import { CHECKSUM_PARTIAL, CHECKSUM_VERIFIED, type Packet } from '../core/packet.ts';
import type { DropReason } from '../trace/events.ts';
import { SCOPE_INTERFACE } from '../wire/address.ts';
import {
  ICMP6_BEYOND_SCOPE,
  ICMP6_HOP_LIMIT_EXCEEDED,
  ICMP6_NO_ROUTE,
  ICMP6_PACKET_TOO_BIG,
  ICMP6_PARAMETER_PROBLEM,
  ICMP6_TIME_EXCEEDED,
  ICMP6_UNKNOWN_NEXT_HEADER,
  ICMP6_UNREACHABLE,
  IPPROTO_ICMPV6,
  icmp6Type,
  ND_REDIRECT,
  ND_ROUTER_SOLICIT,
} from '../wire/icmp6.ts';
import {
  checkIpv6,
  IPV6_DESTINATION,
  IPV6_HEADER_LENGTH,
  IPV6_NEXT_HEADER,
  IPV6_OK,
  IPV6_SOURCE,
  IPV6_TRUNCATED,
  ipv6HopLimit,
  ipv6NextHeader,
  ipv6PayloadLength,
  setIpv6HopLimit,
} from '../wire/ipv6.ts';
import { IPV6_HOP_BY_HOP, IPV6_NO_NEXT_HEADER, isIpv6Extension } from '../wire/ipv6-extension.ts';
import {
  ADDRESS_LOCAL,
  ADDRESS_LOOPBACK,
  ADDRESS_MULTICAST,
  ADDRESS_OTHER,
  ADDRESS_THIS_NETWORK,
  type CachedAddress,
} from './address-cache.ts';
import { countEcn } from './count-ecn.ts';
import type { Transports } from './family.ts';
import { withHeadroom } from './headroom.ts';
import type { Icmp6 } from './icmp6.ts';
import type { Interfaces } from './interfaces.ts';
import type { IpRoute } from './ip-route.ts';
import { Ipv6Extensions } from './ipv6-extensions.ts';
import type { Ipv6Output } from './ipv6-output.ts';
import type { Netif } from './netif.ts';
import type { Router6 } from './router6.ts';

/** The way from an interface to a transport, or to another interface. */
export class Ipv6Input {
  /** Told of a packet that goes out by the interface it came in by: its sender could have taken a shorter way. */
  onDetour: (packet: Packet, route: IpRoute) => void = () => {};
  readonly extensions: Ipv6Extensions;
  private readonly host: Host;
  private readonly interfaces: Interfaces;
  private readonly router: Router6;
  private readonly output: Ipv6Output;
  private readonly icmp: Icmp6;
  private readonly transports: Transports;

  constructor(
    host: Host,
    interfaces: Interfaces,
    router: Router6,
    output: Ipv6Output,
    icmp: Icmp6,
    transports: Transports,
  ) {
    this.host = host;
    this.interfaces = interfaces;
    this.router = router;
    this.output = output;
    this.icmp = icmp;
    this.transports = transports;
    this.extensions = new Ipv6Extensions(host, icmp);
  }

  /** Takes an IPv6 packet that begins at `start`. `toGroup`: the frame was for a group, not for our MAC address. */
  receive(packet: Packet, netif: Netif, toGroup: boolean): void {
    const { Ip6 } = this.host.mib;
    const { view, start } = packet;
    Ip6.InReceives++;
    Ip6.InOctets += packet.end - start;
    if (netif.ipv6 === null) {
      Ip6.InDiscards++;
      this.drop(packet, 'IPV6DISABLED');
      return;
    }
    const verdict = checkIpv6(view, start, packet.end);
    if (verdict !== IPV6_OK) {
      if (verdict === IPV6_TRUNCATED) Ip6.InTruncatedPkts++;
      else Ip6.InHdrErrors++;
      this.drop(packet, verdict === IPV6_TRUNCATED ? 'PKT_TOO_SMALL' : 'IP_INHDR');
      return;
    }
    packet.end = start + IPV6_HEADER_LENGTH + ipv6PayloadLength(view, start); // an Ethernet frame may be padded
    packet.l3 = start;
    packet.l4 = start + IPV6_HEADER_LENGTH;
    packet.protocol = ipv6NextHeader(view, start);
    const { cache6 } = this.interfaces;
    const source = cache6.read(view, start + IPV6_SOURCE, netif.index);
    const destination = cache6.read(view, start + IPV6_DESTINATION, netif.index);
    packet.src = source.address;
    packet.dst = destination.address;
    countEcn(Ip6, packet);
    if (!isPlausible(source, destination, netif, packet.protocol)) {
      Ip6.InAddrErrors++;
      this.drop(packet, 'IP_INVALID_SOURCE');
      return;
    }
    // The one header that routers on the way look at, too.
    if (packet.protocol === IPV6_HOP_BY_HOP && !this.extensions.hopByHop(packet)) return;
    this.direct(packet, netif, destination, toGroup);
  }

  /** Decides whether the packet is for us, for many, or for somebody else. */
  private direct(packet: Packet, netif: Netif, destination: CachedAddress, toGroup: boolean): void {
    const { Ip6 } = this.host.mib;
    switch (destination.kind) {
      case ADDRESS_MULTICAST:
        Ip6.InMcastPkts++;
        Ip6.InMcastOctets += packet.end - packet.l3;
        if (netif.isLoopback || netif.ipv6?.isMember(destination.address) === true) this.toLocal(packet);
        else this.drop(packet, 'OTHERHOST');
        break;
      case ADDRESS_LOCAL:
      case ADDRESS_LOOPBACK:
        // One host's packet in a frame for many is a mistake or an attack.
        if (toGroup) this.drop(packet, 'OTHERHOST');
        else this.toLocal(packet);
        break;
      default:
        this.forward(packet, netif, toGroup);
    }
  }

  private toLocal(packet: Packet): void {
    if (!isIpv6Extension(packet.protocol)) {
      this.deliver(packet, packet.l3 + IPV6_NEXT_HEADER, false);
      return;
    }
    const found = this.extensions.process(packet);
    if (found !== null) this.deliver(found.packet, found.nextHeaderAt, found.wasFragmented);
  }

  private deliver(packet: Packet, nextHeaderAt: number, wasFragmented: boolean): void {
    const { Ip6 } = this.host.mib;
    // Left open for a link that never corrupts (the loopback): nothing to verify.
    if (packet.checksumState === CHECKSUM_PARTIAL) packet.checksumState = CHECKSUM_VERIFIED;
    const transport = this.transports[packet.protocol];
    if (transport === undefined) {
      Ip6.InUnknownProtos++;
      if (packet.protocol !== IPV6_NO_NEXT_HEADER) {
        const pointer = nextHeaderAt - packet.l3;
        this.icmp.sendError(packet, ICMP6_PARAMETER_PROBLEM, ICMP6_UNKNOWN_NEXT_HEADER, pointer);
      }
      this.drop(packet, 'IP_NOPROTO');
    } else if (wasFragmented && isNeighborDiscovery(packet)) {
      // RFC 6980: a message of neighbour discovery has no honest reason to come in pieces.
      this.drop(packet, 'IPV6_NDISC_FRAG');
    } else {
      Ip6.InDelivers++;
      transport.receive(packet);
    }
  }

  /** Hands somebody else's packet on, when we are a router. */
  private forward(packet: Packet, netif: Netif, toGroup: boolean): void {
    const { host, icmp } = this;
    const { Ip6 } = host.mib;
    const { view, l3, src, dst } = packet;
    if (!host.sysctl.forwarding || toGroup || dst.isLinkLocal || src.isUnspecified || src.isLoopback) {
      Ip6.InAddrErrors++;
      this.drop(packet, 'OTHERHOST');
      return;
    }
    const route = this.router.route(dst, null, 0);
    if (typeof route === 'number') {
      Ip6.InNoRoutes++;
      icmp.sendError(packet, ICMP6_UNREACHABLE, ICMP6_NO_ROUTE, 0);
      this.drop(packet, 'IP_OUTNOROUTES');
      return;
    }
    if (ipv6HopLimit(view, l3) <= 1) {
      Ip6.InHdrErrors++;
      icmp.sendError(packet, ICMP6_TIME_EXCEEDED, ICMP6_HOP_LIMIT_EXCEEDED, 0);
      this.drop(packet, 'TTL_EXPIRED');
      return;
    }
    if (src.isLinkLocal && route.out !== netif) {
      Ip6.InAddrErrors++;
      icmp.sendError(packet, ICMP6_UNREACHABLE, ICMP6_BEYOND_SCOPE, 0);
      this.drop(packet, 'IP_INVALID_SOURCE');
      return;
    }
    const mtu = route.out.ipv6?.mtu ?? route.out.mtu;
    if (wireLength(packet) > mtu) {
      Ip6.InTooBigErrors++;
      Ip6.FragFails++;
      icmp.sendError(packet, ICMP6_PACKET_TOO_BIG, 0, mtu);
      this.drop(packet, 'PKT_TOO_BIG');
      return;
    }
    if (route.out === netif) this.onDetour(packet, route);
    setIpv6HopLimit(view, l3, ipv6HopLimit(view, l3) - 1);
    const roomy = withHeadroom(packet, host.pool);
    if (roomy === null) {
      Ip6.InDiscards++;
      this.drop(packet, 'NOMEM');
      return;
    }
    Ip6.OutForwDatagrams++;
    this.output.forward(roomy, route);
  }

  private drop(packet: Packet, reason: DropReason): void {
    this.host.dropped('ip', reason);
    packet.release();
  }
}

function isNeighborDiscovery({ protocol, view, l4, end }: Packet): boolean {
  if (protocol !== IPPROTO_ICMPV6 || l4 >= end) return false;
  const type = icmp6Type(view, l4);
  return type >= ND_ROUTER_SOLICIT && type <= ND_REDIRECT;
}

/** Whether a packet with these addresses can honestly have come in by this interface (RFC 4291 sections 2.5, 2.7). */
function isPlausible(
  source: CachedAddress,
  destination: CachedAddress,
  netif: Netif,
  protocol: number,
): boolean {
  if (source.kind === ADDRESS_MULTICAST || destination.kind === ADDRESS_THIS_NETWORK) return false;
  if (source.address.isMapped) return false;
  if (netif.isLoopback) return true;
  if (source.kind === ADDRESS_LOOPBACK || destination.kind === ADDRESS_LOOPBACK) return false;
  const toMany = destination.kind === ADDRESS_MULTICAST;
  if (toMany && destination.address.scope <= SCOPE_INTERFACE) return false;
  if (source.kind === ADDRESS_OTHER) return true;
  // Who has no address yet says ::, and only to many. Who has one of ours says so to many, too: neighbour discovery
  // must hear of it.
  return toMany && (source.address.isUnspecified || protocol === IPPROTO_ICMPV6 || isIpv6Extension(protocol));
}
