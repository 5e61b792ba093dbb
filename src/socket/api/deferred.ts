import type { Env } from '../../core/env.ts';

/** A promise that is settled from outside. A rejection that nobody looks at stays silent. */
export class Deferred<T> {
  readonly promise: Promise<T>;
  /** Whether it was settled. */
  settled = false;
  private readonly env: Env;
  private resolvePromise!: (value: T) => void;
  private rejectPromise!: (reason: unknown) => void;

  constructor(env: Env) {
    this.env = env;
    this.promise = new Promise<T>((resolve, reject) => {
      this.resolvePromise = resolve;
      this.rejectPromise = reject;
    });
    this.promise.catch(() => {});
  }

  /** Settles it, unless it is settled already. */
  resolve(value: T): void {
    this.settled = true;
    this.resolvePromise(value);
    this.env.settled();
  }

  /** Settles it, unless it is settled already. */
  reject(reason: unknown): void {
    this.settled = true;
    this.rejectPromise(reason);
    this.env.settled();
  }
}
