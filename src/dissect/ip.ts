import { IpAddress } from '../wire/address.ts';
import type { Conversations } from './conversations.ts';
import { formatIcmp4 } from './icmp4.ts';
import { formatIgmp } from './igmp.ts';
import { formatIpv6 } from './ip6.ts';
import { formatCutHeader, type Span } from './span.ts';
import { formatTransport } from './transport.ts';

const PROTOCOL_ICMP = 1;
const PROTOCOL_IGMP = 2;
const PROTOCOL_IPIP = 4;
const IPV4_HEADER = 20;
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
  if (protocol === PROTOCOL_IGMP) return `${source} > ${destination}: ${formatIgmp(payload)}`;
  if (protocol === PROTOCOL_IPIP && depth < NESTING_MAX) {
    return `${source} > ${destination}: ${formatIpv4(payload, conversations, depth + 1)}`;
  }
  const isFirstFragment = (fragment & 0x2000) !== 0;
  return formatTransport(protocol, payload, source, destination, isFirstFragment, conversations);
}
