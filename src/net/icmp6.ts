/**
 * ICMP for IPv6 (RFC 4443): answers echo requests, sends errors about packets that cannot be delivered, hands errors
 * about our own packets to the transports, and the messages of neighbour discovery to whoever knows them.
 * @module
 */
import { EHOSTUNREACH, EMSGSIZE } from '../base/errno.ts';
import type { Host } from '../core/host.ts';
import type { IcmpError, IpSendOptions, PingListener, TransportProtocol } from '../core/network.ts';
import { CHECKSUM_NONE, type Packet } from '../core/packet.ts';
import { finishChecksum } from '../wire/checksum.ts';
import {
  checkIcmp6,
  emitIcmp6,
  ICMP6_ADDRESS_UNREACHABLE,
  ICMP6_ECHO,
  ICMP6_ECHO_REPLY,
  ICMP6_HEADER_LENGTH,
  ICMP6_PACKET_TOO_BIG,
  ICMP6_PARAMETER_PROBLEM,
  ICMP6_TIME_EXCEEDED,
  ICMP6_UNKNOWN_OPTION,
  ICMP6_UNREACHABLE,
  IPPROTO_ICMPV6,
  icmp6Code,
  icmp6Rest,
  icmp6Type,
  isIcmp6Error,
  MLD_DONE,
  MLD_QUERY,
  MLD_REPORT,
  MLD2_REPORT,
  ND_NEIGHBOR_ADVERT,
  ND_NEIGHBOR_SOLICIT,
  ND_REDIRECT,
  ND_ROUTER_ADVERT,
  ND_ROUTER_SOLICIT,
  setIcmp6Checksum,
} from '../wire/icmp6.ts';
import {
  checkIpv6,
  IPV6_BAD_HEADER,
  IPV6_DESTINATION,
  IPV6_HEADER_LENGTH,
  IPV6_MIN_MTU,
  IPV6_SOURCE,
  ipv6HopLimit,
  ipv6PayloadLength,
  ipv6TrafficClass,
} from '../wire/ipv6.ts';
import { upperLayer } from '../wire/ipv6-extension.ts';
import { pseudoHeaderSum } from '../wire/pseudo-header.ts';
import { ADDRESS_LOCAL, ADDRESS_LOOPBACK, ADDRESS_MULTICAST, ADDRESS_OTHER } from './address-cache.ts';
import type { Transports } from './family.ts';
import { icmp6ErrorMeaning } from './icmp6-errors.ts';
import type { Interfaces } from './interfaces.ts';
import type { IpRoute } from './ip-route.ts';
import type { Ipv6Output } from './ipv6-output.ts';
import type { IcmpRateLimit } from './rate-limit.ts';
import type { Router6 } from './router6.ts';

/** Bytes of transport header that an error quotes at least. */
const QUOTED_MIN = 8;

/** Takes the messages that are about the link. The packet is lent. */
export interface LinkMessages {
  receive(packet: Packet): void;
}

/** The ICMPv6 of one host. */
export class Icmp6 implements TransportProtocol {
  readonly protocol = IPPROTO_ICMPV6;
  ping: PingListener | null = null;
  /** Neighbour discovery and multicast listener discovery. */
  ndp: LinkMessages = { receive() {} };
  mld: LinkMessages = { receive() {} };
  private readonly host: Host;
  private readonly interfaces: Interfaces;
  private readonly router: Router6;
  private readonly output: Ipv6Output;
  private readonly transports: Transports;
  private readonly limit: IcmpRateLimit;

  constructor(
    host: Host,
    interfaces: Interfaces,
    router: Router6,
    output: Ipv6Output,
    transports: Transports,
    limit: IcmpRateLimit,
  ) {
    this.host = host;
    this.interfaces = interfaces;
    this.router = router;
    this.output = output;
    this.transports = transports;
    this.limit = limit;
  }

  /** Takes an ICMPv6 message to us. */
  receive(packet: Packet): void {
    const { host } = this;
    const { Icmp6 } = host.mib;
    const { l4, end, src, dst } = packet;
    Icmp6.InMsgs++;
    const initial = pseudoHeaderSum(src, dst, IPPROTO_ICMPV6, end - l4);
    if (packet.checksumState === CHECKSUM_NONE && packet.sum(l4, end, initial) !== 0xffff) {
      Icmp6.InCsumErrors++;
      this.bad('ICMP_CSUM');
      packet.release();
    } else if (!checkIcmp6(l4, end)) {
      this.bad('HDR_TRUNC');
      packet.release();
    } else {
      this.dispatch(packet);
    }
  }

