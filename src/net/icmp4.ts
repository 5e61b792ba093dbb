/**
 * ICMP for IPv4 (RFC 792, RFC 1122 section 3.2.2): answers echo requests, sends errors about packets that cannot be
 * delivered, and hands errors about our own packets to the transports.
 * @module
 */
import { EHOSTUNREACH, EMSGSIZE } from '../base/errno.ts';
import type { Host } from '../core/host.ts';
import {
  type IcmpError,
  IPPROTO_ICMP,
  type IpSendOptions,
  type PingListener,
  type TransportProtocol,
} from '../core/network.ts';
import { CHECKSUM_NONE, type Packet } from '../core/packet.ts';
import { finishChecksum } from '../wire/checksum.ts';
import {
  checkIcmp4,
  emitIcmp4,
  ICMP4_ECHO,
  ICMP4_ECHO_REPLY,
  ICMP4_FRAGMENTATION_NEEDED,
  ICMP4_HEADER_LENGTH,
  ICMP4_HOST_UNREACHABLE,
  ICMP4_PARAMETER_PROBLEM,
  ICMP4_REDIRECT,
  ICMP4_SOURCE_QUENCH,
  ICMP4_TIME_EXCEEDED,
  ICMP4_UNREACHABLE,
  icmp4Code,
  icmp4NextHopMtu,
  icmp4Pointer,
  icmp4Rest,
  icmp4Type,
  isIcmp4Error,
  setIcmp4Checksum,
} from '../wire/icmp4.ts';
import {
  checkIpv4,
  IPV4_BAD_HEADER,
  IPV4_HEADER_LENGTH,
  IPV4_MIN_REASSEMBLY,
  ipv4Destination,
  ipv4FragmentOffset,
  ipv4HeaderLength,
  ipv4Protocol,
  ipv4Source,
  ipv4Tos,
  ipv4TotalLength,
  ipv4Ttl,
} from '../wire/ipv4.ts';
import {
  ADDRESS_BROADCAST,
  ADDRESS_LOCAL,
  ADDRESS_LOOPBACK,
  ADDRESS_MULTICAST,
  ADDRESS_OTHER,
} from './address-cache.ts';
import { icmp4ErrorMeaning, nextPlateau } from './icmp4-errors.ts';
import type { Interfaces } from './interfaces.ts';
import type { IpRoute } from './ip-route.ts';
import type { Ipv4Output } from './ipv4-output.ts';
import type { IcmpRateLimit } from './rate-limit.ts';
import type { Router } from './router.ts';

/** Bytes of transport header that an error quotes at least. */
const QUOTED_MIN = 8;
/** The precedence "internetwork control", with which errors are sent (RFC 1812 section 4.3.2.5). */
const TOS_CONTROL = 0xc0;

/** The ICMP of one host. */
export class Icmp4 implements TransportProtocol {
  readonly protocol = IPPROTO_ICMP;
  ping: PingListener | null = null;
  private readonly host: Host;
  private readonly interfaces: Interfaces;
  private readonly router: Router;
  private readonly output: Ipv4Output;
  private readonly transports: readonly (TransportProtocol | undefined)[];
  private readonly limit: IcmpRateLimit;

  constructor(
    host: Host,
    interfaces: Interfaces,
    router: Router,
    output: Ipv4Output,
    transports: readonly (TransportProtocol | undefined)[],
    limit: IcmpRateLimit,
  ) {
    this.host = host;
    this.interfaces = interfaces;
    this.router = router;
    this.output = output;
    this.transports = transports;
    this.limit = limit;
  }

  /** Takes an ICMP message to us. */
  receive(packet: Packet): void {
    const { host } = this;
    const { Icmp } = host.mib;
    const { view, l4, end } = packet;
    Icmp.InMsgs++;
    if (packet.checksumState === CHECKSUM_NONE && packet.sum(l4, end, 0) !== 0xffff) {
      Icmp.InCsumErrors++;
      Icmp.InErrors++;
      host.dropped('icmp', 'ICMP_CSUM');
      packet.release();
    } else if (!checkIcmp4(l4, end)) {
      Icmp.InErrors++;
      host.dropped('icmp', 'HDR_TRUNC');
      packet.release();
    } else {
      this.dispatch(packet, icmp4Type(view, l4));
    }
  }

  /** TransportProtocol: an error about an ICMP message that we sent. */
  error(error: IcmpError): void {
    this.ping?.error(error);
  }

