/**
 * Virtual time: tasks run in the order of their due times, as fast as the machine can, the same way every time.
 * @module
 */
import { assert } from '../base/assert.ts';
import { type HeapNode, TimerHeap } from '../base/heap.ts';
import { Rng } from '../base/rng.ts';
import type { Env, Task } from '../core/env.ts';

/** 2026-01-01T00:00:00Z in microseconds: where virtual time begins unless told otherwise. */
export const VIRTUAL_EPOCH_US = 1_767_225_600_000_000;

/** What keeps a run from going on for ever. */
export interface ClockLimits {
  /** Tasks run while virtual time stands still: beyond it two parties must be waking each other endlessly. */
  tasksAtOneInstant: number;
  /** Tasks in one call of a run function. */
  tasksPerRun: number;
  /** Turns of the event loop that `run` waits for something to happen when no task is armed. */
  idleTurns: number;
}

export const DEFAULT_CLOCK_LIMITS: ClockLimits = {
  tasksAtOneInstant: 50_000_000,
  tasksPerRun: 1_000_000_000,
  idleTurns: 10_000,
};

/** How long `runUntilIdle` goes on at most: a day of virtual time, in microseconds. */
export const IDLE_LIMIT_US = 24 * 3600 * 1_000_000;

/** Where a virtual clock begins, and what it needs to run promises. */
export interface VirtualClockOptions {
  /** Where time begins, in microseconds since the Unix epoch. */
  startUs?: number;
  /** A macrotask turn of the event loop, for `run` and `finish`: `turn` of node/turn.ts or web/turn.ts. */
  turn?: () => Promise<void>;
  limits?: Partial<ClockLimits>;
}

/** How far `run` goes. With neither it goes on until nothing is left to do. */
export interface RunOptions {
  /** Stops at this time, which is then the present. */
  untilUs?: number;
  /** Stops as soon as this holds; asked before each task. */
  until?: () => boolean;
}

/** The clock ran into one of its ClockLimits. */
export class ClockLimitError extends Error {
  override name = 'ClockLimitError';
}

/**
 * A clock that moves only when it is run. Everything that happens hangs on one heap of tasks.
 * @example
 * const clock = new VirtualClock();
 * const task = clock.env(1).task(() => console.log('a second later'));
 * task.wakeAt(clock.nowUs + 1_000_000);
 * clock.runUntilIdle();
 */
export class VirtualClock {
  /** The present, in integer microseconds since the Unix epoch. */
  nowUs: number;
  /** Tasks run so far. */
  tasksRun = 0;
  readonly limits: ClockLimits;
  private readonly heap = new TimerHeap<VirtualTask>();
  private readonly turn: (() => Promise<void>) | null;
  private readonly holds = new Set<Promise<unknown>>();
  private running = false;
  private promiseSettled = false;
  private atThisInstant = 0;

  constructor(options: VirtualClockOptions = {}) {
    this.nowUs = options.startUs ?? VIRTUAL_EPOCH_US;
    this.turn = options.turn ?? null;
    this.limits = { ...DEFAULT_CLOCK_LIMITS, ...options.limits };
  }

  /** How many tasks are armed. */
  get armed(): number {
    return this.heap.size;
  }

  /** When the next task is due, in microseconds; Infinity when none is armed. */
  get nextUs(): number {
    return this.heap.nextUs;
  }

  /** An environment on this clock. Its randomness is its own: what one host draws does not disturb another. */
  env(seed: number | Rng): Env {
    const rng = typeof seed === 'number' ? new Rng(seed) : seed;
    return {
      nowUs: () => this.nowUs,
      task: run => new VirtualTask(this, this.heap, run),
      fillRandom: out => rng.fill(out),
      settled: () => {
        this.promiseSettled = true;
      },
    };
  }

  /** Moves time to the next task and runs it; false when none is armed. */
  step(): boolean {
    assert(!this.running, 'the clock is not run from inside a task');
    return this.runNext(Number.POSITIVE_INFINITY);
  }

  /** Runs every task due at `atUs` or before; `atUs` is then the present. Awaiters of promises do not get a turn. */
  runUntil(atUs: number): void {
    assert(!this.running, 'the clock is not run from inside a task');
    for (let tasks = 0; this.runNext(atUs); tasks++) this.checkRun(tasks);
    if (atUs > this.nowUs) this.moveTo(atUs);
  }

  /** `runUntil` so many microseconds from now. */
  runFor(us: number): void {
    this.runUntil(this.nowUs + us);
  }

