import type { Env } from '../core/env.ts';
import { Deferred } from '../socket/api/deferred.ts';

/** Lets so many at once do something; others wait in line, and those for whom the line is too long are sent away. */
export class Turns {
  private readonly env: Env;
  private readonly atOnce: number;
  private readonly waitingMax: number;
  private readonly line: Deferred<void>[] = [];
  private running = 0;
  /** How many of the line had their turn: it is not moved up for each. */
  private served = 0;

  constructor(env: Env, atOnce: number, waitingMax: number) {
    this.env = env;
    this.atOnce = atOnce;
    this.waitingMax = waitingMax;
  }

  /** The result of `work`, when its turn has come; null when the line is too long. */
  async run<T>(work: () => Promise<T>): Promise<T | null> {
    if (this.running >= this.atOnce) {
      if (this.line.length - this.served >= this.waitingMax) return null;
      const turn = new Deferred<void>(this.env);
      this.line.push(turn);
      await turn.promise;
    } else {
      this.running++;
    }
    try {
      return await work();
    } finally {
      this.next();
    }
  }

  /** Hands the turn to the next in line. */
  private next(): void {
    const turn = this.line[this.served];
    if (turn === undefined) {
      this.running--;
      return;
    }
    this.served++;
    if (this.served === this.line.length) {
      this.line.length = 0;
      this.served = 0;
    }
    turn.resolve();
  }
}
