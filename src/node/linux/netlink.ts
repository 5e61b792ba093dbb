/**
 * Requests to the kernel's routing socket (rtnetlink(7)), each answered before the call returns.
 * @module
 */
import { ENOBUFS, EPERM } from '../../base/errno.ts';
import { type Libc, libc, O_CLOEXEC, SystemError } from './libc.ts';
import { PERMISSION_REMEDY } from './tun-device.ts';

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const NETLINK_ROUTE = 0;
const SOL_NETLINK = 270;
const NETLINK_CAP_ACK = 10;
const NETLINK_EXT_ACK = 11;

const NLM_F_REQUEST = 0x1;
const NLM_F_ACK = 0x4;
const NLM_F_DUMP = 0x300;
const NLM_F_ACK_TLVS = 0x200;
/** Makes what does not exist, and fails when it does. */
export const NLM_F_CREATE = 0x400;
export const NLM_F_EXCL = 0x200;

const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const HEADER_LENGTH = 16;
/** Of a message of type NLMSG_ERROR: the error and the request's header. */
const ERROR_LENGTH = 20;
const NLMSGERR_ATTR_MSG = 1;

/** The kernel answers in pieces of at most this size (NLMSG_GOODSIZE and its larger kin). */
const RECEIVE_LENGTH = 65536;

/** An attribute: a type and its value. */
export type Attribute = readonly [type: number, value: Uint8Array];

/** A message of the kernel: the fixed part and the attributes behind it. */
export interface NetlinkMessage {
  readonly type: number;
  readonly fixed: DataView;
  readonly attributes: ReadonlyMap<number, Uint8Array>;
}

/**
 * Sends a request that changes something. `what` says what it is, for the error.
 * @throws SystemError with the kernel's own explanation, if it gives one
 */
export function netlinkRequest(
  type: number,
  flags: number,
  fixed: Uint8Array,
  attributes: readonly Attribute[],
  what: string,
): void {
  exchange(message(type, NLM_F_REQUEST | NLM_F_ACK | flags, fixed, attributes), fixed.length, what);
}

/** Asks for all objects of a kind. `fixedLength` is that of the fixed part in the answers. */
export function netlinkDump(type: number, fixed: Uint8Array, what: string): NetlinkMessage[] {
  return exchange(message(type, NLM_F_REQUEST | NLM_F_DUMP, fixed, []), fixed.length, what);
}

/** A 32-bit number as the value of an attribute. */
export function u32(value: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(value).buffer);
}

/** A string as the value of an attribute, with its terminating zero. */
export function zeroTerminated(text: string): Uint8Array {
  return new TextEncoder().encode(`${text}\0`);
}

function message(
  type: number,
  flags: number,
  fixed: Uint8Array,
  attributes: readonly Attribute[],
): Uint8Array {
  const sizes = attributes.map(([, value]) => align(4 + value.length));
  const length = HEADER_LENGTH + align(fixed.length) + sizes.reduce((sum, size) => sum + size, 0);
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, length, true);
  view.setUint16(4, type, true);
  view.setUint16(6, flags, true);
  bytes.set(fixed, HEADER_LENGTH);
  let at = HEADER_LENGTH + align(fixed.length);
  for (const [kind, value] of attributes) {
    view.setUint16(at, 4 + value.length, true);
    view.setUint16(at + 2, kind, true);
    bytes.set(value, at + 4);
    at += align(4 + value.length);
  }
  return bytes;
}

function exchange(request: Uint8Array, fixedLength: number, what: string): NetlinkMessage[] {
  const system = libc();
  const fd = system.socket(AF_NETLINK, SOCK_RAW | O_CLOEXEC, NETLINK_ROUTE);
  if (fd < 0) throw new SystemError('socket', fd, what);
  try {
    system.setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, u32(1));
    system.setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, u32(1));
    const sent = system.send(fd, request, 0);
    if (sent < 0) throw new SystemError('sendto', sent, what);
    return answers(system, fd, fixedLength, what);
  } finally {
    system.close(fd);
  }
}

/** Reads until the kernel says that it is done. */
function answers(system: Libc, fd: number, fixedLength: number, what: string): NetlinkMessage[] {
  const found: NetlinkMessage[] = [];
  const bytes = new Uint8Array(RECEIVE_LENGTH);
  for (;;) {
    const length = system.receive(fd, bytes, 0);
    if (length <= 0) throw new SystemError('recv', length === 0 ? -ENOBUFS : length, what);
    const view = new DataView(bytes.buffer, 0, length);
    for (let at = 0; at + HEADER_LENGTH <= length; at += align(view.getUint32(at, true))) {
      const end = at + view.getUint32(at, true);
      const type = view.getUint16(at + 4, true);
      if (type === NLMSG_DONE) return found;
      if (type === NLMSG_ERROR) {
        checkError(bytes.slice(at, end), what);
        return found;
      }
      const from = at + HEADER_LENGTH;
      found.push({
        type,
        fixed: new DataView(bytes.slice(from, from + fixedLength).buffer),
        attributes: parseAttributes(bytes.slice(from + align(fixedLength), end)),
      });
    }
  }
}

/** NLMSG_ERROR also says that there was none. */
function checkError(bytes: Uint8Array, what: string): void {
  const view = new DataView(bytes.buffer);
  const error = view.getInt32(HEADER_LENGTH, true);
  if (error === 0) return;
  const hasText = (view.getUint16(6, true) & NLM_F_ACK_TLVS) !== 0;
  const text = hasText
    ? parseAttributes(bytes.slice(HEADER_LENGTH + ERROR_LENGTH)).get(NLMSGERR_ATTR_MSG)
    : undefined;
  const said = text === undefined ? '' : new TextDecoder().decode(text.subarray(0, -1));
  throw new SystemError('netlink', error, what, error === -EPERM ? PERMISSION_REMEDY : said);
}

function parseAttributes(bytes: Uint8Array): Map<number, Uint8Array> {
  const view = new DataView(bytes.buffer);
  const attributes = new Map<number, Uint8Array>();
  for (let at = 0; at + 4 <= bytes.length; ) {
    const length = view.getUint16(at, true);
    if (length < 4) break;
    // The upper two bits are flags.
    attributes.set(view.getUint16(at + 2, true) & 0x3fff, bytes.slice(at + 4, at + length));
    at += align(length);
  }
  return attributes;
}

function align(length: number): number {
  return (length + 3) & ~3;
}
