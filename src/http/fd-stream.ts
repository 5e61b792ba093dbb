/**
 * Byte streams over the socket calls: HTTP on file descriptors, as a C program would run it.
 * @module
 */
import { EBADF, ECONNABORTED, errnoName, strerror } from '../base/errno.ts';
import type { Sys } from '../socket/calls.ts';
import { MSG_NOSIGNAL, SHUT_WR } from '../socket/constants.ts';
import { out, type Sockaddr } from '../socket/sockaddr.ts';
import type { ByteStream } from './stream.ts';

/** Bytes asked for at once. */
const READ_BYTES = 65536;

/** The stream of a connected descriptor, which it closes. A failed call rejects with the errno's name as `code`. */
export function fdStream(sys: Sys, fd: number): ByteStream {
  let buffer: Uint8Array | null = null;
  let open = true;
  return {
    async read() {
      if (!open) return null;
      buffer ??= new Uint8Array(READ_BYTES);
      const got = await sys.wait.recv(fd, buffer);
      if (got > 0) return buffer.subarray(0, got);
      if (got === 0 || !open) return null;
      throw callError('recv', got);
    },
    async write(bytes) {
      for (let at = 0; at < bytes.length; ) {
        const sent = await sys.wait.send(fd, at === 0 ? bytes : bytes.subarray(at), MSG_NOSIGNAL);
        if (sent < 0) throw callError('send', sent);
        at += sent;
      }
    },
    async end() {
      const result = open ? sys.shutdown(fd, SHUT_WR) : 0;
      if (result < 0) throw callError('shutdown', result);
    },
    close() {
      if (open) sys.close(fd);
      open = false;
    },
  };
}

/** The connections that a listening descriptor accepts, until it is closed. */
export async function* acceptedStreams(sys: Sys, listenFd: number): AsyncGenerator<ByteStream, void> {
  for (;;) {
    const fd = await sys.wait.accept4(listenFd, out<Sockaddr>(), 0);
    if (fd >= 0) yield fdStream(sys, fd);
    else if (fd === -EBADF) return;
    else if (fd !== -ECONNABORTED) throw callError('accept4', fd);
  }
}

function callError(call: string, errno: number): Error {
  return Object.assign(new Error(`${call}: ${strerror(errno)}`), { code: errnoName(errno), errno });
}
