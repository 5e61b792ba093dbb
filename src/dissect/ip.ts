import { IpAddress } from '../wire/address.ts';
import { UDP_HEADER_LENGTH } from '../wire/udp.ts';
import type { Conversations } from './conversations.ts';
import { formatIcmp4 } from './icmp4.ts';
import { formatCutHeader, type Span } from './span.ts';
import { formatTcp } from './tcp.ts';

const PROTOCOL_ICMP = 1;
const PROTOCOL_IPIP = 4;
const PROTOCOL_TCP = 6;
const PROTOCOL_UDP = 17;
const IPV4_HEADER = 20;
const IPV6_HEADER = 40;
/** Packets inside of packets that are looked into. */
const NESTING_MAX = 16;

/** A packet of a link without MAC headers, of either IP version. */
export function formatIp(ip: Span, conversations: Conversations | null): string {
  if (!ip.has(1)) return ' [|ip]';
  const version = ip.u8(0) >> 4;
  if (version === 4) return formatIpv4(ip, conversations);
  if (version === 6) return formatIpv6(ip, conversations);
  return `unknown ip ${version}`;
}

/** One IPv4 packet: 'IP 10.0.0.1 > 10.0.0.2: ICMP echo request, ...'. */
export function formatIpv4(ip: Span, conversations: Conversations | null, depth = 0): string {
  if (!ip.has(1)) return ' [|ip]';
  const version = ip.u8(0) >> 4;
  if (version === 6) return 'IP6, wrong link-layer encapsulation (invalid)';
  if (version !== 4) return `IP${version} (invalid)`;
  if (!ip.has(IPV4_HEADER)) return 'IP  [|ip]';
  const headerLength = (ip.u8(0) & 0xf) * 4;
  if (headerLength < IPV4_HEADER) return `IP bad-hlen ${headerLength}`;
  const totalLength = ip.u16(2);
  const missing = totalLength - ip.length;
  const cut = missing > 0 ? `truncated-ip - ${missing} bytes missing! ` : '';
  if (totalLength < headerLength) return `IP ${cut}bad-len ${totalLength}`;
  if (!ip.has(headerLength)) return `IP ${cut}${formatCutHeader(ip.captured, headerLength)} [|ip]`;
  const payload = ip.first(totalLength).after(headerLength);
  return `IP ${cut}${formatIpv4Payload(ip, payload, conversations, depth)}`;
}

function formatIpv4Payload(
  ip: Span,
  payload: Span,
  conversations: Conversations | null,
  depth: number,
): string {
  const source = IpAddress.v4(ip.u32(12)).toString();
  const destination = IpAddress.v4(ip.u32(16)).toString();
  const protocol = ip.u8(9);
  const fragment = ip.u16(6);
  if ((fragment & 0x1fff) !== 0) return `${source} > ${destination}: ip-proto-${protocol}`;
  if (protocol === PROTOCOL_ICMP) return `${source} > ${destination}: ${formatIcmp4(payload)}`;
  if (protocol === PROTOCOL_IPIP && depth < NESTING_MAX) {
    return `${source} > ${destination}: ${formatIpv4(payload, conversations, depth + 1)}`;
  }
  const isFirstFragment = (fragment & 0x2000) !== 0;
  return formatTransport(protocol, payload, source, destination, isFirstFragment, conversations);
}

/** One IPv6 packet; extension headers are not looked into. */
export function formatIpv6(ip: Span, conversations: Conversations | null): string {
  if (!ip.has(IPV6_HEADER)) return ' [|ip6]';
  const payloadLength = ip.u16(4);
  const missing = payloadLength + IPV6_HEADER - ip.length;
  const cut = missing > 0 ? `truncated-ip6 - ${missing} bytes missing!` : '';
  const payload = ip.first(payloadLength + IPV6_HEADER).after(IPV6_HEADER);
  const source = formatIpv6Address(ip, 8);
  const destination = formatIpv6Address(ip, 24);
  return `IP6 ${cut}${formatTransport(ip.u8(6), payload, source, destination, false, conversations)}`;
}

function formatIpv6Address(ip: Span, at: number): string {
  return IpAddress.v6(ip.u32(at), ip.u32(at + 4), ip.u32(at + 8), ip.u32(at + 12)).toString();
}

function formatTransport(
  protocol: number,
  payload: Span,
  source: string,
  destination: string,
  isFirstFragment: boolean,
  conversations: Conversations | null,
): string {
  if (protocol === PROTOCOL_TCP) return formatTcp(payload, source, destination, conversations);
  if (protocol === PROTOCOL_UDP) return formatUdp(payload, source, destination, isFirstFragment);
  return `${source} > ${destination}:  ip-proto-${protocol} ${payload.length}`;
}

function formatUdp(udp: Span, source: string, destination: string, isFirstFragment: boolean): string {
  if (!udp.has(4)) return `${source} > ${destination}:  [|udp]`;
  const flow = `${source}.${udp.u16(0)} > ${destination}.${udp.u16(2)}`;
  if (udp.length < UDP_HEADER_LENGTH) return `${flow}: truncated-udp ${udp.length}`;
  const length = udp.u16(4);
  if (udp.has(6) && length < UDP_HEADER_LENGTH) return `${flow}: truncated-udplength ${length}`;
  if (!udp.has(UDP_HEADER_LENGTH)) return `${flow}:  [|udp]`;
  const data = length - UDP_HEADER_LENGTH;
  const room = udp.length - UDP_HEADER_LENGTH;
  return data > room && !isFirstFragment
    ? `${flow}: UDP, bad length ${data} > ${room}`
    : `${flow}: UDP, length ${data}`;
}
