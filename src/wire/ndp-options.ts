/**
 * The options of neighbour discovery messages (RFC 4861 section 4.6, RFC 8106, RFC 7527), as plain values.
 * @module
 */
import { IpAddress } from './address.ts';
import { emitDomainNames, parseDomainNames } from './domain-name.ts';

/** Types of options; those of another type are skipped. */
const SOURCE_LINK_ADDRESS = 1;
const TARGET_LINK_ADDRESS = 2;
const PREFIX_INFORMATION = 3;
const REDIRECTED_HEADER = 4;
const MTU = 5;
const NONCE = 14;
const RDNSS = 25;
const DNSSL = 31;

const PREFIX_ON_LINK = 0x80;
const PREFIX_AUTONOMOUS = 0x40;

/** Lengths are counted in units of so many bytes. */
const UNIT = 8;
/** A lifetime that never ends, in seconds. */
export const INFINITE_LIFETIME = 0xffffffff;

/** A prefix that is in use on the link. */
export interface PrefixInformation {
  readonly prefix: IpAddress;
  readonly prefixLength: number;
  /** Addresses in it are on the link. */
  readonly onLink: boolean;
  /** Hosts may make themselves addresses in it. */
  readonly autonomous: boolean;
  /** In seconds; INFINITE_LIFETIME for ever. */
  readonly validSeconds: number;
  readonly preferredSeconds: number;
}

/** Name servers (RFC 8106 section 5.1). */
export interface NameServers {
  /** In seconds; 0 for "no longer". */
  readonly lifetime: number;
  readonly addresses: readonly IpAddress[];
}

/** Domains to complete a short name with (RFC 8106 section 5.2). */
export interface SearchDomains {
  /** In seconds; 0 for "no longer". */
  readonly lifetime: number;
  readonly domains: readonly string[];
}

/** What the options of a message say. */
export interface NdpOptions {
  /** Hardware addresses of six bytes. */
  readonly sourceMac?: Uint8Array | undefined;
  readonly targetMac?: Uint8Array | undefined;
  readonly prefixes?: readonly PrefixInformation[] | undefined;
  /** In bytes. */
  readonly mtu?: number | undefined;
  readonly nameServers?: readonly NameServers[] | undefined;
  readonly searchDomains?: readonly SearchDomains[] | undefined;
  /** Tells an answer to us from our own message come back (RFC 7527). Six bytes. */
  readonly nonce?: Uint8Array | undefined;
  /** The beginning of the packet that led to a redirect. */
  readonly redirected?: Uint8Array | undefined;
}

/** The options in [at, end); null when one is malformed: then the whole message is not to be believed. */
export function parseNdpOptions(view: DataView, at: number, end: number): NdpOptions | null {
  const found: {
    -readonly [K in keyof NdpOptions]: NdpOptions[K];
  } = {};
  const prefixes: PrefixInformation[] = [];
  const nameServers: NameServers[] = [];
  const searchDomains: SearchDomains[] = [];
  for (let offset = at; offset < end; ) {
    if (end - offset < UNIT) return null;
    const length = view.getUint8(offset + 1) * UNIT;
    if (length === 0 || length > end - offset) return null;
    const bytes = (from: number, to: number): Uint8Array =>
      new Uint8Array(view.buffer, view.byteOffset + offset + from, to - from).slice();
    const type = view.getUint8(offset);
    if (type === SOURCE_LINK_ADDRESS) found.sourceMac = bytes(2, 8);
    else if (type === TARGET_LINK_ADDRESS) found.targetMac = bytes(2, 8);
    else if (type === REDIRECTED_HEADER) found.redirected = bytes(8, length);
    else if (type === NONCE) found.nonce = bytes(2, length);
    else if (type === MTU && length === 8) found.mtu = view.getUint32(offset + 4);
    else if (type === PREFIX_INFORMATION && length === 32) prefixes.push(parsePrefix(view, offset));
    else if (type === RDNSS && length >= 24) nameServers.push(parseNameServers(view, offset, length));
    else if (type === DNSSL && length >= 16) {
      const domains = parseDomainNames(bytes(8, length)) ?? [];
      searchDomains.push({ lifetime: view.getUint32(offset + 4), domains });
    }
    offset += length;
  }
  if (prefixes.length > 0) found.prefixes = prefixes;
  if (nameServers.length > 0) found.nameServers = nameServers;
  if (searchDomains.length > 0) found.searchDomains = searchDomains;
  return found;
}

