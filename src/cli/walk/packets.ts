import { fromHex } from '../../base/hex.ts';
import { seqDiff } from '../../base/seq.ts';
import { IPPROTO_TCP } from '../../core/network.ts';
import type { PacketEvent, TraceEvent } from '../../trace/events.ts';
import { ETHERNET_HEADER_LENGTH, ETHERTYPE_ARP, ETHERTYPE_IPV4, parseEthernet } from '../../wire/ethernet.ts';
import { parseIpv4 } from '../../wire/ipv4.ts';
import { parseTcp, SYN, type TcpRepr } from '../../wire/tcp.ts';

/** A frame, as far as the walk looks into it. */
export interface Seen {
  readonly kind: 'arp' | 'tcp' | 'other';
  readonly tcp: TcpRepr | null;
  /** TCP's payload. */
  readonly payload: Uint8Array;
}

/** Looks into a captured Ethernet frame. */
export function lookInto(event: PacketEvent): Seen {
  const bytes = fromHex(event.data);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const type = parseEthernet(view, 0, bytes.length)?.type;
  const payload = new Uint8Array(0);
  if (type === ETHERTYPE_ARP) return { kind: 'arp', tcp: null, payload };
  const ip = type === ETHERTYPE_IPV4 ? parseIpv4(view, ETHERNET_HEADER_LENGTH, bytes.length) : null;
  if (ip === null || ip.protocol !== IPPROTO_TCP) return { kind: 'other', tcp: null, payload };
  const start = ETHERNET_HEADER_LENGTH + ip.headerLength;
  const end = Math.min(bytes.length, ETHERNET_HEADER_LENGTH + ip.totalLength);
  const tcp = parseTcp(view, start, end);
  if (tcp === null) return { kind: 'other', tcp: null, payload };
  return { kind: 'tcp', tcp, payload: bytes.subarray(start + tcp.headerLength, end) };
}

/** The bytes of the TCP stream that `host` sent or received, put together from its packets. */
export function streamText(events: readonly TraceEvent[], host: string, direction: 'in' | 'out'): string {
  let text = '';
  let next: number | null = null;
  for (const event of events) {
    if (event.type !== 'packet' || event.host !== host || event.direction !== direction) continue;
    const { tcp, payload } = lookInto(event);
    if (tcp === null) continue;
    if ((tcp.flags & SYN) !== 0) next = (tcp.seq + 1) | 0;
    if (next === null || seqDiff(tcp.seq | 0, next) > 0) continue;
    const known = seqDiff(next, tcp.seq | 0);
    if (known >= payload.length) continue;
    text += Buffer.from(payload.subarray(known)).toString('latin1');
    next = (next + payload.length - known) | 0;
  }
  return text;
}
