import { EACCES, EMSGSIZE, ENOBUFS } from '../base/errno.ts';
import type { Host } from '../core/host.ts';
import type { Mib } from '../core/mib.ts';
import { type IcmpError, IPPROTO_UDP, type Route, type TransportProtocol } from '../core/network.ts';
import { CHECKSUM_NONE, CHECKSUM_PARTIAL, CHECKSUM_VERIFIED, HEADROOM, type Packet } from '../core/packet.ts';
import type { ReadyListener } from '../core/readiness.ts';
import { type DatagramSettings, defaultDatagramSettings, setsDontFragment } from '../datagram/settings.ts';
import type { IpLayer } from '../net/ip-layer.ts';
import { AF_INET, type IpAddress } from '../wire/address.ts';
import { pseudoHeaderSum } from '../wire/pseudo-header.ts';
import {
  checkUdp,
  emitUdp,
  UDP_CHECKSUM,
  UDP_HEADER_LENGTH,
  udpChecksum,
  udpDestinationPort,
  udpLength,
  udpSourcePort,
} from '../wire/udp.ts';
import { UdpEndpoint } from './udp-endpoint.ts';
import { UdpPorts } from './udp-ports.ts';

/** The most payload a datagram can carry over IPv4: 65535 - 20 - 8 bytes. */
export const UDP_MAX_V4 = 65507;
/** And over IPv6, whose length field does not count the IP header. */
export const UDP_MAX_V6 = 65527;

/** UDP (RFC 768, RFC 1122 section 4.1): demultiplexing, checksums, sending. */
export class UdpLayer implements TransportProtocol {
  readonly protocol = IPPROTO_UDP;
  readonly host: Host;
  readonly ip: IpLayer;
  readonly ports: UdpPorts;
  /** Settings of a fresh socket, and of an IPv6 one: the hop limit is the route's. */
  readonly defaults: DatagramSettings;
  readonly defaults6: DatagramSettings;
  /** What IP is told of the datagram being sent: one object for all, since IP does not keep it. */
  private readonly sendOptions = {
    ttl: 0,
    tos: 0,
    dontFragment: false,
    ignorePathMtu: false,
    loopBack: true,
  };

  constructor(host: Host, ip: IpLayer) {
    this.host = host;
    this.ip = ip;
    this.defaults = defaultDatagramSettings(host.sysctl);
    this.defaults6 = { ...this.defaults, ttl: -1 };
    this.ports = new UdpPorts(host.newHash());
    ip.register(this);
  }

  /** A fresh endpoint, not bound to anything. */
  open(user: ReadyListener | null): UdpEndpoint {
    return new UdpEndpoint(this, user);
  }

  /** Closes every endpoint. */
  close(): void {
    for (const endpoint of [...this.ports.all()]) endpoint.close();
  }

  /** Takes a datagram from IP. */
  receive(packet: Packet): void {
    const counters = this.countersOf(packet.dst);
    if (!checkUdp(packet.view, packet.l4, packet.end)) {
      counters.InErrors++;
      this.host.dropped('udp', 'PKT_TOO_SMALL');
      packet.release();
      return;
    }
    packet.end = packet.l4 + udpLength(packet.view, packet.l4);
    packet.payload = packet.l4 + UDP_HEADER_LENGTH;
    if (!checksumIsGood(packet)) {
      counters.InCsumErrors++;
      counters.InErrors++;
      this.host.dropped('udp', 'UDP_CSUM');
      packet.release();
      return;
    }
    if (packet.dst.isMulticast || this.ip.isBroadcast(packet.dst)) this.deliverToAll(packet);
    else this.deliver(packet);
  }

  /** The counters of the address's family. */
  countersOf(address: IpAddress): Mib['Udp'] {
    const { mib } = this.host;
    return address.family === AF_INET ? mib.Udp : mib.Udp6;
  }

  private deliver(packet: Packet): void {
    const sport = udpSourcePort(packet.view, packet.l4);
    const dport = udpDestinationPort(packet.view, packet.l4);
    const { src, dst } = packet;
    const endpoint = this.ports.lookup(src, sport, dst, dport, packet.netif);
    if (endpoint !== null) {
      endpoint.enqueue(packet);
      return;
    }
    this.countersOf(dst).NoPorts++;
    this.host.dropped('udp', 'NO_SOCKET');
    this.ip.portUnreachable(packet);
    packet.release();
  }

  /** Broadcast and multicast: each matching socket gets a copy, and nobody an ICMP error (RFC 1122 section 3.2.2). */
  private deliverToAll(packet: Packet): void {
    const sport = udpSourcePort(packet.view, packet.l4);
    const dport = udpDestinationPort(packet.view, packet.l4);
    let last: UdpEndpoint | null = null;
    for (const endpoint of this.ports.matching(packet.src, sport, packet.dst, dport, packet.netif)) {
      if (last !== null) this.enqueueCopy(last, packet);
      last = endpoint;
    }
    if (last !== null) {
      last.enqueue(packet);
      return;
    }
    this.countersOf(packet.dst).IgnoredMulti++;
    this.host.dropped('udp', 'NO_SOCKET');
    packet.release();
  }

