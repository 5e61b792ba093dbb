import type { Host } from '../../core/host.ts';
import { Alarm } from '../../core/timers.ts';

/** Calls something later, outside of the stack's own work: there it may make socket calls, which a timer must not. */
export class Delay {
  private readonly host: Host;
  private readonly action: () => void;
  private readonly alarm = new Alarm(() => this.over());

  constructor(host: Host, action: () => void) {
    this.host = host;
    this.action = action;
  }

  /** Whether it runs. */
  get running(): boolean {
    return this.alarm.armed;
  }

  /** Begins, or begins anew, to wait for so many microseconds. */
  start(us: number): void {
    this.host.timers.set(this.alarm, this.host.refreshNow() + us);
  }

  /** Does not call it after all. */
  stop(): void {
    this.host.timers.delete(this.alarm);
  }

  private over(): void {
    void Promise.resolve().then(this.action);
    this.host.env.settled();
  }
}
