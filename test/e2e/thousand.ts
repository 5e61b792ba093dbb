/**
 * A program that close.test.ts runs: two stacks in real time, 1,000 connections of which each has said something, then
 * close() on both. It prints what was there and what is left, and must then end by itself.
 */
import { createCable } from '../../src/link/cable.ts';
import { nodeEnv } from '../../src/node/env.ts';
import type { TcpSocketStream } from '../../src/socket/api/tcp-stream.ts';
import { Stack } from '../../src/stack/stack.ts';
import { leftovers } from './transfer.ts';

const CONNECTIONS = 1000;
const env = nodeEnv();
const [left, right] = createCable(env);
const client = new Stack({ env, name: 'client' });
const server = new Stack({ env, name: 'server' });
client.attach(left, { address: '10.0.0.1/24' });
server.attach(right, { address: '10.0.0.2/24' });

const listener = server.listen({ port: 80, backlog: CONNECTIONS });
const accepted: TcpSocketStream[] = [];
const accepting = (async () => {
  for await (const socket of listener) {
    accepted.push(socket);
    const writer = socket.writable.getWriter();
    void writer.write(new Uint8Array(100)).catch(() => {});
  }
})();

const sockets = Array.from({ length: CONNECTIONS }, () => client.connect('10.0.0.2:80'));
await Promise.all(
  sockets.map(async socket => {
    await socket.opened;
    const reader = socket.readable.getReader();
    for (let got = 0; got < 100; ) got += (await reader.read()).value?.length ?? 100;
    // This one waits for ever, unless close() settles it.
    void reader.read().catch(() => {});
  }),
);
const established = [client, server].map(
  stack => stack.sockets().filter(row => row.state === 'ESTABLISHED').length,
);
client.close();
server.close();
await accepting;
await Promise.allSettled([...sockets, ...accepted].map(socket => socket.closed));
const rest = [client, server].map(leftovers);
const packets = [client, server].map(stack => stack.host.pool.inUse);
console.log(JSON.stringify({ established, left: rest, packets }));
