/**
 * IP and link-layer addresses. An `IpAddress` is one immutable value of either family, so that the transports and
 * the sockets never ask how many bytes it has.
 * @module
 */

export const AF_UNSPEC = 0;
export const AF_INET = 2;
export const AF_INET6 = 10;
/** The families an `IpAddress` can be of. */
export type AddressFamily = typeof AF_INET | typeof AF_INET6;

/** ::ffff:0:0/96, the prefix under which an IPv4 address is held (RFC 4291 section 2.5.5.2). */
const V4_MAPPED = 0xffff;
/** The first words of fe80::/10 and fec0::/10. */
const LINK_LOCAL_PREFIX = 0xfe800000 | 0;
/** The first 16 bits of 169.254.0.0/16. */
const LINK_LOCAL_V4 = 0xa9fe;
const SITE_LOCAL_PREFIX = 0xfec00000 | 0;

/** How far an IPv6 address means the same: the scopes of RFC 4291 section 2.7. */
export const SCOPE_INTERFACE = 1;
export const SCOPE_LINK = 2;
export const SCOPE_SITE = 5;
export const SCOPE_GLOBAL = 14;

/**
 * An IPv4 or IPv6 address: four int32 words in network order, IPv4 in the last one, and the zone (RFC 4007) of an IPv6
 * address that means something on one link alone. Two link-local addresses in different zones are not equal.
 * @example IpAddress.parse('10.0.0.1')?.toString() // '10.0.0.1'
 */
export class IpAddress {
  readonly family: AddressFamily;
  readonly w0: number;
  readonly w1: number;
  readonly w2: number;
  readonly w3: number;
  /** Index of the interface whose link the address belongs to, sin6_scope_id; 0 for none. */
  readonly zone: number;

  private constructor(family: AddressFamily, w0: number, w1: number, w2: number, w3: number, zone: number) {
    this.family = family;
    this.w0 = w0;
    this.w1 = w1;
    this.w2 = w2;
    this.w3 = w3;
    this.zone = zone;
  }

  /** The IPv4 address whose 32 bits are `word`. */
  static v4(word: number): IpAddress {
    return new IpAddress(AF_INET, 0, 0, V4_MAPPED, word | 0, 0);
  }

  /** The IPv6 address made of four 32-bit words, most significant first, in `zone`. */
  static v6(w0: number, w1: number, w2: number, w3: number, zone = 0): IpAddress {
    return new IpAddress(AF_INET6, w0 | 0, w1 | 0, w2 | 0, w3 | 0, zone);
  }

  /** The IPv6 address in the 16 bytes at `offset`. */
  static read6(view: DataView, offset: number, zone = 0): IpAddress {
    const word = (at: number): number => view.getInt32(offset + at);
    return IpAddress.v6(word(0), word(4), word(8), word(12), zone);
  }

  /**
   * The address in dotted-quad or (RFC 4291) IPv6 text; null when the text is neither. A zone may follow an IPv6
   * address: its number ('fe80::1%2'), or what `zoneOf` knows it by, which returns 0 for an unknown name.
   */
  static parse(text: string, zoneOf?: (name: string) => number): IpAddress | null {
    if (!text.includes(':')) return parseV4(text);
    const percent = text.indexOf('%');
    if (percent < 0) return parseV6(text);
    const name = text.slice(percent + 1);
    const zone = /^\d{1,9}$/.test(name) ? Number(name) : (zoneOf?.(name) ?? 0);
    return zone === 0 ? null : (parseV6(text.slice(0, percent))?.withZone(zone) ?? null);
  }

  /** Whether this is 0.0.0.0 or ::. */
  get isUnspecified(): boolean {
    return this.w3 === 0 && this.w0 === 0 && this.w1 === 0 && (this.w2 === 0 || this.family === AF_INET);
  }

  /** Whether this is in 127.0.0.0/8, or ::1. */
  get isLoopback(): boolean {
    if (this.family === AF_INET) return this.w3 >>> 24 === 127;
    return this.w0 === 0 && this.w1 === 0 && this.w2 === 0 && this.w3 === 1;
  }

