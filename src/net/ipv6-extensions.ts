/**
 * The extension headers of received IPv6 packets (RFC 8200 section 4), in their order.
 * @module
 */
import type { Host } from '../core/host.ts';
import { IPPROTO_TCP, IPPROTO_UDP } from '../core/network.ts';
import type { Packet } from '../core/packet.ts';
import type { DropReason } from '../trace/events.ts';
import {
  ICMP6_BAD_FIELD,
  ICMP6_HEADER_LENGTH,
  ICMP6_INCOMPLETE_HEADERS,
  ICMP6_PARAMETER_PROBLEM,
  ICMP6_REASSEMBLY_EXCEEDED,
  ICMP6_TIME_EXCEEDED,
  ICMP6_UNKNOWN_NEXT_HEADER,
  ICMP6_UNKNOWN_OPTION,
  IPPROTO_ICMPV6,
} from '../wire/icmp6.ts';
import { IPV6_HEADER_LENGTH, IPV6_NEXT_HEADER, IPV6_PAYLOAD_MAX, ipv6NextHeader } from '../wire/ipv6.ts';
import {
  checkIpv6Options,
  EXTENSION_NEXT_HEADER,
  extensionLength,
  FRAGMENT_HEADER_LENGTH,
  FRAGMENT_OFFSET,
  fragmentMore,
  fragmentOffset,
  IPV6_DESTINATION_OPTIONS,
  IPV6_FRAGMENT,
  IPV6_HOP_BY_HOP,
  IPV6_OPTIONS_BAD,
  IPV6_OPTIONS_OK,
  IPV6_ROUTING,
  isIpv6Extension,
  OPTION_DISCARD,
  OPTION_REPORT,
  optionAction,
  ROUTING_TYPE,
  routingSegmentsLeft,
  upperLayer,
} from '../wire/ipv6-extension.ts';
import { TCP_HEADER_LENGTH } from '../wire/tcp.ts';
import { UDP_HEADER_LENGTH } from '../wire/udp.ts';
import { IPV6_FRAGMENTS } from './fragment-format.ts';
import type { Icmp6 } from './icmp6.ts';
import { Reassembly } from './reassembly.ts';

/** Extension headers in one packet. */
const HEADERS_MAX = 16;
/** Offset of the payload length in the IPv6 header. */
const PAYLOAD_LENGTH = 4;

/** A packet whose extension headers are all behind it: `protocol` and `l4` are the transport's. */
export interface Unwrapped {
  readonly packet: Packet;
  /** Where the transport's number was found. */
  readonly nextHeaderAt: number;
  readonly wasFragmented: boolean;
}

/** What looks at the extension headers of packets to this host. */
export class Ipv6Extensions {
  readonly reassembly: Reassembly;
  private readonly host: Host;
  private readonly icmp: Icmp6;

  constructor(host: Host, icmp: Icmp6) {
    this.host = host;
    this.icmp = icmp;
    this.reassembly = new Reassembly(host, IPV6_FRAGMENTS, {
      timedOut: first => {
        if (first !== null) icmp.sendError(first, ICMP6_TIME_EXCEEDED, ICMP6_REASSEMBLY_EXCEEDED, 0);
      },
    });
  }

  /** Checks the hop-by-hop header that follows the IPv6 header; false when the packet was dropped for it. */
  hopByHop(packet: Packet): boolean {
    const at = packet.l3 + IPV6_HEADER_LENGTH;
    const length = extensionLength(packet.view, at, packet.end, IPV6_HOP_BY_HOP);
    if (length < 0) return this.malformed(packet);
    return this.options(packet, at, length, this.host.sysctl.max_hbh_opts_number);
  }

  /** Walks all headers of a packet to us; null when the packet was dropped, or is a fragment that waits for others. */
  process(packet: Packet): Unwrapped | null {
    const { view, l3 } = packet;
    let nextHeaderAt = l3 + IPV6_NEXT_HEADER;
    let type = ipv6NextHeader(view, l3);
    let at = l3 + IPV6_HEADER_LENGTH;
    let wasFragmented = false;
    for (let count = 0; isIpv6Extension(type); count++) {
      const length = extensionLength(view, at, packet.end, type);
      if (length < 0 || count >= HEADERS_MAX) {
        this.malformed(packet);
        return null;
      }
      if (type === IPV6_FRAGMENT && !isAtomic(packet, at)) return this.fragment(packet, at);
      if (!this.header(packet, type, at, length, nextHeaderAt)) return null;
      wasFragmented ||= type === IPV6_FRAGMENT;
      nextHeaderAt = at + EXTENSION_NEXT_HEADER;
      type = view.getUint8(nextHeaderAt);
      at += length;
    }
    packet.protocol = type;
    packet.l4 = at;
    return { packet, nextHeaderAt, wasFragmented };
  }

