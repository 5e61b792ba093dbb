/**
 * Mutations that know IPv6: extension headers, neighbour discovery and listener queries that nobody sent, and ICMPv6
 * errors about what the target has sent.
 * @module
 */
import type { Rng } from '../../base/rng.ts';
import type { Packet } from '../../core/packet.ts';
import { ALL_NODES, ANY_V6, IpAddress, solicitedNode } from '../../wire/address.ts';
import {
  emitIcmp6,
  ICMP6_HEADER_LENGTH,
  IPPROTO_ICMPV6,
  ND_NEIGHBOR_ADVERT,
  ND_NEIGHBOR_SOLICIT,
  ND_REDIRECT,
  ND_ROUTER_ADVERT,
  ND_ROUTER_SOLICIT,
} from '../../wire/icmp6.ts';
import {
  emitIpv6,
  IPV6_DESTINATION,
  IPV6_HEADER_LENGTH,
  IPV6_NEXT_HEADER,
  IPV6_SOURCE,
} from '../../wire/ipv6.ts';
import {
  emitFragmentHeader,
  FRAGMENT_HEADER_LENGTH,
  IPV6_DESTINATION_OPTIONS,
  IPV6_FRAGMENT,
  IPV6_HOP_BY_HOP,
  IPV6_ROUTING,
} from '../../wire/ipv6-extension.ts';
import { emitMldQuery } from '../../wire/mld.ts';
import { emitNdp, type NdpRepr, ndpLength } from '../../wire/ndp.ts';
import type { NdpOptions } from '../../wire/ndp-options.ts';
import { isIpv6, locateTransport, PROTOCOL_TCP, repairChecksums, repairLength } from './repair.ts';
import { swapPorts } from './tcp-lies.ts';

/** Types of headers, real ones and others, and the lengths they claim, in 8 bytes beyond the first 8. */
const HEADERS: readonly number[] = [
  IPV6_HOP_BY_HOP,
  IPV6_ROUTING,
  IPV6_FRAGMENT,
  IPV6_FRAGMENT,
  IPV6_DESTINATION_OPTIONS,
  51,
  135,
  253,
];
const CLAIMS: readonly number[] = [0, 0, 0, 0, 1, 2, 31, 255];
/** Kinds of options, with each of the four actions for those that are not known. */
const OPTION_KINDS: readonly number[] = [0, 1, 1, 5, 0x1e, 0x5e, 0x9e, 0xc2, 0xde];

/** Puts one to three extension headers behind the IPv6 header; a fragment header fits others of the same number. */
export function lieInExtensions(packet: Packet, rng: Rng, lengthMax: number): void {
  for (let headers = rng.between(1, 3); headers > 0; headers--) {
    if (!isIpv6(packet) || packet.length + FRAGMENT_HEADER_LENGTH > lengthMax) return;
    const { bytes, view, l3, l4 } = packet;
    const next = view.getUint8(l3 + IPV6_NEXT_HEADER);
    bytes.copyWithin(l4 + FRAGMENT_HEADER_LENGTH, l4, packet.end);
    packet.end += FRAGMENT_HEADER_LENGTH;
    const type = rng.pick(HEADERS);
    view.setUint8(l3 + IPV6_NEXT_HEADER, type);
    if (type === IPV6_FRAGMENT) {
      const offset = 8 * rng.pick([0, 0, 1, 2, 3, 64, 180, 181, 362, 8189, 8191]);
      emitFragmentHeader(view, l4, next, offset, rng.chance(0.6), rng.below(16));
      continue;
    }
    view.setUint8(l4, next);
    view.setUint8(l4 + 1, rng.pick(CLAIMS));
    view.setUint8(l4 + 2, rng.pick(OPTION_KINDS));
    view.setUint8(l4 + 3, rng.pick([0, 1, 2, 4, 4, 5, 255]));
    view.setUint32(l4 + 4, rng.chance(0.5) ? 0 : rng.u32());
  }
}

/** Makes of the frame a message of neighbour discovery, or a query for listeners, that its sender never sent. */
export function lieAboutNeighbors(packet: Packet, rng: Rng): void {
  if (!isIpv6(packet)) return;
  const { view, l3, l4 } = packet;
  const us = IpAddress.read6(view, l3 + IPV6_DESTINATION);
  const them = IpAddress.read6(view, l3 + IPV6_SOURCE);
  const address = (): IpAddress => drawAddress(rng, us, them);
  let length: number;
  if (rng.chance(0.1)) {
    length = emitMldQuery(
      view,
      l4,
      rng.pick([0, 1, 1000, 32768, 65535]),
      rng.chance(0.5) ? ANY_V6 : address(),
    );
  } else {
    const message = drawMessage(rng, address);
    length = ndpLength(message);
    emitNdp(message, view, l4);
  }
  packet.end = l4 + length;
  const destination = rng.pick([us, us, ALL_NODES, solicitedNode(us)]);
  const hopLimit = rng.chance(0.95) ? 255 : rng.below(255);
  emitIpv6(view, l3, 0, 0, length, IPPROTO_ICMPV6, hopLimit, rng.pick([them, address()]), destination);
}

