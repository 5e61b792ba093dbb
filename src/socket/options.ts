import { EDOM, EINVAL, ENODEV, ENOENT, ENOPROTOOPT, ENOTCONN, EOPNOTSUPP } from '../base/errno.ts';
import type { ModelInfo } from '../tcp/congestion/congestion.ts';
import { CONGESTION_CONTROLS } from '../tcp/congestion/registry.ts';
import type { TcpSettings } from '../tcp/settings.ts';
import type { TcpInfo } from '../transport/tcp-layer.ts';
import * as C from './constants.ts';
import { DgramSocket } from './dgram-socket.ts';
import { FAST_OPEN_OPTIONS } from './fast-open-options.ts';
import { MAPPED_OPTIONS } from './mapped-options.ts';
import { MULTICAST_IP_OPTIONS, MULTICAST_IPV6_OPTIONS } from './multicast-options.ts';
import { checkTimestamping } from './notices.ts';
import type { Linger, Socket } from './socket.ts';
import { TcpSocket } from './tcp-socket.ts';
import { TIMER_OPTIONS } from './timer-options.ts';

/** struct ip_mreqn: a group, and the interface on which to be in it: its index, or one of its addresses. */
export interface IpMembership {
  readonly imr_multiaddr: string;
  readonly imr_address?: string;
  readonly imr_ifindex?: number;
}

/** struct ipv6_mreq: a group, and the index of the interface on which to be in it; 0 leaves it to the routes. */
export interface Ipv6Membership {
  readonly ipv6mr_multiaddr: string;
  readonly ipv6mr_interface: number;
}

/** struct timeval. */
export interface Timeval {
  readonly tv_sec: number;
  readonly tv_usec: number;
}

/** The value of a socket option: an int (booleans are taken as 0 and 1), a string, bytes or a struct. */
export type OptionValue =
  | number
  | boolean
  | string
  | Uint8Array
  | Linger
  | Timeval
  | TcpInfo
  | IpMembership
  | Ipv6Membership
  | Partial<ModelInfo>;

/** One socket option. `get` and `set` return -errno as an Errno, since a value may be negative. */
export interface Option<S extends Socket> {
  readonly get?: (socket: S) => OptionValue | Errno;
  /** Takes an int. */
  readonly set?: (socket: S, value: number) => number;
  /** Takes something else. */
  readonly setOther?: (socket: S, value: OptionValue) => number;
}

/** An errno where a value is expected. */
class Errno {
  readonly errno: number;
  constructor(errno: number) {
    this.errno = errno;
  }
}

/** The smallest buffers Linux gives, in bytes: room for one packet, and for two to send. */
const SOCK_MIN_RCVBUF = 2304;
const SOCK_MIN_SNDBUF = 4608;
const INT_MAX = 0x7fffffff;
const UINT_MAX = 0xffffffff;

/** setsockopt(2): 0, -ENOPROTOOPT for an unknown option, -EINVAL for a value that does not fit. */
export function setOption(socket: Socket, level: number, name: number, value: OptionValue): number {
  const option = findOption(socket, level, name);
  if (option === undefined) return -ENOPROTOOPT;
  if (option.setOther !== undefined) return option.setOther(socket, value);
  if (option.set === undefined) return -ENOPROTOOPT;
  const int = typeof value === 'boolean' ? Number(value) : value;
  // C takes 32 bits for an int, however they are meant.
  if (typeof int !== 'number' || !Number.isInteger(int) || int < -INT_MAX || int > UINT_MAX) return -EINVAL;
  return option.set(socket, int | 0);
}

/** getsockopt(2): fills `out.value`; 0, -ENOPROTOOPT for an unknown option, -EOPNOTSUPP for an unknown level. */
export function getOption(
  socket: Socket,
  level: number,
  name: number,
  out: { value: OptionValue | null },
): number {
  const option = findOption(socket, level, name);
  const ipLevel = socket.family === C.AF_INET6 ? C.SOL_IPV6 : C.SOL_IP;
  const known = level === C.SOL_SOCKET || level === ipLevel || level === socket.protocol;
  if (option?.get === undefined) return known ? -ENOPROTOOPT : -EOPNOTSUPP;
  const value = option.get(socket);
  if (value instanceof Errno) return -value.errno;
  out.value = value;
  return 0;
}

