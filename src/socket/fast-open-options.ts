import { EINVAL, EOPNOTSUPP } from '../base/errno.ts';
import { FAST_OPEN_CLIENT } from '../tcp/fast-open/fast-open.ts';
import type { TcpSettings } from '../tcp/settings.ts';
import { FAST_OPEN_KEY_LENGTH } from '../transport/fast-open-cookies.ts';
import * as C from './constants.ts';
import type { Option, OptionValue } from './options.ts';
import type { TcpSocket } from './tcp-socket.ts';

function change(socket: TcpSocket, settings: Partial<TcpSettings>): number {
  socket.settings = { ...socket.settings, ...settings };
  return 0;
}

/** In CLOSED, or in LISTEN. */
function isOpenFor(socket: TcpSocket, listening: boolean): boolean {
  if (socket.listener !== null) return listening;
  return socket.endpoint === null || socket.endpoint.stateName === 'CLOSED';
}

function isFlag(value: number): boolean {
  return value === 0 || value === 1;
}

/** TCP_FASTOPEN: connections of a listener that may be open without their handshake; at most somaxconn. */
const QUEUE: Option<TcpSocket> = {
  get: socket => socket.settings.fastOpenQueue,
  set: (socket, value) => {
    if (value < 0 || !isOpenFor(socket, true)) return -EINVAL;
    return change(socket, { fastOpenQueue: Math.min(value, socket.context.host.sysctl.somaxconn) });
  },
};

/** TCP_FASTOPEN_CONNECT: connect() leaves it to the first write to send the SYN. */
const CONNECT: Option<TcpSocket> = {
  get: socket => Number(socket.settings.fastOpenConnect),
  set: (socket, value) => {
    if (!isFlag(value)) return -EINVAL;
    if ((socket.context.host.sysctl.tcp_fastopen & FAST_OPEN_CLIENT) === 0) return -EOPNOTSUPP;
    return isOpenFor(socket, false) ? change(socket, { fastOpenConnect: value === 1 }) : -EINVAL;
  },
};

/** TCP_FASTOPEN_NO_COOKIE: neither side asks for one. */
const NO_COOKIE: Option<TcpSocket> = {
  get: socket => Number(socket.settings.fastOpenNoCookie),
  set: (socket, value) =>
    isFlag(value) && isOpenFor(socket, true) ? change(socket, { fastOpenNoCookie: value === 1 }) : -EINVAL,
};

/** TCP_FASTOPEN_KEY: one key or two, as bytes or as a string with a character for each; empty for the host's. */
const KEY: Option<TcpSocket> = {
  get: socket => socket.settings.fastOpenKey ?? new Uint8Array(0),
  setOther: (socket, value) => {
    const key = bytesOf(value);
    const valid = key?.length === FAST_OPEN_KEY_LENGTH || key?.length === 2 * FAST_OPEN_KEY_LENGTH;
    return key !== null && valid ? change(socket, { fastOpenKey: key }) : -EINVAL;
  },
};

function bytesOf(value: OptionValue): Uint8Array | null {
  if (value instanceof Uint8Array) return value.slice();
  return typeof value === 'string' ? Uint8Array.from(value, character => character.charCodeAt(0)) : null;
}

/** Of TCP sockets, by the option's number (RFC 7413 appendix, tcp(7)). */
export const FAST_OPEN_OPTIONS: ReadonlyMap<number, Option<TcpSocket>> = new Map([
  [C.TCP_FASTOPEN, QUEUE],
  [C.TCP_FASTOPEN_CONNECT, CONNECT],
  [C.TCP_FASTOPEN_KEY, KEY],
  [C.TCP_FASTOPEN_NO_COOKIE, NO_COOKIE],
]);
