/**
 * The options of DHCP messages (RFC 2132, 3397, 3442), as plain values. One that is malformed, or unknown, is as good
 * as absent.
 * @module
 */
import { IpAddress } from './address.ts';
import { emitDomainNames, parseDomainNames } from './domain-name.ts';

/** A route of option 121. */
export interface ClasslessRoute {
  readonly destination: IpAddress;
  readonly prefixLength: number;
  /** 0.0.0.0 when the destination is on the link itself. */
  readonly router: IpAddress;
}

/** What the options of a message say. */
export interface DhcpOptions {
  /** DHCP_DISCOVER, ... */
  readonly messageType?: number | undefined;
  readonly subnetMask?: IpAddress | undefined;
  readonly routers?: readonly IpAddress[] | undefined;
  readonly nameServers?: readonly IpAddress[] | undefined;
  readonly hostName?: string | undefined;
  readonly domainName?: string | undefined;
  /** In bytes. */
  readonly mtu?: number | undefined;
  readonly broadcastAddress?: IpAddress | undefined;
  readonly requestedAddress?: IpAddress | undefined;
  /** In seconds, as the two times below; DHCP_INFINITE for ever. */
  readonly leaseTime?: number | undefined;
  readonly serverId?: IpAddress | undefined;
  /** Codes of options that the client wants. */
  readonly parameters?: Uint8Array | undefined;
  /** For people to read. */
  readonly message?: string | undefined;
  /** Bytes of the largest message that the sender takes, from the IP header on. */
  readonly maxMessageSize?: number | undefined;
  /** T1 and T2. */
  readonly renewalTime?: number | undefined;
  readonly rebindingTime?: number | undefined;
  readonly vendorClass?: string | undefined;
  readonly clientId?: Uint8Array | undefined;
  readonly searchList?: readonly string[] | undefined;
  readonly classlessRoutes?: readonly ClasslessRoute[] | undefined;
}

/** A lease that never ends, in seconds. */
export const DHCP_INFINITE = 0xffffffff;

const PAD = 0;
const END = 255;
/** Says which of the fields `file` and `sname` have options in them, too. */
const OVERLOAD = 52;
const OVERLOAD_FILE = 1;
const OVERLOAD_SNAME = 2;
/** Bytes of the content of one option; a longer one is split (RFC 3396). */
const CONTENT_MAX = 255;

/** How the content of an option is read and written. */
interface Codec<T> {
  /** Undefined when it is malformed. */
  parse(bytes: Uint8Array): T | undefined;
  emit(value: T): Uint8Array;
}

const ADDRESS: Codec<IpAddress> = {
  parse: bytes => (bytes.length === 4 ? addressAt(bytes, 0) : undefined),
  emit: address => addressBytes([address]),
};

const ADDRESSES: Codec<readonly IpAddress[]> = {
  parse: bytes => {
    if (bytes.length === 0 || bytes.length % 4 !== 0) return undefined;
    return Array.from({ length: bytes.length / 4 }, (_, i) => addressAt(bytes, 4 * i));
  },
  emit: addressBytes,
};

/** A number of so many bytes. */
function numberOf(width: 1 | 2 | 4): Codec<number> {
  return {
    parse: bytes => {
      if (bytes.length !== width) return undefined;
      return bytes.reduce((value, byte) => value * 256 + byte, 0);
    },
    emit: value => Uint8Array.from({ length: width }, (_, i) => value / 256 ** (width - 1 - i)),
  };
}

const TEXT: Codec<string> = {
  parse: bytes => {
    const text = String.fromCharCode(...bytes).replace(/\0+$/, '');
    return /^[\x20-\x7e]+$/.test(text) ? text : undefined;
  },
  emit: text => Uint8Array.from(text, character => character.charCodeAt(0)),
};

const BYTES: Codec<Uint8Array> = {
  parse: bytes => (bytes.length > 0 ? bytes.slice() : undefined),
  emit: bytes => bytes,
};

const NAMES: Codec<readonly string[]> = {
  parse: bytes => parseDomainNames(bytes) ?? undefined,
  emit: emitDomainNames,
};

const ROUTES: Codec<readonly ClasslessRoute[]> = { parse: parseRoutes, emit: emitRoutes };

/** Code and content of each option, in the order in which they are written: the first ones are never left out. */
const TABLE: { readonly [K in keyof DhcpOptions]-?: readonly [number, Codec<NonNullable<DhcpOptions[K]>>] } =
  {
    messageType: [53, numberOf(1)],
    serverId: [54, ADDRESS],
    leaseTime: [51, numberOf(4)],
    clientId: [61, BYTES],
    requestedAddress: [50, ADDRESS],
    maxMessageSize: [57, numberOf(2)],
    renewalTime: [58, numberOf(4)],
    rebindingTime: [59, numberOf(4)],
    subnetMask: [1, ADDRESS],
    classlessRoutes: [121, ROUTES],
    routers: [3, ADDRESSES],
    nameServers: [6, ADDRESSES],
    mtu: [26, numberOf(2)],
    hostName: [12, TEXT],
    domainName: [15, TEXT],
    broadcastAddress: [28, ADDRESS],
    searchList: [119, NAMES],
    vendorClass: [60, TEXT],
    parameters: [55, BYTES],
    message: [56, TEXT],
  };

