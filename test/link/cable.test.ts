import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CHECKSUM_NONE, CHECKSUM_PARTIAL, CHECKSUM_VERIFIED, type Packet } from '../../src/core/packet.ts';
import { type CableOptions, createCable } from '../../src/link/cable.ts';
import { TraceLog } from '../../src/trace/sink.ts';
import { Bench, RecordingPort, range } from './fixture.ts';

function setup(options: CableOptions = {}) {
  const bench = new Bench();
  const [a, b] = createCable(bench.env, options);
  const portA = new RecordingPort(bench.env, a);
  const portB = new RecordingPort(bench.env, b);
  return { ...bench, bench, a, b, portA, portB };
}

test('a frame arrives at the other end, itself, and not before send has returned', () => {
  const { bench, clock, a, portB, pool } = setup();
  const packet = bench.frame(7);
  let arrived: Packet | null = null;
  portB.receive = received => {
    arrived = received;
  };
  assert.equal(a.send(packet), true);
  assert.equal(arrived, null);
  clock.runUntilIdle();
  assert.equal(arrived, packet);
  packet.release();
  assert.equal(pool.inUse, 0);
});

test('the ends have MAC addresses of their own, or the given ones; medium ip has none', () => {
  const { a, b } = setup();
  assert.notDeepEqual(a.mac, b.mac);
  assert.equal((a.mac?.[0] ?? 0) & 3, 2);
  const macs = [Uint8Array.of(2, 0, 0, 0, 0, 1), Uint8Array.of(2, 0, 0, 0, 0, 2)] as const;
  assert.deepEqual(setup({ macs }).b.mac, macs[1]);
  assert.deepEqual(setup({ medium: 'ip' }).a.mac, null);
});

test('every frame arrives once, in order, at its time, whatever the physics (property)', () => {
  const options = fc.record({
    delayUs: fc.integer({ min: 0, max: 5000 }),
    jitterUs: fc.integer({ min: 0, max: 5000 }),
    rate: fc.constantFrom(0, 1e6, 1e9),
    queueLimit: fc.integer({ min: 1, max: 20 }),
  });
  fc.assert(
    fc.property(options, fc.integer({ min: 1, max: 100 }), (physics, count) => {
      const { bench, clock, a, portA, portB, pool } = setup(physics);
      bench.pump(a, portA, count);
      clock.runUntilIdle();
      assert.deepEqual(portB.tags, range(count));
      assert.ok((portB.arrivalsUs[0] ?? 0) >= physics.delayUs - physics.jitterUs);
      assert.deepEqual([pool.inUse, clock.armed, a.delivered, a.dropped], [0, 0, count, 0]);
    }),
  );
});

test('delay is exact in virtual time, and each direction may have its own', () => {
  const { bench, clock, a, b, portA, portB } = setup({ delayUs: 1000, back: { delayUs: 30 } });
  a.send(bench.frame(1));
  b.send(bench.frame(2));
  clock.runUntilIdle();
  assert.deepEqual([portB.arrivalsUs, portA.arrivalsUs], [[1000], [30]]);
});

test('a rate gives that throughput: 1250 frames of 1000 bytes at 10 Mbit/s take a second', () => {
  const { bench, clock, a, portA, portB } = setup({ rate: 10e6, queueLimit: 10 });
  bench.pump(a, portA, 1250, 1000);
  clock.runUntilIdle();
  assert.equal(portB.tags.length, 1250);
  assert.equal(portB.arrivalsUs.at(-1), 1_000_000);
  assert.equal(portB.arrivalsUs[0], 800);
});

test('a rate whose frame time is no whole microsecond loses no throughput to rounding', () => {
  for (const queueLimit of [1, 100]) {
    const { bench, clock, a, portA, portB } = setup({ rate: 7e9, queueLimit });
    bench.pump(a, portA, 7000, 1000);
    clock.runUntilIdle();
    assert.equal(portB.arrivalsUs.at(-1), 8000);
  }
});

test('a full queue refuses, says so again when there is room, and loses nothing', () => {
  const { bench, clock, a, portA, portB, pool } = setup({ queueLimit: 8 });
  const packets = range(9).map(n => bench.frame(n));
  assert.deepEqual(
    packets.map(packet => a.send(packet)),
    [...Array<boolean>(8).fill(true), false],
  );
  assert.equal(portA.writables, 0);
  clock.runUntilIdle();
  assert.equal(portA.writables, 1);
  assert.equal(a.send(packets[8] as Packet), true);
  clock.runUntilIdle();
  assert.deepEqual(portB.tags, range(9));
  assert.equal(pool.inUse, 0);
});

test('with a rate the sender is woken for a quarter of the queue, not for each frame', () => {
  const { bench, clock, a, portA, portB } = setup({ rate: 1e6, queueLimit: 100 });
  bench.pump(a, portA, 1000);
  clock.runUntilIdle();
  assert.equal(portB.tags.length, 1000);
  assert.ok(portA.writables <= 1000 / 25 + 1, `${portA.writables}`);
});

