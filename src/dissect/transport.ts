import { UDP_HEADER_LENGTH } from '../wire/udp.ts';
import type { Conversations } from './conversations.ts';
import { formatConfiguration } from './dhcp.ts';
import type { Span } from './span.ts';
import { formatTcp } from './tcp.ts';

/** Protocol numbers of those who have ports. */
export const PROTOCOL_TCP = 6;
export const PROTOCOL_UDP = 17;

/** What IP carries, with its addresses: TCP and UDP are looked into, others named by number. */
export function formatTransport(
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
  const payload = udp.after(UDP_HEADER_LENGTH).first(Math.min(data, room));
  const configuration = formatConfiguration(payload, udp.u16(0), udp.u16(2));
  if (configuration !== null) return `${flow}: ${configuration}`;
  return data > room && !isFirstFragment
    ? `${flow}: UDP, bad length ${data} > ${room}`
    : `${flow}: UDP, length ${data}`;
}
