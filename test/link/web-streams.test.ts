import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PacketPool } from '../../src/core/pool.ts';
import type { RemoteLinkOptions } from '../../src/link/remote.ts';
import { createStreamLink, type StreamPair } from '../../src/link/web-streams.ts';
import { turn } from '../../src/node/turn.ts';
import { VirtualClock } from '../../src/sim/clock.ts';
import { Stack } from '../../src/stack/stack.ts';
import { exchange } from '../e2e/transfer.ts';
import { Bench, RecordingPort, range } from './fixture.ts';

/** Two pairs of streams, each the other end of the other. */
function pipes(): [StreamPair, StreamPair] {
  const [there, back] = [new TransformStream(), new TransformStream()];
  return [
    { readable: back.readable, writable: there.writable },
    { readable: there.readable, writable: back.writable },
  ];
}

/** Everything that promises do at this moment. */
async function settle(bench: Bench): Promise<void> {
  for (const _ of range(3)) {
    await turn();
    bench.clock.runFor(0);
  }
}

for (const framing of ['stream', 'message'] as const) {
  test(`${framing}: two hosts over a pair of web streams, in virtual time, byte for byte`, async () => {
    const clock = new VirtualClock({ turn });
    const pool = new PacketPool();
    const stacks = pipes().map((pair, n) => {
      const env = clock.env(n + 1);
      const stack = new Stack({ env, pool, name: `host${n}` });
      stack.attach(createStreamLink(env, pair, { framing, pool }), { address: `10.0.0.${n + 1}/24` });
      return stack;
    });
    const [a, b] = stacks as [Stack, Stack];
    await clock.finish(exchange(a, b, '10.0.0.2', 1_000_000));
    for (const stack of stacks) stack.close();
    assert.deepEqual([pool.inUse, clock.armed], [0, 0]);
  });
}

function setup(options: RemoteLinkOptions = {}) {
  const bench = new Bench();
  const [near, far] = pipes();
  const link = createStreamLink(bench.env, near, { pool: bench.pool, ...options });
  const port = new RecordingPort(bench.env, link);
  return { bench, ...bench, link, port, far };
}

test('a reader that does not read bounds what is held; later it gets everything', async () => {
  const { bench, pool, link, port, far } = setup({ queueLimit: 100_000 });
  bench.pump(link, port, 10_000, 1000);
  await settle(bench);
  const held = pool.inUse;
  assert.ok(held <= 101 && link.counters.sent < 300, `${held} packets wait, ${link.counters.sent} went out`);
  let bytes = 0;
  const sink = new WritableStream({ write: chunk => void (bytes += chunk.length) });
  const reading = far.readable.pipeTo(sink);
  while (bytes < 10_000 * 1004) await settle(bench);
  link.close();
  await reading;
  assert.deepEqual([bytes, link.counters.sent, pool.inUse], [10_000 * 1004, 10_000, 0]);
});

test('a stream that ends, fails, or gives no bytes: the carrier goes, and the reason is known', async () => {
  const ends: [string, (far: StreamPair) => void][] = [
    ['the other side has closed the stream', far => void far.writable.close()],
    ['cut', far => void far.writable.abort(new Error('cut'))],
    ['unread', far => void far.readable.cancel(new Error('unread'))],
    ['the stream gives something else than bytes', far => void far.writable.getWriter().write('x' as never)],
  ];
  for (const [reason, end] of ends) {
    const { bench, clock, link, port, far } = setup();
    await settle(bench);
    assert.equal(link.up, true);
    end(far);
    await settle(bench);
    assert.deepEqual([link.reason, port.carriers, clock.armed], [reason, [false], 0]);
    await assert.rejects(link.whenUp(), { message: reason });
  }
});

test('close ends both streams, after what was sent', async () => {
  const { bench, clock, link, far, pool } = setup();
  link.send(bench.frame(1));
  link.close();
  const reader = far.readable.getReader();
  assert.equal((await reader.read()).value?.length, 68);
  assert.equal((await reader.read()).done, true);
  await assert.rejects(far.writable.getWriter().write(new Uint8Array(1)));
  assert.deepEqual([pool.inUse, clock.armed], [0, 0]);
});

test('close does not wait for a reader that has stopped', async () => {
  const { bench, link, port, pool } = setup();
  bench.pump(link, port, 1000, 1000);
  await settle(bench);
  link.close();
  await settle(bench);
  assert.equal(pool.inUse, 0);
});

test('given a function, the link finds a new pair of streams after each that ended', async () => {
  const bench = new Bench();
  const fars: StreamPair[] = [];
  const source = async (): Promise<StreamPair> => {
    const [near, far] = pipes();
    fars.push(far);
    return near;
  };
  const link = createStreamLink(bench.env, source, { pool: bench.pool });
  const port = new RecordingPort(bench.env, link);
  for (const n of range(3)) {
    await settle(bench);
    assert.equal(fars.length, n + 1);
    const writer = fars[n]?.writable.getWriter();
    void writer?.write(Uint8Array.of(0, 0, 0, 2, n, n));
    void writer?.close();
    await settle(bench);
    bench.clock.runFor(1e6);
  }
  assert.deepEqual(port.hex, ['0000', '0101', '0202']);
  link.close();
  await settle(bench);
  assert.equal(bench.clock.armed, 0);
});
