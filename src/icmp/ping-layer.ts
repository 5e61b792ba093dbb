import { EACCES, ENOBUFS } from '../base/errno.ts';
import type { Host } from '../core/host.ts';
import type { IcmpError, PingListener, Route } from '../core/network.ts';
import type { Packet } from '../core/packet.ts';
import type { ReadyListener } from '../core/readiness.ts';
import { type DatagramSettings, defaultDatagramSettings, setsDontFragment } from '../datagram/settings.ts';
import type { IpLayer } from '../net/ip-layer.ts';
import { AF_INET } from '../wire/address.ts';
import { emitIcmp4, ICMP4_HEADER_LENGTH, icmp4Code, icmp4EchoId, icmp4Type } from '../wire/icmp4.ts';
import { IPV4_HEADER_LENGTH } from '../wire/ipv4.ts';
import { IPV6_HEADER_LENGTH } from '../wire/ipv6.ts';
import { echoType } from './echo-type.ts';
import { PingEndpoint } from './ping-endpoint.ts';
import { PingIds } from './ping-ids.ts';

/** The ping sockets of one host: finds whose reply, and whose error, came. */
export class PingLayer implements PingListener {
  readonly host: Host;
  readonly ip: IpLayer;
  readonly ids = new PingIds();
  /** Settings of a fresh socket, and of an IPv6 one: the hop limit is the route's. */
  readonly defaults: DatagramSettings;
  readonly defaults6: DatagramSettings;
  /** What IP is told of the message being sent: one object for all, since IP does not keep it. */
  private readonly sendOptions = { ttl: 0, tos: 0, dontFragment: false, ignorePathMtu: false };

  constructor(host: Host, ip: IpLayer) {
    this.host = host;
    this.ip = ip;
    // As in Linux several sockets may share an identifier unless one of them minds.
    this.defaults = { ...defaultDatagramSettings(host.sysctl), reuseAddress: true };
    this.defaults6 = { ...this.defaults, ttl: -1 };
    ip.ping = this;
  }

  /** A fresh endpoint without an identifier. */
  open(user: ReadyListener | null): PingEndpoint {
    return new PingEndpoint(this, user);
  }

  /** Closes every endpoint. */
  close(): void {
    for (const endpoint of [...this.ids.all()]) endpoint.close();
  }

  /** Takes an echo reply from IP. */
  reply(packet: Packet): void {
    const endpoint = this.ids.lookup(icmp4EchoId(packet.view, packet.l4), packet.dst);
    if (endpoint !== null) {
      endpoint.enqueue(packet);
      return;
    }
    this.host.dropped('icmp', 'NO_SOCKET');
    packet.release();
  }

  /** An error about an ICMP message of ours. */
  error(error: IcmpError): void {
    const { packet, offset, end, src } = error;
    const { view } = packet;
    if (end - offset < ICMP4_HEADER_LENGTH) return;
    if (icmp4Type(view, offset) !== echoType(src) || icmp4Code(view, offset) !== 0) return;
    this.ids.lookup(icmp4EchoId(view, offset), src)?.hear(error, 0, offset);
  }

  /** Sends the echo request bytes[start, end) over `route`; 0 or -errno. */
  transmit(from: PingEndpoint, route: Route, bytes: Uint8Array, start: number, end: number): number {
    const { host, sendOptions } = this;
    const { settings } = from;
    if (route.kind === 'broadcast' && !settings.broadcast) return -EACCES;
    const isV4 = route.destination.family === AF_INET;
    const ipLength = end - start + (isV4 ? IPV4_HEADER_LENGTH : IPV6_HEADER_LENGTH);
    const mtu = from.mtuOf(route);
    const dontFragment = setsDontFragment(settings, ipLength, mtu);
    if (dontFragment && ipLength > mtu) return from.tooBig(route);
    const packet = host.pool.take(ipLength);
    if (packet === null) return -ENOBUFS;
    packet.l4 = packet.start;
    packet.end = packet.l4 + end - start;
    packet.bytes.set(bytes.subarray(start, end), packet.l4);
    // The sequence number is the last half of the word that follows the checksum.
    const sequence = ((bytes[start + 6] as number) << 8) | (bytes[start + 7] as number);
    emitIcmp4(packet.view, packet.l4, echoType(route.source), 0, (from.localPort << 16) | sequence);
    sendOptions.ttl = settings.ttl;
    sendOptions.tos = settings.tos;
    sendOptions.dontFragment = dontFragment;
    sendOptions.ignorePathMtu = settings.mtuDiscover === 'probe';
    return Math.min(this.ip.sendIcmp(packet, route, sendOptions), 0);
  }
}
