import { POLLERR, POLLHUP, POLLNVAL, type ReadyListener } from '../core/readiness.ts';
import { type Waiter, WaitQueue } from './wait-queue.ts';

/** What is always reported, whether asked for or not (poll(2)). */
export const ALWAYS: number = POLLERR | POLLHUP | POLLNVAL;

/** What a descriptor stands for: a socket or an epoll instance. */
export abstract class File implements ReadyListener {
  /** O_NONBLOCK. */
  nonblocking = false;
  /** FD_CLOEXEC; kept, but nothing here executes programs. */
  closeOnExec = false;
  /** Set by close(2): whoever waits gives up with EBADF. */
  closed = false;
  /** Made when the first waiter comes: an idle socket has none. */
  private waiters: WaitQueue | null = null;

  /** The POLL* bits that hold now. */
  abstract poll(): number;

  /** Gives up what the file stands for. Called once, through `close`. */
  protected abstract release(): void;

  /** close(2): wakes everyone who waits at it. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.release();
    this.waiters?.wake(POLLNVAL);
  }

  ready(mask: number): void {
    if (this.waiters !== null) this.waiters.wake(mask);
  }

  /** Puts a waiter into the queue; `WaitQueue.remove` takes it out. */
  enqueue(waiter: Waiter): void {
    waiter.mask |= ALWAYS;
    this.waiters ??= new WaitQueue();
    this.waiters.add(waiter);
  }
}
