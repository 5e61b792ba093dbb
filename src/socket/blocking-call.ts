import { EBADF, EINTR } from '../base/errno.ts';
import type { Timer } from '../core/timers.ts';
import type { File } from './file.ts';
import type { SocketContext } from './socket.ts';
import { TIMED_OUT, type WaitOptions } from './wait.ts';
import { type Waiter, WaitQueue } from './wait-queue.ts';

/** What `attempt` returns when the call has to wait: no call returns it. */
export const WAIT: number = Number.NEGATIVE_INFINITY;

/**
 * A call that waits as a thread in Linux does: it is made at once, and again whenever its file may be ready. One object
 * is all there is of it: its place in the file's wait queue, its timer, and what it has done so far.
 */
export abstract class BlockingCall implements Waiter, Timer {
  heapIndex = -1;
  mask: number;
  readonly exclusive = false;
  queue: WaitQueue | null = null;
  previous: Waiter | null = null;
  next: Waiter | null = null;
  private readonly context: SocketContext;
  private readonly file: File;
  private resolve: ((result: number) => void) | null = null;
  private abort: { readonly signal: AbortSignal; readonly listener: () => void } | null = null;
  /** Why it was woken: bits, TIMED_OUT or -errno. */
  private woken = 0;

  /** `mask`: the bits that promise progress. */
  constructor(context: SocketContext, file: File, mask: number) {
    this.context = context;
    this.file = file;
    this.mask = mask;
  }

  /** The result now, or WAIT. */
  protected abstract attempt(): number;

  /** The result when the wait ends with `reason` (TIMED_OUT or -errno) and not because the file is ready. */
  protected abstract interrupted(reason: number): number;

  /** Makes the call; it waits for `timeoutUs` microseconds at most (Infinity: for ever). */
  start(timeoutUs: number, { signal }: WaitOptions): Promise<number> {
    const result = this.attempt();
    if (result !== WAIT) return Promise.resolve(result);
    if (signal?.aborted === true) return Promise.resolve(this.interrupted(-EINTR));
    if (signal !== undefined) this.listen(signal);
    const { host } = this.context;
    if (timeoutUs !== Number.POSITIVE_INFINITY) host.timers.set(this, host.nowUs + timeoutUs);
    this.file.enqueue(this);
    return new Promise(resolve => {
      this.resolve = resolve;
    });
  }

  wake(mask: number): void {
    this.goOn(mask);
  }

  fire(): void {
    this.goOn(TIMED_OUT);
  }

  private listen(signal: AbortSignal): void {
    this.abort = { signal, listener: () => this.goOn(-EINTR) };
    signal.addEventListener('abort', this.abort.listener, { once: true });
  }

  private goOn(reason: number): void {
    if (this.queue !== null) {
      WaitQueue.remove(this);
      this.woken = reason;
      this.context.runQueue.add(this);
    } else if (reason <= 0) {
      // It is woken already, perhaps in vain: that the wait is over must not be forgotten.
      this.woken = reason;
    }
  }

  resume(): void {
    const { host } = this.context;
    const result = this.tryAgain();
    if (result === WAIT) {
      this.file.enqueue(this);
      return;
    }
    host.timers.delete(this);
    if (this.abort !== null) this.abort.signal.removeEventListener('abort', this.abort.listener);
    this.resolve?.(result);
    host.env.settled();
  }

  private tryAgain(): number {
    if (this.file.closed) return this.interrupted(-EBADF);
    if (this.woken < 0) return this.interrupted(this.woken);
    const result = this.attempt();
    return result === WAIT && this.woken === TIMED_OUT ? this.interrupted(TIMED_OUT) : result;
  }
}
