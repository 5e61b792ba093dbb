/**
 * DHCP messages (RFC 2131 section 2), in the format of BOOTP (RFC 951).
 * @module
 */
import { ANY_V4, IpAddress } from './address.ts';
import { type DhcpOptions, emitDhcpOptions, parseDhcpOptions } from './dhcp-options.ts';

const OP = 0;
const HTYPE = 1;
const HLEN = 2;
const XID = 4;
const SECS = 8;
const FLAGS = 10;
const CIADDR = 12;
const YIADDR = 16;
const SIADDR = 20;
const GIADDR = 24;
const CHADDR = 28;
const SNAME = 44;
const FILE = 108;
const COOKIE = 236;
const OPTIONS = 240;

const HTYPE_ETHERNET = 1;
const MAC_LENGTH = 6;
const BROADCAST = 0x8000;
/** What tells DHCP's options from a vendor's (RFC 1497). */
const MAGIC = 0x63825363;
/** Bytes of a BOOTP message, which some relays and clients insist on. */
const LENGTH_MIN = 300;
/** RFC 2131 section 2: what everyone takes, and the headers of IP and UDP in it. */
const MESSAGE_SIZE_DEFAULT = 576;
const HEADERS = 28;

export const DHCP_SERVER_PORT = 67;
export const DHCP_CLIENT_PORT = 68;

export const BOOTREQUEST = 1;
export const BOOTREPLY = 2;

export const DHCP_DISCOVER = 1;
export const DHCP_OFFER = 2;
export const DHCP_REQUEST = 3;
export const DHCP_DECLINE = 4;
export const DHCP_ACK = 5;
export const DHCP_NAK = 6;
export const DHCP_RELEASE = 7;
export const DHCP_INFORM = 8;

/** A message as plain values; the addresses that are not there are 0.0.0.0. */
export interface DhcpMessage {
  /** BOOTREQUEST or BOOTREPLY. */
  readonly op: number;
  /** Tells one exchange from another. 32 bits. */
  readonly xid: number;
  /** Seconds since the client began. */
  readonly secs: number;
  /** The client can take answers by broadcast only. */
  readonly broadcast: boolean;
  /** The address the client has; the one it is given; the next server's; the relay's. */
  readonly ciaddr: IpAddress;
  readonly yiaddr: IpAddress;
  readonly siaddr: IpAddress;
  readonly giaddr: IpAddress;
  /** The client's hardware address. Six bytes. */
  readonly chaddr: Uint8Array;
  readonly options: DhcpOptions;
}

/** What a message to be sent has to say; the rest is zero. */
export type DhcpMessageSpec = Partial<DhcpMessage> & Pick<DhcpMessage, 'op' | 'xid' | 'chaddr' | 'options'>;

/** Whether [offset, end) holds a message of Ethernet's with DHCP's options. */
export function checkDhcp(view: DataView, offset: number, end: number): boolean {
  if (end - offset < OPTIONS) return false;
  const op = view.getUint8(offset + OP);
  return (
    (op === BOOTREQUEST || op === BOOTREPLY) &&
    view.getUint8(offset + HTYPE) === HTYPE_ETHERNET &&
    view.getUint8(offset + HLEN) === MAC_LENGTH &&
    view.getUint32(offset + COOKIE) === MAGIC
  );
}

/** The message, or null when the bytes are none or it is without a type. */
export function parseDhcp(bytes: Uint8Array): DhcpMessage | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (!checkDhcp(view, 0, bytes.length)) return null;
  const options = parseDhcpOptions(
    bytes.subarray(OPTIONS),
    bytes.subarray(FILE, COOKIE),
    bytes.subarray(SNAME, FILE),
  );
  if (options.messageType === undefined) return null;
  return {
    op: view.getUint8(OP),
    xid: view.getUint32(XID),
    secs: view.getUint16(SECS),
    broadcast: (view.getUint16(FLAGS) & BROADCAST) !== 0,
    ciaddr: IpAddress.v4(view.getInt32(CIADDR)),
    yiaddr: IpAddress.v4(view.getInt32(YIADDR)),
    siaddr: IpAddress.v4(view.getInt32(SIADDR)),
    giaddr: IpAddress.v4(view.getInt32(GIADDR)),
    chaddr: bytes.slice(CHADDR, CHADDR + MAC_LENGTH),
    options,
  };
}

/**
 * The message as bytes, options that do not fit left out. `maxSize` is what the receiver takes, in bytes from the IP
 * header on; 576 when it did not say.
 */
export function emitDhcp(message: DhcpMessageSpec, maxSize: number = MESSAGE_SIZE_DEFAULT): Uint8Array {
  const { op, xid, secs = 0, broadcast = false, chaddr } = message;
  const { ciaddr = ANY_V4, yiaddr = ANY_V4, siaddr = ANY_V4, giaddr = ANY_V4 } = message;
  const room = Math.max(maxSize, MESSAGE_SIZE_DEFAULT) - HEADERS - OPTIONS;
  const options = emitDhcpOptions(message.options, room);
  const bytes = new Uint8Array(Math.max(OPTIONS + options.length, LENGTH_MIN));
  const view = new DataView(bytes.buffer);
  view.setUint8(OP, op);
  view.setUint8(HTYPE, HTYPE_ETHERNET);
  view.setUint8(HLEN, MAC_LENGTH);
  view.setUint32(XID, xid);
  view.setUint16(SECS, Math.min(secs, 0xffff));
  view.setUint16(FLAGS, broadcast ? BROADCAST : 0);
  ciaddr.write(view, CIADDR);
  yiaddr.write(view, YIADDR);
  siaddr.write(view, SIADDR);
  giaddr.write(view, GIADDR);
  bytes.set(chaddr.subarray(0, MAC_LENGTH), CHADDR);
  view.setUint32(COOKIE, MAGIC);
  bytes.set(options, OPTIONS);
  return bytes;
}

const TYPE_NAMES: readonly string[] = [
  '',
  'DHCPDISCOVER',
  'DHCPOFFER',
  'DHCPREQUEST',
  'DHCPDECLINE',
  'DHCPACK',
  'DHCPNAK',
  'DHCPRELEASE',
  'DHCPINFORM',
];

/** 'DHCPOFFER of 10.0.0.7 from 10.0.0.1', 'DHCPREQUEST for 10.0.0.7'. */
export function formatDhcp({ yiaddr, ciaddr, options }: DhcpMessage): string {
  const { messageType = 0, requestedAddress, serverId } = options;
  const wanted = requestedAddress ?? ciaddr;
  const parts = [
    TYPE_NAMES[messageType] ?? `DHCP type ${messageType}`,
    yiaddr.isUnspecified ? '' : `of ${yiaddr}`,
    wanted.isUnspecified ? '' : `for ${wanted}`,
    serverId === undefined || yiaddr.isUnspecified ? '' : `from ${serverId}`,
  ];
  return parts.filter(part => part !== '').join(' ');
}
