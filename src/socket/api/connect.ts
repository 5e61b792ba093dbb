import type { Sys } from '../calls.ts';
import { SO_KEEPALIVE, SOCK_CLOEXEC, SOCK_STREAM, SOL_SOCKET, SOL_TCP, TCP_NODELAY } from '../constants.ts';
import { parseHostPort, resolve, type SocketAddress } from './address.ts';
import { SocketError } from './errors.ts';
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
}

/**
 * Opens a TCP connection. Returns at once; `opened` says how it went.
 * Throws SocketError for an address that cannot be one, and the signal's reason when it has aborted already.
 * @example
 * await using socket = connect(sys, { hostname: '10.0.0.2', port: 80 });
 * for await (const chunk of socket.readable) received(chunk);
 */
export function connect(
  sys: Sys,
  address: SocketAddress | string,
  options: ConnectOptions = {},
): TcpSocketStream {
  const { signal } = options;
  signal?.throwIfAborted();
  const { hostname, port } = typeof address === 'string' ? parseHostPort(address) : address;
  const remote = resolve(sys, 'connect', hostname, port);
  const fd = sys.socket(remote.family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) throw new SocketError('socket', fd);
  if (options.noDelay === true) sys.setsockopt(fd, SOL_TCP, TCP_NODELAY, 1);
  if (options.keepAlive === true) sys.setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  const handshake = sys.wait.connect(fd, remote);
  const socket = new TcpSocketStream(sys, fd, remote, handshake, options.allowHalfOpen ?? false);
  if (signal !== undefined) abortWith(socket, signal);
  return socket;
}

/** Ties a connection to a signal for as long as it lives. */
function abortWith(socket: TcpSocketStream, signal: AbortSignal): void {
  const onAbort = (): void => socket.abort(signal.reason);
  const forget = (): void => signal.removeEventListener('abort', onAbort);
  signal.addEventListener('abort', onAbort, { once: true });
  socket.closed.then(forget, forget);
}
