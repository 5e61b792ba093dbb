// SEAM STUB (being implemented): the surface that socket/ uses.
import type { Host } from '../core/host.ts';
import type { ReadyListener } from '../core/readiness.ts';
import type { TcpSettings } from '../tcp/settings.ts';
import type { IpAddress } from '../wire/address.ts';

/** A local address and port that a socket holds until `release()`. */
export interface PortBinding {
  readonly address: IpAddress;
  readonly port: number;
  release(): void;
}

/** One TCP connection as a socket holds it. */
export declare class TcpEndpoint {
  readonly localAddress: IpAddress;
  readonly localPort: number;
  readonly remoteAddress: IpAddress;
  readonly remotePort: number;
  user: ReadyListener | null;
  /** Copy-on-write, see TcpSettings. Assigning applies the change (Nagle off flushes, keepalive on arms ...). */
  settings: TcpSettings;
  /** 'SYN_SENT', 'ESTABLISHED' ... : the name of the present state (RFC 9293), as ss writes it in tcp/state.ts. */
  readonly stateName: string;
  /** The handshake is under way (connect: EALREADY). */
  readonly connecting: boolean;
  /** In a synchronised state with data allowed, i.e. handshake done and not CLOSED/LISTEN. */
  readonly connected: boolean;
  /** poll(2)'s bits now. */
  poll(): number;
  /** Bytes that read() can return now. */
  readonly readable: number;
  /** Bytes that write() takes now. */
  readonly writable: number;
  /** The peer sent FIN and everything before it was read, or shutdown(SHUT_RD) was called: recv returns 0. */
  readonly eof: boolean;
  /** Our side was shut down for writing: send returns -EPIPE. */
  readonly writeShut: boolean;
  /** Bytes not yet acknowledged (SIOCOUTQ), and of these not yet sent (SIOCOUTQNSD). */
  readonly outq: number;
  readonly outqNotSent: number;
  /** Queues data; returns how many bytes were taken (0 when full). `more`: MSG_MORE. */
  write(bytes: Uint8Array, start: number, end: number, more: boolean): number;
  /** Copies out data; returns how many bytes (0 when none). `peek`: MSG_PEEK. */
  read(into: Uint8Array, start: number, end: number, peek: boolean): number;
  /** The pending error (SO_ERROR), positive; clears it. */
  takeError(): number;
  /** TCP_QUICKACK. */
  setQuickAck(on: boolean): void;
  shutdown(read: boolean, write: boolean): void;
  /** close(2): FIN, or RST when data is unread. The endpoint lives on without a user until TCP is done with it. */
  close(): void;
  /** RST: close(2) with SO_LINGER 0, or AbortSignal. */
  abort(): void;
  /** For SO_LINGER with a time: true when nothing is left to send and our FIN is acknowledged. */
  readonly drained: boolean;
  info(): TcpInfo;
}

/** Linux's struct tcp_info, by its field names without the prefix; µs and bytes as there. */
export interface TcpInfo {
  [name: string]: number | string | boolean;
}

export declare class TcpListenerEndpoint {
  readonly localAddress: IpAddress;
  readonly localPort: number;
  user: ReadyListener | null;
  settings: TcpSettings;
  backlog: number;
  readonly acceptQueueLength: number;
  /** Next connection from the accept queue, or null. */
  accept(): TcpEndpoint | null;
  /** RSTs what is queued, forgets what is half open. */
  close(): void;
  /** RFC 9293 section 3.10.2: SEND on a passive OPEN turns it into an active one. Returns the endpoint or -errno. */
  connect(remote: IpAddress, remotePort: number): TcpEndpoint | number;
}

export declare class TcpLayer {
  constructor(host: Host);
  /** Settings of a fresh socket. */
  readonly defaults: TcpSettings;
  /** bind(2). Port 0 picks one (RFC 6056). -EADDRINUSE, -EADDRNOTAVAIL. */
  bind(address: IpAddress, port: number, reuseAddress: boolean, reusePort: boolean): PortBinding | number;
  /** listen(2). Takes over the binding (or picks a port when it is null). */
  listen(
    binding: PortBinding | null,
    backlog: number,
    settings: TcpSettings,
    user: ReadyListener | null,
  ): TcpListenerEndpoint | number;
  /** connect(2), which always only begins: -EADDRNOTAVAIL, -ENETUNREACH, -EADDRINUSE ..., or an endpoint in SYN_SENT. */
  connect(
    binding: PortBinding | null,
    remote: IpAddress,
    remotePort: number,
    settings: TcpSettings,
    user: ReadyListener | null,
  ): TcpEndpoint | number;
}
