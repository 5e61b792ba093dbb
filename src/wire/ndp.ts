/**
 * The messages of neighbour discovery (RFC 4861), without checksum, as plain values: they are rare. What the IP header
 * must be like (hop limit 255 ...) is the receiver's to check.
 * @module
 */
import { IpAddress } from './address.ts';
import {
  ND_NEIGHBOR_ADVERT,
  ND_NEIGHBOR_SOLICIT,
  ND_REDIRECT,
  ND_ROUTER_ADVERT,
  ND_ROUTER_SOLICIT,
} from './icmp6.ts';
import { emitNdpOptions, type NdpOptions, ndpOptionsLength, parseNdpOptions } from './ndp-options.ts';

/** Offsets of fields that follow the ICMP header's first word. */
const FLAGS = 4;
const TARGET = 8;
const REDIRECT_DESTINATION = 24;
const RA_HOP_LIMIT = 4;
const RA_FLAGS = 5;
const RA_LIFETIME = 6;
const RA_REACHABLE = 8;
const RA_RETRANS = 12;

/** Flags of a neighbour advertisement. */
export const NA_ROUTER = 0x80;
export const NA_SOLICITED = 0x40;
export const NA_OVERRIDE = 0x20;

/** Flags of a router advertisement: addresses, or other configuration, are to be had by DHCPv6. */
export const RA_MANAGED = 0x80;
export const RA_OTHER = 0x40;

/** Where the options begin, by type; undefined for a message of another kind. */
const HEADER_LENGTHS: Readonly<Record<number, number>> = {
  [ND_ROUTER_SOLICIT]: 8,
  [ND_ROUTER_ADVERT]: 16,
  [ND_NEIGHBOR_SOLICIT]: 24,
  [ND_NEIGHBOR_ADVERT]: 24,
  [ND_REDIRECT]: 40,
};

/** Asks the routers of the link to say what they have to say. */
export interface RouterSolicit {
  readonly type: typeof ND_ROUTER_SOLICIT;
  readonly options: NdpOptions;
}

/** What a router says of itself and of the link. */
export interface RouterAdvert {
  readonly type: typeof ND_ROUTER_ADVERT;
  /** For packets of hosts; 0 when it does not say. */
  readonly hopLimit: number;
  readonly managed: boolean;
  readonly other: boolean;
  /** RFC 4191: 1 high, 0 medium, -1 low. */
  readonly preference: -1 | 0 | 1;
  /** Seconds for which it may be a default router; 0 for "not at all". */
  readonly lifetime: number;
  /** Milliseconds that a neighbour is taken to be reachable, and between solicitations; 0 when it does not say. */
  readonly reachableMs: number;
  readonly retransMs: number;
  readonly options: NdpOptions;
}

/** Asks who has `target`. */
export interface NeighborSolicit {
  readonly type: typeof ND_NEIGHBOR_SOLICIT;
  readonly target: IpAddress;
  readonly options: NdpOptions;
}

/** Says that the sender has `target`. */
export interface NeighborAdvert {
  readonly type: typeof ND_NEIGHBOR_ADVERT;
  readonly target: IpAddress;
  readonly router: boolean;
  readonly solicited: boolean;
  readonly override: boolean;
  readonly options: NdpOptions;
}

/** Says that packets to `destination` had better go to `target`, which may be the destination itself. */
export interface Redirect {
  readonly type: typeof ND_REDIRECT;
  readonly target: IpAddress;
  readonly destination: IpAddress;
  readonly options: NdpOptions;
}

/** Any message of neighbour discovery. */
export type NdpRepr = RouterSolicit | RouterAdvert | NeighborSolicit | NeighborAdvert | Redirect;

