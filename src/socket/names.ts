import * as C from './constants.ts';

/** The names of flags, joined as strace does: 'SOCK_STREAM|SOCK_NONBLOCK'; '0' for none, unknown bits in hex. */
export function flagNames(value: number, names: readonly (readonly [string, number])[]): string {
  const parts: string[] = [];
  let rest = value | 0;
  for (const [name, bit] of names) {
    if ((rest & bit) === 0) continue;
    parts.push(name);
    rest &= ~bit;
  }
  if (rest !== 0) parts.push(`0x${(rest >>> 0).toString(16)}`);
  return parts.length === 0 ? '0' : parts.join('|');
}

/** The name of the first constant in `names` that has this value, or the value in hexadecimal. */
export function valueName(value: number, names: readonly (readonly [string, number])[]): string {
  return names.find(([, number]) => number === value)?.[0] ?? `0x${(value >>> 0).toString(16)}`;
}

/** The constants whose names begin with `prefix`, by value. */
function constants(prefix: string): [string, number][] {
  return Object.entries(C)
    .filter(([name]) => name.startsWith(prefix))
    .sort(([, a], [, b]) => a - b);
}

/** AF_*. */
export const FAMILIES = /* @__PURE__ */ constants('AF_');
/** SOCK_*, the types. */
export const SOCKET_TYPES: readonly (readonly [string, number])[] = [
  ['SOCK_STREAM', C.SOCK_STREAM],
  ['SOCK_DGRAM', C.SOCK_DGRAM],
  ['SOCK_RAW', C.SOCK_RAW],
];
/** SOCK_*, the flags. */
export const SOCKET_TYPE_FLAGS: readonly (readonly [string, number])[] = [
  ['SOCK_CLOEXEC', C.SOCK_CLOEXEC],
  ['SOCK_NONBLOCK', C.SOCK_NONBLOCK],
];
/** IPPROTO_*. */
export const PROTOCOLS = /* @__PURE__ */ constants('IPPROTO_');
/** SOL_*. */
export const LEVELS = /* @__PURE__ */ constants('SOL_');
/** MSG_*. */
export const MSG_FLAGS = /* @__PURE__ */ constants('MSG_');
/** SHUT_*. */
export const SHUTDOWNS = /* @__PURE__ */ constants('SHUT_');
/** F_*. */
export const FCNTL_COMMANDS = /* @__PURE__ */ constants('F_');
/** The requests of ioctl(2). */
export const IOCTL_REQUESTS: readonly (readonly [string, number])[] = [
  ['FIONREAD', C.FIONREAD],
  ['FIONBIO', C.FIONBIO],
  ['SIOCATMARK', C.SIOCATMARK],
  ['SIOCOUTQ', C.SIOCOUTQ],
  ['SIOCOUTQNSD', C.SIOCOUTQNSD],
];
/** POLL*. */
export const POLL_FLAGS = /* @__PURE__ */ constants('POLL');
/** EPOLL_CTL_*. */
export const EPOLL_OPS = /* @__PURE__ */ constants('EPOLL_CTL_');
/** EPOLL*, the bits of an event. */
export const EPOLL_FLAGS: readonly (readonly [string, number])[] = /* @__PURE__ */ constants('EPOLL').filter(
  ([name]) => !name.startsWith('EPOLL_'),
);
/** O_*. */
export const FILE_FLAGS: readonly (readonly [string, number])[] = [
  ['O_RDWR', C.O_RDWR],
  ['O_NONBLOCK', C.O_NONBLOCK],
];

const OPTION_PREFIXES = new Map([
  [C.SOL_SOCKET, /* @__PURE__ */ constants('SO_').filter(([name]) => !name.startsWith('SO_EE_'))],
  [C.SOL_TCP, /* @__PURE__ */ constants('TCP_').filter(([name]) => !name.startsWith('TCP_CM_'))],
  [C.SOL_IPV6, /* @__PURE__ */ constants('IPV6_')],
  [C.SOL_IP, /* @__PURE__ */ constants('IP_').filter(([name]) => !name.startsWith('IP_PMTUDISC_'))],
]);

/** 'TCP_NODELAY' for (SOL_TCP, 1). */
export function optionName(level: number, name: number): string {
  return valueName(name, OPTION_PREFIXES.get(level) ?? []);
}
