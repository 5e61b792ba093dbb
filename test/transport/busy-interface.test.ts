import assert from 'node:assert/strict';
import { test } from 'node:test';
import { turn } from '../../src/node/turn.ts';
import { World } from '../../src/sim/world.ts';
import type { Stack } from '../../src/stack/stack.ts';

const BYTES = 1_000_000;
const SENDERS = 20;
const RATE = 100e6;

/** Counts what each accepted connection receives. */
async function count(server: Stack, received: number[]): Promise<void> {
  const readers: Promise<void>[] = [];
  for await (const socket of server.listen({ port: 80 })) {
    const index = received.push(0) - 1;
    const read = async (): Promise<void> => {
      for await (const chunk of socket.readable) received[index] = (received[index] as number) + chunk.length;
      await socket.close();
    };
    readers.push(read());
    if (readers.length === SENDERS) break;
  }
  await Promise.all(readers);
}

async function send(client: Stack): Promise<void> {
  const socket = client.connect({ hostname: '10.0.0.2', port: 80 });
  const writer = socket.writable.getWriter();
  await writer.write(new Uint8Array(BYTES));
  await writer.close();
  await socket.closed;
}

test('a link slower than its senders makes them wait in turn: nothing is dropped inside the host', async () => {
  const world = new World({ seed: 1, turn });
  const a = world.host('a');
  const b = world.host('b');
  world.connect(a, b, { rate: RATE });
  const received: number[] = [];
  const all = Promise.all([count(b, received), ...Array.from({ length: SENDERS }, () => send(a))]);
  await world.runFor(((SENDERS * BYTES * 8) / RATE) * 0.5e6);
  const half = [...received];
  await world.run(all);
  assert.deepEqual(received, new Array(SENDERS).fill(BYTES));
  assert.equal(a.ip.netif('eth0')?.egress.stats.dropped, 0);
  assert.equal(a.mib.TcpExt.TCPTimeouts, 0);
  // A connection that waits for its turn longer than two round trips probes; what it repeats had arrived.
  assert.equal(a.mib.Tcp.RetransSegs, a.mib.TcpExt.TCPDSACKRecvSegs);
  const sum = half.reduce((total, n) => total + n, 0);
  const squares = half.reduce((total, n) => total + n * n, 0);
  const jain = (sum * sum) / (half.length * squares);
  assert(jain > 0.9, `Jain's fairness index at half time is ${jain.toFixed(3)}: ${half.join(' ')}`);
  world.close();
  assert.equal(world.pool.inUse, 0);
});
