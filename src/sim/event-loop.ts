import type { Env, Task } from '../core/env.ts';
import type { Sys } from '../socket/calls.ts';
import { EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD, EPOLLET } from '../socket/constants.ts';
import type { EpollEvent } from '../socket/epoll.ts';
import type { File } from '../socket/file.ts';
import type { Waiter, WaitQueue } from '../socket/wait-queue.ts';
import type { Stack } from '../stack/stack.ts';

/** Events taken by one call of epoll_wait. */
const EVENTS_AT_ONCE = 64;
/** Calls of epoll_wait before others have their turn. */
const ROUNDS = 16;

/** A wake-up call of an application. */
export interface AppTimer {
  /** Calls `run` so many microseconds from now; a call that is pending is moved. */
  start(us: number): void;
  stop(): void;
}

/**
 * The programs of one host as a classic event loop: epoll over the BSD calls, and timers, on virtual time. Nothing
 * here is a promise, so a world needs no turns of the real event loop.
 */
export class EventLoop implements Waiter {
  readonly sys: Sys;
  readonly env: Env;
  /** Added to each set of events: EPOLLET or 0. */
  private readonly mode: number;
  private readonly epfd: number;
  private readonly handlers = new Map<number, (events: number) => void>();
  private readonly watched = new Map<number, number>();
  private readonly events: EpollEvent[] = [];
  private readonly task: Task;
  private readonly timers = new Set<LoopTimer>();
  /** Called every so often, when the loop has done some work. */
  onTurn: () => void = () => {};
  private ended = false;

  // What the wait queue of the epoll instance wants of a waiter.
  mask = 1;
  readonly exclusive = false;
  queue: WaitQueue | null = null;
  previous: Waiter | null = null;
  next: Waiter | null = null;

  constructor(stack: Stack, edgeTriggered: boolean) {
    this.sys = stack.sys;
    this.env = stack.host.env;
    this.mode = edgeTriggered ? EPOLLET : 0;
    this.task = this.env.task(() => this.run());
    this.epfd = this.sys.epoll_create1();
    (this.sys.ops.file(this.epfd) as File).enqueue(this);
  }

  /** Calls `handler` whenever one of `events` holds for `fd`. */
  watch(fd: number, events: number, handler: (events: number) => void): void {
    this.handlers.set(fd, handler);
    this.want(fd, events);
  }

  /** Changes what a watched descriptor is watched for; 0 is nothing at all, not even its end. */
  want(fd: number, events: number): void {
    const before = this.watched.get(fd) ?? 0;
    if (events === before) return;
    const op = before === 0 ? EPOLL_CTL_ADD : events === 0 ? EPOLL_CTL_DEL : EPOLL_CTL_MOD;
    this.sys.epoll_ctl(this.epfd, op, fd, { events: events | this.mode, data: fd });
    this.watched.set(fd, events);
  }

  /** The descriptor is not watched any more; to be called before it is closed. */
  forget(fd: number): void {
    this.want(fd, 0);
    this.watched.delete(fd);
    this.handlers.delete(fd);
  }

  timer(run: () => void): AppTimer {
    return new LoopTimer(this.env, this.timers, run);
  }

  /** The programs end: no timer runs any more, and nothing is watched. */
  stop(): void {
    this.ended = true;
    for (const timer of [...this.timers]) timer.stop();
    this.task.cancel();
    this.sys.close(this.epfd);
  }

  wake(): void {
    if (!this.ended) this.task.wakeAt(0);
  }

  private run(): void {
    const { sys, epfd, events } = this;
    this.onTurn();
    for (let round = 0; round < ROUNDS; round++) {
      if (sys.epoll_wait(epfd, events, EVENTS_AT_ONCE) <= 0) return;
      // A handler may end what a later event is about.
      for (const { events: bits, data } of [...events]) this.handlers.get(data)?.(bits);
    }
    this.task.wakeAt(0);
  }
}

class LoopTimer implements AppTimer {
  private readonly env: Env;
  private readonly all: Set<LoopTimer>;
  private readonly task: Task;

  constructor(env: Env, all: Set<LoopTimer>, run: () => void) {
    this.env = env;
    this.all = all;
    this.task = env.task(() => {
      all.delete(this);
      run();
    });
  }

  start(us: number): void {
    this.task.cancel();
    this.all.add(this);
    this.task.wakeAt(this.env.nowUs() + us);
  }

  stop(): void {
    this.all.delete(this);
    this.task.cancel();
  }
}
