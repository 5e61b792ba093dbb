import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Rng } from '../../src/base/rng.ts';
import { CHECKSUM_NONE, CHECKSUM_PARTIAL } from '../../src/core/packet.ts';
import { type CableOptions, createCable } from '../../src/link/cable.ts';
import { type FaultyOptions, faulty } from '../../src/link/faulty.ts';
import type { Faults } from '../../src/link/lane.ts';
import { TraceLog } from '../../src/trace/sink.ts';
import { Bench, RecordingPort, range } from './fixture.ts';

/** A cable whose first end is faulty. */
function setup(options: FaultyOptions, cable: CableOptions = {}, seed = 1) {
  const bench = new Bench();
  const [inner, b] = createCable(bench.env, cable);
  const a = faulty(inner, bench.env, new Rng(seed), options);
  const portA = new RecordingPort(bench.env, a);
  const portB = new RecordingPort(bench.env, b);
  return { ...bench, bench, a, b, inner, portA, portB };
}

/** Sends `count` frames up and gives what arrived. */
function sendUp(up: Faults, count: number, seed = 1) {
  const world = setup({ up }, { queueLimit: 50 }, seed);
  world.bench.pump(world.a, world.portA, count);
  world.clock.runUntilIdle();
  assert.equal(world.pool.inUse, 0);
  return { tags: world.portB.tags, counters: world.a.counters.up, port: world.portB };
}

function assertNear(actual: number, expected: number, tolerance: number): void {
  assert.ok(Math.abs(actual - expected) <= tolerance, `${actual} is not within ${tolerance} of ${expected}`);
}

test('without faults everything passes in order, in both directions, and costs no time', () => {
  const { bench, clock, a, b, portA, portB, pool } = setup({});
  bench.pump(a, portA, 100);
  bench.pump(b, portB, 100);
  clock.runUntilIdle();
  assert.deepEqual([portB.tags, portA.tags], [range(100), range(100)]);
  assert.deepEqual([clock.nowUs, pool.inUse, a.counters.up.passed, a.counters.down.passed], [0, 0, 100, 100]);
});

test('loss of 5 % loses about 500 of 10,000, the same ones each time for one seed', () => {
  const { tags, counters } = sendUp({ loss: 0.05 }, 10_000);
  assertNear(counters.loss, 500, 100);
  assert.equal(tags.length, 10_000 - counters.loss);
  assert.deepEqual(
    tags,
    [...tags].sort((x, y) => x - y),
  );
  assert.deepEqual(sendUp({ loss: 0.05 }, 10_000).tags, tags);
  assert.notDeepEqual(sendUp({ loss: 0.05 }, 10_000, 2).tags, tags);
});

test('burst loss: the share is enter / (enter + leave), in runs of 1 / leave', () => {
  const { tags, counters } = sendUp({ burst: { enter: 0.01, leave: 0.2 } }, 20_000);
  assertNear(counters.loss, 20_000 * (0.01 / 0.21), 250);
  let runs = 0;
  for (let i = 1; i < tags.length; i++) if ((tags[i] as number) - (tags[i - 1] as number) > 1) runs++;
  assertNear(counters.loss / runs, 5, 1);
});

test('duplicates follow their original', () => {
  const { tags, counters } = sendUp({ duplicate: 0.1 }, 10_000);
  assertNear(counters.duplicate, 1000, 150);
  assert.equal(tags.length, 10_000 + counters.duplicate);
  assert.deepEqual([...new Set(tags)], range(10_000));
  assert.deepEqual(
    tags,
    [...tags].sort((x, y) => x - y),
  );
});

test('a reordered frame comes behind as many later ones as told, and none is lost', () => {
  const { tags, counters } = sendUp({ reorder: 0.02, reorderBehind: 2 }, 10_000);
  assertNear(counters.reorder, 200, 60);
  assert.deepEqual(
    [...tags].sort((x, y) => x - y),
    range(10_000),
  );
  const late = tags.filter((tag, at) => tags[at - 1] !== undefined && tag < (tags[at - 1] as number));
  assert.ok(late.length > 100);
  const lateBy2 = late.filter(tag => tags.indexOf(tag + 2) === tags.indexOf(tag) - 1);
  assert.ok(lateBy2.length > late.length * 0.8);
});