test('a frame over the MTU vanishes and is counted; VLAN tags do not count', () => {
  const trace = new TraceLog();
  const { bench, clock, a, portB, pool } = setup({ mtu: 1000, name: 'wire', trace });
  a.send(bench.frame(1, 1014));
  a.send(bench.frame(2, 1015));
  const tagged = bench.frame(3, 1018);
  tagged.view.setUint16(tagged.start + 12, 0x8100);
  a.send(tagged);
  clock.runUntilIdle();
  assert.equal(portB.tags.length, 2);
  assert.deepEqual(trace.events, [{ type: 'fault', atUs: 0, host: 'wire', fault: 'too-big', length: 1015 }]);
  assert.deepEqual([a.dropped, pool.inUse], [1, 0]);
});

test('a super-segment passes whole where gsoMaxSize allows it, and not elsewhere', () => {
  for (const [gsoMaxSize, arrives] of [
    [0, 0],
    [30_000, 0],
    [65_536, 1],
  ] as const) {
    const { bench, clock, a, portB } = setup({ offloads: { checksum: true, gsoMaxSize } });
    const packet = bench.frame(1, 40_000);
    packet.gsoSize = 1448;
    a.send(packet);
    clock.runUntilIdle();
    assert.equal(portB.tags.length, arrives);
  }
});

test('checksums: a wire forgets what is known, a virtual cable leaves open what it need not compute', () => {
  const send = (state: 0 | 1 | 2, checksum: boolean) => {
    const { bench, clock, a, portB } = setup({ offloads: { checksum } });
    const packet = bench.frame(0x01020304, 34 + 8);
    packet.l4 = packet.start + 34;
    packet.checksumOffset = 6;
    packet.checksumState = state;
    packet.view.setUint16(packet.l4 + 6, 0x1234);
    a.send(packet);
    clock.runUntilIdle();
    return [portB.states[0], portB.hex[0]?.slice(-4)];
  };
  assert.deepEqual(send(CHECKSUM_PARTIAL, true), [CHECKSUM_PARTIAL, '1234']);
  assert.deepEqual(send(CHECKSUM_NONE, true), [CHECKSUM_NONE, '1234']);
  assert.deepEqual(send(CHECKSUM_PARTIAL, false), [CHECKSUM_NONE, 'edcb']);
  assert.deepEqual(send(CHECKSUM_VERIFIED, false), [CHECKSUM_NONE, '1234']);
});

test('pulling the cable loses what is on it; both ends are told, from a task, and again when it is back', () => {
  const trace = new TraceLog();
  const { bench, clock, a, b, portA, portB, pool } = setup({ delayUs: 1000, trace });
  a.send(bench.frame(1));
  b.send(bench.frame(2));
  clock.runFor(10);
  a.cable.pull();
  assert.deepEqual(portA.carriers, []);
  clock.runFor(10);
  assert.deepEqual([portA.carriers, portB.carriers], [[false], [false]]);
  assert.equal(pool.inUse, 0);
  a.send(bench.frame(3));
  assert.equal(pool.inUse, 0);
  b.cable.plug();
  a.send(bench.frame(4));
  clock.runUntilIdle();
  assert.deepEqual(
    [portA.carriers, portB.carriers],
    [
      [false, true],
      [false, true],
    ],
  );
  assert.deepEqual([portA.tags, portB.tags], [[], [4]]);
  assert.deepEqual(
    trace.events.map(event => event.type === 'fault' && event.fault),
    ['cable-pulled', 'drop', 'cable-in'],
  );
});

test('a port that was refused is told when pulling the cable has emptied the queue', () => {
  const { bench, clock, a, portA } = setup({ delayUs: 1000, rate: 1e6, queueLimit: 2 });
  bench.pump(a, portA, 3);
  portA.onWritable = () => {};
  a.cable.pull();
  clock.runUntilIdle();
  assert.equal(portA.writables, 1);
});

test('what a closed end has sent still arrives, then the peer loses carrier', () => {
  const { bench, clock, a, b, portA, portB, pool } = setup({ delayUs: 1000 });
  a.send(bench.frame(1));
  b.send(bench.frame(2));
  a.close();
  a.close();
  assert.equal(pool.inUse, 1);
  clock.runFor(999);
  assert.deepEqual(portB.carriers, []);
  clock.runUntilIdle();
  assert.deepEqual([portB.tags, portB.carriers, portA.tags, portA.carriers], [[1], [false], [], []]);
  assert.equal(b.send(bench.frame(3)), true);
  assert.equal(a.send(bench.frame(4)), true);
  assert.deepEqual([pool.inUse, clock.armed], [0, 0]);
});

test('closing both ends gives everything back at once and leaves no task', () => {
  const { bench, clock, a, b, portA, pool } = setup({ delayUs: 1000, rate: 1e6 });
  bench.pump(a, portA, 10);
  b.send(bench.frame(2));
  clock.runFor(100);
  a.cable.close();
  assert.deepEqual([pool.inUse, clock.armed], [0, 0]);
  assert.equal(b.closed, true);
});

test('frames to an end without a port are dropped', () => {
  const bench = new Bench();
  const [a] = createCable(bench.env);
  a.send(bench.frame(1));
  bench.clock.runUntilIdle();
  assert.deepEqual([a.dropped, bench.pool.inUse], [1, 0]);
});