  /** Whether this is in 224.0.0.0/4 or ff00::/8. */
  get isMulticast(): boolean {
    return this.family === AF_INET ? this.w3 >>> 28 === 0xe : this.w0 >>> 24 === 0xff;
  }

  /** Whether this is in fe80::/10; an IPv4 address never is. */
  get isLinkLocal(): boolean {
    return this.family === AF_INET6 && (this.w0 & 0xffc00000) === LINK_LOCAL_PREFIX;
  }

  /** Whether it means something on one link alone: link-local, or a multicast group of no wider scope. */
  get needsZone(): boolean {
    if (this.family === AF_INET) return false;
    if (this.w0 >>> 24 !== 0xff) return (this.w0 & 0xffc00000) === LINK_LOCAL_PREFIX;
    const scope = (this.w0 >>> 16) & 15;
    return scope === SCOPE_LINK || scope === SCOPE_INTERFACE;
  }

  /** Whether this is an IPv6 address that stands for an IPv4 one: in ::ffff:0:0/96 (RFC 4291 section 2.5.5.2). */
  get isMapped(): boolean {
    return this.family === AF_INET6 && this.w0 === 0 && this.w1 === 0 && this.w2 === V4_MAPPED;
  }

  /** How far it means the same: SCOPE_*, of IPv4 addresses as RFC 6724 section 3.2 has it. */
  get scope(): number {
    if (this.family === AF_INET) {
      return this.w3 >>> 24 === 127 || isLinkLocalV4Word(this.w3) ? SCOPE_LINK : SCOPE_GLOBAL;
    }
    if (this.w0 >>> 24 === 0xff) return (this.w0 >>> 16) & 15;
    if (this.isLinkLocal || this.isLoopback) return SCOPE_LINK;
    return (this.w0 & 0xffc00000) === SITE_LOCAL_PREFIX ? SCOPE_SITE : SCOPE_GLOBAL;
  }

  /** The same address in a zone: itself when it has that, or when it means the same everywhere. */
  withZone(zone: number): IpAddress {
    if (this.zone === zone || !this.needsZone) return this;
    return new IpAddress(this.family, this.w0, this.w1, this.w2, this.w3, zone);
  }

  /** The IPv6 address that stands for an IPv4 one; an IPv6 address itself. */
  toMapped(): IpAddress {
    return this.family === AF_INET6 ? this : IpAddress.v6(0, 0, V4_MAPPED, this.w3);
  }

  /** The IPv4 address that a mapped one stands for; any other itself. */
  toUnmapped(): IpAddress {
    return this.isMapped ? IpAddress.v4(this.w3) : this;
  }

  /** Whether this is 255.255.255.255. IPv6 has no broadcast. */
  get isLimitedBroadcast(): boolean {
    return this.family === AF_INET && this.w3 === -1;
  }

  /** How many bytes the address has on the wire: 4 or 16. */
  get byteLength(): number {
    return this.family === AF_INET ? 4 : 16;
  }

  equals(other: IpAddress): boolean {
    return (
      this === other ||
      (this.w3 === other.w3 &&
        this.w2 === other.w2 &&
        this.w1 === other.w1 &&
        this.w0 === other.w0 &&
        this.zone === other.zone &&
        this.family === other.family)
    );
  }

  /** Whether the first `prefixLength` bits of both are the same, whatever the zones; false across families. */
  inPrefix(network: IpAddress, prefixLength: number): boolean {
    if (this.family !== network.family) return false;
    const bits = this.family === AF_INET ? prefixLength + 96 : prefixLength;
    return (
      sameBits(this.w0, network.w0, bits) &&
      sameBits(this.w1, network.w1, bits - 32) &&
      sameBits(this.w2, network.w2, bits - 64) &&
      sameBits(this.w3, network.w3, bits - 96)
    );
  }