  /** Whether the walk may go on behind this header; else the packet was dropped. */
  private header(packet: Packet, type: number, at: number, length: number, nextHeaderAt: number): boolean {
    const { view, l3 } = packet;
    if (type === IPV6_DESTINATION_OPTIONS) {
      return this.options(packet, at, length, this.host.sysctl.max_dst_opts_number);
    }
    if (type === IPV6_ROUTING && routingSegmentsLeft(view, at) > 0) {
      // No routing type is followed (RFC 5095): section 4.4.
      return this.problem(packet, ICMP6_BAD_FIELD, at + ROUTING_TYPE - l3);
    }
    if (type === IPV6_HOP_BY_HOP && at !== l3 + IPV6_HEADER_LENGTH) {
      return this.problem(packet, ICMP6_UNKNOWN_NEXT_HEADER, nextHeaderAt - l3);
    }
    return true;
  }

  /** RFC 8200 section 4.2: what an option that is not known demands. */
  private options(packet: Packet, at: number, length: number, limit: number): boolean {
    const { view, l3, dst } = packet;
    const wrong = checkIpv6Options(view, at, length, limit);
    if (wrong === IPV6_OPTIONS_OK) return true;
    if (wrong === IPV6_OPTIONS_BAD) return this.malformed(packet);
    const action = optionAction(view.getUint8(wrong));
    if (action === OPTION_DISCARD || (action !== OPTION_REPORT && dst.isMulticast)) {
      return this.malformed(packet);
    }
    return this.problem(packet, ICMP6_UNKNOWN_OPTION, wrong - l3);
  }

  /** RFC 8200 section 4.5. The fragment header is at `at`. */
  private fragment(packet: Packet, at: number): Unwrapped | null {
    const { view, l3, end } = packet;
    const data = at + FRAGMENT_HEADER_LENGTH;
    const offset = fragmentOffset(view, at);
    const more = fragmentMore(view, at);
    if (more && ((end - data) & 7) !== 0) {
      this.problem(packet, ICMP6_BAD_FIELD, PAYLOAD_LENGTH);
      return null;
    }
    if (offset + (end - data) + (at - l3 - IPV6_HEADER_LENGTH) > IPV6_PAYLOAD_MAX) {
      this.problem(packet, ICMP6_BAD_FIELD, at + FRAGMENT_OFFSET - l3);
      return null;
    }
    if (offset === 0 && !hasAllHeaders(packet)) {
      this.problem(packet, ICMP6_INCOMPLETE_HEADERS, 0);
      return null;
    }
    packet.l4 = data;
    const whole = this.reassembly.add(packet);
    if (whole === null) return null;
    const unwrapped = this.process(whole);
    return unwrapped === null ? null : { ...unwrapped, wasFragmented: true };
  }

  private problem(packet: Packet, code: number, pointer: number): false {
    this.icmp.sendError(packet, ICMP6_PARAMETER_PROBLEM, code, pointer);
    return this.malformed(packet);
  }

  private malformed(packet: Packet, reason: DropReason = 'IPV6_BAD_EXTHDR'): false {
    this.host.mib.Ip6.InHdrErrors++;
    this.host.dropped('ip', reason);
    packet.release();
    return false;
  }
}

/** RFC 6946: a fragment that is all there is has nothing to do with others, even with the same id. */
function isAtomic(packet: Packet, at: number): boolean {
  return fragmentOffset(packet.view, at) === 0 && !fragmentMore(packet.view, at);
}

/** RFC 7112: whether a first fragment holds all headers, the transport's included. */
function hasAllHeaders({ view, l3, end }: Packet): boolean {
  const upper = upperLayer(view, l3, end);
  return upper !== null && end - upper.offset >= transportLength(upper.protocol);
}

function transportLength(protocol: number): number {
  if (protocol === IPPROTO_TCP) return TCP_HEADER_LENGTH;
  if (protocol === IPPROTO_UDP) return UDP_HEADER_LENGTH;
  return protocol === IPPROTO_ICMPV6 ? ICMP6_HEADER_LENGTH : 1;
}
