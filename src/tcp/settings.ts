import type { Sysctl } from '../core/sysctl.ts';

/** The longest delay of an ACK (Linux's TCP_DELACK_MAX), in microseconds. */
export const DELAYED_ACK_MAX_US = 200_000;

/**
 * What setsockopt can turn on a TCP socket. Shared by all connections that never called setsockopt: to change one,
 * replace the object by a copy (`connection.settings = { ...connection.settings, noDelay: true }`).
 */
export interface TcpSettings {
  /** TCP_NODELAY: no Nagle. */
  readonly noDelay: boolean;
  /** TCP_CORK: only full segments, for at most 200 ms. */
  readonly cork: boolean;
  /** SO_KEEPALIVE, TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT. */
  readonly keepAlive: boolean;
  readonly keepIdleUs: number;
  readonly keepIntervalUs: number;
  readonly keepCount: number;
  /** TCP_SYNCNT: SYNs sent again. */
  readonly synCount: number;
  /** TCP_USER_TIMEOUT; 0 leaves it to tcp_retries2. */
  readonly userTimeoutUs: number;
  /** TCP_RTO_MIN_US and TCP_RTO_MAX_MS; 0 leaves them to the sysctls. */
  readonly rtoMinUs: number;
  readonly rtoMaxMs: number;
  /** TCP_DELACK_MAX_US: how long an ACK may wait. */
  readonly delAckMaxUs: number;
  /** TCP_THIN_LINEAR_TIMEOUTS: time-outs of a connection with little in flight come at an even pace for a while. */
  readonly thinLinearTimeouts: boolean;
  /** TCP_MAXSEG; 0 leaves it to the MTU. */
  readonly maxSeg: number;
  /** SO_MAX_PACING_RATE in bytes a second; Infinity leaves it to TCP. */
  readonly maxPacingRate: number;
  /** TCP_LINGER2: time in FIN_WAIT_2 after close; negative: none at all. */
  readonly linger2Us: number;
  /** TCP_DEFER_ACCEPT; 0 is off. */
  readonly deferAcceptUs: number;
  /** TCP_FASTOPEN of a listener: connections that may be open without their handshake; 0 is off. */
  readonly fastOpenQueue: number;
  /** TCP_FASTOPEN_CONNECT: connect() leaves it to the first write to send the SYN, when a cookie is known. */
  readonly fastOpenConnect: boolean;
  /** TCP_FASTOPEN_NO_COOKIE. */
  readonly fastOpenNoCookie: boolean;
  /** TCP_FASTOPEN_KEY: 16 bytes, or 32 with the key before it; null for that of the host. */
  readonly fastOpenKey: Uint8Array | null;
  /** SO_OOBINLINE: the urgent byte is read with the stream. */
  readonly oobInline: boolean;
  /** IP_RECVERR: what ICMP says of a connection that stands is told at once. */
  readonly recvErr: boolean;
  /** TCP_WINDOW_CLAMP; 0 is none. */
  readonly windowClamp: number;
  /** TCP_NOTSENT_LOWAT in bytes; 0 leaves it to the sysctl. */
  readonly notSentLowat: number;
  /** TCP_CONGESTION. */
  readonly congestion: string;
  /** SO_SNDBUF and SO_RCVBUF as getsockopt shows them, in bytes; once set by the user they are not tuned any more. */
  readonly sndBuf: number;
  readonly rcvBuf: number;
  readonly sndBufLocked: boolean;
  readonly rcvBufLocked: boolean;
  /** SO_RCVLOWAT: bytes that must wait before a reader is told. */
  readonly rcvLowat: number;
  /** IP_TTL, IP_TOS, and whether IP_MTU_DISCOVER sets DF. */
  readonly ttl: number;
  readonly tos: number;
  /** SO_MARK. */
  readonly mark: number;
  readonly dontFragment: boolean;
}

/** How strictly small segments are held back, bits (Linux's tp->nonagle); 0 is Nagle's rule. */
export const NAGLE_OFF = 1;
export const NAGLE_CORK = 2;
/** Once, whatever else is set. */
export const NAGLE_PUSH = 4;

/** The NAGLE_* bits that settings stand for. */
export function nagleOf({ noDelay, cork }: TcpSettings): number {
  return (noDelay ? NAGLE_OFF : 0) | (cork ? NAGLE_CORK : 0);
}

/** The settings of a fresh socket under these sysctls. */
export function defaultTcpSettings(sysctl: Sysctl): TcpSettings {
  return {
    noDelay: false,
    cork: false,
    keepAlive: false,
    keepIdleUs: sysctl.tcp_keepalive_time * 1e6,
    keepIntervalUs: sysctl.tcp_keepalive_intvl * 1e6,
    keepCount: sysctl.tcp_keepalive_probes,
    synCount: sysctl.tcp_syn_retries,
    userTimeoutUs: 0,
    rtoMinUs: 0,
    rtoMaxMs: 0,
    delAckMaxUs: DELAYED_ACK_MAX_US,
    thinLinearTimeouts: false,
    maxSeg: 0,
    maxPacingRate: Number.POSITIVE_INFINITY,
    linger2Us: sysctl.tcp_fin_timeout * 1e6,
    deferAcceptUs: 0,
    fastOpenQueue: 0,
    fastOpenConnect: false,
    fastOpenNoCookie: false,
    fastOpenKey: null,
    oobInline: false,
    recvErr: false,
    windowClamp: 0,
    notSentLowat: 0,
    congestion: sysctl.tcp_congestion_control,
    sndBuf: sysctl.tcp_wmem[1],
    rcvBuf: sysctl.tcp_rmem[1],
    sndBufLocked: false,
    rcvBufLocked: false,
    rcvLowat: 1,
    ttl: sysctl.ip_default_ttl,
    tos: 0,
    mark: 0,
    dontFragment: true,
  };
}
