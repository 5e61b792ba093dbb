/**
 * Packets as one-line texts, letter for letter what `tcpdump -n` (4.99) prints of Ethernet, 802.1Q, ARP, IPv4, IPv6,
 * ICMP, NDP, MLD, UDP, TCP, DHCP and the first line of HTTP. Other protocols are named by number where tcpdump would
 * look into them.
 * @module
 */
import { ETHERNET_HEADER_LENGTH, ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6 } from '../wire/ethernet.ts';
import { formatArp } from './arp.ts';
import { Conversations } from './conversations.ts';
import { formatIp, formatIpv4 } from './ip.ts';
import { formatIpv6 } from './ip6.ts';
import { Span } from './span.ts';

const MAC_ADDRESSES = 12;
const VLAN_TAG = 4;
const VLAN_TYPES: readonly number[] = [0x8100, 0x88a8, 0x9100];
/** A smaller number in place of the type is the length of an IEEE 802.3 frame. */
const LENGTH_MAX = 1500;

/** How lines are made. */
export interface TcpdumpOptions {
  /** The time zone, in minutes east of Greenwich; 0 when not given. */
  utcOffsetMinutes?: number;
  /** Sequence numbers as they are, as with `tcpdump -S`. */
  absoluteSeq?: boolean;
  /** Connections remembered for relative sequence numbers; the oldest is forgotten first. */
  conversationsMax?: number;
}

/** The default of `conversationsMax`. */
export const CONVERSATIONS_MAX = 65536;

/** Formats the packets of one capture, in their order: it remembers connections to print relative numbers. */
export class TcpdumpFormatter {
  private readonly utcOffsetMinutes: number;
  private readonly conversations: Conversations | null;

  constructor(options: TcpdumpOptions = {}) {
    this.utcOffsetMinutes = options.utcOffsetMinutes ?? 0;
    this.conversations =
      options.absoluteSeq === true ? null : new Conversations(options.conversationsMax ?? CONVERSATIONS_MAX);
  }

  /**
   * The packet's line, '21:16:04.737246 IP 10.0.0.1 > ...', and further ones with a dump of what cannot be decoded.
   * `atUs` in microseconds since the Unix epoch; `originalLength` when `bytes` are not all of the packet.
   */
  line(
    atUs: number,
    medium: 'ethernet' | 'ip',
    bytes: Uint8Array,
    originalLength: number = bytes.length,
  ): string[] {
    return `${formatTimeOfDay(atUs, this.utcOffsetMinutes)} ${this.packet(medium, bytes, originalLength)}`.split(
      '\n',
    );
  }

  /** The same without the time, in one text. */
  packet(medium: 'ethernet' | 'ip', bytes: Uint8Array, originalLength: number = bytes.length): string {
    const span = Span.of(bytes, originalLength);
    return medium === 'ip' ? formatIp(span, this.conversations) : formatFrame(span, this.conversations);
  }
}

/** '21:16:04.737246' of a time in microseconds since the Unix epoch, `utcOffsetMinutes` east of Greenwich. */
export function formatTimeOfDay(atUs: number, utcOffsetMinutes = 0): string {
  const seconds = Math.floor(atUs / 1e6) + utcOffsetMinutes * 60;
  const two = (n: number): string => String(((n % 60) + 60) % 60).padStart(2, '0');
  const hours = String(((Math.floor(seconds / 3600) % 24) + 24) % 24).padStart(2, '0');
  const fraction = String(Math.floor(atUs) - Math.floor(atUs / 1e6) * 1e6).padStart(6, '0');
  return `${hours}:${two(Math.floor(seconds / 60))}:${two(seconds)}.${fraction}`;
}

function formatFrame(frame: Span, conversations: Conversations | null): string {
  if (!frame.has(ETHERNET_HEADER_LENGTH)) return ' [|ether]';
  let at = MAC_ADDRESSES;
  while (VLAN_TYPES.includes(frame.u16(at))) {
    if (!frame.has(at + VLAN_TAG + 2)) return ' [|vlan]';
    at += VLAN_TAG;
  }
  const type = frame.u16(at);
  const payload = frame.after(at + 2);
  switch (type) {
    case ETHERTYPE_IPV4:
      return formatIpv4(payload, conversations);
    case ETHERTYPE_IPV6:
      return formatIpv6(payload, conversations);
    case ETHERTYPE_ARP:
      return formatArp(payload);
    default:
      return `${frame.mac(6)} > ${frame.mac(0)}, ${formatType(type, frame.length)}: ${payload.dump()}`;
  }
}

function formatType(type: number, length: number): string {
  if (type <= LENGTH_MAX) return `802.3, length ${type}`;
  return `ethertype Unknown (0x${type.toString(16).padStart(4, '0')}), length ${length}`;
}