  /** Runs until no task is armed. Throws ClockLimitError when that takes more than `limitUs` of virtual time. */
  runUntilIdle(limitUs: number = IDLE_LIMIT_US): void {
    assert(!this.running, 'the clock is not run from inside a task');
    const lastUs = this.nowUs + limitUs;
    for (let tasks = 0; this.runNext(lastUs); tasks++) this.checkRun(tasks);
    if (this.heap.size > 0) {
      throw new ClockLimitError(
        `${this.heap.size} tasks are still armed after ${limitUs} µs of virtual time`,
      );
    }
  }

  /**
   * Runs, and lets whoever awaits a promise that was settled go on before time moves. Resolves to true when `until`
   * held (or was not given), false when nothing was left to do before it did.
   */
  async run(options: RunOptions = {}): Promise<boolean> {
    const untilUs = options.untilUs ?? Number.POSITIVE_INFINITY;
    const until = options.until;
    this.promiseSettled = true;
    for (let tasks = 0, idle = 0; ; ) {
      if (this.promiseSettled || this.holds.size > 0) {
        await this.letAwaitersRun();
        continue;
      }
      if (until?.() === true) return true;
      if (this.runNext(untilUs)) {
        this.checkRun(tasks++);
        idle = 0;
      } else if (untilUs !== Number.POSITIVE_INFINITY) {
        if (untilUs > this.nowUs) this.moveTo(untilUs);
        return until === undefined;
      } else if (until === undefined || idle++ === this.limits.idleTurns) {
        return until === undefined;
      } else {
        this.promiseSettled = true;
      }
    }
  }

  /**
   * Runs until `promise` is settled and gives its value (or throws its reason).
   * Throws ClockLimitError when nothing is left to do and it is still pending.
   */
  async finish<T>(promise: Promise<T>): Promise<T> {
    let settled = false;
    const note = (): void => {
      settled = true;
    };
    promise.then(note, note);
    if (await this.run({ until: () => settled })) return promise;
    throw new ClockLimitError(
      'nothing is left to do in virtual time, and the awaited promise is still pending',
    );
  }

  /** Stops virtual time until `promise` is settled: for what happens outside it, such as reading a file. */
  async hold<T>(promise: Promise<T>): Promise<T> {
    this.holds.add(promise);
    try {
      return await promise;
    } finally {
      this.holds.delete(promise);
      this.promiseSettled = true;
    }
  }

  private async letAwaitersRun(): Promise<void> {
    assert(this.turn !== null, 'run() and finish() need the `turn` option');
    assert(!this.running, 'the clock is not run from inside a task');
    if (this.holds.size > 0) await Promise.race(this.holds).catch(() => {});
    this.promiseSettled = false;
    await this.turn();
  }

  private runNext(lastUs: number): boolean {
    const dueUs = this.heap.nextUs;
    const task = this.heap.popDue(lastUs);
    if (task === undefined) return false;
    assert(!this.running, 'the clock is not run from inside a task');
    if (dueUs > this.nowUs) this.moveTo(dueUs);
    if (++this.atThisInstant > this.limits.tasksAtOneInstant) {
      this.atThisInstant = 0;
      throw new ClockLimitError(
        `${this.limits.tasksAtOneInstant} tasks ran at ${this.nowUs} µs and time did not move (tasksAtOneInstant)`,
      );
    }
    this.tasksRun++;
    this.running = true;
    try {
      task.run();
    } finally {
      this.running = false;
    }
    return true;
  }

  private checkRun(tasks: number): void {
    if (tasks < this.limits.tasksPerRun) return;
    throw new ClockLimitError(`more than ${this.limits.tasksPerRun} tasks in one run (tasksPerRun)`);
  }

  private moveTo(atUs: number): void {
    this.nowUs = atUs;
    this.atThisInstant = 0;
  }
}

class VirtualTask implements HeapNode, Task {
  heapIndex = -1;
  readonly run: () => void;
  private readonly clock: VirtualClock;
  private readonly heap: TimerHeap<VirtualTask>;

  constructor(clock: VirtualClock, heap: TimerHeap<VirtualTask>, run: () => void) {
    this.clock = clock;
    this.heap = heap;
    this.run = run;
  }

  wakeAt(atUs: number): void {
    const dueUs = Math.max(Math.ceil(atUs), this.clock.nowUs);
    if (dueUs < this.heap.dueOf(this)) this.heap.set(this, dueUs);
  }

  cancel(): void {
    this.heap.delete(this);
  }
}
