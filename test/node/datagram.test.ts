import assert from 'node:assert/strict';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { test } from 'node:test';
import { createDatagramLink, type DatagramLinkOptions } from '../../src/node/datagram.ts';
import { nodeEnv } from '../../src/node/env.ts';
import { Stack } from '../../src/stack/stack.ts';
import { exchange } from '../e2e/transfer.ts';
import { RecordingPort } from '../link/fixture.ts';

const env = nodeEnv();

async function bound(port = 0): Promise<Socket> {
  const socket = createSocket({ type: 'udp4', reuseAddr: port !== 0 }).bind(
    port,
    port === 0 ? '127.0.0.1' : undefined,
  );
  await once(socket, 'listening');
  return socket;
}

function to(socket: Socket): DatagramLinkOptions {
  return { remote: { address: '127.0.0.1', port: socket.address().port } };
}

test('two stacks over UDP sockets, one datagram a frame, byte for byte', async () => {
  const sockets = [await bound(), await bound()] as const;
  const links = [
    createDatagramLink(env, sockets[0], to(sockets[1])),
    createDatagramLink(env, sockets[1], to(sockets[0])),
  ];
  const [a, b] = links.map((link, n) => {
    const stack = new Stack({ env, name: `host${n}` });
    stack.attach(link, { address: `10.0.0.${n + 1}/24` });
    return stack;
  }) as [Stack, Stack];
  await exchange(a, b, '10.0.0.2', 5_000_000);
  for (const stack of [a, b]) stack.close();
  for (const link of links) assert.equal(link.closed, true);
});

test('the bytes of a datagram are the frame; strangers are not heard', async () => {
  const [near, far, stranger] = [await bound(), await bound(), await bound()];
  const link = createDatagramLink(env, near, to(far));
  const port = new RecordingPort(env, link);
  const { port: at } = near.address();
  stranger.send(Uint8Array.of(9), at, '127.0.0.1');
  await once(near, 'message');
  far.send(Uint8Array.of(1, 2, 3), at, '127.0.0.1');
  while (port.hex.length === 0) await new Promise(resolve => setImmediate(resolve));
  assert.deepEqual(port.hex, ['010203']);
  link.close();
  for (const socket of [far, stranger]) socket.close();
});

test('nobody at the other end: frames are lost, the link stays', async () => {
  const [near, far] = [await bound(), await bound()];
  const link = createDatagramLink(env, near, to(far));
  const stack = new Stack({ env });
  stack.attach(link, { address: '10.0.0.1/24' });
  far.close();
  stack.udp().send(new Uint8Array(10), { hostname: '10.0.0.2', port: 9 });
  await link.whenUp();
  while (link.counters.sent < 2) await new Promise(resolve => setImmediate(resolve));
  assert.equal(link.up, true);
  stack.close();
});

test('a socket that was closed by somebody else takes the link down', async () => {
  const socket = await bound();
  const downs: string[] = [];
  const link = createDatagramLink(env, socket, { ...to(socket), onDown: why => downs.push(why) });
  await link.whenUp();
  socket.close();
  while (downs.length === 0) await new Promise(resolve => setImmediate(resolve));
  assert.deepEqual([downs, link.peerClosed], [['the socket is closed'], true]);
  link.close();
});

test('in a multicast group everyone hears everyone, and nobody himself', async t => {
  const group = '239.255.65.1';
  const sockets = [await bound(45_065), await bound(45_065), await bound(45_065)];
  t.after(() => {
    for (const link of links) link.close();
  });
  for (const socket of sockets) {
    socket.addMembership(group, '127.0.0.1');
    socket.setMulticastInterface('127.0.0.1');
    socket.setMulticastLoopback(true);
  }
  const links = sockets.map(socket =>
    createDatagramLink(env, socket, { remote: { address: group, port: 45_065 } }),
  );
  const stacks = links.map((link, n) => {
    const stack = new Stack({ env, name: `host${n}` });
    stack.attach(link, { address: `10.0.0.${n + 1}/24` });
    return stack;
  }) as [Stack, Stack, Stack];
  await exchange(stacks[0], stacks[1], '10.0.0.2', 100_000);
  await exchange(stacks[2], stacks[0], '10.0.0.1', 100_000);
  // A frame of one's own would be an interface that hears its own broadcasts.
  const heard = links.map(link => link.counters.received);
  const sent = links.map(link => link.counters.sent);
  assert.ok(
    heard.every((count, n) => count <= sent.reduce((sum, other) => sum + other, 0) - (sent[n] as number)),
    `heard ${heard}, sent ${sent}`,
  );
  for (const stack of stacks) stack.close();
});

test('a name instead of an address is refused', async () => {
  const socket = await bound();
  assert.throws(
    () => createDatagramLink(env, socket, { remote: { address: 'localhost', port: 1 } }),
    TypeError,
  );
  socket.close();
});
