/** A wake-up call that can be moved: at most one is pending for each task. */
export interface Task {
  /** Asks for `run` at `atUs` (or as soon as possible after it); an earlier request that is pending wins. */
  wakeAt(atUs: number): void;
  /** Forgets a pending wake-up. */
  cancel(): void;
}

/**
 * All the core may know of the world around it: a clock, wake-up calls and randomness.
 * There is one for real time (Node, the web) and one for virtual time (`sim/`).
 */
export interface Env {
  /** The time in integer microseconds since the Unix epoch; never goes backwards. */
  nowUs(): number;
  /** A task that calls `run` when it is woken. `run` is never called from inside `wakeAt`. */
  task(run: () => void): Task;
  /** Fills `out` with bytes that a remote party cannot predict (in virtual time: seeded ones). */
  fillRandom(out: Uint8Array): void;
  /** Told after a promise was settled, so that a virtual clock lets its awaiters run before time moves on. */
  settled(): void;
}
