import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { stat } from 'node:fs/promises';
import { test } from 'node:test';
import type { Env, Task } from '../../src/core/env.ts';
import { nodeEnv } from '../../src/node/env.ts';
import { turn as nodeTurn } from '../../src/node/turn.ts';
import { webEnv } from '../../src/web/env.ts';
import { turn as webTurn } from '../../src/web/turn.ts';

/** A promise and the two tasks of a ping-pong that goes on until `stop` is called. */
function pingPong(env: Env): { stop: () => void; hops: () => number } {
  let hops = 0;
  let on = true;
  const ping: Task = env.task(() => {
    hops++;
    if (on) pong.wakeAt(env.nowUs());
  });
  const pong: Task = env.task(() => {
    hops++;
    if (on) ping.wakeAt(env.nowUs());
  });
  ping.wakeAt(0);
  return {
    stop: () => {
      on = false;
    },
    hops: () => hops,
  };
}

for (const [name, create] of [
  ['node', nodeEnv],
  ['web', webEnv],
] as const) {
  test(`${name}: the clock shows the date in whole microseconds and does not go back`, () => {
    const env = create();
    assert.ok(Math.abs(env.nowUs() - Date.now() * 1000) < 60e6);
    for (let i = 0, last = 0; i < 1000; i++) {
      const nowUs = env.nowUs();
      assert.ok(Number.isInteger(nowUs) && nowUs >= last);
      last = nowUs;
    }
  });

  test(`${name}: a task runs after the running code, once, however often it was woken`, async () => {
    const env = create();
    let ran = 0;
    await new Promise<void>(resolve => {
      const task = env.task(() => {
        ran++;
        resolve();
      });
      for (let i = 0; i < 10; i++) task.wakeAt(env.nowUs());
      assert.equal(ran, 0);
    });
    await nodeTurn();
    assert.equal(ran, 1);
  });

  test(`${name}: tasks due at once run in waking order; a cancelled one does not run`, async () => {
    const env = create();
    const ran: number[] = [];
    await new Promise<void>(resolve => {
      const tasks = [0, 1, 2, 3].map(n => env.task(() => (n === 3 ? resolve() : ran.push(n))));
      for (const task of tasks) task.wakeAt(0);
      tasks[1]?.cancel();
    });
    assert.deepEqual(ran, [0, 2]);
  });

  test(`${name}: later deadlines come in order, none before its time, near ones without delay`, async () => {
    const env = create();
    const startUs = env.nowUs();
    const early: string[] = [];
    const ran: number[] = [];
    await new Promise<void>(resolve => {
      for (const us of [7000, 100, 3000, 5000, 900]) {
        const task = env.task(() => {
          if (env.nowUs() < startUs + us) early.push(`${us}`);
          ran.push(us);
          if (us === 7000) resolve();
        });
        task.wakeAt(startUs + us);
      }
    });
    assert.deepEqual(early, []);
    assert.deepEqual(ran, [100, 900, 3000, 5000, 7000]);
  });

  test(`${name}: an earlier request wins over a pending one, and moves the timer`, async () => {
    const env = create();
    await new Promise<void>(resolve => {
      const task = env.task(resolve);
      task.wakeAt(env.nowUs() + 3600e6);
      setImmediate(() => task.wakeAt(env.nowUs() + 2000));
    });
  });

  test(`${name}: an endless ping-pong starves neither timers nor file I/O nor promises`, async () => {
    const env = create();
    const game = pingPong(env);
    let timers = 0;
    const interval = setInterval(() => timers++, 1);
    for (let i = 0; i < 5; i++) await stat('.');
    while (timers < 5 || game.hops() < 1000) await new Promise(resolve => setTimeout(resolve, 1));
    clearInterval(interval);
    game.stop();
    assert.ok(timers >= 5 && game.hops() >= 1000);
  });

  test(`${name}: a ping-pong through promises starves nobody either`, async () => {
    const env = create();
    let fired = false;
    setTimeout(() => (fired = true), 5);
    let hops = 0;
    let wake: () => void = () => {};
    const task = env.task(() => wake());
    for (; hops < 1000 || (!fired && hops < 10_000_000); hops++) {
      const woken = new Promise<void>(resolve => (wake = resolve));
      task.wakeAt(env.nowUs());
      await woken;
    }
    assert.ok(fired, 'no timer in ten million hops');
  });

  test(`${name}: random bytes beyond one call's quota`, () => {
    const bytes = new Uint8Array(200_000);
    create().fillRandom(bytes);
    assert.ok(bytes.subarray(-64).some(byte => byte !== 0));
  });
}

test('a task that throws takes no other task with it', () => {
  const script = `
    const { nodeEnv } = await import(${JSON.stringify(new URL('../../src/node/env.js', import.meta.url).href)});
    const env = nodeEnv();
    process.on('uncaughtException', error => console.log(error.message));
    env.task(() => { throw new Error('first'); }).wakeAt(0);
    env.task(() => console.log('second')).wakeAt(0);
    env.task(() => console.log('third')).wakeAt(env.nowUs() + 1000);`;
  const child = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
  assert.equal(child.stdout, 'first\nsecond\nthird\n');
});

test('the process ends by itself once no task is armed, not before', () => {
  const script = `
    const { nodeEnv } = await import(${JSON.stringify(new URL('../../src/node/env.js', import.meta.url).href)});
    const env = nodeEnv();
    const far = env.task(() => console.log('never'));
    far.wakeAt(env.nowUs() + 3600e6);
    const soon = env.task(() => { console.log('ran'); far.cancel(); });
    soon.wakeAt(env.nowUs() + 5000);
    const other = nodeEnv().task(() => console.log('never'));
    other.wakeAt(env.nowUs() + 3600e6);
    setTimeout(() => other.cancel(), 5);`;
  const child = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
    timeout: 20_000,
  });
  assert.deepEqual([child.stdout, child.status], ['ran\n', 0]);
});

test('turns let other callbacks of the event loop run', async () => {
  for (const turn of [nodeTurn, webTurn]) {
    let ran = false;
    setTimeout(() => (ran = true), 0);
    while (!ran) await turn();
    assert.ok(ran);
  }
});
