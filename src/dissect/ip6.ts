import { IpAddress } from '../wire/address.ts';
import { IPPROTO_ICMPV6 } from '../wire/icmp6.ts';
import {
  IPV6_DESTINATION_OPTIONS,
  IPV6_FRAGMENT,
  IPV6_HOP_BY_HOP,
  IPV6_NO_NEXT_HEADER,
  IPV6_ROUTING,
} from '../wire/ipv6-extension.ts';
import type { Conversations } from './conversations.ts';
import { formatIcmp6 } from './icmp6.ts';
import type { Span } from './span.ts';
import { formatTransport, PROTOCOL_TCP, PROTOCOL_UDP } from './transport.ts';

const IPV6_HEADER = 40;
/** Extension headers that are looked at. */
const EXTENSIONS_MAX = 64;

/** One IPv6 packet: 'IP6 fe80::1 > ff02::1: ICMP6, router advertisement, length 56'. */
export function formatIpv6(ip: Span, conversations: Conversations | null): string {
  if (!ip.has(1)) return 'IP6  [|ip6]';
  const version = ip.u8(0) >> 4;
  if (ip.has(IPV6_HEADER) && version !== 6) return `IP6 version error: ${version} != 6`;
  if (!ip.has(IPV6_HEADER)) return ' [|ip6]';
  const payloadLength = ip.u16(4);
  const missing = payloadLength + IPV6_HEADER - ip.length;
  const cut = missing > 0 ? `truncated-ip6 - ${missing} bytes missing!` : '';
  return `IP6 ${cut}${formatPayload(ip.first(payloadLength + IPV6_HEADER), conversations)}`;
}

/** What is behind the header. Only where there is no extension header the transport says the addresses itself. */
function formatPayload(ip: Span, conversations: Conversations | null): string {
  const source = addressAt(ip, 8);
  const destination = addressAt(ip, 24);
  let type = ip.u8(6);
  const hasPorts = type === PROTOCOL_TCP || type === PROTOCOL_UDP;
  let text = hasPorts ? '' : `${source} > ${destination}: `;
  let rest = ip.after(IPV6_HEADER);
  let isFragment = false;
  for (let left = EXTENSIONS_MAX; left > 0; left--) {
    if (!isExtension(type)) break;
    if (!rest.has(8)) return `${text} [|${type === IPV6_FRAGMENT ? 'frag' : 'ip6'}]`;
    const length = type === IPV6_FRAGMENT ? 8 : (rest.u8(1) + 1) * 8;
    text += formatExtension(rest, type);
    if (type === IPV6_ROUTING && !isKnownRouting(rest)) return text;
    if (type === IPV6_FRAGMENT && (rest.u16(2) & 0xfff8) !== 0) return text.trimEnd();
    isFragment ||= type === IPV6_FRAGMENT;
    type = rest.u8(0);
    rest = rest.after(length);
  }
  if (type === IPPROTO_ICMPV6) return text + formatIcmp6(rest);
  if (type === IPV6_NO_NEXT_HEADER) return `${text}no next header`;
  if (type === PROTOCOL_TCP || type === PROTOCOL_UDP) {
    const line = formatTransport(type, rest, source, destination, isFragment, conversations);
    // Behind an extension header the addresses have been said.
    return text === '' ? line : text + line.replace(`${source}.`, '').replace(`> ${destination}.`, '> ');
  }
  return `${text} ip-proto-${type} ${rest.length}`;
}

function isExtension(type: number): boolean {
  return (
    type === IPV6_HOP_BY_HOP ||
    type === IPV6_ROUTING ||
    type === IPV6_FRAGMENT ||
    type === IPV6_DESTINATION_OPTIONS
  );
}

function formatExtension(header: Span, type: number): string {
  if (type === IPV6_HOP_BY_HOP) return 'HBH ';
  if (type === IPV6_DESTINATION_OPTIONS) return 'DSTOPT ';
  if (type === IPV6_FRAGMENT) return `frag (${header.u16(2) & 0xfff8}|${header.length - 8}) `;
  const routing = header.u8(2);
  const kind = routing === 0 ? '0 [Deprecated]' : String(routing);
  let text = `RT6 (len=${header.u8(1)}, type=${kind}, segleft=${header.u8(3)}`;
  if (!isKnownRouting(header)) return `${text} (unknown type) (invalid)`;
  const reserved = header.u32(4);
  if (reserved !== 0) text += `, rsv=0x${reserved.toString(16)}`;
  for (let i = 0; i < header.u8(1) >> 1; i++) text += `, [${i}]${addressAt(header, 8 + 16 * i)}`;
  return `${text}) `;
}

/** Whether it is a list of addresses: type 0 (RFC 2460) or 2 (RFC 6275). */
function isKnownRouting(header: Span): boolean {
  return header.u8(2) === 0 || header.u8(2) === 2;
}

function addressAt(span: Span, at: number): string {
  return IpAddress.v6(span.u32(at), span.u32(at + 4), span.u32(at + 8), span.u32(at + 12)).toString();
}
