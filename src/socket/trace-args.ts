/**
 * The arguments of a socket call in a CallEvent: JSON-safe, and enough for an strace view without asking back.
 *
 * `args` has the parameters by the names and in the order of the manual page, as they are when the call has RETURNED
 * (so that what the call wrote can be seen). The shapes:
 *
 * - descriptors, lengths, counts, timeouts: plain numbers.
 * - symbolic constants: strings, to be printed bare: 'AF_INET', 'SOCK_STREAM|SOCK_NONBLOCK', 'IPPROTO_TCP', 'SOL_TCP',
 *   'TCP_NODELAY', 'MSG_NOSIGNAL', 'O_RDWR|O_NONBLOCK', 'POLLIN|POLLOUT', 'SHUT_WR', '0' when no flag is set.
 * - bytes: { text, length }: `text` has the first 256 bytes at most, one character (U+0000 .. U+00FF) a byte, to be
 *   quoted and escaped by the view; `length` is how many bytes there were.
 * - a socket address: { sa_family: 'AF_INET', sin_port: 65500, sin_addr: '10.0.0.2' }, or
 *   { sa_family: 'AF_INET6', sin6_port, sin6_addr, sin6_scope_id if there is one }, or { sa_family: 'AF_UNSPEC' }; null for a NULL pointer.
 * - an int written or read through a pointer (optval, the argument of FIONREAD): an array of one number, [1].
 * - another struct: an object by its C field names: { l_onoff, l_linger }, { tv_sec, tv_usec },
 *   { events: 'EPOLLIN', data: 5 }, { fd, events, revents }. Printed as {name=value, ...}.
 * - a string option value (TCP_CONGESTION): { text, length }.
 *
 * The calls:
 *
 * | name | args |
 * |---|---|
 * | socket | domain, type, protocol |
 * | bind, connect | sockfd, addr, addrlen |
 * | listen | sockfd, backlog |
 * | accept, accept4 | sockfd, addr, addrlen: [n] or null, flags (accept4 only) |
 * | getsockname, getpeername | sockfd, addr, addrlen: [n] |
 * | send | sockfd, buf, len, flags |
 * | sendto | sockfd, buf, len, flags, dest_addr, addrlen |
 * | recv | sockfd, buf, len, flags |
 * | recvfrom | sockfd, buf, len, flags, src_addr, addrlen: [n] or null |
 * | read, write | fd, buf, count |
 * | sendmsg, recvmsg | sockfd, msg: { msg_name, msg_iov: [bytes ...], msg_control, msg_flags }, flags |
 * | shutdown | sockfd, how |
 * | close | fd |
 * | setsockopt, getsockopt | sockfd, level, optname, optval, optlen (getsockopt: [n]) |
 * | fcntl | fd, cmd, arg (F_SETFL: flag names; else a number; absent for F_GET*) |
 * | ioctl | fd, request, argp |
 * | poll | fds: [{ fd, events, revents }], nfds, timeout (ms) |
 * | epoll_create1 | flags |
 * | epoll_ctl | epfd, op, fd, event |
 * | epoll_wait | epfd, events: [{ events, data }], maxevents, timeout (ms) |
 *
 * `msg_control` is there when recvmsg filled it in, or sendmsg was given some: [{ cmsg_level, cmsg_type, cmsg_data: an
 * int or a struct } ...].
 * `buf` of a receiving call has the bytes that were received; of a failed one it is null.
 * @module
 */
import type { CallValue } from '../trace/events.ts';
import {
  AF_INET,
  AF_INET6,
  AF_UNSPEC,
  EPOLL_CLOEXEC,
  F_SETFL,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
} from './constants.ts';
import type { ControlMessage } from './control.ts';
import type { EpollEvent } from './epoll.ts';
import * as N from './names.ts';
import type { MsgHdr } from './ops.ts';
import type { OptionValue } from './options.ts';
import type { PollFd } from './poll.ts';
import type { SockaddrInput } from './sockaddr.ts';

/** How many bytes of a buffer an event shows. */
const BYTES_SHOWN = 256;

/** The arguments of one call. */
export type CallArgs = { [name: string]: CallValue };

/** Bytes as { text, length }, one character a byte. */
export function bytesValue(bytes: unknown, length?: number): CallValue {
  if (!(bytes instanceof Uint8Array)) return null;
  const count = length ?? bytes.length;
  return { text: String.fromCharCode(...bytes.subarray(0, Math.min(count, BYTES_SHOWN))), length: count };
}

