/**
 * 100 MB each way at once over a link that loses, reorders and doubles packets: in virtual time twice with the same
 * seed, and in real time.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Rng } from '../src/base/rng.ts';
import { createCable } from '../src/link/cable.ts';
import { faulty } from '../src/link/faulty.ts';
import { nodeEnv } from '../src/node/env.ts';
import { turn } from '../src/node/turn.ts';
import { TraceHash } from '../src/sim/trace-hash.ts';
import { World } from '../src/sim/world.ts';
import { Stack } from '../src/stack/stack.ts';
import { assertNothingLeft, exchange } from '../test/e2e/transfer.ts';

const BYTES = 100_000_000;
const BAD_LINK = { loss: 0.02, reorder: 0.02, duplicate: 0.02 };

async function play(seed: number): Promise<string> {
  const trace = new TraceHash();
  const world = new World({ seed, turn, trace });
  const a = world.host('a');
  const b = world.host('b');
  const cable = world.connect(a, b, { ...BAD_LINK, delayUs: 1000 });
  await world.run(exchange(a, b, '10.0.0.2', BYTES));
  for (const direction of [cable.counters.there, cable.counters.back]) {
    assert.ok(direction.loss > 1000 && direction.reorder > 1000 && direction.duplicate > 1000);
  }
  await assertNothingLeft(world, a, b);
  return trace.digest;
}

test('100 MB each way in virtual time, twice: byte-exact, and the same trace', async () => {
  assert.equal(await play(1), await play(1));
});

test('100 MB each way in real time: byte-exact', async () => {
  const env = nodeEnv();
  const [left, right] = createCable(env, { delayUs: 100 });
  await using a = new Stack({ env, name: 'a' });
  await using b = new Stack({ env, name: 'b' });
  a.attach(faulty(left, env, new Rng(1), { up: BAD_LINK, down: BAD_LINK }), { address: '10.0.0.1/24' });
  b.attach(right, { address: '10.0.0.2/24' });
  await exchange(a, b, '10.0.0.2', BYTES);
});
