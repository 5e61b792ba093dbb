import type { Host } from '../core/host.ts';
import { POLLERR, POLLHUP } from '../core/readiness.ts';
import type { PingLayer } from '../icmp/ping-layer.ts';
import type { TcpLayer } from '../transport/tcp-layer.ts';
import type { UdpLayer } from '../udp/udp-layer.ts';
import { AF_INET6, type IpAddress } from '../wire/address.ts';
import { File } from './file.ts';
import type { RunQueue } from './run-queue.ts';
import type { Out, Sockaddr } from './sockaddr.ts';

/** What the sockets of one process work on. */
export interface SocketContext {
  readonly host: Host;
  readonly tcp: TcpLayer;
  readonly udp: UdpLayer;
  readonly ping: PingLayer;
  /** The blocking calls that were woken. */
  readonly runQueue: RunQueue;
}

/** struct linger: `l_linger` in seconds. */
export interface Linger {
  readonly l_onoff: number;
  readonly l_linger: number;
}

/** What setsockopt(SOL_SOCKET) can change and no transport needs to know. Shared until changed (copy-on-write). */
export interface SocketOptions {
  readonly reuseAddress: boolean;
  readonly reusePort: boolean;
  /** SO_BROADCAST; without effect on a stream. */
  readonly broadcast: boolean;
  /** SO_KEEPALIVE; without effect on a datagram socket. */
  readonly keepAlive: boolean;
  /** SO_OOBINLINE. */
  readonly oobInline: boolean;
  readonly linger: Linger;
  /** SO_RCVTIMEO and SO_SNDTIMEO in microseconds; Infinity for none. */
  readonly rcvTimeoutUs: number;
  readonly sndTimeoutUs: number;
  /** SO_RCVLOWAT in bytes; without effect on a datagram socket. */
  readonly rcvLowat: number;
  /** IP_MTU_DISCOVER as it was set. */
  readonly mtuDiscover: number;
  /** IP_TOS and IP_MTU_DISCOVER of an IPv6 stream, for an IPv4 peer. */
  readonly mappedTos: number;
  readonly mappedMtuDiscover: number;
  /** IPV6_DONTFRAG. */
  readonly dontFrag: boolean;
  /** IP_RECVERR; datagram sockets only. */
  readonly recvErr: boolean;
  /** What recvmsg is to say of each datagram: IP_RECVTTL, IP_RECVTOS, IP_PKTINFO, SO_TIMESTAMP. */
  readonly recvTtl: boolean;
  readonly recvTos: boolean;
  readonly pktInfo: boolean;
  readonly timestamp: boolean;
  /** IPV6_V6ONLY: an IPv6 socket that takes IPv6 alone. */
  readonly v6only: boolean;
  /** TCP_QUICKACK as it was set. */
  readonly quickAck: number;
  /** SO_ZEROCOPY; streams only. */
  readonly zeroCopy: boolean;
  /** SO_TIMESTAMPING, bits; streams only. */
  readonly timestamping: number;
  /** TCP_INQ: recvmsg says how much there is to read. */
  readonly inq: boolean;
  /** IP_FREEBIND: bind() takes an address that is not this host's. */
  readonly freeBind: boolean;
}

/** Of a fresh socket. */
export const DEFAULT_SOCKET_OPTIONS: SocketOptions = {
  reuseAddress: false,
  reusePort: false,
  broadcast: false,
  keepAlive: false,
  oobInline: false,
  linger: { l_onoff: 0, l_linger: 0 },
  rcvTimeoutUs: Number.POSITIVE_INFINITY,
  sndTimeoutUs: Number.POSITIVE_INFINITY,
  rcvLowat: 1,
  mtuDiscover: 1,
  mappedTos: 0,
  mappedMtuDiscover: 1,
  dontFrag: false,
  recvErr: false,
  recvTtl: false,
  recvTos: false,
  pktInfo: false,
  timestamp: false,
  v6only: false,
  quickAck: 1,
  zeroCopy: false,
  timestamping: 0,
  inq: false,
  freeBind: false,
};

const V6ONLY_OPTIONS: SocketOptions = { ...DEFAULT_SOCKET_OPTIONS, v6only: true };

