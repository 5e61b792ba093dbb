/**
 * What fragments of IPv4 and of IPv6 packets look like to the one engine that puts them together.
 * @module
 */
import type { Host } from '../core/host.ts';
import type { Mib } from '../core/mib.ts';
import type { Packet } from '../core/packet.ts';
import {
  fillIpv4Checksum,
  IPV4_MAX_LENGTH,
  ipv4FragmentOffset,
  ipv4Id,
  ipv4MoreFragments,
  ipv4Tos,
  setIpv4Fragment,
  setIpv4Tos,
  setIpv4TotalLength,
} from '../wire/ipv4.ts';
import {
  IPV6_HEADER_LENGTH,
  IPV6_PAYLOAD_MAX,
  ipv6TrafficClass,
  setIpv6PayloadLength,
  setIpv6TrafficClass,
} from '../wire/ipv6.ts';
import {
  EXTENSION_NEXT_HEADER,
  FRAGMENT_HEADER_LENGTH,
  fragmentId,
  fragmentMore,
  fragmentOffset,
  IPV6_FRAGMENT,
  upperLayer,
} from '../wire/ipv6-extension.ts';

/** The counters that reassembly has in either family. */
export type ReassemblyCounters = Pick<Mib['Ip'], 'ReasmTimeout' | 'ReasmReqds' | 'ReasmOKs' | 'ReasmFails'>;

/** How to read a fragment (l3, src, dst and protocol set, its data bytes[l4, end)) and to write the whole. */
export interface FragmentFormat {
  /** Tells it from other datagrams between the same two hosts. */
  key(fragment: Packet): string;
  /** Where its data belongs, in bytes. */
  offset(fragment: Packet): number;
  more(fragment: Packet): boolean;
  /** Bytes of header, from l3 on, that the whole datagram has of its first fragment. */
  headerLength(fragment: Packet): number;
  /** Bytes that header and data may have together. */
  readonly lengthMax: number;
  /** What came before may come again only exactly as it was: anything else is an overlap (RFC 8200 section 4.5). */
  readonly strict: boolean;
  /** Type of service, or traffic class. */
  tos(packet: Packet): number;
  /** Makes the header of `first`, which was copied to l3 of `whole`, that of the whole; `tos` is to be set. */
  finish(whole: Packet, first: Packet, tos: number): void;
  /** How long an incomplete datagram is kept, in microseconds. */
  timeUs(host: Host): number;
  /** Bytes that incomplete datagrams may hold. */
  memoryMax(host: Host): number;
  /** ipfrag_max_dist; 0 for no such limit. */
  distanceMax(host: Host): number;
  counters(host: Host): ReassemblyCounters;
}

/** RFC 791 section 3.2. */
export const IPV4_FRAGMENTS: FragmentFormat = {
  key: ({ view, l3, protocol }) => `${ipv4Id(view, l3)} ${protocol}`,
  offset: ({ view, l3 }) => ipv4FragmentOffset(view, l3),
  more: ({ view, l3 }) => ipv4MoreFragments(view, l3),
  headerLength: ({ l3, l4 }) => l4 - l3,
  lengthMax: IPV4_MAX_LENGTH,
  strict: false,
  tos: ({ view, l3 }) => ipv4Tos(view, l3),
  finish({ view, l3, end }, _first, tos) {
    setIpv4Tos(view, l3, tos);
    setIpv4TotalLength(view, l3, end - l3);
    setIpv4Fragment(view, l3, 0, false, false);
    fillIpv4Checksum(view, l3);
  },
  timeUs: ({ sysctl }) => sysctl.ipfrag_time * 1e6,
  memoryMax: ({ sysctl }) => sysctl.ipfrag_high_thresh,
  distanceMax: ({ sysctl }) => sysctl.ipfrag_max_dist,
  counters: ({ mib }) => mib.Ip,
};

/** RFC 8200 section 4.5; the fragment header stands right in front of l4. */
export const IPV6_FRAGMENTS: FragmentFormat = {
  key: ({ view, l4 }) => String(fragmentId(view, l4 - FRAGMENT_HEADER_LENGTH)),
  offset: ({ view, l4 }) => fragmentOffset(view, l4 - FRAGMENT_HEADER_LENGTH),
  more: ({ view, l4 }) => fragmentMore(view, l4 - FRAGMENT_HEADER_LENGTH),
  headerLength: ({ l3, l4 }) => l4 - FRAGMENT_HEADER_LENGTH - l3,
  lengthMax: IPV6_PAYLOAD_MAX + IPV6_HEADER_LENGTH,
  strict: true,
  tos: ({ view, l3 }) => ipv6TrafficClass(view, l3),
  finish(whole, first, tos) {
    const { view, l3 } = whole;
    setIpv6TrafficClass(view, l3, tos);
    setIpv6PayloadLength(view, l3, whole.end - l3 - IPV6_HEADER_LENGTH);
    // The header before the fragment header now says what came after it.
    const before = upperLayer(first.view, first.l3, first.end, IPV6_FRAGMENT)?.nextHeaderAt ?? first.l3;
    const next = first.view.getUint8(first.l4 - FRAGMENT_HEADER_LENGTH + EXTENSION_NEXT_HEADER);
    view.setUint8(before - first.l3 + l3, next);
  },
  timeUs: ({ sysctl }) => sysctl.ip6frag_time * 1e6,
  memoryMax: ({ sysctl }) => sysctl.ip6frag_high_thresh,
  distanceMax: () => 0,
  counters: ({ mib }) => mib.Ip6,
};
