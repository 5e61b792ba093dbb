import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Link } from '../../src/core/link.ts';
import { turn } from '../../src/node/turn.ts';
import { TraceHash } from '../../src/sim/trace-hash.ts';
import { type ConnectOptions, World, type WorldOptions } from '../../src/sim/world.ts';
import { AF_INET6 } from '../../src/wire/address.ts';
import { ETHERTYPE_IPV4, emitEthernet } from '../../src/wire/ethernet.ts';
import { RecordingPort, range } from '../link/fixture.ts';

/** Sends a broadcast frame with a number in it. */
function send(world: World, link: Link, tag: number): void {
  const packet = world.pool.take(100);
  assert.ok(packet !== null);
  packet.end = packet.start + 100;
  packet.bytes.fill(0, packet.start, packet.end);
  emitEthernet(packet.view, packet.start, 0xffff, -1, 0x0200, 1, ETHERTYPE_IPV4);
  packet.view.setUint32(packet.start + 14, tag);
  link.send(packet);
}

/** Two switches with a cable between them, and a bare port at each. */
function twoSwitches(options: WorldOptions, cable: ConnectOptions) {
  const world = new World(options);
  const east = world.switch('east');
  const west = world.switch('west');
  const connection = world.connect(east, west, cable);
  const env = world.clock.env(99);
  const a = east.port();
  const b = west.port();
  return { world, connection, a, b, portA: new RecordingPort(env, a), portB: new RecordingPort(env, b) };
}

test('the same seed gives the same trace, byte for byte; another seed another', () => {
  const play = (seed: number): string => {
    const trace = new TraceHash();
    const cable = { loss: 0.1, duplicate: 0.1, reorder: 0.1, corrupt: 0.1, delayUs: 1000, jitterUs: 900 };
    const { world, a, b, portB } = twoSwitches({ seed, trace }, cable);
    for (const tag of range(300)) send(world, a, tag);
    world.clock.runUntilIdle();
    a.close();
    b.close();
    world.close();
    assert.ok(trace.count > 50);
    assert.deepEqual([world.pool.inUse, world.clock.armed], [0, 0]);
    return `${trace.digest} ${portB.tags} ${portB.arrivalsUs}`;
  };
  assert.equal(play(7), play(7));
  assert.notEqual(play(7), play(8));
});

test('faults and physics hold in both directions unless one has its own', () => {
  const drop = (_: unknown, index: number): boolean => index === 0;
  const { world, connection, a, b, portA, portB } = twoSwitches(
    {},
    { delayUs: 500, drop, there: { delayUs: 20 } },
  );
  const startUs = world.nowUs;
  for (const link of [a, b]) for (const tag of [1, 2]) send(world, link, tag);
  world.clock.runUntilIdle();
  assert.deepEqual([portB.tags, portA.tags], [[2], [2]]);
  assert.deepEqual([portB.arrivalsUs, portA.arrivalsUs], [[startUs + 20], [startUs + 500]]);
  assert.deepEqual([connection.counters.there.drop, connection.counters.back.drop], [1, 1]);
});

test('a connection can be changed, pulled and put back while the world runs', () => {
  const { world, connection, a, portB } = twoSwitches({}, { delayUs: 500, loss: 1 });
  const startUs = world.nowUs;
  send(world, a, 1);
  world.clock.runUntilIdle();
  connection.configure({ there: { delayUs: 10 } });
  send(world, a, 2);
  world.clock.runUntilIdle();
  connection.pull();
  send(world, a, 3);
  world.clock.runUntilIdle();
  connection.plug();
  send(world, a, 4);
  world.clock.runUntilIdle();
  assert.deepEqual(
    [portB.tags, portB.arrivalsUs],
    [
      [2, 4],
      [startUs + 10, startUs + 20],
    ],
  );
});

test('run gives the value of a promise that the world settles, runFor moves time', async () => {
  const world = new World({ turn });
  const env = world.clock.env(1);
  const startUs = world.nowUs;
  const promise = new Promise<number>(resolve => {
    env
      .task(() => {
        resolve(env.nowUs());
        env.settled();
      })
      .wakeAt(startUs + 3600e6);
  });
  assert.equal(await world.run(promise), startUs + 3600e6);
  await world.runFor(5);
  assert.equal(world.nowUs, startUs + 3600e6 + 5);
});

test('an interface without an address, and a host of another world, are refused', () => {
  const world = new World();
  const a = world.host('a');
  const b = world.host('b');
  world.connect(a, b);
  assert.throws(() => world.connect(a, b), /a eth1 needs an address/);
  world.connect(a, b, { addresses: ['10.0.1.1/24', '10.0.1.2/24'] });
  assert.throws(() => world.connect(new World().host('c'), b), /not of this world/);
  world.close();
  assert.equal(world.clock.armed, 0);
});

test('hosts that are given no address get one of the family of the world', () => {
  const addressesIn = (options: WorldOptions): string[] => {
    const world = new World(options);
    const [a, b] = [world.host('a'), world.host('b')];
    world.connect(a, b);
    const texts = (b.ip.netif('eth0')?.addresses ?? []).map(({ address }) => String(address));
    world.close();
    return texts.filter(text => !text.startsWith('fe80:'));
  };
  assert.deepEqual(addressesIn({}), ['10.0.0.2']);
  assert.deepEqual(addressesIn({ family: AF_INET6 }), ['fd00::2']);
});
