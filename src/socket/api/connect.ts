import type { NameResolver } from '../../core/name-resolver.ts';
import type { IpAddress } from '../../wire/address.ts';
import type { Sys } from '../calls.ts';
import {
  SO_KEEPALIVE,
  SOCK_CLOEXEC,
  SOCK_STREAM,
  SOL_SOCKET,
  SOL_TCP,
  TCP_FASTOPEN_CONNECT,
  TCP_NODELAY,
} from '../constants.ts';
import { isName, parseHostPort, resolve, type SocketAddress } from './address.ts';
import { SocketError } from './errors.ts';
import { HappyEyeballs } from './happy-eyeballs.ts';
import { TcpSocketStream } from './tcp-stream.ts';

/** What connect() can be told. */
export interface ConnectOptions {
  /**
   * Whether `writable` stays open when the peer has ended its side. False by default: then reading the end closes
   * `writable`, too, unless a writer holds it.
   */
  readonly allowHalfOpen?: boolean;
  /** Resets the connection when it aborts, at any time. */
  readonly signal?: AbortSignal | undefined;
  /** TCP_NODELAY. */
  readonly noDelay?: boolean;
  /** SO_KEEPALIVE. */
  readonly keepAlive?: boolean;
  /**
   * TCP Fast Open (RFC 7413): once the server's cookie is known, what is written first goes with the SYN, and nothing
   * is sent before. Then `opened` resolves before the server has answered; what becomes of it shows in reading,
   * writing and `closed`. The data may reach the server's program twice: only for what does no harm so, and for
   * protocols in which the client speaks first. Without effect with a host name.
   */
  readonly fastOpen?: boolean;
}

/**
 * Opens a TCP connection. Returns at once; `opened` says how it went. A host name is looked up by `resolver`, and its
 * addresses are tried as RFC 8305 says; without one, only addresses can be connected to.
 * Throws SocketError for an address that cannot be one, HostNotFoundError for a name that nobody can look up, and the
 * signal's reason when it has aborted already.
 * @example
 * await using socket = connect(sys, { hostname: '10.0.0.2', port: 80 });
 * for await (const chunk of socket.readable) received(chunk);
 */
export function connect(
  sys: Sys,
  address: SocketAddress | string,
  options: ConnectOptions = {},
  resolver: NameResolver | null = null,
): TcpSocketStream {
  const { signal } = options;
  signal?.throwIfAborted();
  const to = typeof address === 'string' ? parseHostPort(address) : address;
  const byName = resolver !== null && isName(sys, to);
  const socket = byName ? connectByName(sys, to, options, resolver) : connectTo(sys, to, options);
  if (signal !== undefined) abortWith(socket, signal);
  return socket;
}

function connectTo(sys: Sys, { hostname, port }: SocketAddress, options: ConnectOptions): TcpSocketStream {
  const remote = resolve(sys, 'connect', hostname, port);
  const fd = openSocket(sys, remote.address, options);
  if (fd < 0) throw new SocketError('socket', fd);
  // Where tcp_fastopen does not allow it, an ordinary handshake will do.
  if (options.fastOpen === true) sys.setsockopt(fd, SOL_TCP, TCP_FASTOPEN_CONNECT, 1);
  const handshake = sys.wait.connect(fd, remote);
  return new TcpSocketStream(sys, { fd, remote }, handshake, options.allowHalfOpen ?? false);
}

function connectByName(
  sys: Sys,
  to: SocketAddress,
  options: ConnectOptions,
  resolver: NameResolver,
): TcpSocketStream {
  const dialer = { sys, resolver, open: (address: IpAddress) => openSocket(sys, address, options) };
  const race = new HappyEyeballs(dialer, to.hostname, to.port);
  const socket = new TcpSocketStream(sys, to, race.run(), options.allowHalfOpen ?? false);
  // Whoever gives the connection up gives up looking for it.
  socket.closed.catch(reason => race.stop(reason));
  return socket;
}

function openSocket(sys: Sys, { family }: IpAddress, options: ConnectOptions): number {
  const fd = sys.socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return fd;
  if (options.noDelay === true) sys.setsockopt(fd, SOL_TCP, TCP_NODELAY, 1);
  if (options.keepAlive === true) sys.setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  return fd;
}

/** Ties a connection to a signal for as long as it lives. */
function abortWith(socket: TcpSocketStream, signal: AbortSignal): void {
  const onAbort = (): void => socket.abort(signal.reason);
  const forget = (): void => signal.removeEventListener('abort', onAbort);
  signal.addEventListener('abort', onAbort, { once: true });
  socket.closed.then(forget, forget);
}