  /** TransportProtocol: an error about an ICMPv6 message that we sent. */
  error(error: IcmpError): void {
    if (error.errno === EMSGSIZE && isTooBigReply(error)) this.router.learnPathMtu(error.dst, error.mtu);
    this.ping?.error(error);
  }

  /**
   * Sends an error about a received packet (l3 set), unless RFC 4443 section 2.4 (e) or the rate limits forbid it.
   * `info` is the second word of the header: an MTU, or the place of what is wrong. The packet stays the caller's.
   */
  sendError(about: Packet, type: number, code: number, info: number): void {
    if (!this.mayReport(about, type, code)) return;
    const { view, l3 } = about;
    const { cache6 } = this.interfaces;
    const target = cache6.read(view, l3 + IPV6_SOURCE, about.netif).address;
    const addressed = cache6.read(view, l3 + IPV6_DESTINATION, about.netif);
    const isOurs = addressed.kind === ADDRESS_LOCAL || addressed.kind === ADDRESS_LOOPBACK;
    const route = this.router.route(target, isOurs ? addressed.address : null, target.zone);
    if (typeof route === 'number') return;
    // Path MTU discovery depends on each "packet too big", so these are not limited.
    const isFree = route.out.isLoopback || type === ICMP6_PACKET_TOO_BIG;
    if (!isFree && !this.limit.take(`${target.w0} ${target.w1}`, this.host.mib.Icmp6)) return;
    const room = IPV6_MIN_MTU - IPV6_HEADER_LENGTH - ICMP6_HEADER_LENGTH;
    const quoted = Math.min(about.end - l3, room);
    const packet = this.host.pool.take(ICMP6_HEADER_LENGTH + quoted);
    if (packet === null) return;
    packet.l4 = packet.start;
    packet.end = packet.l4 + ICMP6_HEADER_LENGTH + quoted;
    packet.bytes.set(about.bytes.subarray(l3, l3 + quoted), packet.l4 + ICMP6_HEADER_LENGTH);
    emitIcmp6(packet.view, packet.l4, type, code, info);
    this.send(packet, route, { ttl: -1, tos: 0, dontFragment: false });
  }

  /** A packet (l3, l4 set) found no neighbour: its sender is told, whether it is one of our sockets or far away. */
  hostUnreachable(packet: Packet): void {
    const { src, dst, l4: offset, end } = packet;
    const { kind } = this.interfaces.cache6.of(src);
    if (kind !== ADDRESS_LOCAL) {
      this.sendError(packet, ICMP6_UNREACHABLE, ICMP6_ADDRESS_UNREACHABLE, 0);
    } else {
      this.transports[packet.protocol]?.error({
        errno: EHOSTUNREACH,
        fatal: false,
        mtu: 0,
        type: ICMP6_UNREACHABLE,
        code: ICMP6_ADDRESS_UNREACHABLE,
        info: 0,
        // As if our own router had said so.
        offender: src,
        ttl: this.host.sysctl.hop_limit,
        tos: 0,
        src,
        dst,
        packet,
        offset,
        end,
      });
    }
    packet.release();
  }

  /**
   * Sends a message that is complete but for its checksum: bytes[l4, end) of `packet`, which it always takes. 0 or
   * -errno.
   */
  send(packet: Packet, route: IpRoute, options: IpSendOptions): number {
    fillIcmp6Checksum(packet, route);
    this.countOut(icmp6Type(packet.view, packet.l4));
    const result = this.output.send(packet, route, IPPROTO_ICMPV6, options);
    if (result !== 0) this.host.mib.Icmp6.OutErrors++;
    return result;
  }

  /** Counts a message that is being sent. */
  countOut(type: number): void {
    const { Icmp6 } = this.host.mib;
    Icmp6.OutMsgs++;
    const name = OUT_COUNTERS[type];
    if (name !== undefined) Icmp6[name]++;
  }

