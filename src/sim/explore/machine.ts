import type { Env, Task } from '../../core/env.ts';
import { Host } from '../../core/host.ts';
import type { PacketPool } from '../../core/pool.ts';
import type { Sysctl } from '../../core/sysctl.ts';
import { TcpContext } from '../../tcp/context.ts';
import type { Tcb } from '../../tcp/tcb.ts';

/** When every clock begins, in microseconds. */
const START_US = 1_000_000_000;

/** A clock of its own, which only the firing of a timer moves: nothing is assumed of how fast the hosts are. */
class StillEnv implements Env {
  timeUs = START_US;
  nowUs(): number {
    return this.timeUs;
  }
  task(): Task {
    return { wakeAt() {}, cancel() {} };
  }
  fillRandom(out: Uint8Array): void {
    out.fill(1);
  }
  settled(): void {}
}

/** A host that is used for one replay after the other: to make a new one each time would cost more than the replay. */
export class Machine {
  readonly host: Host;
  /** The connection of the present replay, which may be in the timer heap. */
  connection: Tcb | null = null;
  private readonly env = new StillEnv();

  constructor(name: string, pool: PacketPool, sysctl: Sysctl) {
    this.host = new Host(name, this.env, pool, sysctl);
  }

  /** A new replay: of the one before nothing is left. */
  begin(): TcpContext {
    if (this.connection !== null) this.host.timers.delete(this.connection);
    this.connection = null;
    this.setNow(START_US);
    return new TcpContext(this.host);
  }

  setNow(us: number): void {
    this.env.timeUs = us;
    this.host.refreshNow();
  }
}
