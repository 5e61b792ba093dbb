/**
 * Receiving IPv4 packets (RFC 791, RFC 1122 section 3.2.1): checks, delivery to a transport, and forwarding.
 * @module
 */

import { wireLength } from '../core/gso.ts';
import type { Host } from '../core/host.ts';
import type { TransportProtocol } from '../core/network.ts';
import { CHECKSUM_PARTIAL, CHECKSUM_VERIFIED, type Packet } from '../core/packet.ts';
import type { DropReason } from '../trace/events.ts';
import { isLinkLocalV4 } from '../wire/address.ts';
import {
  ICMP4_FRAGMENTATION_NEEDED,
  ICMP4_NET_UNREACHABLE,
  ICMP4_PARAMETER_PROBLEM,
  ICMP4_PROTOCOL_UNREACHABLE,
  ICMP4_REASSEMBLY_EXCEEDED,
  ICMP4_TIME_EXCEEDED,
  ICMP4_TTL_EXCEEDED,
  ICMP4_UNREACHABLE,
} from '../wire/icmp4.ts';
import {
  checkIpv4,
  checkIpv4Options,
  decrementIpv4Ttl,
  IPV4_HEADER_LENGTH,
  IPV4_OK,
  IPV4_OPTIONS_OK,
  IPV4_TRUNCATED,
  ipv4ChecksumOk,
  ipv4Destination,
  ipv4DontFragment,
  ipv4HasSourceRoute,
  ipv4HeaderLength,
  ipv4IsFragment,
  ipv4Protocol,
  ipv4Source,
  ipv4TotalLength,
  ipv4Ttl,
} from '../wire/ipv4.ts';
import {
  ADDRESS_BROADCAST,
  ADDRESS_LOCAL,
  ADDRESS_LOOPBACK,
  ADDRESS_MULTICAST,
  ADDRESS_OTHER,
  ADDRESS_THIS_NETWORK,
  type CachedAddress,
} from './address-cache.ts';
import { countEcn } from './count-ecn.ts';
import { IPV4_FRAGMENTS } from './fragment-format.ts';
import { withHeadroom } from './headroom.ts';
import type { Icmp4 } from './icmp4.ts';
import type { Interfaces } from './interfaces.ts';
import type { Ipv4Output } from './ipv4-output.ts';
import type { Netif } from './netif.ts';
import { Reassembly } from './reassembly.ts';
import type { Router } from './router.ts';

/** 224.0.0.1, which every host is a member of (RFC 1112 section 7.2). */
const ALL_HOSTS = 0xe0000001 | 0;

/** The way from an interface to a transport, or to another interface. */
export class Ipv4Input {
  readonly reassembly: Reassembly;
  private readonly host: Host;
  private readonly interfaces: Interfaces;
  private readonly router: Router;
  private readonly output: Ipv4Output;
  private readonly icmp: Icmp4;
  private readonly transports: readonly (TransportProtocol | undefined)[];

  constructor(
    host: Host,
    interfaces: Interfaces,
    router: Router,
    output: Ipv4Output,
    icmp: Icmp4,
    transports: readonly (TransportProtocol | undefined)[],
  ) {
    this.host = host;
    this.interfaces = interfaces;
    this.router = router;
    this.output = output;
    this.icmp = icmp;
    this.transports = transports;
    this.reassembly = new Reassembly(host, IPV4_FRAGMENTS, {
      timedOut: first => {
        if (first !== null) icmp.sendError(first, ICMP4_TIME_EXCEEDED, ICMP4_REASSEMBLY_EXCEEDED, 0);
      },
    });
  }

  /** Takes an IPv4 packet that begins at `start`. `toGroup`: the frame was for a group, not for our MAC address. */
  receive(packet: Packet, netif: Netif, toGroup: boolean): void {
    const { Ip, IpExt } = this.host.mib;
    const { view, start } = packet;
    Ip.InReceives++;
    IpExt.InOctets += packet.end - start;
    const verdict = checkIpv4(view, start, packet.end);
    if (verdict !== IPV4_OK) {
      if (verdict === IPV4_TRUNCATED) IpExt.InTruncatedPkts++;
      else Ip.InHdrErrors++;
      this.drop(packet, verdict === IPV4_TRUNCATED ? 'PKT_TOO_SMALL' : 'IP_INHDR');
      return;
    }
    if (!ipv4ChecksumOk(view, start)) {
      Ip.InHdrErrors++;
      IpExt.InCsumErrors++;
      this.drop(packet, 'IP_CSUM');
      return;
    }
    const headerLength = ipv4HeaderLength(view, start);
    packet.end = start + ipv4TotalLength(view, start); // an Ethernet frame may be padded
    packet.l3 = start;
    packet.l4 = start + headerLength;
    packet.protocol = ipv4Protocol(view, start);
    const { cache } = this.interfaces;
    const source = cache.lookup(ipv4Source(view, start));
    const destination = cache.lookup(ipv4Destination(view, start));
    packet.src = source.address;
    packet.dst = destination.address;
    countEcn(IpExt, packet);
    if (headerLength > IPV4_HEADER_LENGTH && !this.optionsOk(packet)) {
      this.drop(packet, 'IP_INHDR');
      return;
    }
    if (!isPlausible(source, destination, netif)) {
      Ip.InAddrErrors++;
      this.drop(packet, 'IP_INVALID_SOURCE');
      return;
    }
    this.direct(packet, netif, destination, toGroup);
  }