function findOption(socket: Socket, level: number, name: number): Option<Socket> | undefined {
  if (level === C.SOL_SOCKET) return SOCKET_OPTIONS.get(name);
  if (level === C.SOL_IP && socket.family === C.AF_INET) return IP_OPTIONS.get(name);
  if (level === C.SOL_IP && socket instanceof TcpSocket) return MAPPED_OPTIONS.get(name);
  if (level === C.SOL_IPV6 && socket.family === C.AF_INET6) return IPV6_OPTIONS.get(name);
  if (level === C.SOL_TCP && socket instanceof TcpSocket) return TCP_OPTIONS.get(name) as Option<Socket>;
  return undefined;
}

function int(
  get: (socket: Socket) => number | boolean,
  set?: (socket: Socket, value: number) => number,
): Option<Socket> {
  const read = { get: (socket: Socket): number => Number(get(socket)) };
  return set === undefined ? read : { ...read, set };
}

function changed(socket: Socket, change: Parameters<Socket['changeOptions']>[0]): number {
  socket.changeOptions(change);
  return 0;
}

function flag(
  name:
    | 'reuseAddress'
    | 'reusePort'
    | 'broadcast'
    | 'keepAlive'
    | 'oobInline'
    | 'dontFrag'
    | 'recvTtl'
    | 'recvTos'
    | 'recvErr'
    | 'pktInfo'
    | 'freeBind'
    | 'timestamp',
): Option<Socket> {
  return int(
    socket => socket.options[name],
    (socket, value) => changed(socket, { [name]: value !== 0 }),
  );
}

function buffer(which: 'sndBuf' | 'rcvBuf', force: boolean): (socket: Socket, value: number) => number {
  return (socket, value) => {
    const { sysctl } = socket.context.host;
    const max = which === 'sndBuf' ? sysctl.wmem_max : sysctl.rmem_max;
    const wanted = Math.min(force ? Math.max(value, 0) : value < 0 ? max : Math.min(value, max), INT_MAX / 2);
    // Doubled, as in Linux: half is for book-keeping.
    const least = which === 'sndBuf' ? SOCK_MIN_SNDBUF : SOCK_MIN_RCVBUF;
    socket.setBuffer(which, Math.max(Math.floor(wanted) * 2, least));
    return 0;
  };
}

/** At most half of the receive buffer, or of what that may grow to; negative: as much as possible. */
function lowat(socket: Socket, value: number): number {
  const wanted = value < 0 ? INT_MAX : Math.max(value, 1);
  if (!(socket instanceof TcpSocket)) return wanted;
  const { rcvBuf, rcvBufLocked } = socket.settings;
  return Math.min(wanted, (rcvBufLocked ? rcvBuf : socket.context.host.sysctl.tcp_rmem[2]) >> 1);
}

function timeout(which: 'rcvTimeoutUs' | 'sndTimeoutUs'): Option<Socket> {
  return {
    get: socket => {
      const us = socket.options[which];
      if (us === Number.POSITIVE_INFINITY) return { tv_sec: 0, tv_usec: 0 };
      return { tv_sec: Math.floor(us / 1e6), tv_usec: us % 1e6 };
    },
    setOther: (socket, value) => {
      if (!hasInts(value, 'tv_sec', 'tv_usec')) return -EINVAL;
      const { tv_sec, tv_usec } = value as Timeval;
      if (tv_usec < 0 || tv_usec >= 1e6) return -EDOM;
      // A negative time does not wait at all; zero waits for ever (socket(7)).
      const us = tv_sec < 0 ? 0 : tv_sec * 1e6 + tv_usec;
      return changed(socket, { [which]: us === 0 && tv_sec >= 0 ? Number.POSITIVE_INFINITY : us });
    },
  };
}

/** Whether `value` is an object whose fields `names` are integers; anything may come from a caller in JavaScript. */
function hasInts(value: unknown, ...names: string[]): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return names.every(name => Number.isInteger((value as Record<string, unknown>)[name]));
}

const BIND_TO_DEVICE: Option<Socket> = {
  get: socket => (socket instanceof DgramSocket ? socket.device : ''),
  setOther: (socket, value) => {
    if (!(socket instanceof DgramSocket)) return -ENOPROTOOPT;
    if (typeof value !== 'string') return -EINVAL;
    return socket.useDevice(value) ? 0 : -ENODEV;
  },
};

