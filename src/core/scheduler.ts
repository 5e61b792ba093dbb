import { type HeapNode, TimerHeap } from '../base/heap.ts';
import { Ring } from '../base/ring.ts';
import type { Env, Task } from './env.ts';

/** The four things real time needs of a JavaScript runtime. */
export interface Runtime {
  /** Integer microseconds since the Unix epoch; never goes backwards. */
  nowUs(): number;
  /** Calls `run` when the running code is done, before timers and I/O get a turn. Cheap. */
  soon(run: () => void): void;
  /** Calls `run` after timers and I/O had a turn. */
  nextTurn(run: () => void): void;
  /** Calls `run` once, about `ms` milliseconds from now; returns what calls it off. Keeps the process alive. */
  later(run: () => void, ms: number): () => void;
  fillRandom(out: Uint8Array): void;
}

/** Tasks run before timers and I/O of the user get a turn. */
export const TASKS_PER_TURN = 64;
/** Microseconds of tasks before timers and I/O of the user get a turn; looked at every few tasks. */
export const TURN_BUDGET_US = 1000;
/** How often the clock is read against TURN_BUDGET_US, in tasks. */
const TASKS_PER_CLOCK_READ = 8;
/** A deadline this near is waited for turn by turn: a timer would come up to a millisecond late. */
export const SPIN_US = 250;
/** The longest a runtime's timer can wait (2^31 - 1 ms); a later deadline is armed again then. */
const LATER_MAX_MS = 0x7fffffff;

/** Where the scheduler's next wake-up comes from. */
type Pending = 'none' | 'soon' | 'turn';

/**
 * An environment in real time. Tasks that are due run in arming order, in batches: a task woken from user code runs
 * when that code is done, and after a budget of tasks the event loop gets a turn, so that stacks which keep waking
 * each other never starve the user's timers and I/O. One runtime timer serves every later deadline.
 */
export function createEnv(runtime: Runtime): Env {
  const scheduler = new Scheduler(runtime);
  return {
    nowUs: () => scheduler.readClock(),
    task: run => new ScheduledTask(scheduler, run),
    fillRandom: runtime.fillRandom,
    settled: () => {},
  };
}

class Scheduler {
  readonly runtime: Runtime;
  /** Tasks to run now, in the order in which they were woken. A task that was cancelled stays and is skipped. */
  private readonly ready = new Ring<ScheduledTask>();
  /** Tasks to run later. */
  private readonly heap = new TimerHeap<ScheduledTask>();
  private pending: Pending = 'none';
  private draining = false;
  /** Tasks run since timers and I/O last had a turn. */
  private sinceTurn = 0;
  /** The latest time seen: what is due by then needs no look at the clock. */
  private seenUs: number;
  /** Whether nothing has run since the clock was read: whoever asks first need not read it again. */
  private clockIsFresh = false;
  /** When the runtime's timer goes off, and what calls it off. */
  private timerUs = Number.POSITIVE_INFINITY;
  private stopTimer: () => void = () => {};

  constructor(runtime: Runtime) {
    this.runtime = runtime;
    this.seenUs = runtime.nowUs();
  }

  wake(task: ScheduledTask, atUs: number): void {
    if (task.ready) return;
    if (atUs <= this.seenUs) {
      this.heap.delete(task);
      task.ready = true;
      this.ready.push(task);
      this.request();
    } else if (atUs < this.heap.dueOf(task)) {
      this.heap.set(task, atUs);
      if (atUs < this.timerUs && task.heapIndex === 0) this.request();
    }
  }

  cancel(task: ScheduledTask): void {
    task.ready = false;
    this.heap.delete(task);
    if (!this.draining && this.heap.size === 0) this.setTimer(Number.POSITIVE_INFINITY);
  }

  /** What is armed for a time that was read here needs no second look at the clock. */
  readClock(): number {
    if (!this.clockIsFresh) this.seenUs = this.runtime.nowUs();
    this.clockIsFresh = false;
    return this.seenUs;
  }

  private request(): void {
    if (this.draining || this.pending !== 'none') return;
    if (this.sinceTurn < TASKS_PER_TURN) {
      this.pending = 'soon';
      this.runtime.soon(this.onSoon);
    } else {
      this.requestTurn();
    }
  }

  private requestTurn(): void {
    this.pending = 'turn';
    this.runtime.nextTurn(this.onTurn);
  }

  private readonly onSoon = (): void => this.drain();

  private readonly onTurn = (): void => {
    this.sinceTurn = 0;
    this.drain();
  };

  private readonly onTimer = (): void => {
    this.timerUs = Number.POSITIVE_INFINITY;
    if (this.pending !== 'none') return;
    this.sinceTurn = 0;
    this.drain();
  };

  private drain(): void {
    this.pending = 'none';
    this.draining = true;
    try {
      this.runBatch();
    } finally {
      this.clockIsFresh = false;
      this.draining = false;
      this.arrangeNext();
    }
  }

  private runBatch(): void {
    const endUs = this.collectDue() + TURN_BUDGET_US;
    while (this.sinceTurn < TASKS_PER_TURN) {
      const task = this.ready.shift();
      if (task === undefined) return;
      if (!task.ready) continue;
      task.ready = false;
      this.sinceTurn++;
      task.run();
      this.clockIsFresh = false;
      if (this.sinceTurn % TASKS_PER_CLOCK_READ === 0 && this.collectDue() >= endUs) {
        this.sinceTurn = TASKS_PER_TURN;
      }
    }
  }

  /** Moves what has become due from the heap to the ready tasks; returns the time. */
  private collectDue(): number {
    const nowUs = this.runtime.nowUs();
    this.seenUs = nowUs;
    for (let task = this.heap.popDue(nowUs); task !== undefined; task = this.heap.popDue(nowUs)) {
      task.ready = true;
      this.ready.push(task);
    }
    this.clockIsFresh = true;
    return nowUs;
  }

  private arrangeNext(): void {
    if (this.ready.length > 0) {
      this.request();
      return;
    }
    const { nextUs } = this.heap;
    if (nextUs === Number.POSITIVE_INFINITY) {
      this.setTimer(nextUs);
    } else if (nextUs < this.timerUs) {
      if (nextUs - this.runtime.nowUs() <= SPIN_US) this.requestTurn();
      else this.setTimer(nextUs);
    }
  }

  /** A timer that goes off too early is left alone: it costs less than to move it at each acknowledgement. */
  private setTimer(dueUs: number): void {
    if (this.timerUs !== Number.POSITIVE_INFINITY) this.stopTimer();
    this.timerUs = dueUs;
    if (dueUs === Number.POSITIVE_INFINITY) return;
    const ms = Math.ceil((dueUs - this.runtime.nowUs()) / 1000);
    this.stopTimer = this.runtime.later(this.onTimer, Math.min(Math.max(ms, 1), LATER_MAX_MS));
  }
}

class ScheduledTask implements HeapNode, Task {
  heapIndex = -1;
  /** Whether it stands among the ready tasks and was not cancelled. */
  ready = false;
  readonly run: () => void;
  private readonly scheduler: Scheduler;

  constructor(scheduler: Scheduler, run: () => void) {
    this.scheduler = scheduler;
    this.run = run;
  }

  wakeAt(atUs: number): void {
    this.scheduler.wake(this, atUs);
  }

  cancel(): void {
    this.scheduler.cancel(this);
  }
}