  /** Decides whether the packet is for us, for many, or for somebody else. */
  private direct(packet: Packet, netif: Netif, destination: CachedAddress, toGroup: boolean): void {
    const { IpExt } = this.host.mib;
    const length = packet.end - packet.l3;
    switch (destination.kind) {
      case ADDRESS_BROADCAST:
        IpExt.InBcastPkts++;
        IpExt.InBcastOctets += length;
        this.toLocal(packet);
        break;
      case ADDRESS_MULTICAST:
        IpExt.InMcastPkts++;
        IpExt.InMcastOctets += length;
        if (netif.isLoopback || this.isMember(netif, destination.address.w3)) this.toLocal(packet);
        else this.drop(packet, 'OTHERHOST');
        break;
      case ADDRESS_LOCAL:
      case ADDRESS_LOOPBACK:
        // RFC 1122 section 3.3.6: one host's packet in a frame for many is a mistake or an attack.
        if (toGroup) this.drop(packet, 'OTHERHOST');
        else this.toLocal(packet);
        break;
      default:
        if (!toGroup && netif.claims?.(packet) === true) this.toLocal(packet);
        else this.forward(packet, toGroup);
    }
  }

  private toLocal(packet: Packet): void {
    if (!ipv4IsFragment(packet.view, packet.l3)) {
      this.deliver(packet);
      return;
    }
    const whole = this.reassembly.add(packet);
    if (whole !== null) this.deliver(whole);
  }

  private deliver(packet: Packet): void {
    const { Ip } = this.host.mib;
    // Left open for a link that never corrupts (the loopback): nothing to verify.
    if (packet.checksumState === CHECKSUM_PARTIAL) packet.checksumState = CHECKSUM_VERIFIED;
    const transport = this.transports[packet.protocol];
    if (transport === undefined) {
      Ip.InUnknownProtos++;
      this.icmp.sendError(packet, ICMP4_UNREACHABLE, ICMP4_PROTOCOL_UNREACHABLE, 0);
      this.drop(packet, 'IP_NOPROTO');
      return;
    }
    Ip.InDelivers++;
    transport.receive(packet);
  }

  /** Hands somebody else's packet on, when we are a router (RFC 1812 section 5.2). */
  private forward(packet: Packet, toGroup: boolean): void {
    const { host, icmp } = this;
    const { Ip, IpExt } = host.mib;
    const { view, l3 } = packet;
    if (!host.sysctl.ip_forward) {
      Ip.InAddrErrors++;
      this.drop(packet, 'OTHERHOST');
      return;
    }
    // RFC 3927 section 7: link-local addresses mean nothing elsewhere.
    if (toGroup || isLinkLocalV4(packet.src) || isLinkLocalV4(packet.dst)) {
      this.drop(packet, 'OTHERHOST');
      return;
    }
    const route = this.router.route(packet.dst, null, 0);
    if (typeof route === 'number') {
      IpExt.InNoRoutes++;
      icmp.sendError(packet, ICMP4_UNREACHABLE, ICMP4_NET_UNREACHABLE, 0);
      this.drop(packet, 'IP_OUTNOROUTES');
      return;
    }
    if (ipv4Ttl(view, l3) <= 1) {
      Ip.InHdrErrors++;
      icmp.sendError(packet, ICMP4_TIME_EXCEEDED, ICMP4_TTL_EXCEEDED, 0);
      this.drop(packet, 'TTL_EXPIRED');
      return;
    }
    const { mtu } = route.out;
    if (ipv4DontFragment(view, l3) && wireLength(packet) > mtu) {
      Ip.FragFails++;
      icmp.sendError(packet, ICMP4_UNREACHABLE, ICMP4_FRAGMENTATION_NEEDED, mtu);
      this.drop(packet, 'PKT_TOO_BIG');
      return;
    }
    decrementIpv4Ttl(view, l3);
    Ip.ForwDatagrams++;
    const roomy = withHeadroom(packet, host.pool);
    if (roomy !== null) {
      this.output.forward(roomy, route);
    } else {
      Ip.InDiscards++;
      this.drop(packet, 'NOMEM');
    }
  }

  /** Options are skipped, but must be well formed; source routes are not followed (RFC 7126 section 3.5). */
  private optionsOk(packet: Packet): boolean {
    const { view, l3 } = packet;
    const wrongAt = checkIpv4Options(view, l3);
    if (wrongAt === IPV4_OPTIONS_OK && !ipv4HasSourceRoute(view, l3)) return true;
    this.host.mib.Ip.InHdrErrors++;
    if (wrongAt !== IPV4_OPTIONS_OK) this.icmp.sendError(packet, ICMP4_PARAMETER_PROBLEM, 0, wrongAt << 24);
    return false;
  }

  private isMember(netif: Netif, group: number): boolean {
    return group === ALL_HOSTS || netif.groups.has(group);
  }

  private drop(packet: Packet, reason: DropReason): void {
    this.host.dropped('ip', reason);
    packet.release();
  }
}

/** Whether a packet with these addresses can honestly have come in by this interface (RFC 1122 section 3.2.1.3). */
function isPlausible(source: CachedAddress, destination: CachedAddress, netif: Netif): boolean {
  if (netif.isLoopback) return source.kind !== ADDRESS_MULTICAST && source.kind !== ADDRESS_BROADCAST;
  if (destination.kind === ADDRESS_LOOPBACK || destination.kind === ADDRESS_THIS_NETWORK) return false;
  if (source.kind === ADDRESS_OTHER) return true;
  // A host that does not know its address yet says 0.0.0.0, and only to everyone.
  return source.address.isUnspecified && isToMany(destination);
}

function isToMany({ kind }: CachedAddress): boolean {
  return kind === ADDRESS_BROADCAST || kind === ADDRESS_MULTICAST;
}
