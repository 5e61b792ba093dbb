/**
 * A look into the frame of a packet event: its headers as plain values.
 * @module
 */
import { fromHex } from '../base/hex.ts';
import { type ArpRepr, parseArp } from '../wire/arp.ts';
import { ETHERNET_HEADER_LENGTH, ETHERTYPE_ARP, ETHERTYPE_IPV4, parseEthernet } from '../wire/ethernet.ts';
import { ICMP4_HEADER_LENGTH, type Icmp4Repr, parseIcmp4 } from '../wire/icmp4.ts';
import { type Ipv4Repr, parseIpv4 } from '../wire/ipv4.ts';
import { parseTcp, type TcpRepr } from '../wire/tcp.ts';
import { parseUdp, UDP_HEADER_LENGTH, type UdpRepr } from '../wire/udp.ts';
import type { PacketEvent } from './events.ts';

/** Protocol numbers of the IPv4 header (RFC 790). */
const ICMP = 1;
const TCP = 6;
const UDP = 17;

/** The headers that a frame has; null for one it has not, or that cannot be read. */
export interface Frame {
  readonly arp: ArpRepr | null;
  readonly ip: Ipv4Repr | null;
  readonly icmp: Icmp4Repr | null;
  readonly tcp: TcpRepr | null;
  readonly udp: UdpRepr | null;
  /** What is behind the innermost of these headers; of a fragment but the first: behind the IP header. */
  readonly payload: Uint8Array;
}

const NOTHING: Frame = { arp: null, ip: null, icmp: null, tcp: null, udp: null, payload: new Uint8Array(0) };

/** The headers of a packet event's frame (Ethernet, ARP, IPv4, ICMP, TCP, UDP). */
export function parseFrame(event: PacketEvent): Frame {
  const bytes = fromHex(event.data);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (event.medium === 'ip') return parsePacket(bytes, view, 0);
  const type = parseEthernet(view, 0, bytes.length)?.type;
  if (type === ETHERTYPE_IPV4) return parsePacket(bytes, view, ETHERNET_HEADER_LENGTH);
  if (type === ETHERTYPE_ARP)
    return { ...NOTHING, arp: parseArp(view, ETHERNET_HEADER_LENGTH, bytes.length) };
  return NOTHING;
}

function parsePacket(bytes: Uint8Array, view: DataView, at: number): Frame {
  const ip = parseIpv4(view, at, bytes.length);
  if (ip === null) return NOTHING;
  const start = at + ip.headerLength;
  const end = Math.min(bytes.length, at + ip.totalLength);
  const frame = { ...NOTHING, ip };
  const behind = (headerLength: number): Uint8Array => bytes.subarray(start + headerLength, end);
  // Only the first fragment has the transport's header.
  const protocol = ip.fragmentOffset === 0 ? ip.protocol : 0;
  const tcp = protocol === TCP ? parseTcp(view, start, end) : null;
  const udp = protocol === UDP ? parseUdp(view, start, end) : null;
  const icmp = protocol === ICMP ? parseIcmp4(view, start, end) : null;
  if (tcp !== null) return { ...frame, tcp, payload: behind(tcp.headerLength) };
  if (udp !== null) return { ...frame, udp, payload: behind(UDP_HEADER_LENGTH) };
  if (icmp !== null) return { ...frame, icmp, payload: behind(ICMP4_HEADER_LENGTH) };
  return { ...frame, payload: behind(0) };
}
