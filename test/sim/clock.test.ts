import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Task } from '../../src/core/env.ts';
import { turn } from '../../src/node/turn.ts';
import { ClockLimitError, VIRTUAL_EPOCH_US, VirtualClock } from '../../src/sim/clock.ts';

test('time begins at 2026-01-01 unless told otherwise', () => {
  assert.equal(new Date(new VirtualClock().nowUs / 1000).toISOString(), '2026-01-01T00:00:00.000Z');
  assert.equal(new VirtualClock({ startUs: 5 }).nowUs, 5);
});

test('tasks run in due order, ties in arming order', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 20 }), { maxLength: 60 }), delays => {
      const clock = new VirtualClock({ startUs: 0 });
      const env = clock.env(1);
      const ran: { delay: number; index: number; atUs: number }[] = [];
      delays.forEach((delay, index) => {
        env.task(() => ran.push({ delay, index, atUs: env.nowUs() })).wakeAt(delay);
      });
      clock.runUntilIdle();
      const expected = delays.map((delay, index) => ({ delay, index, atUs: delay }));
      expected.sort((a, b) => a.delay - b.delay || a.index - b.index);
      assert.deepEqual(ran, expected);
    }),
  );
});

test('an earlier pending wake-up wins, a later request is forgotten, cancel forgets', () => {
  const clock = new VirtualClock({ startUs: 0 });
  const env = clock.env(1);
  const ran: number[] = [];
  const task = env.task(() => ran.push(env.nowUs()));
  task.wakeAt(100);
  task.wakeAt(50);
  task.wakeAt(70);
  clock.runFor(1000);
  assert.deepEqual(ran, [50]);
  task.wakeAt(2000);
  task.cancel();
  assert.equal(clock.armed, 0);
  clock.runUntilIdle();
  assert.deepEqual(ran, [50]);
});

test('a wake-up in the past runs at the present, never inside wakeAt; never means never', () => {
  const clock = new VirtualClock();
  const env = clock.env(1);
  let ran = 0;
  const task = env.task(() => ran++);
  task.wakeAt(0);
  assert.equal(ran, 0);
  assert.equal(clock.step(), true);
  assert.deepEqual([ran, clock.nowUs], [1, VIRTUAL_EPOCH_US]);
  task.wakeAt(Number.POSITIVE_INFINITY);
  assert.equal(clock.step(), false);
});

test('runUntil runs what is due by then and moves time exactly there', () => {
  const clock = new VirtualClock({ startUs: 0 });
  const env = clock.env(1);
  const ran: string[] = [];
  env.task(() => ran.push('at')).wakeAt(100);
  env.task(() => ran.push('after')).wakeAt(101);
  clock.runUntil(100);
  assert.deepEqual([ran, clock.nowUs, clock.nextUs], [['at'], 100, 101]);
});

test('the clock cannot be run from inside a task', () => {
  const clock = new VirtualClock();
  clock
    .env(1)
    .task(() => clock.step())
    .wakeAt(0);
  assert.throws(() => clock.runUntilIdle(), /not run from inside a task/);
});

test('a task that throws leaves the clock usable', () => {
  const clock = new VirtualClock();
  const env = clock.env(1);
  let later = false;
  env
    .task(() => {
      throw new Error('boom');
    })
    .wakeAt(0);
  env.task(() => (later = true)).wakeAt(clock.nowUs + 1);
  assert.throws(() => clock.runUntilIdle(), /boom/);
  clock.runUntilIdle();
  assert.equal(later, true);
});

test('endless runs end with an error that names the limit', () => {
  const clock = new VirtualClock({ limits: { tasksAtOneInstant: 1000, tasksPerRun: 5000 } });
  const env = clock.env(1);
  const busy: Task = env.task(() => busy.wakeAt(0));
  busy.wakeAt(0);
  assert.throws(() => clock.runFor(1), { name: 'ClockLimitError', message: /tasksAtOneInstant/ });
  busy.cancel();
  const ticking: Task = env.task(() => ticking.wakeAt(env.nowUs() + 1));
  ticking.wakeAt(0);
  assert.throws(() => clock.runFor(1e9), { name: 'ClockLimitError', message: /tasksPerRun/ });
  assert.throws(() => clock.runUntilIdle(100), ClockLimitError);
});

test('each environment has randomness of its own, the same for the same seed', () => {
  const draw = (seed: number): string => {
    const bytes = new Uint8Array(8);
    new VirtualClock().env(seed).fillRandom(bytes);
    return bytes.join();
  };
  assert.equal(draw(7), draw(7));
  assert.notEqual(draw(7), draw(8));
});

test('run lets awaiters go on before time moves', async () => {
  const clock = new VirtualClock({ startUs: 0, turn });
  const env = clock.env(1);
  const log: string[] = [];
  const sleep = (us: number): Promise<void> =>
    new Promise(resolve => {
      env
        .task(() => {
          resolve();
          env.settled();
        })
        .wakeAt(env.nowUs() + us);
    });
  env.task(() => log.push('b at 15')).wakeAt(15);
  const program = (async () => {
    await sleep(10);
    for (let i = 0; i < 20; i++) await null;
    log.push(`a at ${env.nowUs()}`);
    await sleep(10);
    log.push(`a at ${env.nowUs()}`);
    return 'done';
  })();
  assert.equal(await clock.finish(program), 'done');
  assert.deepEqual(log, ['a at 10', 'b at 15', 'a at 20']);
});

test('run stops at its condition or its time', async () => {
  const clock = new VirtualClock({ startUs: 0, turn });
  const env = clock.env(1);
  let ticks = 0;
  const ticking: Task = env.task(() => {
    ticks++;
    ticking.wakeAt(env.nowUs() + 10);
  });
  ticking.wakeAt(10);
  assert.equal(await clock.run({ until: () => ticks === 3 }), true);
  assert.equal(clock.nowUs, 30);
  assert.equal(await clock.run({ untilUs: 75 }), true);
  assert.deepEqual([clock.nowUs, ticks], [75, 7]);
  assert.equal(await clock.run({ untilUs: 85, until: () => ticks === 100 }), false);
  ticking.cancel();
  assert.equal(await clock.run(), true);
});

test('finish passes a rejection on, and says so when the promise can never settle', async () => {
  const clock = new VirtualClock({ turn, limits: { idleTurns: 3 } });
  await assert.rejects(clock.finish(Promise.reject(new Error('no'))), /no/);
  await assert.rejects(clock.finish(new Promise(() => {})), { name: 'ClockLimitError', message: /pending/ });
});

test('hold keeps time still while something outside virtual time is under way', async () => {
  const clock = new VirtualClock({ startUs: 0, turn });
  const env = clock.env(1);
  let fired = false;
  env.task(() => (fired = true)).wakeAt(1);
  let release: (value: string) => void = () => {};
  const outside = new Promise<string>(resolve => (release = resolve));
  const seen = clock.hold(outside).then(value => `${value} at ${clock.nowUs}, fired: ${fired}`);
  const finished = clock.finish(seen);
  for (let i = 0; i < 5; i++) await turn();
  release('read');
  assert.equal(await finished, 'read at 0, fired: false');
});