  private dispatch(packet: Packet): void {
    const { Icmp6 } = this.host.mib;
    const type = icmp6Type(packet.view, packet.l4);
    const name = IN_COUNTERS[type];
    if (name !== undefined) Icmp6[name]++;
    switch (type) {
      case ICMP6_ECHO:
        this.echo(packet);
        break;
      case ICMP6_ECHO_REPLY:
        if (this.ping === null) break;
        this.ping.reply(packet);
        return;
      case ICMP6_UNREACHABLE:
      case ICMP6_PACKET_TOO_BIG:
      case ICMP6_TIME_EXCEEDED:
      case ICMP6_PARAMETER_PROBLEM:
        this.errorAbout(packet);
        break;
      case ND_ROUTER_SOLICIT:
      case ND_ROUTER_ADVERT:
      case ND_NEIGHBOR_SOLICIT:
      case ND_NEIGHBOR_ADVERT:
      case ND_REDIRECT:
        this.ndp.receive(packet);
        break;
      case MLD_QUERY:
      case MLD_REPORT:
      case MLD_DONE:
      case MLD2_REPORT:
        this.mld.receive(packet);
        break;
      default:
        Icmp6.InErrors++;
    }
    packet.release();
  }

  /** Answers an echo request (RFC 4443 section 4.2). The packet stays the caller's. */
  private echo(packet: Packet): void {
    const { sysctl, pool } = this.host;
    const toMany = packet.dst.isMulticast;
    if (sysctl.icmp_echo_ignore_all || (toMany && sysctl.echo_ignore_multicast)) return;
    const route = this.router.route(packet.src, toMany ? null : packet.dst, packet.src.zone);
    if (typeof route === 'number') return;
    const tos = ipv6TrafficClass(packet.view, packet.l3);
    const { l4, end } = packet;
    const answer = pool.take(end - l4);
    if (answer === null) return;
    answer.l4 = answer.start;
    answer.end = answer.l4 + end - l4;
    answer.bytes.set(packet.bytes.subarray(l4, end), answer.l4);
    emitIcmp6(answer.view, answer.l4, ICMP6_ECHO_REPLY, 0, icmp6Rest(packet.view, l4));
    this.send(answer, route, { ttl: -1, tos, dontFragment: false });
  }

  /** RFC 4443 section 2.4 (e): never about an error or a redirect, nor what was for many (with two exceptions). */
  private mayReport(about: Packet, type: number, code: number): boolean {
    const { view, l3 } = about;
    const { cache6 } = this.interfaces;
    const source = cache6.read(view, l3 + IPV6_SOURCE, about.netif).kind;
    const destination = cache6.read(view, l3 + IPV6_DESTINATION, about.netif).kind;
    const evenToMany =
      type === ICMP6_PACKET_TOO_BIG || (type === ICMP6_PARAMETER_PROBLEM && code === ICMP6_UNKNOWN_OPTION);
    if (destination === ADDRESS_MULTICAST && !evenToMany) return false;
    if (source !== ADDRESS_OTHER && source !== ADDRESS_LOCAL && source !== ADDRESS_LOOPBACK) return false;
    const upper = upperLayer(view, l3, about.end);
    if (upper === null || upper.protocol !== IPPROTO_ICMPV6 || upper.fragmentOffset > 0) return true;
    if (upper.offset >= about.end) return false;
    const inner = icmp6Type(view, upper.offset);
    return !isIcmp6Error(inner) && inner !== ND_REDIRECT;
  }

  /** Hands an error to the transport whose packet it quotes. */
  private errorAbout(packet: Packet): void {
    const { interfaces } = this;
    const { view, l4, l3, netif } = packet;
    const quoted = l4 + ICMP6_HEADER_LENGTH;
    const type = icmp6Type(view, l4);
    const code = icmp6Code(view, l4);
    const meaning = icmp6ErrorMeaning(type, code);
    if (meaning === null || checkIpv6(view, quoted, packet.end) === IPV6_BAD_HEADER) {
      this.bad('HDR_TRUNC');
      return;
    }
    const end = Math.min(packet.end, quoted + IPV6_HEADER_LENGTH + ipv6PayloadLength(view, quoted));
    const upper = upperLayer(view, quoted, end);
    if (upper === null || end - upper.offset < QUOTED_MIN) {
      this.bad('HDR_TRUNC');
      return;
    }
    const source = interfaces.cache6.read(view, quoted + IPV6_SOURCE, netif);
    const destination = interfaces.cache6.read(view, quoted + IPV6_DESTINATION, netif);
    const isOurs = source.kind === ADDRESS_LOCAL || source.kind === ADDRESS_LOOPBACK;
    if (!isOurs || upper.fragmentOffset > 0) {
      this.host.dropped('icmp', 'NOT_SPECIFIED', 'about a packet that is not ours');
      return;
    }
    const rest = icmp6Rest(view, l4);
    const mtu = meaning.errno === EMSGSIZE ? rest : 0;
    this.transports[upper.protocol]?.error({
      errno: meaning.errno,
      fatal: meaning.fatal,
      mtu,
      type,
      code,
      info: type === ICMP6_PARAMETER_PROBLEM ? rest : mtu,
      offender: packet.src,
      ttl: ipv6HopLimit(view, l3),
      tos: ipv6TrafficClass(view, l3),
      src: source.address,
      dst: destination.address,
      packet,
      offset: upper.offset,
      end,
    });
  }

