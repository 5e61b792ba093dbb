/** Many connections, long transfers, and what an idle connection costs. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Sysctl } from '../src/core/sysctl.ts';
import { Pattern } from '../src/sim/pattern.ts';
import { World } from '../src/sim/world.ts';
import type { Stack } from '../src/stack/stack.ts';
import { Receiver, Sender } from '../test/golden/streams.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const FIRST_PORT = 20_000;
const SERVER = '10.0.0.2';
const SECOND = 1_000_000;
const pattern = new Pattern();

/** Two hosts, a program that sends, a program that receives. */
class Scene {
  readonly world: World;
  readonly sender: Sender;
  readonly receiver: Receiver;
  readonly hosts: readonly [Stack, Stack];

  constructor(cable: { rate?: number; delayUs?: number } = {}, sysctl: Partial<Sysctl> = {}) {
    this.world = new World({ seed: 1, sysctl });
    const a = this.world.host('a');
    const b = this.world.host('b');
    this.world.connect(a, b, cable);
    this.receiver = new Receiver(b, pattern);
    this.sender = new Sender(a, pattern, SERVER);
    this.hosts = [a, b];
  }

  /** Opens connections, at most 1,000 at the same instant; each carries `bytes` and stays. */
  openIdle(count: number, bytes: number): void {
    const { receiver, world } = this;
    const first = FIRST_PORT + receiver.streams.length;
    for (let i = 0; i < count; i++) {
      this.sender.open(first + i, bytes, true);
      if (i % 1000 === 999) world.clock.runFor(SECOND);
    }
    world.clock.runFor(SECOND);
    for (const { host } of this.hosts) assert.equal(host.mib.Tcp.CurrEstab, first + count - FIRST_PORT);
    assert.ok(receiver.streams.every(stream => stream.bytes === bytes));
  }
}

/** Bytes of live JavaScript objects and of what they hold outside the heap. */
function memory(): number {
  collectGarbage();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

test('10,000 connections are open at once, carry their bytes and end', () => {
  const COUNT = 10_000;
  const scene = new Scene();
  scene.openIdle(COUNT, 1000);
  scene.sender.closeKept();
  scene.world.clock.runFor(SECOND);
  assert.equal(scene.receiver.ended, COUNT);
  for (const { host } of scene.hosts) assert.equal(host.mib.Tcp.CurrEstab, 0);
  scene.world.close();
});

test('1,000 transfers share a link fairly, and all end', t => {
  const PARALLEL = 1000;
  const BYTES = 1_000_000;
  const scene = new Scene({ rate: 1e9, delayUs: 5000 });
  const { world, receiver } = scene;
  // Once the two know each other's hardware addresses, no SYN has to wait a second.
  scene.sender.open(FIRST_PORT - 1, 0);
  world.clock.runFor(SECOND);
  for (let i = 0; i < PARALLEL; i++) scene.sender.open(FIRST_PORT + i, BYTES);
  // Half of the time that all of them need together: nobody is done, and everybody has had many turns.
  world.clock.runFor(((PARALLEL * BYTES * 8) / 1e9 / 2) * SECOND);
  const streams = receiver.streams.slice(1);
  assert.equal(streams.length, PARALLEL);
  const shares = streams.map(stream => stream.bytes);
  t.diagnostic(
    `Jain's index ${jain(shares).toFixed(3)}; ${Math.min(...shares)} .. ${Math.max(...shares)} bytes`,
  );
  assert.ok(Math.max(...shares) < BYTES, 'nobody is done before the others have had a share');
  assert.ok(jain(shares) >= 0.9, `Jain's index ${jain(shares)}`);
  world.clock.runFor(60 * SECOND);
  assert.ok(
    streams.every(stream => stream.ended && stream.bytes === BYTES),
    'all end',
  );
  world.close();
});

/** 1 when all are equal, 1/n when one has everything (Jain, Chiu and Hawe, 1984). */
function jain(shares: readonly number[]): number {
  const sum = shares.reduce((total, share) => total + share, 0);
  const squares = shares.reduce((total, share) => total + share * share, 0);
  return sum ** 2 / (shares.length * squares);
}

test('memory stays flat over a transfer of 2 GB', t => {
  const TOTAL = 2_000_000_000;
  const STEPS = 20;
  const scene = new Scene({ delayUs: 100 });
  const { world, receiver } = scene;
  scene.sender.open(FIRST_PORT, TOTAL);
  const samples: number[] = [];
  for (let step = 1; step <= STEPS; step++) {
    while ((receiver.streams[0]?.bytes ?? 0) < (TOTAL / STEPS) * step) assert.ok(world.clock.step());
    samples.push(memory());
  }
  // Buffers and windows are at their full size after the first tenth.
  const growth = Math.max(...samples.slice(2)) - (samples[1] as number);
  t.diagnostic(`${samples.map(bytes => (bytes / 1e6).toFixed(1)).join(' ')} MB`);
  assert.ok(growth < 2_000_000, `${growth} bytes more than after the first tenth`);
  world.close();
});

test('the end of an idle established connection costs at most 3 KB', t => {
  const LIMIT = 3072;
  const COUNT = 10_000;
  const scene = new Scene();
  // What is made once, and code that is compiled on the way, is no connection's.
  scene.openIdle(2000, 1000);
  const before = memory();
  scene.openIdle(COUNT, 1000);
  // The descriptor and the application's own bookkeeping are counted, too.
  const perEnd = (memory() - before) / COUNT / 2;
  t.diagnostic(`${Math.round(perEnd)} bytes`);
  assert.ok(perEnd <= LIMIT, `${Math.round(perEnd)} bytes`);
  scene.world.close();
});
