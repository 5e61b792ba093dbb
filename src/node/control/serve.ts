import { chmodSync, unlinkSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { type Answers, CONNECTIONS_MAX, REQUEST_MAX, TIMEOUT_MS, type Want } from './protocol.ts';

/** Who answers: one function for each question. */
export type ControlSource = { readonly [W in Want]: () => Answers[W] };

/** A control socket that answers. */
export interface ControlServer {
  /** Ends it and removes the socket; at once, so that it can be called while the process exits. */
  close(): void;
}

/** Answers questions at the Unix socket `path`, which only this user can open. It does not keep the process alive. */
export async function serveControl(path: string, source: ControlSource): Promise<ControlServer> {
  const open = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, socket => {
    open.add(socket);
    socket.on('close', () => open.delete(socket));
    answer(socket, source);
  });
  server.maxConnections = CONNECTIONS_MAX;
  await listen(server, path);
  chmodSync(path, 0o600);
  server.unref();
  return {
    close() {
      server.close();
      for (const socket of open) socket.destroy();
      try {
        unlinkSync(path);
      } catch {
        // Closing the server has removed it.
      }
    },
  };
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => {
      server.off('error', reject);
      // An accept that fails costs one question.
      server.on('error', () => undefined);
      resolve();
    });
  });
}

function answer(socket: Socket, source: ControlSource): void {
  let request = '';
  socket.setEncoding('utf8');
  socket.unref();
  socket.setTimeout(TIMEOUT_MS, () => socket.destroy());
  socket.on('error', () => undefined);
  socket.on('end', () => socket.destroy());
  socket.on('data', (text: string) => {
    request += text;
    const end = request.indexOf('\n');
    if (end < 0 && request.length <= REQUEST_MAX) return;
    socket.removeAllListeners('data').removeAllListeners('end').resume();
    socket.end(`${JSON.stringify(reply(request.slice(0, Math.max(end, 0)), source))}\n`);
  });
}

function reply(line: string, source: ControlSource): object {
  try {
    const { want } = JSON.parse(line) as { want?: unknown };
    if (typeof want !== 'string' || !Object.hasOwn(source, want)) return { error: 'unknown question' };
    return { answer: source[want as Want]() };
  } catch {
    return { error: 'not a question' };
  }
}