  /** Writes the address in network order at `offset`; returns how many bytes it wrote. */
  write(view: DataView, offset: number): number {
    if (this.family === AF_INET) {
      view.setInt32(offset, this.w3);
      return 4;
    }
    view.setInt32(offset, this.w0);
    view.setInt32(offset + 4, this.w1);
    view.setInt32(offset + 8, this.w2);
    view.setInt32(offset + 12, this.w3);
    return 16;
  }

  /** The sum of the address's 16-bit words, its share of a pseudo-header checksum (not folded). */
  checksumPart(): number {
    const low = (this.w3 >>> 16) + (this.w3 & 0xffff);
    if (this.family === AF_INET) return low;
    const high = (this.w0 >>> 16) + (this.w0 & 0xffff) + (this.w1 >>> 16) + (this.w1 & 0xffff);
    return high + (this.w2 >>> 16) + (this.w2 & 0xffff) + low;
  }

  /** Canonical text: dotted quad, or RFC 5952; with the number of the zone when there is one. */
  toString(): string {
    if (this.family === AF_INET) return formatV4(this.w3);
    return this.zone === 0 ? formatV6(this) : `${formatV6(this)}%${this.zone}`;
  }

  toJSON(): string {
    return this.toString();
  }
}

/** 0.0.0.0 */
export const ANY_V4: IpAddress = /* @__PURE__ */ IpAddress.v4(0);
/** 127.0.0.1 */
export const LOOPBACK_V4: IpAddress = /* @__PURE__ */ IpAddress.v4(0x7f000001);
/** 255.255.255.255 */
export const BROADCAST_V4: IpAddress = /* @__PURE__ */ IpAddress.v4(0xffffffff);
/** :: */
export const ANY_V6: IpAddress = /* @__PURE__ */ IpAddress.v6(0, 0, 0, 0);
/** ::1 */
export const LOOPBACK_V6: IpAddress = /* @__PURE__ */ IpAddress.v6(0, 0, 0, 1);
/** ff02::1 and ff02::2, all nodes and all routers of a link (RFC 4291 section 2.7.1). */
export const ALL_NODES: IpAddress = /* @__PURE__ */ IpAddress.v6(0xff020000, 0, 0, 1);
export const ALL_ROUTERS: IpAddress = /* @__PURE__ */ IpAddress.v6(0xff020000, 0, 0, 2);

/** Whether this is in 169.254.0.0/16, of which hosts pick an address themselves (RFC 3927). */
export function isLinkLocalV4(address: IpAddress): boolean {
  return address.family === AF_INET && isLinkLocalV4Word(address.w3);
}

/** The same of the 32 bits of an IPv4 address. */
export function isLinkLocalV4Word(word: number): boolean {
  return word >>> 16 === LINK_LOCAL_V4;
}

/** The multicast group in which an address is asked for (RFC 4291 section 2.7.1), in the address's zone. */
export function solicitedNode(address: IpAddress, zone: number = address.zone): IpAddress {
  return IpAddress.v6(0xff020000, 0, 1, 0xff000000 | (address.w3 & 0xffffff), zone);
}

/** An address with its prefix length, as `ip addr` writes it: '10.0.0.1/24'. Null when the text is not one. */
export function parseCidr(text: string): { address: IpAddress; prefixLength: number } | null {
  const slash = text.indexOf('/');
  const address = IpAddress.parse(slash < 0 ? text : text.slice(0, slash));
  if (address === null) return null;
  const bits = address.byteLength * 8;
  if (slash < 0) return { address, prefixLength: bits };
  const digits = text.slice(slash + 1);
  const prefixLength = Number(digits);
  if (!/^\d{1,3}$/.test(digits) || prefixLength > bits) return null;
  return { address, prefixLength };
}

/** The address with all bits behind the prefix zero. */
export function networkOf(address: IpAddress, prefixLength: number): IpAddress {
  const mask = (word: number, bits: number): number =>
    bits <= 0 ? 0 : bits >= 32 ? word : word & ~(0xffffffff >>> bits);
  if (address.family === AF_INET) return IpAddress.v4(mask(address.w3, prefixLength));
  return IpAddress.v6(
    mask(address.w0, prefixLength),
    mask(address.w1, prefixLength - 32),
    mask(address.w2, prefixLength - 64),
    mask(address.w3, prefixLength - 96),
  );
}