  private enqueueCopy(endpoint: UdpEndpoint, packet: Packet): void {
    const copy = this.host.pool.take(packet.end - HEADROOM);
    if (copy === null) {
      const counters = this.countersOf(packet.dst);
      counters.MemErrors++;
      counters.InErrors++;
      this.host.dropped('udp', 'NOMEM');
      return;
    }
    copy.copyFrom(packet);
    endpoint.enqueue(copy);
  }

  /** An ICMP error about a datagram of ours: its socket is told, if it wants to know. */
  error(error: IcmpError): void {
    if (error.end - error.offset < UDP_HEADER_LENGTH) return;
    const { view } = error.packet;
    const sport = udpSourcePort(view, error.offset);
    const dport = udpDestinationPort(view, error.offset);
    const endpoint = this.ports.lookup(error.dst, dport, error.src, sport, error.packet.netif);
    endpoint?.hear(error, dport, error.offset + UDP_HEADER_LENGTH);
  }

  /** Sends bytes[start, end) as one datagram over `route`; returns 0 or -errno. */
  transmit(
    from: UdpEndpoint,
    route: Route,
    port: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): number {
    const payload = end - start;
    if (payload > (route.destination.family === AF_INET ? UDP_MAX_V4 : UDP_MAX_V6)) return -EMSGSIZE;
    if (route.kind === 'broadcast' && !from.settings.broadcast) return -EACCES;
    const length = payload + UDP_HEADER_LENGTH;
    const ipLength = length + ipHeaderLength(route.destination);
    const mtu = from.mtuOf(route);
    const dontFragment = setsDontFragment(from.settings, ipLength, mtu);
    if (dontFragment && ipLength > mtu) return from.tooBig(route);
    const counters = this.countersOf(route.destination);
    const packet = this.host.pool.take(ipLength);
    if (packet === null) {
      counters.SndbufErrors++;
      return -ENOBUFS;
    }
    this.fill(packet, from.localPort, port, route, bytes, start, end);
    const { sendOptions } = this;
    const isMulticast = route.kind === 'multicast';
    sendOptions.ttl = isMulticast ? from.settings.multicastTtl : from.settings.ttl;
    sendOptions.loopBack = from.settings.multicastLoop;
    sendOptions.tos = from.settings.tos;
    sendOptions.dontFragment = dontFragment;
    sendOptions.ignorePathMtu = from.settings.mtuDiscover === 'probe';
    packet.mark = from.settings.mark;
    const result = this.ip.send(packet, route, IPPROTO_UDP, sendOptions);
    if (result >= 0) {
      counters.OutDatagrams++;
    } else if (result === -ENOBUFS) {
      // A queue that is full is not the sender's error unless it asked for IP_RECVERR: the network may lose datagrams.
      counters.SndbufErrors++;
      return from.settings.recvErr ? result : 0;
    }
    return Math.min(result, 0);
  }

  private fill(
    packet: Packet,
    sport: number,
    dport: number,
    route: Route,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    const length = end - start + UDP_HEADER_LENGTH;
    packet.l4 = packet.start;
    packet.payload = packet.start + UDP_HEADER_LENGTH;
    packet.end = packet.start + length;
    const partial = fold(pseudoHeaderSum(route.source, route.destination, IPPROTO_UDP, length));
    emitUdp(packet.view, packet.l4, sport, dport, length, partial);
    packet.checksumState = CHECKSUM_PARTIAL;
    packet.checksumOffset = UDP_CHECKSUM;
    packet.bytes.set(
      start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end),
      packet.payload,
    );
  }
}

/** Whether the checksum holds: 0 means none was made, which IPv6 does not allow (RFC 8200 section 8.1). */
function checksumIsGood(packet: Packet): boolean {
  if (packet.checksumState !== CHECKSUM_NONE) return true;
  if (udpChecksum(packet.view, packet.l4) === 0) return packet.dst.family === AF_INET;
  const length = packet.end - packet.l4;
  const initial = pseudoHeaderSum(packet.src, packet.dst, IPPROTO_UDP, length);
  if (packet.sum(packet.l4, packet.end, initial) !== 0xffff) return false;
  packet.checksumState = CHECKSUM_VERIFIED;
  return true;
}

function ipHeaderLength(destination: IpAddress): number {
  return destination.family === AF_INET ? 20 : 40;
}

function fold(sum: number): number {
  let folded = sum;
  while (folded > 0xffff) folded = (folded & 0xffff) + (folded >>> 16);
  return folded;
}
