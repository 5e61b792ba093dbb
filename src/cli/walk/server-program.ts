/**
 * The server: a program that listens and gives its connections to the HTTP server.
 * @module
 */
import type { Env } from '../../core/env.ts';
import { acceptedStreams } from '../../http/fd-stream.ts';
import type { FileStore } from '../../http/files.ts';
import { serveHttp } from '../../http/server.ts';
import { serveFiles } from '../../http/static.ts';
import { hostPort } from '../../socket/api/errors.ts';
import type { Sys } from '../../socket/calls.ts';
import { IPPROTO_TCP, SO_REUSEADDR, SOCK_STREAM, SOL_SOCKET } from '../../socket/constants.ts';
import { check } from '../check.ts';
import { openSocketTo } from '../sockets.ts';

/** nginx's backlog. */
const BACKLOG = 511;

/** A server that runs. */
export interface RunningServer {
  /** Interrupts it, as a signal would; `finished` then resolves when the last connection is done. */
  stop(): void;
  readonly finished: Promise<void>;
}

/** Serves files on address:port. Throws a Failure when it cannot listen there. */
export function startServer(
  sys: Sys,
  env: Env,
  address: string,
  port: number,
  files: FileStore,
): RunningServer {
  const fd = openSocketTo(sys, address, SOCK_STREAM, IPPROTO_TCP);
  check('setsockopt', sys.setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, 1));
  check(`cannot listen on ${hostPort(address, port)}: bind`, sys.bind(fd, { address, port }));
  check('listen', sys.listen(fd, BACKLOG));
  const stop = new AbortController();
  const finished = serveHttp(acceptedStreams(sys, fd, stop.signal), serveFiles(files), { env }).finally(() =>
    sys.close(fd),
  );
  return { stop: () => stop.abort(), finished };
}