  /**
   * Sends an error about a received packet (l3 set), unless RFC 1122 section 3.2.2 or the rate limits forbid it.
   * `info` is the second word of the header: the MTU for "fragmentation needed", the pointer << 24 for a parameter
   * problem, else 0. The packet stays the caller's.
   */
  sendError(about: Packet, type: number, code: number, info: number): void {
    if (!this.mayReport(about)) return;
    const { view, l3 } = about;
    const target = this.interfaces.cache.lookup(ipv4Source(view, l3)).address;
    const addressed = this.interfaces.cache.lookup(ipv4Destination(view, l3));
    const isOurs = addressed.kind === ADDRESS_LOCAL || addressed.kind === ADDRESS_LOOPBACK;
    const route = this.router.route(target, isOurs ? addressed.address : null, 0);
    if (typeof route === 'number') return;
    // Path MTU discovery depends on each "fragmentation needed", so these are not limited.
    const isPmtu = type === ICMP4_UNREACHABLE && code === ICMP4_FRAGMENTATION_NEEDED;
    const isFree = route.out.isLoopback || isPmtu;
    if (!isFree && !this.limit.take(target.w3, this.host.mib.Icmp)) return;
    const room = IPV4_MIN_REASSEMBLY - IPV4_HEADER_LENGTH - ICMP4_HEADER_LENGTH;
    const quoted = Math.min(about.end - l3, room);
    const packet = this.host.pool.take(ICMP4_HEADER_LENGTH + quoted);
    if (packet === null) return;
    packet.l4 = packet.start;
    packet.end = packet.l4 + ICMP4_HEADER_LENGTH + quoted;
    packet.bytes.set(about.bytes.subarray(l3, l3 + quoted), packet.l4 + ICMP4_HEADER_LENGTH);
    emitIcmp4(packet.view, packet.l4, type, code, info);
    this.send(packet, route, { ttl: this.host.sysctl.ip_default_ttl, tos: TOS_CONTROL, dontFragment: false });
  }

  /** A packet (l3, l4 set) found no neighbour: its sender is told, whether it is one of our sockets or far away. */
  hostUnreachable(packet: Packet): void {
    const { kind } = this.interfaces.cache.lookup(ipv4Source(packet.view, packet.l3));
    if (kind !== ADDRESS_LOCAL) {
      this.sendError(packet, ICMP4_UNREACHABLE, ICMP4_HOST_UNREACHABLE, 0);
    } else if (ipv4FragmentOffset(packet.view, packet.l3) === 0) {
      const { src, dst, l4: offset, end } = packet;
      this.transports[packet.protocol]?.error({
        errno: EHOSTUNREACH,
        fatal: false,
        mtu: 0,
        type: ICMP4_UNREACHABLE,
        code: ICMP4_HOST_UNREACHABLE,
        info: 0,
        // As if our own router had said so.
        offender: src,
        ttl: this.host.sysctl.ip_default_ttl,
        tos: TOS_CONTROL,
        src,
        dst,
        packet,
        offset,
        end,
      });
    }
    packet.release();
  }

  private dispatch(packet: Packet, type: number): void {
    const { Icmp } = this.host.mib;
    switch (type) {
      case ICMP4_ECHO:
        Icmp.InEchos++;
        this.echo(packet);
        break;
      case ICMP4_ECHO_REPLY:
        Icmp.InEchoReps++;
        if (this.ping === null) break;
        this.ping.reply(packet);
        return;
      case ICMP4_UNREACHABLE:
        Icmp.InDestUnreachs++;
        this.errorAbout(packet);
        break;
      case ICMP4_TIME_EXCEEDED:
        Icmp.InTimeExcds++;
        this.errorAbout(packet);
        break;
      case ICMP4_PARAMETER_PROBLEM:
        Icmp.InParmProbs++;
        this.errorAbout(packet);
        break;
      case ICMP4_SOURCE_QUENCH: // RFC 6633: ignored
        Icmp.InSrcQuenchs++;
        break;
      case ICMP4_REDIRECT: // never followed: anyone could send one
        Icmp.InRedirects++;
        break;
      default:
        Icmp.InErrors++;
    }
    packet.release();
  }

  /** Answers an echo request (RFC 1122 section 3.2.2.6). The packet stays the caller's. */
  private echo(packet: Packet): void {
    const { sysctl, pool } = this.host;
    const { kind } = this.interfaces.cache.lookup(packet.dst.w3);
    const toMany = kind === ADDRESS_BROADCAST || kind === ADDRESS_MULTICAST;
    if (sysctl.icmp_echo_ignore_all || (toMany && sysctl.icmp_echo_ignore_broadcasts)) return;
    const route = this.router.route(packet.src, toMany ? null : packet.dst, 0);
    if (typeof route === 'number') return;
    const tos = ipv4Tos(packet.view, packet.l3);
    const { l4, end } = packet;
    const answer = pool.take(end - l4);
    if (answer === null) return;
    answer.l4 = answer.start;
    answer.end = answer.l4 + end - l4;
    answer.bytes.set(packet.bytes.subarray(l4, end), answer.l4);
    emitIcmp4(answer.view, answer.l4, ICMP4_ECHO_REPLY, 0, icmp4Rest(packet.view, l4));
    this.send(answer, route, { ttl: sysctl.ip_default_ttl, tos, dontFragment: false });
  }

