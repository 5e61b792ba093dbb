import { EEXIST, EINVAL, ENOENT } from '../base/errno.ts';
import { POLLIN, POLLNVAL } from '../core/readiness.ts';
import {
  EPOLL_CTL_ADD,
  EPOLL_CTL_DEL,
  EPOLL_CTL_MOD,
  EPOLLERR,
  EPOLLET,
  EPOLLEXCLUSIVE,
  EPOLLHUP,
  EPOLLIN,
  EPOLLONESHOT,
  EPOLLOUT,
} from './constants.ts';
import { ALWAYS, File } from './file.ts';
import { pollBits, waitMask } from './poll.ts';
import { type Waiter, WaitQueue } from './wait-queue.ts';

/** struct epoll_event. `data` is handed back as it was given: the descriptor, mostly. */
export interface EpollEvent {
  events: number;
  data: number;
}

/** Bits that say how to watch, not what for. */
const MODES = EPOLLET | EPOLLONESHOT | EPOLLEXCLUSIVE;
/** What EPOLLEXCLUSIVE may stand beside. */
const EXCLUSIVE_OK = EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLET | EPOLLEXCLUSIVE;

/** An epoll(7) instance: the files that are watched, and those of them that may be ready. */
export class Epoll extends File {
  private readonly items = new Map<File, EpollItem>();
  /** In the order in which they became ready; a Set, so that an item stands in it once. */
  private readonly readyItems = new Set<EpollItem>();

  /** epoll_ctl(2): 0, -EEXIST, -ENOENT or -EINVAL. Instances cannot watch each other. */
  control(op: number, file: File, event: EpollEvent | null): number {
    if (file instanceof Epoll) return -EINVAL;
    const item = this.items.get(file);
    switch (op) {
      case EPOLL_CTL_ADD:
        if (item !== undefined) return -EEXIST;
        return event === null ? -EINVAL : this.add(file, event);
      case EPOLL_CTL_MOD:
        if (item === undefined) return -ENOENT;
        if (event === null || ((event.events | item.events) & EPOLLEXCLUSIVE) !== 0) return -EINVAL;
        item.arm(event.events | 0, event.data);
        this.noteIfReady(item);
        return 0;
      case EPOLL_CTL_DEL:
        if (item === undefined) return -ENOENT;
        this.forget(item);
        return 0;
      default:
        return -EINVAL;
    }
  }

  /** epoll_wait(2) without waiting: fills `events` with at most `max`; returns how many. */
  collect(events: EpollEvent[], max: number): number {
    events.length = 0;
    // What stays ready goes to the end of the line, so that a small `max` starves nobody; each is looked at once.
    let left = this.readyItems.size;
    for (const item of this.readyItems) {
      if (left-- === 0 || events.length === max) break;
      this.readyItems.delete(item);
      const bits = item.readyBits();
      if (bits === 0) continue;
      events.push({ events: bits, data: item.data });
      if ((item.events & EPOLLONESHOT) !== 0) item.disarm();
      else if ((item.events & EPOLLET) === 0) this.readyItems.add(item);
    }
    return events.length;
  }

  override poll(): number {
    for (const item of this.readyItems) {
      if (item.readyBits() !== 0) return POLLIN;
      this.readyItems.delete(item);
    }
    return 0;
  }

  /** An item's file has news. */
  note(item: EpollItem): void {
    this.readyItems.add(item);
    this.ready(POLLIN);
  }

  /** The item's file is gone, or is not to be watched any more. */
  forget(item: EpollItem): void {
    this.items.delete(item.file);
    this.readyItems.delete(item);
    WaitQueue.remove(item);
  }

  protected override release(): void {
    for (const item of this.items.values()) WaitQueue.remove(item);
    this.items.clear();
    this.readyItems.clear();
  }

  private add(file: File, event: EpollEvent): number {
    const events = event.events | 0;
    if ((events & EPOLLEXCLUSIVE) !== 0 && (events & ~EXCLUSIVE_OK) !== 0) return -EINVAL;
    const item = new EpollItem(this, file, events, event.data);
    this.items.set(file, item);
    file.enqueue(item);
    this.noteIfReady(item);
    return 0;
  }

  private noteIfReady(item: EpollItem): void {
    if (item.readyBits() !== 0) this.note(item);
  }
}

/** One watched file. */
class EpollItem implements Waiter {
  mask: number;
  readonly exclusive: boolean;
  queue: WaitQueue | null = null;
  previous: Waiter | null = null;
  next: Waiter | null = null;
  readonly epoll: Epoll;
  readonly file: File;
  events: number;
  data: number;
  private armed = true;

  constructor(epoll: Epoll, file: File, events: number, data: number) {
    this.epoll = epoll;
    this.file = file;
    this.events = events;
    this.data = data;
    this.exclusive = (events & EPOLLEXCLUSIVE) !== 0;
    this.mask = waitMask(events & ~MODES);
  }

  /** What is ready of what is asked for; nothing while a one-shot is used up. */
  readyBits(): number {
    return this.armed ? pollBits(this.file) & ((this.events & ~MODES) | ALWAYS) : 0;
  }

  arm(events: number, data: number): void {
    this.armed = true;
    this.events = events;
    this.data = data;
    this.mask = waitMask(events & ~MODES);
  }

  /** EPOLLONESHOT after it was reported: only the file's end is heard of until EPOLL_CTL_MOD. */
  disarm(): void {
    this.armed = false;
    this.mask = POLLNVAL;
  }

  wake(): void {
    if (this.file.closed) this.epoll.forget(this);
    else this.epoll.note(this);
  }
}
