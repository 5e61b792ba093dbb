/**
 * The messages of stateless DHCPv6 (RFC 8415 sections 8 and 21, RFC 3646), as plain values. An option that is
 * malformed, or unknown, is as good as absent.
 * @module
 */
import { IpAddress } from './address.ts';
import { emitDomainNames, parseDomainNames } from './domain-name.ts';

const HEADER_LENGTH = 4;
const OPTION_HEADER_LENGTH = 4;

export const DHCP6_CLIENT_PORT = 546;
export const DHCP6_SERVER_PORT = 547;
/** ff02::1:2, all servers and relays of a link. */
export const ALL_DHCP6_SERVERS: IpAddress = /* @__PURE__ */ IpAddress.v6(0xff020000, 0, 0, 0x10002);

export const DHCP6_REPLY = 7;
export const DHCP6_INFORMATION_REQUEST = 11;

const CLIENT_ID = 1;
const SERVER_ID = 2;
const OPTION_REQUEST = 6;
const ELAPSED_TIME = 8;
const STATUS_CODE = 13;
/** Codes for `optionRequest`. */
export const DHCP6_NAME_SERVERS = 23;
export const DHCP6_DOMAIN_LIST = 24;
export const DHCP6_REFRESH_TIME = 32;

const DUID_LL = 3;
const HTYPE_ETHERNET = 1;
/** Bytes of the longest DUID (section 11.1). */
const DUID_MAX = 130;

/** A message between client and server; relayed ones have another format. */
export interface Dhcp6Message {
  readonly type: number;
  /** 24 bits. */
  readonly transactionId: number;
  /** DUIDs. */
  readonly clientId?: Uint8Array | undefined;
  readonly serverId?: Uint8Array | undefined;
  /** Codes of the options that the client wants. */
  readonly optionRequest?: readonly number[] | undefined;
  /** Hundredths of a second since the client began. */
  readonly elapsedTime?: number | undefined;
  /** 0 for success, which is also meant when it is absent. */
  readonly status?: number | undefined;
  readonly nameServers?: readonly IpAddress[] | undefined;
  readonly domains?: readonly string[] | undefined;
  /** Seconds after which the client is to ask again. */
  readonly refreshTime?: number | undefined;
}

/** The message, or null when the bytes are none. */
export function parseDhcp6(bytes: Uint8Array): Dhcp6Message | null {
  if (bytes.length < HEADER_LENGTH) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const found: { -readonly [K in keyof Dhcp6Message]: Dhcp6Message[K] } = {
    type: view.getUint8(0),
    transactionId: view.getUint32(0) & 0xffffff,
  };
  for (let at = HEADER_LENGTH; at < bytes.length; ) {
    if (at + OPTION_HEADER_LENGTH > bytes.length) return null;
    const start = at + OPTION_HEADER_LENGTH;
    const end = start + view.getUint16(at + 2);
    if (end > bytes.length) return null;
    parseOption(view.getUint16(at), bytes.subarray(start, end), found);
    at = end;
  }
  return found;
}

function parseOption(
  code: number,
  content: Uint8Array,
  found: { -readonly [K in keyof Dhcp6Message]: Dhcp6Message[K] },
): void {
  const { length } = content;
  const view = new DataView(content.buffer, content.byteOffset, length);
  const isDuid = length >= 3 && length <= DUID_MAX;
  if (code === CLIENT_ID && isDuid) found.clientId = content.slice();
  else if (code === SERVER_ID && isDuid) found.serverId = content.slice();
  else if (code === OPTION_REQUEST && length % 2 === 0) found.optionRequest = words(view);
  else if (code === ELAPSED_TIME && length === 2) found.elapsedTime = view.getUint16(0);
  else if (code === STATUS_CODE && length >= 2) found.status = view.getUint16(0);
  else if (code === DHCP6_REFRESH_TIME && length === 4) found.refreshTime = view.getUint32(0);
  else if (code === DHCP6_DOMAIN_LIST) found.domains = parseDomainNames(content) ?? undefined;
  else if (code === DHCP6_NAME_SERVERS && length % 16 === 0) found.nameServers = addresses(view);
}

function words(view: DataView): number[] {
  return Array.from({ length: view.byteLength / 2 }, (_, i) => view.getUint16(2 * i));
}

function addresses(view: DataView): IpAddress[] {
  return Array.from({ length: view.byteLength / 16 }, (_, i) => IpAddress.read6(view, 16 * i));
}

/** The message as bytes. */
export function emitDhcp6(message: Dhcp6Message): Uint8Array {
  const { type, transactionId, clientId, serverId, optionRequest, elapsedTime } = message;
  const { status, nameServers, domains, refreshTime } = message;
  const bytes: number[] = [type, ...octets(transactionId, 3)];
  const add = (code: number, content: ArrayLike<number> | undefined): void => {
    if (content !== undefined)
      bytes.push(...octets(code, 2), ...octets(content.length, 2), ...Array.from(content));
  };
  add(CLIENT_ID, clientId);
  add(SERVER_ID, serverId);
  add(STATUS_CODE, status === undefined ? undefined : octets(status, 2));
  add(
    OPTION_REQUEST,
    optionRequest?.flatMap(code => octets(code, 2)),
  );
  add(ELAPSED_TIME, elapsedTime === undefined ? undefined : octets(Math.min(elapsedTime, 0xffff), 2));
  add(DHCP6_NAME_SERVERS, nameServers?.flatMap(addressOctets));
  add(DHCP6_DOMAIN_LIST, domains === undefined ? undefined : emitDomainNames(domains));
  add(DHCP6_REFRESH_TIME, refreshTime === undefined ? undefined : octets(refreshTime, 4));
  return Uint8Array.from(bytes);
}

function octets(value: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => Math.floor(value / 256 ** (count - 1 - i)) % 256);
}

function addressOctets(address: IpAddress): number[] {
  const bytes = new Uint8Array(16);
  address.write(new DataView(bytes.buffer), 0);
  return [...bytes];
}

/** The DUID that follows from a hardware address of six bytes (section 11.4). */
export function duidOf(mac: Uint8Array): Uint8Array {
  return Uint8Array.of(0, DUID_LL, 0, HTYPE_ETHERNET, ...mac.subarray(0, 6));
}

/** 'information-request', 'reply'. */
export function formatDhcp6({ type }: Dhcp6Message): string {
  if (type === DHCP6_INFORMATION_REQUEST) return 'information-request';
  return type === DHCP6_REPLY ? 'reply' : `DHCPv6 type ${type}`;
}