/** Bytes a second; the largest int without a sign is no limit. Of streams alone: datagrams are not paced. */
const MAX_PACING_RATE: Option<Socket> = {
  get: socket =>
    socket instanceof TcpSocket ? Math.min(socket.settings.maxPacingRate, UINT_MAX) : new Errno(ENOPROTOOPT),
  setOther: (socket, value) => {
    if (!(socket instanceof TcpSocket)) return -ENOPROTOOPT;
    if (typeof value !== 'number' || !Number.isSafeInteger(value)) return -EINVAL;
    const rate = value < 0 || value === UINT_MAX ? Number.POSITIVE_INFINITY : value;
    return tcpChange(socket, { maxPacingRate: rate });
  },
};

/** Of every socket. */
const SOCKET_OPTIONS: ReadonlyMap<number, Option<Socket>> = new Map<number, Option<Socket>>([
  [C.SO_REUSEADDR, flag('reuseAddress')],
  [C.SO_REUSEPORT, flag('reusePort')],
  [C.SO_BROADCAST, flag('broadcast')],
  [C.SO_KEEPALIVE, flag('keepAlive')],
  [C.SO_OOBINLINE, flag('oobInline')],
  [C.SO_TIMESTAMP, flag('timestamp')],
  [C.SO_BINDTODEVICE, BIND_TO_DEVICE],
  [
    C.SO_MARK,
    int(
      socket => socket.transport.mark | 0,
      (socket, value) => {
        socket.changeTransport({ mark: value >>> 0 });
        return 0;
      },
    ),
  ],
  [
    C.SO_ZEROCOPY,
    int(
      socket => socket.options.zeroCopy,
      (socket, value) => {
        if (socket.type !== C.SOCK_STREAM) return -EOPNOTSUPP;
        return value < 0 || value > 1 ? -EINVAL : changed(socket, { zeroCopy: value === 1 });
      },
    ),
  ],
  [
    C.SO_TIMESTAMPING,
    int(
      socket => socket.options.timestamping,
      (socket, value) =>
        socket instanceof TcpSocket
          ? checkTimestamping(value) || socket.setTimestamping(value)
          : -ENOPROTOOPT,
    ),
  ],
  [C.SO_TYPE, int(socket => socket.type)],
  [C.SO_PROTOCOL, int(socket => socket.protocol)],
  [C.SO_DOMAIN, int(socket => socket.family)],
  [C.SO_ERROR, int(socket => socket.takeError())],
  [C.SO_ACCEPTCONN, int(socket => socket instanceof TcpSocket && socket.listener !== null)],
  [C.SO_SNDBUF, { ...int(socket => socket.bufferSize('sndBuf')), set: buffer('sndBuf', false) }],
  [C.SO_RCVBUF, { ...int(socket => socket.bufferSize('rcvBuf')), set: buffer('rcvBuf', false) }],
  [C.SO_SNDBUFFORCE, { set: buffer('sndBuf', true) }],
  [C.SO_RCVBUFFORCE, { set: buffer('rcvBuf', true) }],
  [
    C.SO_RCVLOWAT,
    int(
      socket => socket.options.rcvLowat,
      (socket, value) => changed(socket, { rcvLowat: lowat(socket, value) }),
    ),
  ],
  [C.SO_RCVTIMEO, timeout('rcvTimeoutUs')],
  [C.SO_MAX_PACING_RATE, MAX_PACING_RATE],
  [C.SO_SNDTIMEO, timeout('sndTimeoutUs')],
  [
    C.SO_LINGER,
    {
      get: socket => socket.options.linger,
      setOther: (socket, value) => {
        if (!hasInts(value, 'l_onoff', 'l_linger')) return -EINVAL;
        const { l_onoff, l_linger } = value as Linger;
        // As in Linux a negative time is as good as endless.
        const seconds = l_linger < 0 ? INT_MAX : l_linger;
        return changed(socket, { linger: { l_onoff: l_onoff === 0 ? 0 : 1, l_linger: seconds } });
      },
    },
  ],
]);

const RECVERR: Option<Socket> = flag('recvErr');

/** The two ECN bits of a stream belong to TCP. */
function setTos(socket: Socket, value: number): number {
  const tos = socket instanceof TcpSocket ? (value & 0xfc) | (socket.transport.tos & 3) : value & 0xff;
  socket.changeTransport({ tos });
  return 0;
}