type Name = keyof DhcpOptions;
const NAMES_OF_OPTIONS = /* @__PURE__ */ Object.keys(TABLE) as Name[];

/** The code of an option, 1 for the subnet mask. */
export function dhcpOptionCode(name: keyof DhcpOptions): number {
  return TABLE[name][0];
}

/**
 * The options of a message, in the order of RFC 3396 section 5: `options`, then `file` and `sname` if they say that these
 * hold some.
 */
export function parseDhcpOptions(options: Uint8Array, file: Uint8Array, sname: Uint8Array): DhcpOptions {
  const contents = new Map<number, number[]>();
  collect(options, contents);
  const overload = contents.get(OVERLOAD)?.[0] ?? 0;
  if ((overload & OVERLOAD_FILE) !== 0) collect(file, contents);
  if ((overload & OVERLOAD_SNAME) !== 0) collect(sname, contents);
  const found: Record<string, unknown> = {};
  for (const name of NAMES_OF_OPTIONS) {
    const [code, codec] = TABLE[name];
    const content = contents.get(code);
    const value = content === undefined ? undefined : codec.parse(Uint8Array.from(content));
    if (value !== undefined) found[name] = value;
  }
  return found as DhcpOptions;
}

/** Gathers contents by code; those of one code in several pieces are put together (RFC 3396). */
function collect(bytes: Uint8Array, into: Map<number, number[]>): void {
  for (let at = 0; at < bytes.length; ) {
    const code = bytes[at] as number;
    if (code === END) return;
    if (code === PAD) {
      at++;
      continue;
    }
    const length = bytes[at + 1];
    if (length === undefined || at + 2 + length > bytes.length) return;
    const content = into.get(code) ?? [];
    content.push(...bytes.subarray(at + 2, at + 2 + length));
    into.set(code, content);
    at += 2 + length;
  }
}

/** The options as bytes, the end option included; what does not fit in `room` bytes is left out, the last ones first. */
export function emitDhcpOptions(options: DhcpOptions, room: number): Uint8Array {
  const bytes: number[] = [];
  for (const name of NAMES_OF_OPTIONS) {
    const value = options[name];
    if (value === undefined) continue;
    const [code, codec] = TABLE[name] as readonly [number, Codec<unknown>];
    const content = codec.emit(value);
    const pieces = Math.max(1, Math.ceil(content.length / CONTENT_MAX));
    if (bytes.length + content.length + 2 * pieces + 1 > room) continue;
    for (let i = 0; i < pieces; i++) {
      const piece = content.subarray(i * CONTENT_MAX, (i + 1) * CONTENT_MAX);
      bytes.push(code, piece.length, ...piece);
    }
  }
  bytes.push(END);
  return Uint8Array.from(bytes);
}

function addressAt(bytes: Uint8Array, at: number): IpAddress {
  let word = 0;
  for (let i = 0; i < 4; i++) word = (word << 8) | (bytes[at + i] as number);
  return IpAddress.v4(word);
}

function addressBytes(addresses: readonly IpAddress[]): Uint8Array {
  const bytes = new Uint8Array(4 * addresses.length);
  const view = new DataView(bytes.buffer);
  for (const [i, address] of addresses.entries()) address.write(view, 4 * i);
  return bytes;
}

/** RFC 3442: the prefix length, as many octets of the destination as are significant, and the router. */
function parseRoutes(bytes: Uint8Array): ClasslessRoute[] | undefined {
  const routes: ClasslessRoute[] = [];
  for (let at = 0; at < bytes.length; ) {
    const prefixLength = bytes[at] as number;
    const octets = Math.ceil(prefixLength / 8);
    if (prefixLength > 32 || at + 5 + octets > bytes.length) return undefined;
    const destination = new Uint8Array(4);
    destination.set(bytes.subarray(at + 1, at + 1 + octets));
    routes.push({
      destination: addressAt(destination, 0),
      prefixLength,
      router: addressAt(bytes, at + 1 + octets),
    });
    at += 5 + octets;
  }
  return routes.length > 0 ? routes : undefined;
}

function emitRoutes(routes: readonly ClasslessRoute[]): Uint8Array {
  return Uint8Array.from(
    routes.flatMap(({ destination, prefixLength, router }) => [
      prefixLength,
      ...addressBytes([destination]).subarray(0, Math.ceil(prefixLength / 8)),
      ...addressBytes([router]),
    ]),
  );
}
