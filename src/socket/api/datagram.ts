import { EAGAIN, EBADF, EINTR } from '../../base/errno.ts';
import { POLLIN } from '../../core/readiness.ts';
import { AF_INET, AF_INET6 } from '../../wire/address.ts';
import type { Sys } from '../calls.ts';
import { FIONREAD, SO_BROADCAST, SOCK_CLOEXEC, SOCK_DGRAM, SOL_SOCKET } from '../constants.ts';
import type { File } from '../file.ts';
import { out, type Sockaddr, sockaddrOf } from '../sockaddr.ts';
import { type WaitOptions, waitFor } from '../wait.ts';
import { resolve, type SocketAddress } from './address.ts';
import { SocketError } from './errors.ts';
import { type BoundAddress, boundAddress } from './listen.ts';

/** What udp() can be told. */
export interface UdpOptions {
  /** 0, or nothing, picks one. */
  readonly port?: number;
  /** 0.0.0.0 by default; '::' sends and receives IPv6, and IPv4 by mapped addresses ('::ffff:10.0.0.1'). */
  readonly hostname?: string;
  /** SO_BROADCAST. */
  readonly broadcast?: boolean;
  /** Closes the socket when it aborts. */
  readonly signal?: AbortSignal | undefined;
}

/** A datagram and who sent it. */
export interface Datagram extends SocketAddress {
  data: Uint8Array;
}

/** A UDP socket: `for await (const { data, hostname, port } of socket)`. */
export class DatagramSocket {
  readonly addr: BoundAddress;
  private readonly sys: Sys;
  private readonly fd: number;
  private readonly file: File;
  private readonly family: number;
  private readonly untie: () => void;

  /** Takes over the descriptor `fd`, which is bound. */
  constructor(sys: Sys, fd: number, signal: AbortSignal | undefined) {
    this.sys = sys;
    this.fd = fd;
    this.file = sys.ops.files.get(fd) as File;
    const name = out<Sockaddr>();
    sys.ops.getsockname(fd, name);
    this.family = name.value?.family ?? AF_INET;
    this.addr = boundAddress(sys, fd, 'udp');
    const onAbort = (): void => this.close();
    signal?.addEventListener('abort', onAbort, { once: true });
    this.untie = () => signal?.removeEventListener('abort', onAbort);
  }

  /** Sends one datagram; resolves to its length. Rejects with SocketError (EMSGSIZE, ENETUNREACH, EBADF ...). */
  async send(data: Uint8Array, to: SocketAddress): Promise<number> {
    const resolved = resolve(this.sys, 'send', to.hostname, to.port);
    // An IPv6 socket reaches IPv4 by mapped addresses.
    const address = this.family === AF_INET6 ? sockaddrOf(AF_INET6, resolved.address, to.port) : resolved;
    const result = this.file.closed ? -EBADF : await this.sys.wait.sendto(this.fd, data, 0, address);
    if (result < 0) throw new SocketError('send', result, to.hostname, to.port);
    return result;
  }

  /** The next datagram. Rejects with SocketError (EBADF when closed) or the signal's reason. */
  async receive(options: WaitOptions = {}): Promise<Datagram> {
    const datagram = await this.next(options);
    if (datagram === null) throw new SocketError('recv', -EBADF);
    return datagram;
  }

  /** Ends it; whoever waits for a datagram is told. */
  close(): void {
    if (this.file.closed) return;
    this.untie();
    this.sys.close(this.fd);
  }

  /** Each datagram as it comes, until the socket is closed. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Datagram, void, undefined> {
    for (;;) {
      const datagram = await this.next({});
      if (datagram === null) return;
      yield datagram;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }

  /** Null when the socket is closed. */
  private async next({ signal }: WaitOptions): Promise<Datagram | null> {
    signal?.throwIfAborted();
    const { sys, fd, file } = this;
    for (;;) {
      if (file.closed) return null;
      const size = out<number>();
      sys.ops.ioctl(fd, FIONREAD, size);
      if ((file.poll() & POLLIN) !== 0) {
        const data = new Uint8Array(size.value ?? 0);
        const from = out<Sockaddr>();
        const result = sys.recvfrom(fd, data, 0, from);
        if (result < 0 && result !== -EAGAIN) throw new SocketError('recv', result);
        if (from.value !== null) return { data, hostname: String(from.value.address), port: from.value.port };
      }
      const woken = await waitFor(sys.context.host, file, POLLIN, Number.POSITIVE_INFINITY, signal);
      if (woken === -EINTR) throw signal?.reason;
    }
  }
}

/** Opens a UDP socket. Throws SocketError: EADDRINUSE, EADDRNOTAVAIL ... */
export function udp(sys: Sys, options: UdpOptions = {}): DatagramSocket {
  options.signal?.throwIfAborted();
  const { hostname = '0.0.0.0', port = 0 } = options;
  const address = resolve(sys, 'bind', hostname, port);
  const fd = sys.socket(address.family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) throw new SocketError('socket', fd);
  if (options.broadcast === true) sys.setsockopt(fd, SOL_SOCKET, SO_BROADCAST, 1);
  const result = sys.bind(fd, address);
  if (result < 0) {
    sys.close(fd);
    throw new SocketError('bind', result, hostname, port);
  }
  return new DatagramSocket(sys, fd, options.signal);
}
