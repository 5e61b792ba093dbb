import { POLLNVAL } from '../core/readiness.ts';

/** Something that waits at a file until it is ready. A link of one WaitQueue at a time. */
export interface Waiter {
  /** The POLL* bits it waits for; others do not wake it. */
  mask: number;
  /** Of several such waiters only one is woken at a time (EPOLLEXCLUSIVE). */
  readonly exclusive: boolean;
  /** Written by the queue alone. */
  queue: WaitQueue | null;
  previous: Waiter | null;
  next: Waiter | null;
  /** Told the bits that rose. It only marks and settles: it must not call into a transport. */
  wake(mask: number): void;
}

/** Who waits at one file, in the order in which they came. */
export class WaitQueue {
  private head: Waiter | null = null;
  private tail: Waiter | null = null;

  get isEmpty(): boolean {
    return this.head === null;
  }

  add(waiter: Waiter): void {
    waiter.queue = this;
    waiter.previous = this.tail;
    waiter.next = null;
    if (this.tail === null) this.head = waiter;
    else this.tail.next = waiter;
    this.tail = waiter;
  }

  /** Wakes everyone who waits for one of these bits, but only the first of the exclusive ones (at the end: all). */
  wake(mask: number): void {
    const everyone = (mask & POLLNVAL) !== 0;
    let exclusiveWoken = false;
    let waiter = this.head;
    while (waiter !== null) {
      const next: Waiter | null = waiter.next;
      if ((waiter.mask & mask) !== 0 && (everyone || !exclusiveWoken || !waiter.exclusive)) {
        if (waiter.exclusive) exclusiveWoken = true;
        waiter.wake(mask);
      }
      waiter = next;
    }
  }

  /** Takes `waiter` out of the queue it is in; does nothing when it is in none. */
  static remove(waiter: Waiter): void {
    const { queue, previous, next } = waiter;
    if (queue === null) return;
    if (previous === null) queue.head = next;
    else previous.next = next;
    if (next === null) queue.tail = previous;
    else next.previous = previous;
    waiter.queue = null;
    waiter.previous = null;
    waiter.next = null;
  }
}
