import { type Link, type LinkPort, NO_OFFLOADS } from '../core/link.ts';
import type { Packet } from '../core/packet.ts';
import { PacketPool } from '../core/pool.ts';

/** A packet that the stack sent. */
export interface Sent {
  readonly atUs: number;
  readonly bytes: Uint8Array;
}

const IPV6_HEADER = 40;
const HOP_BY_HOP = 0;
const ICMP6 = 58;

/**
 * Whether this is a message with which IPv6 keeps house on its link, which is no script's theme: neighbour and router
 * discovery (RFC 4861), multicast listeners (RFC 2710, RFC 3810).
 */
function isAboutTheLink(bytes: Uint8Array): boolean {
  if ((bytes[0] as number) >> 4 !== 6) return false;
  const extended = bytes[6] === HOP_BY_HOP;
  const at = IPV6_HEADER + (extended ? 8 * ((bytes[IPV6_HEADER + 1] as number) + 1) : 0);
  if ((extended ? bytes[IPV6_HEADER] : bytes[6]) !== ICMP6) return false;
  const type = bytes[at] as number;
  return (type >= 130 && type <= 137) || type === 143;
}

/** A link with a script at its other end. What comes in may be longer than the MTU; what goes out may not. */
export class ScriptLink implements Link {
  readonly medium = 'ip';
  readonly mac = null;
  readonly offloads = NO_OFFLOADS;
  /** The largest IP packet that may be sent, in bytes. */
  mtu: number;
  /** Whether it takes nothing that is sent. */
  isFull = false;
  /** What the stack sent and the script has not yet looked at. */
  readonly sent: Sent[] = [];
  private readonly pool = new PacketPool({ smallSlots: 64, largeSlots: 4 });
  private readonly nowUs: () => number;
  private port: LinkPort | null = null;

  constructor(mtu: number, nowUs: () => number) {
    this.mtu = mtu;
    this.nowUs = nowUs;
  }

  attach(port: LinkPort): void {
    this.port = port;
    port.carrier(true);
  }

  send(packet: Packet): boolean {
    if (this.isFull) return false;
    const bytes = packet.bytes.slice(packet.start, packet.end);
    packet.release();
    if (bytes.length > this.mtu)
      throw new Error(`the stack sent ${bytes.length} bytes over an MTU of ${this.mtu}`);
    if (!isAboutTheLink(bytes)) this.sent.push({ atUs: this.nowUs(), bytes });
    return true;
  }

  /** Gives an IP packet to the stack; with a `gsoSize` above 0 as segments of so many bytes that arrived as one. */
  inject(bytes: Uint8Array, gsoSize = 0): void {
    const packet = this.pool.take(bytes.length);
    if (packet === null || this.port === null) throw new Error('nowhere to put the packet');
    packet.bytes.set(bytes, packet.start);
    packet.end = packet.start + bytes.length;
    packet.gsoSize = gsoSize;
    this.port.receive(packet);
  }

  close(): void {
    this.port = null;
  }
}