test('a reordered frame that nobody overtakes comes after its hold time', () => {
  const { bench, clock, a, portB } = setup({ up: { reorder: 1, reorderHoldUs: 700 } });
  a.send(bench.frame(1));
  clock.runUntilIdle();
  assert.deepEqual([portB.tags, portB.arrivalsUs], [[1], [700]]);
});

test('corruption inverts exactly one bit behind the link header', () => {
  const { port, counters } = sendUp({ corrupt: 1 }, 200);
  assert.equal(counters.corrupt, 200);
  port.hex.forEach((hex, tag) => {
    const bytes = Buffer.from(hex, 'hex');
    const original = Buffer.alloc(64);
    Buffer.from('0200000000020200000000010800', 'hex').copy(original);
    original.writeUInt32BE(tag, 14);
    let bits = 0;
    bytes.forEach((byte, at) => {
      for (let x = byte ^ (original[at] as number); x !== 0; x &= x - 1) bits++;
    });
    assert.equal(bits, 1);
    assert.deepEqual(bytes.subarray(0, 14), original.subarray(0, 14));
  });
});

test('a corrupted frame is never vouched for, even on a cable that computes no checksums', () => {
  const { bench, clock, a, b, portA, portB } = setup(
    { up: { corrupt: 1 }, down: { corrupt: 1 } },
    { offloads: { checksum: true } },
  );
  for (const link of [a, b]) {
    const packet = bench.frame(1);
    packet.l4 = packet.start + 34;
    packet.checksumOffset = 16;
    packet.checksumState = CHECKSUM_PARTIAL;
    link.send(packet);
  }
  clock.runUntilIdle();
  assert.deepEqual([portA.states, portB.states], [[CHECKSUM_NONE], [CHECKSUM_NONE]]);
  a.configure({ up: {} });
  const open = bench.frame(1);
  open.checksumState = CHECKSUM_PARTIAL;
  open.checksumOffset = 16;
  a.send(open);
  clock.runUntilIdle();
  assert.equal(portB.states[1], CHECKSUM_PARTIAL);
});

test('delay, jitter and rate in one direction leave the other alone', () => {
  const { bench, clock, a, b, portA, portB } = setup({ up: { delayUs: 500, rate: 8e6 } });
  a.send(bench.frame(1, 100));
  a.send(bench.frame(2, 100));
  b.send(bench.frame(3));
  clock.runUntilIdle();
  assert.deepEqual([portB.arrivalsUs, portA.arrivalsUs], [[600, 700], [0]]);
  const jittery = setup({ down: { delayUs: 1000, jitterUs: 400 } });
  for (const n of range(50)) {
    jittery.b.send(jittery.bench.frame(n));
    jittery.clock.runFor(2000);
  }
  const delays = jittery.portA.arrivalsUs.map((atUs, n) => atUs - 2000 * n);
  assert.ok(Math.min(...delays) >= 600 && Math.max(...delays) <= 1400 && new Set(delays).size > 20);
});

test('a full queue upwards refuses, downwards drops; nothing leaks', () => {
  const trace = new TraceLog();
  const narrow = { rate: 1e6, queueLimit: 5 };
  const { bench, clock, a, b, portA, portB, pool } = setup({ up: narrow, down: narrow, trace });
  bench.pump(a, portA, 50);
  for (const n of range(50)) b.send(bench.frame(n));
  clock.runUntilIdle();
  assert.deepEqual([portB.tags, portA.tags], [range(50), range(5)]);
  assert.equal(a.counters.down['queue-full'], 45);
  assert.equal(trace.events.length, 45);
  assert.equal(pool.inUse, 0);
});

test('a full link behind is passed on to the port, and nothing is lost between', () => {
  const { bench, clock, a, portA, portB, pool } = setup({}, { rate: 1e6, queueLimit: 4 });
  bench.pump(a, portA, 40);
  assert.ok(pool.inUse <= 5);
  clock.runUntilIdle();
  assert.deepEqual(portB.tags, range(40));
});

test('a narrower MTU on the way swallows what is larger', () => {
  const { bench, clock, a, portB } = setup({ up: { mtu: 576 } });
  a.send(bench.frame(1, 14 + 576));
  a.send(bench.frame(2, 14 + 577));
  clock.runUntilIdle();
  assert.deepEqual([portB.tags, a.counters.up['too-big'], a.mtu], [[1], 1, 1500]);
});