  /**
   * Sends a message that is complete but for its checksum: bytes[l4, end) of `packet`, which it always takes. 0 or
   * -errno.
   */
  send(packet: Packet, route: IpRoute, options: IpSendOptions): number {
    const { Icmp } = this.host.mib;
    const { view, l4, end } = packet;
    const type = icmp4Type(view, l4);
    setIcmp4Checksum(view, l4, finishChecksum(packet.sum(l4, end, 0)));
    Icmp.OutMsgs++;
    if (type === ICMP4_ECHO_REPLY) Icmp.OutEchoReps++;
    else if (type === ICMP4_ECHO) Icmp.OutEchos++;
    else if (type === ICMP4_UNREACHABLE) Icmp.OutDestUnreachs++;
    else if (type === ICMP4_TIME_EXCEEDED) Icmp.OutTimeExcds++;
    else if (type === ICMP4_PARAMETER_PROBLEM) Icmp.OutParmProbs++;
    const result = this.output.send(packet, route, IPPROTO_ICMP, options);
    if (result !== 0) Icmp.OutErrors++;
    return result;
  }

  /** RFC 1122 section 3.2.2: never about an ICMP error, a later fragment, or what was for many or from nobody. */
  private mayReport(about: Packet): boolean {
    const { view, l3 } = about;
    const { cache } = this.interfaces;
    const source = cache.lookup(ipv4Source(view, l3)).kind;
    const destination = cache.lookup(ipv4Destination(view, l3)).kind;
    if (destination === ADDRESS_BROADCAST || destination === ADDRESS_MULTICAST) return false;
    if (source !== ADDRESS_OTHER && source !== ADDRESS_LOCAL && source !== ADDRESS_LOOPBACK) return false;
    if (ipv4FragmentOffset(view, l3) !== 0) return false;
    if (ipv4Protocol(view, l3) !== IPPROTO_ICMP) return true;
    const l4 = l3 + ipv4HeaderLength(view, l3);
    return l4 < about.end && !isIcmp4Error(icmp4Type(view, l4));
  }

  /** Hands an error to the transport whose packet it quotes. */
  private errorAbout(packet: Packet): void {
    const { host, interfaces } = this;
    const { view, l4 } = packet;
    const quoted = l4 + ICMP4_HEADER_LENGTH;
    const meaning = icmp4ErrorMeaning(icmp4Type(view, l4), icmp4Code(view, l4));
    if (meaning === null || checkIpv4(view, quoted, packet.end) === IPV4_BAD_HEADER) {
      this.malformed();
      return;
    }
    const offset = quoted + ipv4HeaderLength(view, quoted);
    // Behind the quoted packet there may be extensions (RFC 4884).
    const end = Math.min(packet.end, quoted + ipv4TotalLength(view, quoted));
    if (end - offset < QUOTED_MIN) {
      this.malformed();
      return;
    }
    const source = interfaces.cache.lookup(ipv4Source(view, quoted));
    const destination = interfaces.cache.lookup(ipv4Destination(view, quoted));
    const isOurs = source.kind === ADDRESS_LOCAL || source.kind === ADDRESS_LOOPBACK;
    const toMany = destination.kind === ADDRESS_BROADCAST || destination.kind === ADDRESS_MULTICAST;
    if (!isOurs || toMany || ipv4FragmentOffset(view, quoted) !== 0) {
      host.dropped('icmp', 'NOT_SPECIFIED', 'about a packet that is not ours');
      return;
    }
    const type = icmp4Type(view, l4);
    let mtu = 0;
    if (meaning.errno === EMSGSIZE)
      mtu = icmp4NextHopMtu(view, l4) || nextPlateau(ipv4TotalLength(view, quoted));
    this.transports[ipv4Protocol(view, quoted)]?.error({
      errno: meaning.errno,
      fatal: meaning.fatal,
      mtu,
      type,
      code: icmp4Code(view, l4),
      info: type === ICMP4_PARAMETER_PROBLEM ? icmp4Pointer(view, l4) : mtu,
      offender: packet.src,
      ttl: ipv4Ttl(view, packet.l3),
      tos: ipv4Tos(view, packet.l3),
      src: source.address,
      dst: destination.address,
      packet,
      offset,
      end,
    });
  }

  private malformed(): void {
    this.host.mib.Icmp.InErrors++;
    this.host.dropped('icmp', 'HDR_TRUNC');
  }
}