const MTU_DISCOVER: Option<Socket> = int(
  socket => socket.options.mtuDiscover,
  (socket, value) =>
    value < C.IP_PMTUDISC_DONT || value > C.IP_PMTUDISC_OMIT
      ? -EINVAL
      : changed(socket, { mtuDiscover: value }),
);

/** ipv6(7). */
const IPV6_OPTIONS: ReadonlyMap<number, Option<Socket>> = new Map<number, Option<Socket>>([
  [C.IPV6_RECVPKTINFO, flag('pktInfo')],
  [C.IPV6_RECVHOPLIMIT, flag('recvTtl')],
  [C.IPV6_RECVTCLASS, flag('recvTos')],
  [C.IPV6_RECVERR, RECVERR],
  ...MULTICAST_IPV6_OPTIONS,
  [C.IPV6_MTU_DISCOVER, MTU_DISCOVER],
  [C.IPV6_DONTFRAG, flag('dontFrag')],
  [C.IPV6_MTU, { get: socket => socket.pathMtu || new Errno(ENOTCONN) }],
  [
    C.IPV6_V6ONLY,
    int(
      socket => socket.options.v6only,
      (socket, value) => (socket.isBound ? -EINVAL : changed(socket, { v6only: value !== 0 })),
    ),
  ],
  [
    C.IPV6_UNICAST_HOPS,
    int(
      ({ transport, context }) => (transport.ttl < 0 ? context.host.sysctl.hop_limit : transport.ttl),
      (socket, value) => {
        if (value < -1 || value > 255) return -EINVAL;
        socket.changeTransport({ ttl: value });
        return 0;
      },
    ),
  ],
  [
    C.IPV6_TCLASS,
    int(
      socket => socket.transport.tos,
      (socket, value) => (value < -1 || value > 255 ? -EINVAL : setTos(socket, Math.max(value, 0))),
    ),
  ],
]);

const IP_OPTIONS: ReadonlyMap<number, Option<Socket>> = new Map<number, Option<Socket>>([
  [C.IP_FREEBIND, flag('freeBind')],
  [C.IP_PKTINFO, flag('pktInfo')],
  [C.IP_RECVTTL, flag('recvTtl')],
  [C.IP_RECVTOS, flag('recvTos')],
  [C.IP_RECVERR, RECVERR],
  [C.IP_MTU, { get: socket => socket.pathMtu || new Errno(ENOTCONN) }],
  [
    C.IP_TTL,
    int(
      socket => socket.transport.ttl,
      (socket, value) => {
        if (value !== -1 && (value < 1 || value > 255)) return -EINVAL;
        socket.changeTransport({ ttl: value === -1 ? socket.context.host.sysctl.ip_default_ttl : value });
        return 0;
      },
    ),
  ],
  [C.IP_TOS, int(socket => socket.transport.tos, setTos)],
  [C.IP_MTU_DISCOVER, MTU_DISCOVER],
  ...MULTICAST_IP_OPTIONS,
]);

function tcpChange(socket: TcpSocket, change: Partial<TcpSettings>): number {
  socket.settings = { ...socket.settings, ...change };
  return 0;
}

/** An int within bounds, kept in a setting that counts `unit` for each. */
function tcpRange(
  name: 'keepIdleUs' | 'keepIntervalUs' | 'keepCount' | 'synCount' | 'userTimeoutUs',
  unit: number,
  min: number,
  max: number,
): Option<TcpSocket> {
  return {
    get: socket => Math.round(socket.settings[name] / unit),
    set: (socket, value) =>
      value < min || value > max ? -EINVAL : tcpChange(socket, { [name]: value * unit }),
  };
}

/** Bounds of tcp(7), as Linux has them. */
const TCP_MIN_MSS = 88;
/** RFC 9293 section 3.7.1: assumed of a peer that says nothing. */
const TCP_MSS_DEFAULT = 536;
const TCP_MAX_WINDOW = 32767;
const TCP_KEEP_MAX = 32767;
const TCP_COUNT_MAX = 127;
const TCP_FIN_TIMEOUT_MAX = 120;

