import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import type { Env } from '../../src/core/env.ts';
import { createEnv } from '../../src/core/scheduler.ts';

/** A runtime whose clock and turns the test moves. */
class HandRuntime {
  clockUs = 1e15;
  reads = 0;
  private waiting: (() => void) | null = null;
  readonly env: Env = createEnv({
    nowUs: () => {
      this.reads++;
      return this.clockUs;
    },
    soon: run => this.wait(run),
    nextTurn: run => this.wait(run),
    later: run => {
      this.wait(run);
      return () => this.wait(null);
    },
    fillRandom: () => {},
  });

  private wait(run: (() => void) | null): void {
    this.waiting = run;
  }

  /** Runs what waits, `us` microseconds later. */
  turn(us: number): void {
    this.clockUs += us;
    const run = this.waiting;
    this.waiting = null;
    run?.();
  }
}

describe('the clock of an environment in real time', () => {
  let runtime: HandRuntime;
  let env: Env;
  beforeEach(() => {
    runtime = new HandRuntime();
    env = runtime.env;
  });

  it('goes on when turns pass in which nothing was due', () => {
    const ranAt: number[] = [];
    const beganUs = env.nowUs();
    env.task(() => ranAt.push(env.nowUs() - beganUs)).wakeAt(beganUs + 200);
    runtime.turn(0);
    runtime.turn(60);
    runtime.turn(70);
    assert.equal(env.nowUs() - beganUs, 130);
    runtime.turn(80);
    assert.deepEqual(ranAt, [210]);
  });

  it('is read for each task of a batch, once for the first', () => {
    const seen: number[] = [];
    const beganUs = env.nowUs();
    for (let i = 0; i < 3; i++) {
      const task = env.task(() => {
        seen.push(env.nowUs() - beganUs);
        runtime.clockUs += 5;
        seen.push(env.nowUs() - beganUs);
      });
      task.wakeAt(0);
    }
    const { reads } = runtime;
    runtime.turn(100);
    assert.deepEqual(seen, [100, 105, 105, 110, 110, 115]);
    assert.equal(runtime.reads - reads, 6);
  });

  it('is read again after a task that did not ask', () => {
    const seen: number[] = [];
    const beganUs = env.nowUs();
    env.task(() => (runtime.clockUs += 30)).wakeAt(0);
    env.task(() => seen.push(env.nowUs() - beganUs)).wakeAt(0);
    runtime.turn(10);
    assert.deepEqual(seen, [40]);
  });
});
