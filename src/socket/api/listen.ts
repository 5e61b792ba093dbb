import { EBADF, ECONNABORTED, EINTR } from '../../base/errno.ts';
import { AF_INET6 } from '../../wire/address.ts';
import type { Sys } from '../calls.ts';
import {
  IPV6_V6ONLY,
  SO_REUSEADDR,
  SOCK_CLOEXEC,
  SOCK_STREAM,
  SOL_IPV6,
  SOL_SOCKET,
  SOL_TCP,
  TCP_FASTOPEN,
} from '../constants.ts';
import { out, type Sockaddr } from '../sockaddr.ts';
import type { WaitOptions } from '../wait.ts';
import { resolve } from './address.ts';
import { SocketError } from './errors.ts';
import { TcpSocketStream } from './tcp-stream.ts';

/** What listen() can be told. */
export interface ListenOptions {
  /** 0 picks one. */
  readonly port: number;
  /** 0.0.0.0 by default: every IPv4 address of the host. '::' is every address of both families. */
  readonly hostname?: string;
  /** IPV6_V6ONLY: '::' is every IPv6 address alone. */
  readonly ipv6Only?: boolean;
  /** Connections that may wait to be accepted; 511 by default, as in Node. */
  readonly backlog?: number;
  /**
   * TCP_FASTOPEN: how many connections may be open, with what their SYN has brought, before their handshake is done
   * (RFC 7413); needs bit 2 of the sysctl tcp_fastopen. 0 by default: none.
   */
  readonly fastOpen?: number;
  /** Closes the listener when it aborts. */
  readonly signal?: AbortSignal | undefined;
  /** Whether an accepted connection stays open for writing when the peer has ended its side; true by default. */
  readonly allowHalfOpen?: boolean;
}

/** Where a listener or a datagram socket is bound. */
export interface BoundAddress {
  readonly transport: 'tcp' | 'udp';
  readonly hostname: string;
  readonly port: number;
}

const DEFAULT_BACKLOG = 511;

/** A listening socket, in the shape of Deno's: `for await (const socket of listener)`. */
export class Listener {
  readonly addr: BoundAddress;
  private readonly sys: Sys;
  private readonly fd: number;
  private readonly allowHalfOpen: boolean;
  private open = true;
  /** Takes the listener off the signal it was tied to. */
  private readonly untie: () => void;

  /** Takes over the descriptor `fd`, which listens. */
  constructor(sys: Sys, fd: number, addr: BoundAddress, options: ListenOptions) {
    this.sys = sys;
    this.fd = fd;
    this.addr = addr;
    this.allowHalfOpen = options.allowHalfOpen ?? true;
    const onAbort = (): void => this.close();
    options.signal?.addEventListener('abort', onAbort, { once: true });
    this.untie = () => options.signal?.removeEventListener('abort', onAbort);
  }

  /** The next connection. Rejects with SocketError (EBADF when the listener is closed) or the signal's reason. */
  async accept(options: WaitOptions = {}): Promise<TcpSocketStream> {
    const socket = await this.next(options);
    if (socket === null) throw new SocketError('accept', -EBADF);
    return socket;
  }

  /** Stops listening; connections that wait to be accepted are reset. Accepted ones live on. */
  close(): void {
    if (!this.open) return;
    this.open = false;
    this.untie();
    this.sys.close(this.fd);
  }

  /** Each connection as it comes, until the listener is closed. */
  async *[Symbol.asyncIterator](): AsyncGenerator<TcpSocketStream, void, undefined> {
    for (;;) {
      const socket = await this.next({});
      if (socket === null) return;
      yield socket;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }

  /** Null when the listener is closed. */
  private async next({ signal }: WaitOptions): Promise<TcpSocketStream | null> {
    signal?.throwIfAborted();
    const peer = out<Sockaddr>();
    while (this.open) {
      const fd = await this.sys.wait.accept4(this.fd, peer, SOCK_CLOEXEC, { signal });
      if (fd >= 0 && peer.value !== null) {
        const connected = { fd, remote: peer.value };
        return new TcpSocketStream(this.sys, connected, Promise.resolve(0), this.allowHalfOpen);
      }
      if (fd === -EINTR) throw signal?.reason;
      if (fd === -EBADF) return null;
      if (fd !== -ECONNABORTED) throw new SocketError('accept', fd);
    }
    return null;
  }
}

/** Listens for TCP connections. Throws SocketError: EADDRINUSE, EADDRNOTAVAIL ... */
export function listen(sys: Sys, options: ListenOptions): Listener {
  options.signal?.throwIfAborted();
  const hostname = options.hostname ?? '0.0.0.0';
  const address = resolve(sys, 'listen', hostname, options.port);
  const fd = sys.socket(address.family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) throw new SocketError('socket', fd);
  sys.setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  if (address.family === AF_INET6 && options.ipv6Only === true) {
    sys.setsockopt(fd, SOL_IPV6, IPV6_V6ONLY, 1);
  }
  const { fastOpen = 0 } = options;
  const set = fastOpen === 0 ? 0 : sys.setsockopt(fd, SOL_TCP, TCP_FASTOPEN, fastOpen);
  const bound = set < 0 ? set : sys.bind(fd, address);
  const result = bound < 0 ? bound : sys.listen(fd, options.backlog ?? DEFAULT_BACKLOG);
  if (result < 0) {
    sys.close(fd);
    throw new SocketError('listen', result, hostname, options.port);
  }
  return new Listener(sys, fd, boundAddress(sys, fd, 'tcp'), options);
}

/** Where `fd` is bound. */
export function boundAddress(sys: Sys, fd: number, transport: 'tcp' | 'udp'): BoundAddress {
  const name = out<Sockaddr>();
  sys.getsockname(fd, name);
  return { transport, hostname: String(name.value?.address), port: name.value?.port ?? 0 };
}