/** '10.0.0.1:80', '[fd00::1]:80'. */
export function formatEndpoint(address: IpAddress, port: number): string {
  return address.family === AF_INET ? `${address}:${port}` : `[${address}]:${port}`;
}

/** 'aa:bb:cc:dd:ee:ff' of six bytes at `offset`. */
export function formatMac(bytes: Uint8Array, offset = 0): string {
  let text = '';
  for (let i = 0; i < 6; i++) text += `${i > 0 ? ':' : ''}${hex2(bytes[offset + i] ?? 0)}`;
  return text;
}

/** Six bytes of 'aa:bb:cc:dd:ee:ff'; null when the text is not a MAC address. */
export function parseMac(text: string): Uint8Array | null {
  if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(text)) return null;
  return Uint8Array.from(text.split(':'), part => Number.parseInt(part, 16));
}

function hex2(byte: number): string {
  return byte.toString(16).padStart(2, '0');
}

function sameBits(a: number, b: number, bits: number): boolean {
  if (bits <= 0) return true;
  return bits >= 32 ? a === b : (a ^ b) >>> (32 - bits) === 0;
}

function parseV4(text: string): IpAddress | null {
  const word = parseV4Word(text);
  return word === null ? null : IpAddress.v4(word);
}

function parseV4Word(text: string): number | null {
  const parts = text.split('.');
  if (parts.length !== 4) return null;
  let word = 0;
  for (const part of parts) {
    const value = Number(part);
    if (!/^(0|[1-9]\d{0,2})$/.test(part) || value > 255) return null;
    word = (word << 8) | value;
  }
  return word;
}

function parseV6(text: string): IpAddress | null {
  const halves = text.split('::');
  if (halves.length > 2) return null;
  const head = parseGroups(halves[0] ?? '');
  const tail = halves.length === 2 ? parseGroups(halves[1] ?? '') : [];
  if (head === null || tail === null) return null;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return null;
  const groups = [...head, ...new Array<number>(missing).fill(0), ...tail];
  const word = (i: number): number => ((groups[i] ?? 0) << 16) | (groups[i + 1] ?? 0);
  return IpAddress.v6(word(0), word(2), word(4), word(6));
}

function parseGroups(text: string): number[] | null {
  if (text === '') return [];
  const groups: number[] = [];
  const parts = text.split(':');
  for (const [index, part] of parts.entries()) {
    if (index === parts.length - 1 && part.includes('.')) {
      const word = parseV4Word(part);
      if (word === null) return null;
      groups.push(word >>> 16, word & 0xffff);
    } else if (/^[0-9a-f]{1,4}$/i.test(part)) {
      groups.push(Number.parseInt(part, 16));
    } else {
      return null;
    }
  }
  return groups;
}

function formatV4(word: number): string {
  return `${word >>> 24}.${(word >>> 16) & 255}.${(word >>> 8) & 255}.${word & 255}`;
}

function formatV6(address: IpAddress): string {
  const { w0, w1, w2, w3 } = address;
  if (w0 === 0 && w1 === 0 && w2 === V4_MAPPED) return `::ffff:${formatV4(w3)}`;
  const groups = [w0, w1, w2, w3].flatMap(word => [word >>> 16, word & 0xffff]);
  const { start, length } = longestZeroRun(groups);
  const text = (from: number, to: number): string =>
    groups
      .slice(from, to)
      .map(group => group.toString(16))
      .join(':');
  if (length < 2) return text(0, 8);
  return `${text(0, start)}::${text(start + length, 8)}`;
}

function longestZeroRun(groups: number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  for (let start = 0; start < 8; start++) {
    let length = 0;
    while (start + length < 8 && groups[start + length] === 0) length++;
    if (length > best.length) best = { start, length };
  }
  return best;
}