/** The settings that both transports have under the same names. */
export interface TransportSettings {
  readonly ttl: number;
  readonly tos: number;
  /** SO_MARK: a number that goes with each packet, for hooks to see. */
  readonly mark: number;
  readonly sndBuf: number;
  readonly rcvBuf: number;
}

/**
 * A socket, as the calls see it. Every method returns a value or -errno and never waits: -EAGAIN means that a blocking
 * caller would wait now.
 */
export abstract class Socket extends File {
  readonly context: SocketContext;
  readonly family: number;
  options: SocketOptions = DEFAULT_SOCKET_OPTIONS;

  /** SOCK_STREAM or SOCK_DGRAM. */
  abstract readonly type: number;
  abstract readonly protocol: number;
  abstract readonly transport: TransportSettings;

  constructor(context: SocketContext, family: number) {
    super();
    this.context = context;
    this.family = family;
    if (family === AF_INET6 && context.host.sysctl.bindv6only) this.options = V6ONLY_OPTIONS;
  }

  /** Whether :: means IPv4 as well. */
  get isDualStack(): boolean {
    return this.family === AF_INET6 && !this.options.v6only;
  }

  /** Whether an address can be reached: one that stands for IPv4 only by a dual-stack socket. */
  protected mayReach(address: IpAddress): boolean {
    return !address.isMapped || this.isDualStack;
  }

  /** Whether it has an address or a peer, so that its kind can no longer be changed. */
  abstract get isBound(): boolean;

  abstract bind(address: Sockaddr): number;
  abstract listen(backlog: number): number;
  /** The next connection as a socket without a descriptor; `peer` is filled in. */
  abstract accept(peer: Out<Sockaddr> | null): Socket | number;
  /** Begins: 0 or -EINPROGRESS when it goes on by itself. */
  abstract connect(address: Sockaddr): number;
  /**
   * Sends bytes[start, end); `to` is null without a destination address, `cuts` are offsets where packets have to end
   * (MSG_ZEROCOPY). Returns how many bytes were taken.
   */
  abstract send(
    bytes: Uint8Array,
    start: number,
    end: number,
    flags: number,
    to: Sockaddr | null,
    cuts?: readonly number[],
  ): number;
  /** Receives into into[start, end); `from` is filled in when it is known. Returns how many bytes. */
  abstract receive(
    into: Uint8Array,
    start: number,
    end: number,
    flags: number,
    from: Out<Sockaddr> | null,
  ): number;
  abstract shutdown(read: boolean, write: boolean): number;
  /** getsockname(2). */
  abstract localName(): Sockaddr;
  /** getpeername(2); null when there is no peer. */
  abstract peerName(): Sockaddr | null;
  /** Whether an error or the end of the connection waits to be told: a call that has done something ends then. */
  get isFinished(): boolean {
    return (this.poll() & (POLLERR | POLLHUP)) !== 0;
  }

  /** SO_ERROR, positive; clears it. */
  abstract takeError(): number;
  /** FIONREAD or -errno. */
  abstract readableBytes(): number;
  /** SIOCOUTQ and SIOCOUTQNSD: bytes not acknowledged, and bytes not sent. */
  abstract outq(): number;
  /** AF_INET or AF_INET6: what packets to the peer are, 0 without one. */
  get remoteFamily(): number {
    return 0;
  }

  /** SIOCATMARK: the next byte to be read is urgent. */
  get atMark(): boolean {
    return false;
  }

  abstract outqNotSent(): number;
  /** A call waits until there is room to send, or somebody to send to. */
  writerWaits(): void {}

  /** The largest IP packet to the peer, in bytes; 0 without one. */
  abstract get pathMtu(): number;
  /** Changes settings that both transports have. */
  abstract changeTransport(change: Partial<TransportSettings>): void;
  /** SO_SNDBUF or SO_RCVBUF, in bytes, as they are now. */
  bufferSize(which: 'sndBuf' | 'rcvBuf'): number {
    return this.transport[which];
  }

  /** setsockopt of SO_SNDBUF or SO_RCVBUF, already doubled and within bounds. */
  abstract setBuffer(which: 'sndBuf' | 'rcvBuf', bytes: number): void;
  /** What options.ts changed in `options` takes effect. */
  abstract optionsChanged(): void;

  /** Changes options of this socket alone. */
  changeOptions(change: Partial<SocketOptions>): void {
    this.options = { ...this.options, ...change };
    this.optionsChanged();
  }
}