function drawMessage(rng: Rng, address: () => IpAddress): NdpRepr {
  const options = drawOptions(rng, address);
  switch (rng.below(5)) {
    case 0:
      return { type: ND_ROUTER_SOLICIT, options };
    case 1:
      return {
        type: ND_ROUTER_ADVERT,
        hopLimit: rng.pick([0, 1, 64, 255]),
        managed: rng.chance(0.5),
        other: rng.chance(0.5),
        preference: rng.pick([-1, 0, 1] as const),
        lifetime: rng.pick([0, 1, 1800, 9000, 65535]),
        reachableMs: rng.pick([0, 1, 30_000, 0xffffffff]),
        retransMs: rng.pick([0, 1, 1000, 0xffffffff]),
        options,
      };
    case 2:
      return { type: ND_NEIGHBOR_SOLICIT, target: address(), options };
    case 3:
      return {
        type: ND_NEIGHBOR_ADVERT,
        target: address(),
        router: rng.chance(0.5),
        solicited: rng.chance(0.5),
        override: rng.chance(0.5),
        options,
      };
    default:
      return { type: ND_REDIRECT, target: address(), destination: address(), options };
  }
}

function drawOptions(rng: Rng, address: () => IpAddress): NdpOptions {
  const mac = (): Uint8Array => Uint8Array.of(2, 0, 0, 0, 0, rng.below(8));
  const lifetimes = [0, 1, 7200, 0xffffffff];
  const prefix = {
    prefix: address(),
    prefixLength: rng.pick([0, 63, 64, 64, 64, 128]),
    onLink: rng.chance(0.5),
    autonomous: rng.chance(0.5),
    validSeconds: rng.pick(lifetimes),
    preferredSeconds: rng.pick(lifetimes),
  };
  return {
    ...(rng.chance(0.5) ? { sourceMac: mac() } : {}),
    ...(rng.chance(0.5) ? { targetMac: mac() } : {}),
    ...(rng.chance(0.3) ? { mtu: rng.pick([0, 68, 1279, 1280, 1500, 0xffffffff]) } : {}),
    ...(rng.chance(0.4) ? { prefixes: [prefix, prefix].slice(rng.below(2)) } : {}),
    ...(rng.chance(0.2) ? { nameServers: [{ lifetime: rng.pick(lifetimes), addresses: [address()] }] } : {}),
  };
}

/** Ours, theirs, one that does not mean a host, or one beside these. */
function drawAddress(rng: Rng, us: IpAddress, them: IpAddress): IpAddress {
  const base = rng.chance(0.5) ? us : them;
  switch (rng.below(6)) {
    case 0:
      return us;
    case 1:
      return them;
    case 2:
      return ANY_V6;
    case 3:
      return ALL_NODES;
    case 4:
      return IpAddress.v6(0xfe800000 | 0, 0, rng.u32() | 0, rng.u32() | 0);
    default:
      return IpAddress.v6(base.w0, base.w1 ^ rng.below(2), rng.u32() | 0, rng.u32() | 0);
  }
}

const ICMP_ERRORS: readonly (readonly [number, number])[] = [
  [1, 0],
  [1, 1],
  [1, 3],
  [1, 4],
  [2, 0],
  [2, 0],
  [2, 0],
  [3, 0],
  [3, 1],
  [4, 0],
  [4, 1],
  [4, 2],
  [100, 0],
];

/** Turns a segment or a datagram to the target into an ICMPv6 error about one from it, as a router would send it. */
export function lieAboutErrors6(packet: Packet, rng: Rng): void {
  const protocol = locateTransport(packet);
  if (!isIpv6(packet) || protocol < 0) return;
  locateTransport(packet);
  const { bytes, view, l3, l4 } = packet;
  const source = IpAddress.read6(view, l3 + IPV6_SOURCE);
  const destination = IpAddress.read6(view, l3 + IPV6_DESTINATION);
  const quotedLength = Math.min(packet.end - l4, rng.chance(0.8) ? 20 : 60);
  const quote = l3 + IPV6_HEADER_LENGTH + ICMP6_HEADER_LENGTH;
  const inner = quote + IPV6_HEADER_LENGTH;
  // What the target sent: addresses and ports the other way round, its sequence number is what was acknowledged.
  bytes.copyWithin(inner, l4, l4 + quotedLength);
  if (quotedLength >= 8) swapPorts(view, inner);
  if (protocol === PROTOCOL_TCP && quotedLength >= 12) view.setInt32(inner + 4, view.getInt32(inner + 8));
  emitIpv6(view, quote, 0, 0, 1440, protocol, 63, destination, source);
  const [type, code] = rng.pick(ICMP_ERRORS);
  emitIcmp6(
    view,
    l3 + IPV6_HEADER_LENGTH,
    type,
    code,
    rng.pick([0, 6, 40, 1279, 1280, 1281, 1400, 1499, 65535]),
  );
  packet.end = inner + quotedLength;
  emitIpv6(view, l3, 0, 0, 0, IPPROTO_ICMPV6, 64, source, destination);
  repairLength(packet);
  repairChecksums(packet);
}