  private bad(reason: 'ICMP_CSUM' | 'HDR_TRUNC'): void {
    this.host.mib.Icmp6.InErrors++;
    this.host.dropped('icmp', reason);
  }
}

/**
 * Whether an error quotes an echo reply that was larger than the path takes, by its own header: no socket knows of our
 * replies, and without fragments the next one would get no further.
 */
function isTooBigReply({ packet, offset, mtu }: IcmpError): boolean {
  const { view, l4 } = packet;
  const length = IPV6_HEADER_LENGTH + ipv6PayloadLength(view, l4 + ICMP6_HEADER_LENGTH);
  return icmp6Type(view, offset) === ICMP6_ECHO_REPLY && length > mtu;
}

/** Fills in the checksum of a message bytes[l4, end) that is to go by `route`. */
export function fillIcmp6Checksum(packet: Packet, { source, destination }: IpRoute): void {
  const { view, l4, end } = packet;
  setIcmp6Checksum(view, l4, 0);
  const initial = pseudoHeaderSum(source, destination, IPPROTO_ICMPV6, end - l4);
  setIcmp6Checksum(view, l4, finishChecksum(packet.sum(l4, end, initial)));
}

type CounterNames = Readonly<Record<number, keyof Host['mib']['Icmp6'] | undefined>>;

/** Under which name a type is counted, received and sent. */
const IN_COUNTERS: CounterNames = {
  [ICMP6_UNREACHABLE]: 'InDestUnreachs',
  [ICMP6_PACKET_TOO_BIG]: 'InPktTooBigs',
  [ICMP6_TIME_EXCEEDED]: 'InTimeExcds',
  [ICMP6_PARAMETER_PROBLEM]: 'InParmProblems',
  [ICMP6_ECHO]: 'InEchos',
  [ICMP6_ECHO_REPLY]: 'InEchoReplies',
  [MLD_QUERY]: 'InGroupMembQueries',
  [MLD_REPORT]: 'InGroupMembResponses',
  [MLD_DONE]: 'InGroupMembReductions',
  [MLD2_REPORT]: 'InMLDv2Reports',
  [ND_ROUTER_SOLICIT]: 'InRouterSolicits',
  [ND_ROUTER_ADVERT]: 'InRouterAdvertisements',
  [ND_NEIGHBOR_SOLICIT]: 'InNeighborSolicits',
  [ND_NEIGHBOR_ADVERT]: 'InNeighborAdvertisements',
  [ND_REDIRECT]: 'InRedirects',
};
const OUT_COUNTERS: CounterNames = {
  [ICMP6_UNREACHABLE]: 'OutDestUnreachs',
  [ICMP6_PACKET_TOO_BIG]: 'OutPktTooBigs',
  [ICMP6_TIME_EXCEEDED]: 'OutTimeExcds',
  [ICMP6_PARAMETER_PROBLEM]: 'OutParmProblems',
  [ICMP6_ECHO]: 'OutEchos',
  [ICMP6_ECHO_REPLY]: 'OutEchoReplies',
  [MLD_REPORT]: 'OutGroupMembResponses',
  [MLD_DONE]: 'OutGroupMembReductions',
  [MLD2_REPORT]: 'OutMLDv2Reports',
  [ND_ROUTER_SOLICIT]: 'OutRouterSolicits',
  [ND_ROUTER_ADVERT]: 'OutRouterAdvertisements',
  [ND_NEIGHBOR_SOLICIT]: 'OutNeighborSolicits',
  [ND_NEIGHBOR_ADVERT]: 'OutNeighborAdvertisements',
  [ND_REDIRECT]: 'OutRedirects',
};
