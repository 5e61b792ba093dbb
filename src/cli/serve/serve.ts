import { EBADF, ECONNABORTED } from '../../base/errno.ts';
import { fdStream } from '../../http/fd-stream.ts';
import type { FileStore } from '../../http/files.ts';
import { type HttpExchange, serveHttp } from '../../http/server.ts';
import { serveFiles } from '../../http/static.ts';
import type { AnyStream, ByteStream } from '../../http/stream.ts';
import type { Sys } from '../../socket/calls.ts';
import { out, type Sockaddr } from '../../socket/sockaddr.ts';
import { pause } from '../host/lifetime.ts';
import type { CommandHost } from '../host/with-host.ts';
import { LineWriter } from '../output.ts';
import { listenOn, peerText } from '../sockets.ts';

/** nginx's backlog. */
const BACKLOG = 511;
/** How long to wait when there is no descriptor for a connection. */
const ACCEPT_PAUSE_MS = 100;

/** How a folder is served. */
export interface ServeSettings {
  readonly port: number;
  /** Whether a line is written for each request. */
  readonly log: boolean;
}

/** What is needed of a host to serve on it. */
type ServingHost = Pick<CommandHost, 'stack' | 'env' | 'signal' | 'end' | 'announce'>;

/** Serves files until the host's signal aborts. Throws a Failure when it cannot listen. */
export async function serveFolder(
  host: ServingHost,
  files: FileStore,
  settings: ServeSettings,
): Promise<void> {
  const sys = host.stack.sys.as('httpd');
  const fd = listenOn(sys, settings.port, BACKLOG);
  host.announce();
  const peers = new WeakMap<AnyStream, string>();
  const lines = new LineWriter(1, closed => host.end(closed));
  host.signal.addEventListener('abort', () => sys.close(fd), { once: true });
  const serving = serveHttp(accepted(sys, fd, peers), serveFiles(files), {
    env: host.env,
    ...(settings.log
      ? { onExchange: exchange => lines.line(logLine(exchange, peers.get(exchange.connection) ?? '-')) }
      : {}),
  });
  // Connections that are kept alive are the peers' to end: nobody waits for them.
  const ended = new Promise<void>(resolve => {
    host.signal.addEventListener('abort', () => resolve(), { once: true });
  });
  await Promise.race([serving, ended]);
  lines.flush();
}

/** The connections that `listenFd` accepts, until it is closed; who they are from is noted in `peers`. */
async function* accepted(
  sys: Sys,
  listenFd: number,
  peers: WeakMap<AnyStream, string>,
): AsyncGenerator<ByteStream, void> {
  for (;;) {
    const peer = out<Sockaddr>();
    const fd = await sys.wait.accept4(listenFd, peer, 0);
    if (fd === -EBADF) return;
    // Out of descriptors: those who wait are accepted when others have gone.
    if (fd < 0 && fd !== -ECONNABORTED) await pause(ACCEPT_PAUSE_MS);
    if (fd < 0) continue;
    const stream = fdStream(sys, fd);
    peers.set(stream, peerText(sys, peer.value));
    yield stream;
  }
}

/** '10.65.0.1:51234 "GET / HTTP/1.1" 200 612', with the range that was asked for, and what was cut short. */
function logLine(exchange: HttpExchange, peer: string): string {
  const { request, status, bodyBytes, complete } = exchange;
  const line = request === null ? '-' : `${request.method} ${request.target} HTTP/${request.version}`;
  const range = request?.headers.get('range');
  return [
    peer,
    `"${printable(line)}"`,
    String(status),
    String(bodyBytes),
    ...(range === undefined ? [] : [printable(range)]),
    ...(complete ? [] : ['(cut short)']),
  ].join(' ');
}

/** What a peer sends must not move the cursor of whoever reads the log. */
function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?');
}
