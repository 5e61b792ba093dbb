/**
 * A look into the frame of a packet event: its headers as plain values.
 * @module
 */
import { fromHex } from '../base/hex.ts';
import { type ArpRepr, parseArp } from '../wire/arp.ts';
import {
  ETHERNET_HEADER_LENGTH,
  ETHERTYPE_ARP,
  ETHERTYPE_IPV4,
  ETHERTYPE_IPV6,
  parseEthernet,
} from '../wire/ethernet.ts';
import { ICMP4_HEADER_LENGTH, type Icmp4Repr, parseIcmp4 } from '../wire/icmp4.ts';
import { ICMP6_HEADER_LENGTH, type Icmp6Repr, parseIcmp6 } from '../wire/icmp6.ts';
import { type Ipv4Repr, parseIpv4 } from '../wire/ipv4.ts';
import { IPV6_HEADER_LENGTH, type Ipv6Repr, parseIpv6 } from '../wire/ipv6.ts';
import {
  FRAGMENT_HEADER_LENGTH,
  fragmentId,
  fragmentMore,
  fragmentOffset,
  IPV6_FRAGMENT,
  upperLayer,
} from '../wire/ipv6-extension.ts';
import { type NdpRepr, parseNdp } from '../wire/ndp.ts';
import { parseTcp, type TcpRepr } from '../wire/tcp.ts';
import { parseUdp, UDP_HEADER_LENGTH, type UdpRepr } from '../wire/udp.ts';
import type { PacketEvent } from './events.ts';

/** Protocol numbers of the IP header (RFC 790). */
const ICMP = 1;
const TCP = 6;
const UDP = 17;
const ICMPV6 = 58;

/** The headers that a frame has; null for one it has not, or that cannot be read. */
export interface Frame {
  readonly arp: ArpRepr | null;
  /** The header of IPv4, or of IPv6. */
  readonly ip: Ipv4Repr | null;
  readonly ip6: Ipv6Repr | null;
  /** What it is a piece of, in either family; null when it is whole. */
  readonly fragment: Fragment | null;
  readonly icmp: Icmp4Repr | null;
  readonly icmp6: Icmp6Repr | null;
  /** The ICMPv6 message, when it is one of neighbour discovery. */
  readonly ndp: NdpRepr | null;
  readonly tcp: TcpRepr | null;
  readonly udp: UdpRepr | null;
  /** What is behind the innermost of these headers; of a fragment but the first: behind the IP headers. */
  readonly payload: Uint8Array;
}

/** Which piece of a packet a fragment is. */
export interface Fragment {
  readonly id: number;
  /** In bytes. */
  readonly offset: number;
  readonly more: boolean;
}

const NOTHING: Frame = {
  arp: null,
  ip: null,
  ip6: null,
  fragment: null,
  icmp: null,
  icmp6: null,
  ndp: null,
  tcp: null,
  udp: null,
  payload: new Uint8Array(0),
};

/** The headers of a packet event's frame (Ethernet, ARP, IPv4, IPv6, ICMP, ICMPv6, neighbour discovery, TCP, UDP). */
export function parseFrame(event: PacketEvent): Frame {
  const bytes = fromHex(event.data);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (event.medium === 'ip') {
    const isV6 = bytes.length > 0 && view.getUint8(0) >> 4 === 6;
    return isV6 ? parsePacket6(bytes, view, 0) : parsePacket4(bytes, view, 0);
  }
  switch (parseEthernet(view, 0, bytes.length)?.type) {
    case ETHERTYPE_IPV4:
      return parsePacket4(bytes, view, ETHERNET_HEADER_LENGTH);
    case ETHERTYPE_IPV6:
      return parsePacket6(bytes, view, ETHERNET_HEADER_LENGTH);
    case ETHERTYPE_ARP:
      return { ...NOTHING, arp: parseArp(view, ETHERNET_HEADER_LENGTH, bytes.length) };
    default:
      return NOTHING;
  }
}

function parsePacket4(bytes: Uint8Array, view: DataView, at: number): Frame {
  const ip = parseIpv4(view, at, bytes.length);
  if (ip === null) return NOTHING;
  const { id, fragmentOffset: offset, moreFragments: more } = ip;
  const fragment = more || offset > 0 ? { id, offset, more } : null;
  const end = Math.min(bytes.length, at + ip.totalLength);
  return parseTransport({ ...NOTHING, ip, fragment }, ip.protocol, bytes, view, at + ip.headerLength, end);
}

function parsePacket6(bytes: Uint8Array, view: DataView, at: number): Frame {
  const ip6 = parseIpv6(view, at, bytes.length);
  if (ip6 === null) return NOTHING;
  const end = Math.min(bytes.length, at + IPV6_HEADER_LENGTH + ip6.payloadLength);
  const frame = { ...NOTHING, ip6, fragment: fragmentOf(view, at, end) };
  const upper = upperLayer(view, at, end);
  if (upper === null) return { ...frame, payload: bytes.subarray(at + IPV6_HEADER_LENGTH, end) };
  return parseTransport(frame, upper.protocol, bytes, view, upper.offset, end);
}

/** What the fragment header of an IPv6 packet says. An atomic fragment is whole (RFC 6946). */
function fragmentOf(view: DataView, at: number, end: number): Fragment | null {
  const found = upperLayer(view, at, end, IPV6_FRAGMENT);
  if (found?.protocol !== IPV6_FRAGMENT || end - found.offset < FRAGMENT_HEADER_LENGTH) return null;
  const offset = fragmentOffset(view, found.offset);
  const more = fragmentMore(view, found.offset);
  return more || offset > 0 ? { id: fragmentId(view, found.offset), offset, more } : null;
}

function parseTransport(
  frame: Frame,
  protocol: number,
  bytes: Uint8Array,
  view: DataView,
  start: number,
  end: number,
): Frame {
  const behind = (headerLength: number): Uint8Array => bytes.subarray(start + headerLength, end);
  // Only the first fragment has the transport's header.
  const known = frame.fragment === null || frame.fragment.offset === 0 ? protocol : -1;
  const isV4 = frame.ip !== null;
  const tcp = known === TCP ? parseTcp(view, start, end) : null;
  const udp = known === UDP ? parseUdp(view, start, end) : null;
  const icmp = known === ICMP && isV4 ? parseIcmp4(view, start, end) : null;
  const icmp6 = known === ICMPV6 && !isV4 ? parseIcmp6(view, start, end) : null;
  if (tcp !== null) return { ...frame, tcp, payload: behind(tcp.headerLength) };
  if (udp !== null) return { ...frame, udp, payload: behind(UDP_HEADER_LENGTH) };
  if (icmp !== null) return { ...frame, icmp, payload: behind(ICMP4_HEADER_LENGTH) };
  if (icmp6 === null) return { ...frame, payload: behind(0) };
  return { ...frame, icmp6, ndp: parseNdp(view, start, end), payload: behind(ICMP6_HEADER_LENGTH) };
}
