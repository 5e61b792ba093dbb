/**
 * The fields a fuzzer aims at, and the values it writes into them.
 * @module
 */
import type { Rng } from '../../base/rng.ts';
import type { Packet } from '../../core/packet.ts';
import { IPPROTO_ICMPV6 } from '../../wire/icmp6.ts';
import { PROTOCOL_ICMP, PROTOCOL_TCP, PROTOCOL_UDP } from './repair.ts';

/** A field of a header: its offset from where the header begins, and its width in bytes. */
export interface Field {
  readonly at: number;
  readonly width: 1 | 2 | 4;
}

const ETHERNET_FIELDS: readonly Field[] = [
  { at: 0, width: 2 },
  { at: 2, width: 4 },
  { at: 12, width: 2 },
];

const ARP_FIELDS: readonly Field[] = [
  { at: 0, width: 2 },
  { at: 2, width: 2 },
  { at: 4, width: 1 },
  { at: 5, width: 1 },
  { at: 6, width: 2 },
  { at: 8, width: 4 },
  { at: 12, width: 2 },
  { at: 14, width: 4 },
  { at: 18, width: 4 },
  { at: 24, width: 4 },
];

const IPV4_FIELDS: readonly Field[] = [
  { at: 0, width: 1 },
  { at: 1, width: 1 },
  { at: 2, width: 2 },
  { at: 4, width: 2 },
  { at: 6, width: 2 },
  { at: 8, width: 1 },
  { at: 9, width: 1 },
  { at: 12, width: 4 },
  { at: 16, width: 4 },
];

const IPV6_FIELDS: readonly Field[] = [
  { at: 0, width: 1 },
  { at: 1, width: 1 },
  { at: 2, width: 2 },
  { at: 4, width: 2 },
  { at: 6, width: 1 },
  { at: 7, width: 1 },
  { at: 8, width: 4 },
  { at: 16, width: 4 },
  { at: 20, width: 4 },
  { at: 24, width: 4 },
  { at: 32, width: 4 },
  { at: 36, width: 4 },
  // Of the first extension header, if there is one.
  { at: 40, width: 1 },
  { at: 41, width: 1 },
  { at: 42, width: 2 },
  { at: 44, width: 4 },
];

const TCP_FIELDS: readonly Field[] = [
  { at: 0, width: 2 },
  { at: 2, width: 2 },
  { at: 4, width: 4 },
  { at: 4, width: 4 },
  { at: 8, width: 4 },
  { at: 8, width: 4 },
  { at: 12, width: 1 },
  { at: 13, width: 1 },
  { at: 13, width: 1 },
  { at: 14, width: 2 },
  { at: 18, width: 2 },
  { at: 20, width: 1 },
  { at: 21, width: 1 },
  { at: 24, width: 4 },
  { at: 28, width: 4 },
  { at: 32, width: 4 },
  { at: 36, width: 4 },
  { at: 40, width: 4 },
];

const UDP_FIELDS: readonly Field[] = [
  { at: 0, width: 2 },
  { at: 2, width: 2 },
  { at: 4, width: 2 },
  { at: 6, width: 2 },
];

const ICMP_FIELDS: readonly Field[] = [
  { at: 0, width: 1 },
  { at: 1, width: 1 },
  { at: 4, width: 2 },
  { at: 6, width: 2 },
  { at: 8, width: 1 },
  { at: 10, width: 2 },
  { at: 14, width: 2 },
  { at: 17, width: 1 },
  { at: 28, width: 4 },
  { at: 32, width: 4 },
];

const ICMP6_FIELDS: readonly Field[] = [
  { at: 0, width: 1 },
  { at: 1, width: 1 },
  { at: 4, width: 4 },
  { at: 8, width: 4 },
  { at: 20, width: 4 },
  { at: 24, width: 1 },
  { at: 25, width: 1 },
  { at: 26, width: 2 },
  { at: 28, width: 4 },
  { at: 44, width: 4 },
  { at: 48, width: 4 },
];

/** Which fields a header has. */
export type HeaderKind = 'ethernet' | 'arp' | 'ipv4' | 'ipv6' | 'transport';

/** The fields of a header; of a transport header by its protocol number. */
export function fieldsOf(kind: HeaderKind, protocol: number): readonly Field[] {
  if (kind === 'ethernet') return ETHERNET_FIELDS;
  if (kind === 'arp') return ARP_FIELDS;
  if (kind === 'ipv4') return IPV4_FIELDS;
  if (kind === 'ipv6') return IPV6_FIELDS;
  if (protocol === PROTOCOL_TCP) return TCP_FIELDS;
  if (protocol === PROTOCOL_UDP) return UDP_FIELDS;
  if (protocol === IPPROTO_ICMPV6) return ICMP6_FIELDS;
  return protocol === PROTOCOL_ICMP ? ICMP_FIELDS : IPV4_FIELDS;
}

/** Distances at which windows, halves of the sequence space and counters turn. */
const DISTANCES: readonly number[] = [
  1,
  2,
  7,
  8,
  536,
  1448,
  1460,
  4096,
  65535,
  65536,
  1 << 20,
  0x3fffffff,
  0x40000000,
  0x7fffffff,
];
const BOUNDARIES: readonly number[] = [
  0, 1, 2, 7, 8, 14, 15, 20, 27, 28, 60, 64, 127, 128, 255, 256, 511, 536, 576, 1460, 1500, 32767, 32768,
  65535, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff,
];

/** Writes a boundary value, a neighbour of the present value, or anything at all; does nothing past the frame's end. */
export function mutateField(packet: Packet, at: number, width: 1 | 2 | 4, rng: Rng): void {
  if (at < packet.start || at + width > packet.end) return;
  const { view } = packet;
  const old = width === 1 ? view.getUint8(at) : width === 2 ? view.getUint16(at) : view.getUint32(at);
  const value = newValue(old, rng);
  if (width === 1) view.setUint8(at, value);
  else if (width === 2) view.setUint16(at, value);
  else view.setUint32(at, value);
}

function newValue(old: number, rng: Rng): number {
  switch (rng.below(5)) {
    case 0:
      return rng.pick(BOUNDARIES);
    case 1:
      return rng.u32();
    case 2:
      return old ^ (1 << rng.below(32));
    case 3:
      return old + rng.pick(DISTANCES);
    default:
      return old - rng.pick(DISTANCES);
  }
}