/** A socket address as an object by its C field names; null for none. */
export function sockaddrValue(input: SockaddrInput | null | undefined): CallValue {
  if (typeof input !== 'object' || input === null) return null;
  const address = String(input.address);
  const family = input.family ?? (address.includes(':') ? AF_INET6 : AF_INET);
  if (family === AF_UNSPEC) return { sa_family: 'AF_UNSPEC' };
  const sa_family = N.valueName(family, N.FAMILIES);
  if (family === AF_INET6) {
    const [sin6_addr = '', zone] = address.split('%');
    const shown = { sa_family, sin6_port: input.port, sin6_addr };
    const sin6_scope_id = input.scope_id ?? Number(zone);
    return sin6_scope_id > 0 ? { ...shown, sin6_scope_id } : shown;
  }
  return { sa_family, sin_port: input.port, sin_addr: address };
}

/** sizeof(struct sockaddr_in), or sockaddr_in6; 0 for none. */
export function sockaddrLength(input: SockaddrInput | null | undefined): number {
  if (typeof input !== 'object' || input === null) return 0;
  return (input.family ?? 0) === AF_INET6 || String(input.address).includes(':') ? 28 : 16;
}

/** Of socket. */
export function socketArgs(domain: number, type: number, protocol: number): CallArgs {
  const flags = type & (SOCK_NONBLOCK | SOCK_CLOEXEC);
  const name = N.valueName(type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC), N.SOCKET_TYPES);
  return {
    domain: N.valueName(domain, N.FAMILIES),
    type: flags === 0 ? name : `${name}|${N.flagNames(flags, N.SOCKET_TYPE_FLAGS)}`,
    protocol: N.valueName(protocol, N.PROTOCOLS),
  };
}

/** Of bind and connect. */
export function addressArgs(sockfd: number, addr: SockaddrInput): CallArgs {
  return { sockfd, addr: sockaddrValue(addr), addrlen: sockaddrLength(addr) };
}

/** Of accept, getsockname and getpeername: an address that the call filled in; of accept4 with its flags. */
export function filledArgs(
  sockfd: number,
  addr: SockaddrInput | null | undefined,
  flags: number | null = null,
): CallArgs {
  const known = addr !== null && addr !== undefined;
  const args: CallArgs = {
    sockfd,
    addr: sockaddrValue(addr),
    addrlen: known ? [sockaddrLength(addr)] : null,
  };
  return flags === null ? args : { ...args, flags: N.flagNames(flags, N.SOCKET_TYPE_FLAGS) };
}

/** Of send. */
export function sendArgs(sockfd: number, buf: Uint8Array, flags: number): CallArgs {
  return { sockfd, buf: bytesValue(buf), len: lengthOf(buf), flags: N.flagNames(flags, N.MSG_FLAGS) };
}

/** Of sendto. */
export function sendtoArgs(
  sockfd: number,
  buf: Uint8Array,
  flags: number,
  to: SockaddrInput | null | undefined,
): CallArgs {
  return { ...sendArgs(sockfd, buf, flags), dest_addr: sockaddrValue(to), addrlen: sockaddrLength(to) };
}

/** Of recv. */
export function recvArgs(sockfd: number, buf: Uint8Array, flags: number, result: number): CallArgs {
  return {
    sockfd,
    buf: received(buf, result),
    len: lengthOf(buf),
    flags: N.flagNames(flags, N.MSG_FLAGS),
  };
}

/** Of recvfrom. */
export function recvfromArgs(
  sockfd: number,
  buf: Uint8Array,
  flags: number,
  from: SockaddrInput | null | undefined,
  result: number,
): CallArgs {
  const known = from !== null && from !== undefined;
  return {
    ...recvArgs(sockfd, buf, flags, result),
    src_addr: sockaddrValue(from),
    addrlen: known ? [sockaddrLength(from)] : null,
  };
}

/** Of read. */
export function readArgs(fd: number, buf: Uint8Array, result: number): CallArgs {
  return { fd, buf: received(buf, result), count: lengthOf(buf) };
}

/** Of write. */
export function writeArgs(fd: number, buf: Uint8Array): CallArgs {
  return { fd, buf: bytesValue(buf), count: lengthOf(buf) };
}

/** Of sendmsg and recvmsg; `length` is how many bytes of the buffers count. */
export function msgArgs(sockfd: number, msg: MsgHdr, flags: number, length: number): CallArgs {
  let left = Math.max(0, length);
  const iov: CallValue[] = [];
  for (const part of Array.isArray(msg?.msg_iov) ? msg.msg_iov : []) {
    const count = Math.min(left, lengthOf(part));
    iov.push(bytesValue(part, count));
    left -= count;
  }
  const value: CallArgs = { msg_name: sockaddrValue(msg?.msg_name), msg_iov: iov };
  const control = msg?.msg_control;
  if (Array.isArray(control) && control.length > 0) value['msg_control'] = control.map(controlValue);
  value['msg_flags'] = N.flagNames(msg?.msg_flags ?? 0, N.MSG_FLAGS);
  return { sockfd, msg: value, flags: N.flagNames(flags, N.MSG_FLAGS) };
}

