/**
 * Byte streams over the socket calls: HTTP on file descriptors, as a C program would run it.
 * @module
 */
import { EBADF, ECONNABORTED, EINTR } from '../base/errno.ts';
import { SocketError } from '../socket/api/errors.ts';
import type { Sys } from '../socket/calls.ts';
import { MSG_NOSIGNAL, SHUT_WR } from '../socket/constants.ts';
import { out, type Sockaddr } from '../socket/sockaddr.ts';
import type { ByteStream } from './stream.ts';

/** Bytes asked for at once. */
const READ_BYTES = 65536;
const NO_BYTES = /* @__PURE__ */ new Uint8Array(0);

/** The stream of a connected descriptor, which it closes. A failed call rejects with SocketError. */
export function fdStream(sys: Sys, fd: number): ByteStream {
  let buffer = NO_BYTES;
  let open = true;
  const received = (got: number): Uint8Array | null => {
    if (got > 0) return buffer.subarray(0, got);
    if (got === 0 || !open) return null;
    throw new SocketError('recv', got);
  };
  const write = (bytes: Uint8Array): Promise<void> =>
    sys.wait.send(fd, bytes, MSG_NOSIGNAL).then(sent => {
      if (sent < 0) throw new SocketError('send', sent);
      return sent < bytes.length ? write(bytes.subarray(sent)) : undefined;
    });
  return {
    read() {
      if (!open) return Promise.resolve(null);
      if (buffer === NO_BYTES) buffer = new Uint8Array(READ_BYTES);
      return sys.wait.recv(fd, buffer).then(received);
    },
    write,
    async end() {
      const result = open ? sys.shutdown(fd, SHUT_WR) : 0;
      if (result < 0) throw new SocketError('shutdown', result);
    },
    close() {
      if (open) sys.close(fd);
      open = false;
    },
  };
}

/** The connections that a listening descriptor accepts, until it is closed or `signal` aborts. */
export async function* acceptedStreams(
  sys: Sys,
  listenFd: number,
  signal?: AbortSignal,
): AsyncGenerator<ByteStream, void> {
  for (;;) {
    const fd = await sys.wait.accept4(listenFd, out<Sockaddr>(), 0, signal === undefined ? {} : { signal });
    if (fd >= 0) yield fdStream(sys, fd);
    else if (fd === -EBADF || fd === -EINTR) return;
    else if (fd !== -ECONNABORTED) throw new SocketError('accept4', fd);
  }
}
