import { type HeapNode, TimerHeap } from '../base/heap.ts';

/** Something that can be armed in a stack's timer heap. */
export interface Timer extends HeapNode {
  /** Called when it is due; it is disarmed before. */
  fire(nowUs: number): void;
}

/** A timer that calls a function: for what is not armed millions of times a second. */
export class Alarm implements Timer {
  heapIndex = -1;
  readonly fire: (nowUs: number) => void;

  constructor(fire: (nowUs: number) => void) {
    this.fire = fire;
  }

  get armed(): boolean {
    return this.heapIndex >= 0;
  }
}

/** The timers of one stack. */
export class Timers {
  private readonly heap = new TimerHeap<Timer>();
  /** Told when a timer was armed that is earlier than every other: the stack asks to be woken then. */
  onEarliest: (dueUs: number) => void = () => {};

  /** How many are armed. */
  get size(): number {
    return this.heap.size;
  }

  /** When the earliest is due, in microseconds; Infinity when none is armed. */
  get nextUs(): number {
    return this.heap.nextUs;
  }

  /** When a timer is due, in microseconds; Infinity when it is not armed. */
  dueOf(timer: Timer): number {
    return this.heap.dueOf(timer);
  }

  /** Arms or moves a timer. */
  set(timer: Timer, dueUs: number): void {
    this.heap.set(timer, dueUs);
    if (timer.heapIndex === 0) this.onEarliest(dueUs);
  }

  /** Disarms a timer; does nothing when it is not armed. */
  delete(timer: Timer): void {
    this.heap.delete(timer);
  }

  /** Fires at most `budget` timers that are due at `nowUs`. */
  run(nowUs: number, budget: number): void {
    for (let fired = 0; fired < budget; fired++) {
      const timer = this.heap.popDue(nowUs);
      if (timer === undefined) return;
      timer.fire(nowUs);
    }
  }
}