function controlValue(message: ControlMessage): CallValue {
  // Anything may come from a caller in JavaScript.
  const { cmsg_level, cmsg_type, cmsg_data } = message ?? {};
  const shown: CallArgs = {};
  if (typeof cmsg_data === 'object' && cmsg_data !== null) {
    for (const [name, field] of Object.entries(cmsg_data as unknown as Record<string, unknown>)) {
      if (name === 'offender') shown[name] = sockaddrValue(field as SockaddrInput | null);
      else shown[name] = typeof field === 'number' ? field : String(field);
    }
  }
  return {
    cmsg_level: N.valueName(cmsg_level ?? 0, N.LEVELS),
    cmsg_type: N.optionName(cmsg_level ?? 0, cmsg_type ?? 0),
    cmsg_data: typeof cmsg_data === 'number' ? cmsg_data : shown,
  };
}

/** Of setsockopt and getsockopt. */
export function optionArgs(
  sockfd: number,
  level: number,
  optname: number,
  value: OptionValue | null | undefined,
  isGet: boolean,
): CallArgs {
  const optlen = optionLength(value);
  return {
    sockfd,
    level: N.valueName(level, N.LEVELS),
    optname: N.optionName(level, optname),
    optval: optionValue(value),
    optlen: isGet ? [optlen] : optlen,
  };
}

/** Of shutdown. */
export function shutdownArgs(sockfd: number, how: number): CallArgs {
  return { sockfd, how: N.valueName(how, N.SHUTDOWNS) };
}

/** Of epoll_create1. */
export function epollCreateArgs(flags: number): CallArgs {
  return { flags: (flags & EPOLL_CLOEXEC) !== 0 ? 'EPOLL_CLOEXEC' : '0' };
}

/** Of fcntl. */
export function fcntlArgs(fd: number, cmd: number, arg: number | undefined): CallArgs {
  const name = N.valueName(cmd, N.FCNTL_COMMANDS);
  if (arg === undefined || name.startsWith('F_GET')) return { fd, cmd: name };
  return { fd, cmd: name, arg: cmd === F_SETFL ? N.flagNames(arg, N.FILE_FLAGS) : arg };
}

/** Of ioctl. */
export function ioctlArgs(fd: number, request: number, value: number | null | undefined): CallArgs {
  return {
    fd,
    request: N.valueName(request, N.IOCTL_REQUESTS),
    argp: value === null || value === undefined ? null : [value],
  };
}

/** Of poll. */
export function pollArgs(fds: readonly PollFd[], timeout: number): CallArgs {
  const shown = fds.map(({ fd, events, revents }) => ({
    fd,
    events: N.flagNames(events, N.POLL_FLAGS),
    revents: N.flagNames(revents ?? 0, N.POLL_FLAGS),
  }));
  return { fds: shown, nfds: fds.length, timeout };
}

/** Of epoll_ctl. */
export function epollCtlArgs(
  epfd: number,
  op: number,
  fd: number,
  event: EpollEvent | null | undefined,
): CallArgs {
  return {
    epfd,
    op: N.valueName(op, N.EPOLL_OPS),
    fd,
    event: event === null || event === undefined ? null : epollEventValue(event),
  };
}

/** Of epoll_wait. */
export function epollWaitArgs(
  epfd: number,
  events: readonly EpollEvent[],
  maxevents: number,
  timeout: number,
): CallArgs {
  return { epfd, events: events.map(epollEventValue), maxevents, timeout };
}

function epollEventValue(event: EpollEvent): CallValue {
  return { events: N.flagNames(event.events, N.EPOLL_FLAGS), data: event.data };
}

function received(buf: Uint8Array, result: number): CallValue {
  return result < 0 || !(buf instanceof Uint8Array) ? null : bytesValue(buf, Math.min(result, buf.length));
}

function lengthOf(buf: Uint8Array): number {
  return buf instanceof Uint8Array ? buf.length : 0;
}

function optionValue(value: OptionValue | null | undefined): CallValue {
  if (value === null || value === undefined) return null;
  if (typeof value === 'string') return { text: value, length: value.length };
  if (typeof value === 'object') return { ...value } as CallArgs;
  return [Number(value)];
}

/** The size of the C type: int, a string with room for 16 bytes, struct linger (8), timeval (16), tcp_info (248). */
function optionLength(value: OptionValue | null | undefined): number {
  if (typeof value === 'string') return value.length;
  if (typeof value !== 'object' || value === null) return 4;
  if ('l_onoff' in value) return 8;
  if ('imr_multiaddr' in value) return 12;
  if ('ipv6mr_multiaddr' in value) return 20;
  return 'tv_sec' in value ? 16 : 248;
}
