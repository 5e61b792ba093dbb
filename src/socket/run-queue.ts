import { Ring } from '../base/ring.ts';
import type { Task } from '../core/env.ts';
import type { Host } from '../core/host.ts';

/** Something that was asleep and is to go on. */
export interface Sleeper {
  /** Called once for each `add`, not from inside it. */
  resume(): void;
}

/**
 * The calls that were woken, in the order in which they were. They go on in a task of their own: whoever wakes them, a
 * transport in the middle of a segment for instance, is done by then.
 */
export class RunQueue {
  private readonly sleepers = new Ring<Sleeper>();
  private readonly host: Host;
  private readonly task: Task;

  constructor(host: Host) {
    this.host = host;
    this.task = host.env.task(() => this.run());
  }

  /** `sleeper` goes on soon. */
  add(sleeper: Sleeper): void {
    this.sleepers.push(sleeper);
    if (this.sleepers.length === 1) this.task.wakeAt(0);
  }

  /** Those that were there when it began: who is woken meanwhile has to wait for the next run. */
  private run(): void {
    this.host.refreshNow();
    for (let left = this.sleepers.length; left > 0; left--) this.sleepers.shift()?.resume();
    if (this.sleepers.length > 0) this.task.wakeAt(0);
  }
}
