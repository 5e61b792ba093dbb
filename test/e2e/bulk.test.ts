/**
 * Bytes arrive whole and in order, whatever the network does to the packets.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Rng } from '../../src/base/rng.ts';
import { createCable } from '../../src/link/cable.ts';
import { faulty } from '../../src/link/faulty.ts';
import type { Faults } from '../../src/link/lane.ts';
import { nodeEnv } from '../../src/node/env.ts';
import { turn } from '../../src/node/turn.ts';
import { TraceHash } from '../../src/sim/trace-hash.ts';
import { type ConnectOptions, World } from '../../src/sim/world.ts';
import { Stack } from '../../src/stack/stack.ts';
import { assertNothingLeft, exchange, ip } from './transfer.ts';

const MB = 1_000_000;
const BAD_LINK: Faults = { loss: 0.02, reorder: 0.02, duplicate: 0.02 };

/** Two hosts on a cable exchange `bytes` each way; returns the hash of what happened. */
async function play(seed: number, bytes: number, cable: ConnectOptions, trace: TraceHash | null) {
  const world = new World({ seed, turn, trace });
  const a = world.host('a');
  const b = world.host('b');
  const connection = world.connect(a, b, cable);
  await world.run(exchange(a, b, '10.0.0.2', bytes));
  const { there, back } = connection.counters;
  await assertNothingLeft(world, a, b);
  return { digest: trace?.digest, there, back };
}

test('100 MB each way at once over a link that loses, reorders and doubles packets', async () => {
  const { there, back } = await play(1, 100 * MB, { ...BAD_LINK, delayUs: 1000 }, null);
  for (const direction of [there, back]) {
    assert.ok(direction.loss > 100 && direction.reorder > 100 && direction.duplicate > 100);
  }
});

test('the same seed gives the same events, byte for byte; another seed others', async () => {
  const cable = { ...BAD_LINK, delayUs: 1000, jitterUs: 300 };
  const first = await play(7, 2 * MB, cable, new TraceHash());
  const second = await play(7, 2 * MB, cable, new TraceHash());
  const other = await play(8, 2 * MB, cable, new TraceHash());
  assert.equal(second.digest, first.digest);
  assert.notEqual(other.digest, first.digest);
});

const NETWORKS: Record<string, ConnectOptions> = {
  'a long fat pipe': { delayUs: 100_000, rate: 100e6 },
  'loss in bursts': { delayUs: 5000, burst: { enter: 0.005, leave: 0.3 } },
  'corrupted packets': { delayUs: 1000, corrupt: 0.02 },
  'a slow link with a short queue': { delayUs: 5000, rate: 10e6, queueLimit: 10 },
  'an MTU of 576': { delayUs: 1000, loss: 0.01, mtu: 576 },
  'an MTU of 68': { delayUs: 1000, mtu: 68 },
  'an MTU of 68 with loss, where SACK blocks hardly fit': {
    delayUs: 1000,
    mtu: 68,
    loss: 0.03,
    reorder: 0.03,
  },
  'an MTU of 9000': { delayUs: 1000, loss: 0.01, mtu: 9000 },
  'super-segments and no checksums': { delayUs: 1000, offloads: { gsoMaxSize: 65535, checksum: true } },
  'super-segments, loss, no checksums': {
    delayUs: 1000,
    loss: 0.01,
    offloads: { gsoMaxSize: 65535, checksum: true },
  },
  'one direction that loses a third': { delayUs: 1000, back: { loss: 0.33 } },
};
for (const [name, cable] of Object.entries(NETWORKS)) {
  test(`1 MB each way over ${name}`, async () => {
    await play(3, MB, cable, null);
  });
}

test('super-segments change nothing but the number of packets', async () => {
  const plain = await play(5, 4 * MB, { delayUs: 1000 }, null);
  const offloaded = await play(
    5,
    4 * MB,
    { delayUs: 1000, offloads: { gsoMaxSize: 65535, checksum: true } },
    null,
  );
  assert.ok(
    offloaded.there.passed < plain.there.passed / 2,
    `${offloaded.there.passed}, ${plain.there.passed}`,
  );
});

test('a router between links of different MTUs', async () => {
  const world = new World({ seed: 1, turn });
  const a = world.host('a', { address: '10.0.1.1/24' });
  const router = world.host('router', { sysctl: { ip_forward: true } });
  const b = world.host('b', { address: '10.0.2.1/24' });
  world.connect(a, router, { addresses: [undefined, '10.0.1.254/24'], delayUs: 1000, loss: 0.01 });
  world.connect(router, b, { addresses: ['10.0.2.254/24', undefined], delayUs: 1000, mtu: 700 });
  a.ip.routes.addDefault(ip('10.0.1.254'));
  b.ip.routes.addDefault(ip('10.0.2.254'));
  await world.run(exchange(a, b, '10.0.2.1', MB));
  assert.ok(router.mib.Ip.ForwDatagrams > 1000);
  await assertNothingLeft(world, a, router, b);
});

test('a narrow link behind two routers: the sender learns of it by ICMP and goes on', async () => {
  const { world, a, b, pmtu } = narrowPath(700);
  await world.run(exchange(a, b, '10.0.3.1', MB));
  assert.equal(pmtu(), 700);
  await assertNothingLeft(world, a, b);
});

test('a link narrower than the smallest path MTU that is believed: routers cut the packets', async () => {
  const { world, a, b } = narrowPath(68);
  await world.run(exchange(a, b, '10.0.3.1', MB / 10));
  assert.ok(b.mib.Ip.ReasmOKs > 100);
  await assertNothingLeft(world, a, b);
});

/** a -- 1500 -- r1 -- mtu -- r2 -- 1500 -- b: neither end sees the narrow link in the middle. */
function narrowPath(mtu: number) {
  const world = new World({ seed: 1, turn });
  const a = world.host('a', { address: '10.0.1.1/24' });
  const b = world.host('b', { address: '10.0.3.1/24' });
  const r1 = world.host('r1', { sysctl: { ip_forward: true } });
  const r2 = world.host('r2', { sysctl: { ip_forward: true } });
  world.connect(a, r1, { addresses: [undefined, '10.0.1.254/24'], delayUs: 500 });
  world.connect(r1, r2, { addresses: ['10.0.2.1/24', '10.0.2.2/24'], delayUs: 500, mtu });
  world.connect(r2, b, { addresses: ['10.0.3.254/24', undefined], delayUs: 500 });
  a.ip.routes.addDefault(ip('10.0.1.254'));
  b.ip.routes.addDefault(ip('10.0.3.254'));
  r1.ip.routes.addDefault(ip('10.0.2.2'));
  r2.ip.routes.addDefault(ip('10.0.2.1'));
  const pmtu = (): number => {
    const route = a.ip.route(ip('10.0.3.1'), null);
    return typeof route === 'number' ? route : route.mtu;
  };
  return { world, a, b, pmtu };
}

test('in real time: 10 MB each way at once over the bad link', async () => {
  const env = nodeEnv();
  const [left, right] = createCable(env, { delayUs: 100 });
  await using a = new Stack({ env, name: 'a' });
  await using b = new Stack({ env, name: 'b' });
  a.attach(faulty(left, env, new Rng(1), { up: BAD_LINK, down: BAD_LINK }), { address: '10.0.0.1/24' });
  b.attach(right, { address: '10.0.0.2/24' });
  await exchange(a, b, '10.0.0.2', 10 * MB);
});