const TCP_OPTIONS: ReadonlyMap<number, Option<TcpSocket>> = new Map<number, Option<TcpSocket>>([
  [
    C.TCP_NODELAY,
    {
      get: ({ settings }) => Number(settings.noDelay),
      set: (socket, value) => {
        const again = value !== 0 && socket.settings.noDelay;
        tcpChange(socket, { noDelay: value !== 0 });
        // Setting it pushes what a cork holds back, every time.
        if (again) socket.endpoint?.push();
        return 0;
      },
    },
  ],
  [
    C.TCP_CORK,
    {
      get: ({ settings }) => Number(settings.cork),
      set: (socket, value) => {
        const again = value === 0 && !socket.settings.cork;
        tcpChange(socket, { cork: value !== 0 });
        // So does pulling a cork that is not there: MSG_MORE held something back, perhaps.
        if (again) socket.endpoint?.push();
        return 0;
      },
    },
  ],
  [
    C.TCP_NOTSENT_LOWAT,
    {
      get: ({ settings }) => settings.notSentLowat | 0,
      set: (socket, value) => tcpChange(socket, { notSentLowat: value >>> 0 }),
    },
  ],
  [C.TCP_KEEPIDLE, tcpRange('keepIdleUs', 1e6, 1, TCP_KEEP_MAX)],
  [C.TCP_KEEPINTVL, tcpRange('keepIntervalUs', 1e6, 1, TCP_KEEP_MAX)],
  [C.TCP_KEEPCNT, tcpRange('keepCount', 1, 1, TCP_COUNT_MAX)],
  [C.TCP_SYNCNT, tcpRange('synCount', 1, 1, TCP_COUNT_MAX)],
  [C.TCP_USER_TIMEOUT, tcpRange('userTimeoutUs', 1e3, 0, INT_MAX)],
  [
    C.TCP_MAXSEG,
    {
      get: socket => socket.endpoint?.info().snd_mss ?? (socket.settings.maxSeg || TCP_MSS_DEFAULT),
      set: (socket, value) =>
        value !== 0 && (value < TCP_MIN_MSS || value > TCP_MAX_WINDOW)
          ? -EINVAL
          : tcpChange(socket, { maxSeg: value }),
    },
  ],
  [
    C.TCP_LINGER2,
    {
      get: ({ settings }) => (settings.linger2Us < 0 ? -1 : Math.round(settings.linger2Us / 1e6)),
      set: (socket, value) => {
        const { tcp_fin_timeout } = socket.context.host.sysctl;
        if (value < 0) return tcpChange(socket, { linger2Us: -1 });
        const seconds = Math.min(value || tcp_fin_timeout, TCP_FIN_TIMEOUT_MAX);
        return tcpChange(socket, { linger2Us: seconds * 1e6 });
      },
    },
  ],
  [
    C.TCP_WINDOW_CLAMP,
    {
      get: socket => socket.settings.windowClamp,
      set: (socket, value) => {
        if (value < 0 || (value === 0 && socket.endpoint !== null)) return -EINVAL;
        return tcpChange(socket, { windowClamp: value === 0 ? 0 : Math.max(value, SOCK_MIN_RCVBUF / 2) });
      },
    },
  ],
  ...FAST_OPEN_OPTIONS,
  ...TIMER_OPTIONS,
  [
    C.TCP_QUICKACK,
    {
      get: socket => socket.options.quickAck,
      set: (socket, value) => {
        socket.endpoint?.setQuickAck(value !== 0);
        return changed(socket, { quickAck: value !== 0 ? 1 : 0 });
      },
    },
  ],
  [
    C.TCP_CONGESTION,
    {
      get: socket => socket.settings.congestion,
      setOther: (socket, value) => {
        if (typeof value !== 'string' || value === '') return -EINVAL;
        return CONGESTION_CONTROLS.includes(value) ? tcpChange(socket, { congestion: value }) : -ENOENT;
      },
    },
  ],
  [
    C.TCP_INQ,
    {
      get: ({ options }) => Number(options.inq),
      set: (socket, value) => (value < 0 || value > 1 ? -EINVAL : changed(socket, { inq: value === 1 })),
    },
  ],
  [C.TCP_INFO, { get: socket => socket.info() }],
  // Empty for a congestion control that has nothing to tell, as in Linux.
  [C.TCP_CC_INFO, { get: socket => socket.endpoint?.modelInfo() ?? {} }],
]);