function parsePrefix(view: DataView, offset: number): PrefixInformation {
  const flags = view.getUint8(offset + 3);
  return {
    prefixLength: view.getUint8(offset + 2),
    onLink: (flags & PREFIX_ON_LINK) !== 0,
    autonomous: (flags & PREFIX_AUTONOMOUS) !== 0,
    validSeconds: view.getUint32(offset + 4),
    preferredSeconds: view.getUint32(offset + 8),
    prefix: IpAddress.read6(view, offset + 16),
  };
}

function parseNameServers(view: DataView, offset: number, length: number): NameServers {
  const addresses: IpAddress[] = [];
  for (let at = 8; at + 16 <= length; at += 16) addresses.push(IpAddress.read6(view, offset + at));
  return { lifetime: view.getUint32(offset + 4), addresses };
}

/** Bytes of options. */
export function ndpOptionsLength(options: NdpOptions): number {
  const { sourceMac, targetMac, prefixes = [], mtu, nameServers = [], searchDomains = [] } = options;
  const { nonce, redirected } = options;
  let length = 0;
  for (const option of [sourceMac, targetMac, mtu, nonce]) if (option !== undefined) length += UNIT;
  for (const { addresses } of nameServers) length += UNIT + 16 * addresses.length;
  for (const { domains } of searchDomains) length += UNIT * domainUnits(emitDomainNames(domains));
  if (redirected !== undefined) length += UNIT + (redirected.length & ~7);
  return length + 32 * prefixes.length;
}

/** Writes options, `ndpOptionsLength` bytes. Of the redirected packet whole units are written. */
export function emitNdpOptions(options: NdpOptions, view: DataView, offset: number): void {
  const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  let at = offset;
  /** Begins an option of `units`; returns where it lies. */
  const begin = (type: number, units: number): number => {
    const here = at;
    bytes.fill(0, here, here + units * UNIT);
    view.setUint8(here, type);
    view.setUint8(here + 1, units);
    at += units * UNIT;
    return here;
  };
  const { sourceMac, targetMac, prefixes = [], mtu, nameServers = [], searchDomains = [] } = options;
  const { nonce, redirected } = options;
  if (sourceMac !== undefined) bytes.set(sourceMac, begin(SOURCE_LINK_ADDRESS, 1) + 2);
  if (targetMac !== undefined) bytes.set(targetMac, begin(TARGET_LINK_ADDRESS, 1) + 2);
  for (const prefix of prefixes) emitPrefix(prefix, view, begin(PREFIX_INFORMATION, 4));
  if (mtu !== undefined) view.setUint32(begin(MTU, 1) + 4, mtu);
  for (const { lifetime, addresses } of nameServers) {
    const here = begin(RDNSS, 1 + 2 * addresses.length);
    view.setUint32(here + 4, lifetime);
    addresses.forEach((address, i) => {
      address.write(view, here + 8 + 16 * i);
    });
  }
  for (const { lifetime, domains } of searchDomains) {
    const names = emitDomainNames(domains);
    const here = begin(DNSSL, domainUnits(names));
    view.setUint32(here + 4, lifetime);
    bytes.set(names, here + 8);
  }
  if (nonce !== undefined) bytes.set(nonce.subarray(0, 6), begin(NONCE, 1) + 2);
  if (redirected === undefined) return;
  const units = redirected.length >> 3;
  bytes.set(redirected.subarray(0, units * UNIT), begin(REDIRECTED_HEADER, 1 + units) + 8);
}

/** How long the option for these names is. */
function domainUnits(names: Uint8Array): number {
  return 1 + Math.ceil(names.length / UNIT);
}

function emitPrefix(prefix: PrefixInformation, view: DataView, offset: number): void {
  view.setUint8(offset + 2, prefix.prefixLength);
  const { onLink, autonomous } = prefix;
  view.setUint8(offset + 3, (onLink ? PREFIX_ON_LINK : 0) | (autonomous ? PREFIX_AUTONOMOUS : 0));
  view.setUint32(offset + 4, prefix.validSeconds);
  view.setUint32(offset + 8, prefix.preferredSeconds);
  prefix.prefix.write(view, offset + 16);
}