test('exactly this frame is dropped', () => {
  const { tags, counters } = sendUp({ drop: (_, index) => index === 2 || index === 5 }, 8);
  assert.deepEqual([tags, counters.drop], [[0, 1, 3, 4, 6, 7], 2]);
  const big = setup({ down: { drop: packet => packet.length > 100 } });
  big.b.send(big.bench.frame(1, 100));
  big.b.send(big.bench.frame(2, 101));
  big.clock.runUntilIdle();
  assert.deepEqual(big.portA.tags, [1]);
});

test('faults can be changed as things go', () => {
  const { bench, clock, a, portB } = setup({ up: { loss: 1 } });
  a.send(bench.frame(1));
  a.configure({ up: {} });
  a.send(bench.frame(2));
  clock.runUntilIdle();
  assert.deepEqual(portB.tags, [2]);
});

test('pulled here, the port loses carrier and frames are lost; plugged in again they pass', () => {
  const trace = new TraceLog();
  const { bench, clock, a, b, portA, portB, pool } = setup({ up: { delayUs: 100 }, name: 'wan', trace });
  a.send(bench.frame(1));
  a.pull();
  a.pull();
  a.send(bench.frame(2));
  b.send(bench.frame(3));
  clock.runUntilIdle();
  assert.deepEqual([portA.tags, portB.tags, portA.carriers, pool.inUse], [[], [], [false], 0]);
  a.plug();
  a.send(bench.frame(4));
  clock.runUntilIdle();
  assert.deepEqual([portB.tags, portA.carriers, portB.carriers], [[4], [false, true], []]);
  const faults = trace.events.map(event => event.type === 'fault' && `${event.host} ${event.fault}`);
  assert.deepEqual(faults, ['wan cable-pulled', 'wan loss', 'wan loss', 'wan cable-in']);
});

test("the inner link's carrier reaches the port", () => {
  const { clock, b, portA } = setup({});
  b.close();
  clock.runUntilIdle();
  assert.deepEqual(portA.carriers, [false]);
});

test('what was sent before close still goes out with its delay; then nothing is held and no task armed', () => {
  const { bench, clock, a, b, portA, portB, pool } = setup({
    up: { delayUs: 300, reorder: 1 },
    down: { delayUs: 300 },
  });
  a.send(bench.frame(1));
  b.send(bench.frame(2));
  clock.runFor(10);
  a.close();
  assert.equal(pool.inUse, 1);
  clock.runUntilIdle();
  assert.deepEqual([portB.tags, portB.arrivalsUs, portB.carriers, portA.tags], [[1], [310], [false], []]);
  b.close();
  a.send(bench.frame(3));
  assert.deepEqual([pool.inUse, clock.armed], [0, 0]);
});

test('any mix of faults: every frame is given back, none is invented, one seed gives one trace (property)', () => {
  const p = fc.double({ min: 0, max: 0.5, noNaN: true });
  const faults = fc.record({
    loss: p,
    duplicate: p,
    reorder: p,
    corrupt: fc.constant(0),
    delayUs: fc.integer({ min: 0, max: 500 }),
    jitterUs: fc.integer({ min: 0, max: 500 }),
    rate: fc.constantFrom(0, 1e7),
    queueLimit: fc.integer({ min: 1, max: 30 }),
  });
  fc.assert(
    fc.property(
      faults,
      faults,
      fc.integer(),
      fc.integer({ min: 0, max: 2000 }),
      (up, down, seed, closeUs) => {
        const play = () => {
          const trace = new TraceLog();
          const { bench, clock, a, b, portA, portB, pool } = setup(
            { up, down, trace },
            { delayUs: 10 },
            seed,
          );
          bench.pump(a, portA, 60);
          bench.pump(b, portB, 60);
          clock.runFor(closeUs);
          a.close();
          clock.runUntilIdle();
          b.close();
          assert.deepEqual([pool.inUse, clock.armed], [0, 0]);
          for (const tags of [portA.tags, portB.tags]) {
            const copies = new Map<number, number>();
            for (const tag of tags) copies.set(tag, (copies.get(tag) ?? 0) + 1);
            for (const [tag, count] of copies) assert.ok(tag < 60 && count <= 2);
          }
          return [trace.events, portA.tags, portB.tags];
        };
        assert.deepEqual(play(), play());
      },
    ),
    { numRuns: 50 },
  );
});