/** The message at `offset`; null when [offset, end) does not hold one, or one of its options is malformed. */
export function parseNdp(view: DataView, offset: number, end: number): NdpRepr | null {
  if (end - offset < 8) return null;
  const type = view.getUint8(offset);
  const headerLength = HEADER_LENGTHS[type];
  if (headerLength === undefined || end - offset < headerLength) return null;
  const options = parseNdpOptions(view, offset + headerLength, end);
  if (options === null) return null;
  switch (type) {
    case ND_ROUTER_SOLICIT:
      return { type, options };
    case ND_ROUTER_ADVERT:
      return parseRouterAdvert(view, offset, options);
    case ND_NEIGHBOR_SOLICIT:
      return { type, target: IpAddress.read6(view, offset + TARGET), options };
    case ND_NEIGHBOR_ADVERT: {
      const flags = view.getUint8(offset + FLAGS);
      return {
        type,
        target: IpAddress.read6(view, offset + TARGET),
        router: (flags & NA_ROUTER) !== 0,
        solicited: (flags & NA_SOLICITED) !== 0,
        override: (flags & NA_OVERRIDE) !== 0,
        options,
      };
    }
    default: {
      const destination = IpAddress.read6(view, offset + REDIRECT_DESTINATION);
      return { type: ND_REDIRECT, target: IpAddress.read6(view, offset + TARGET), destination, options };
    }
  }
}

function parseRouterAdvert(view: DataView, offset: number, options: NdpOptions): RouterAdvert {
  const flags = view.getUint8(offset + RA_FLAGS);
  // 10 is reserved and means 00 (RFC 4191 section 2.1).
  const preference = [0, 1, 0, -1][(flags >> 3) & 3] as -1 | 0 | 1;
  return {
    type: ND_ROUTER_ADVERT,
    hopLimit: view.getUint8(offset + RA_HOP_LIMIT),
    managed: (flags & RA_MANAGED) !== 0,
    other: (flags & RA_OTHER) !== 0,
    preference,
    lifetime: view.getUint16(offset + RA_LIFETIME),
    reachableMs: view.getUint32(offset + RA_REACHABLE),
    retransMs: view.getUint32(offset + RA_RETRANS),
    options,
  };
}

/** Bytes of a message. */
export function ndpLength(repr: NdpRepr): number {
  return (HEADER_LENGTHS[repr.type] as number) + ndpOptionsLength(repr.options);
}

/** Writes a message, `ndpLength` bytes; the checksum is left zero. */
export function emitNdp(repr: NdpRepr, view: DataView, offset: number): void {
  const headerLength = HEADER_LENGTHS[repr.type] as number;
  for (let at = 0; at < headerLength; at += 4) view.setUint32(offset + at, 0);
  view.setUint8(offset, repr.type);
  emitNdpOptions(repr.options, view, offset + headerLength);
  if (repr.type === ND_ROUTER_SOLICIT) return;
  if (repr.type === ND_ROUTER_ADVERT) {
    emitRouterAdvert(repr, view, offset);
    return;
  }
  repr.target.write(view, offset + TARGET);
  if (repr.type === ND_REDIRECT) repr.destination.write(view, offset + REDIRECT_DESTINATION);
  if (repr.type !== ND_NEIGHBOR_ADVERT) return;
  const { router, solicited, override } = repr;
  view.setUint8(
    offset + FLAGS,
    (router ? NA_ROUTER : 0) | (solicited ? NA_SOLICITED : 0) | (override ? NA_OVERRIDE : 0),
  );
}

function emitRouterAdvert(repr: RouterAdvert, view: DataView, offset: number): void {
  const { managed, other, preference } = repr;
  view.setUint8(offset + RA_HOP_LIMIT, repr.hopLimit);
  view.setUint8(
    offset + RA_FLAGS,
    (managed ? RA_MANAGED : 0) | (other ? RA_OTHER : 0) | ((preference & 3) << 3),
  );
  view.setUint16(offset + RA_LIFETIME, repr.lifetime);
  view.setUint32(offset + RA_REACHABLE, repr.reachableMs);
  view.setUint32(offset + RA_RETRANS, repr.retransMs);
}

/** What a message says, in tcpdump's words: 'neighbor solicitation, who has fe80::1'. */
export function formatNdp(repr: NdpRepr): string {
  switch (repr.type) {
    case ND_ROUTER_SOLICIT:
      return 'router solicitation';
    case ND_ROUTER_ADVERT:
      return 'router advertisement';
    case ND_NEIGHBOR_SOLICIT:
      return `neighbor solicitation, who has ${repr.target}`;
    case ND_NEIGHBOR_ADVERT:
      return `neighbor advertisement, tgt is ${repr.target}`;
    case ND_REDIRECT:
      return `redirect, ${repr.destination} to ${repr.target}`;
  }
}
