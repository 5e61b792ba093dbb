/**
 * Two processes, each with a network stack of its own, on one Ethernet that runs over a WebSocket. The second one could
 * as well be a page in a browser: it needs nothing but `webEnv` instead of `nodeEnv` and the browser's WebSocket.
 *
 * Shows: a switch that others join over WebSockets, a link that connects again by itself, and that the TCP connection
 * of the two stacks outlives the WebSocket under it.
 *
 * Run: npm run build:test && node build/examples/stack-over-websocket.js
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { createWebSocketLink, LearningSwitch, nodeEnv, Stack } from 'ethertype';
import { WebSocket, WebSocketServer } from 'ws';

const env = nodeEnv();

/** The process that others join: a switch, and a host on it that answers in capitals. */
async function serve(): Promise<void> {
  const lan = new LearningSwitch(env);
  const web = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  web.on('connection', socket => lan.attach(createWebSocketLink(env, socket)));
  await once(web, 'listening');

  const stack = new Stack({ env, name: 'server' });
  stack.attach(lan.port(), { address: '10.0.0.1/24' });
  const listener = stack.listen({ port: 7 });
  const { port } = web.address() as AddressInfo;
  const child = fork(fileURLToPath(import.meta.url), [`ws://127.0.0.1:${port}`]);

  const connection = await listener.accept();
  const writer = connection.writable.getWriter();
  for await (const chunk of connection.readable) {
    await writer.write(new TextEncoder().encode(new TextDecoder().decode(chunk).toUpperCase()));
    // Every WebSocket is cut, without a word of goodbye.
    for (const socket of web.clients) socket.terminate();
  }
  await writer.close();
  await connection.close();

  await once(child, 'exit');
  stack.close();
  lan.close();
  web.close();
}

/** The process that joins. */
async function join(url: string): Promise<void> {
  const stack = new Stack({ env, name: 'client' });
  const link = createWebSocketLink(env, () => new WebSocket(url), { pool: stack.host.pool });
  stack.attach(link, { address: '10.0.0.2/24' });
  await link.whenUp();

  const socket = stack.connect('10.0.0.1:7');
  const writer = socket.writable.getWriter();
  const reader = socket.readable.getReader();
  for (const word of ['hello', 'still there?']) {
    await writer.write(new TextEncoder().encode(word));
    const { value } = await reader.read();
    console.log(`${word} -> ${new TextDecoder().decode(value)}`);
  }
  await writer.close();
  await reader.read(); // The end: the server has closed, too.
  console.log(
    `one TCP connection over ${link.counters.connections > 1 ? 'several WebSockets' : 'a WebSocket'}`,
  );
  stack.close();
}

const [url] = process.argv.slice(2);
await (url === undefined ? serve() : join(url));
