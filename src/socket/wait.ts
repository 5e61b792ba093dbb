import { EBADF, EINTR } from '../base/errno.ts';
import type { Host } from '../core/host.ts';
import type { Timer } from '../core/timers.ts';
import type { File } from './file.ts';
import { type Waiter, WaitQueue } from './wait-queue.ts';

/** What a wait came to, besides the bits that rose: its time is over. */
export const TIMED_OUT = 0;

/** Options of every blocking call. */
export interface WaitOptions {
  /** Ends the wait: the call returns -EINTR, as when a signal arrives. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Waits until one of the bits in `mask` rises at `file`. Resolves to the bits, TIMED_OUT at `deadlineUs`, -EINTR when
 * `signal` aborts or -EBADF when the file is closed.
 */
export function waitFor(
  host: Host,
  file: File,
  mask: number,
  deadlineUs: number,
  signal: AbortSignal | undefined,
): Promise<number> {
  return waitForAny(host, [{ file, mask }], deadlineUs, signal);
}

/** As `waitFor`, at several files, as poll(2) waits: closing one of them wakes, too. */
export function waitForAny(
  host: Host,
  targets: readonly { readonly file: File; readonly mask: number }[],
  deadlineUs: number,
  signal: AbortSignal | undefined,
): Promise<number> {
  if (signal?.aborted === true) return Promise.resolve(-EINTR);
  return new Promise(resolve => new Wait(host, resolve, targets, deadlineUs, signal));
}

/** One wait: its links in the queues, its timer and its listener at the signal, all taken away when it ends. */
class Wait implements Timer {
  heapIndex = -1;
  private readonly host: Host;
  private readonly resolve: (result: number) => void;
  private readonly links: WaitLink[];
  private readonly signal: AbortSignal | undefined;
  private readonly onAbort = (): void => this.end(-EINTR);

  constructor(
    host: Host,
    resolve: (result: number) => void,
    targets: readonly { readonly file: File; readonly mask: number }[],
    deadlineUs: number,
    signal: AbortSignal | undefined,
  ) {
    this.host = host;
    this.resolve = resolve;
    this.links = targets.map(({ file, mask }) => new WaitLink(this, file, mask));
    this.signal = signal;
    signal?.addEventListener('abort', this.onAbort, { once: true });
    if (deadlineUs !== Number.POSITIVE_INFINITY) host.timers.set(this, deadlineUs);
  }

  fire(): void {
    this.end(TIMED_OUT);
  }

  end(result: number): void {
    for (const link of this.links) WaitQueue.remove(link);
    this.host.timers.delete(this);
    this.signal?.removeEventListener('abort', this.onAbort);
    this.resolve(result);
    this.host.env.settled();
  }
}

class WaitLink implements Waiter {
  mask: number;
  readonly exclusive = false;
  queue: WaitQueue | null = null;
  previous: Waiter | null = null;
  next: Waiter | null = null;
  private readonly wait: Wait;
  private readonly file: File;

  constructor(wait: Wait, file: File, mask: number) {
    this.wait = wait;
    this.file = file;
    this.mask = mask;
    file.enqueue(this);
  }

  wake(mask: number): void {
    this.wait.end(this.file.closed ? -EBADF : mask);
  }
}
