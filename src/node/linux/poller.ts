/**
 * Readiness of file descriptors from Node's own event loop: no thread waits, so nothing holds up the end of the
 * process or the reading of files.
 * @module
 */
import { isMainThread } from 'node:worker_threads';
import type { node } from 'koffi';
import { libc, O_CLOEXEC, SystemError } from './libc.ts';

/**
 * Turns of the event loop, of two or three microseconds each, in which a descriptor that was busy is looked at once
 * more before the process sleeps: to be woken costs more than the answer to come may take.
 */
const SPIN_TURNS = 8;

const EPOLL_CTL_ADD = 1;
/** Bytes of struct epoll_event, where it is not packed. */
const EPOLL_EVENT_LENGTH = 16;

/**
 * Something became readable: reads without blocking until EAGAIN or the end of its own budget.
 * @returns how it went: NOTHING was there, it DRAINED what was there, or there may be MORE
 */
export type OnReadable = () => typeof NOTHING | typeof DRAINED | typeof MORE;

/** What `OnReadable` returns. */
export const NOTHING = 0;
export const DRAINED = 1;
export const MORE = 2;

/** A descriptor that is watched. */
export interface Watch {
  /** Whether `onWritable` is wanted: it is called in each turn in which the descriptor is writable. Default false. */
  setWritable(wanted: boolean): void;
  /** Whether `onReadable` is wanted. Default true. */
  setReadable(wanted: boolean): void;
  /** Whether the process stays alive for it. Default true. */
  setRef(keepsAlive: boolean): void;
  /** Ends it; the descriptor is still the caller's to close, afterwards. Nothing is called any more. */
  close(): void;
}

/**
 * Watches a non-blocking descriptor. The callbacks run in a turn of their own of the event loop, never inside a call
 * to the watch. The process stays alive until `close()`.
 * A descriptor has one watch at a time.
 * @throws SystemError when the descriptor cannot be watched: EPERM (a plain file), EBADF (not open)
 * @example
 * const watch = register(fd, () => { while (readOne(fd)); return DRAINED; });
 */
export function register(fd: number, onReadable: OnReadable, onWritable: () => void = () => {}): Watch {
  return new Registration(fd, onReadable, onWritable);
}

/**
 * The watches of this thread. When a worker thread ends, libuv may report a last event at a time when no JavaScript
 * can run any more, which koffi takes for a fatal error; so they are closed before, as far as a thread is told of its
 * end. It is not when another one terminates it.
 */
const watches = new Set<Registration>();

function closeAll(): void {
  for (const watch of watches) watch.close();
}

class Registration implements Watch {
  private readonly onReadable: OnReadable;
  private readonly onWritable: () => void;
  private handle: node.PollHandle | null;
  private readonly interest = { readable: true, writable: false };
  private writable = false;
  /** Whether a turn was asked for. */
  private scheduled = false;
  private spinsLeft = 0;

  constructor(fd: number, onReadable: OnReadable, onWritable: () => void) {
    this.onReadable = onReadable;
    this.onWritable = onWritable;
    const { koffi } = libc();
    if (koffi.node?.poll === undefined) throw new Error('the Linux drivers need koffi 3: npm install koffi');
    checkPollable(fd);
    this.handle = koffi.node.poll(fd, this.interest, this.onEvents);
    if (!isMainThread && watches.size === 0) process.once('exit', closeAll);
    watches.add(this);
  }

  setWritable(wanted: boolean): void {
    if (wanted === this.interest.writable) return;
    this.interest.writable = wanted;
    this.handle?.start(this.interest, this.onEvents);
  }

  setReadable(wanted: boolean): void {
    if (wanted === this.interest.readable) return;
    this.interest.readable = wanted;
    this.handle?.start(this.interest, this.onEvents);
  }

  setRef(keepsAlive: boolean): void {
    if (keepsAlive) this.handle?.ref();
    else this.handle?.unref();
  }

  close(): void {
    this.handle?.close();
    this.handle = null;
    watches.delete(this);
    if (watches.size === 0) process.off('exit', closeAll);
  }

  /**
   * Called by libuv outside of any JavaScript frame of Node's: what is thrown here would be lost. So it only asks for
   * a turn, which comes in the same iteration of the event loop.
   */
  private readonly onEvents = (...args: readonly unknown[]): void => {
    // Its types promise the events alone; a status comes before them.
    const events = args[args.length - 1] as node.PollEvents;
    this.writable ||= events.writable;
    this.request();
  };

  private request(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    setImmediate(this.turn);
  }

  private readonly turn = (): void => {
    this.scheduled = false;
    if (this.handle === null) return;
    if (this.writable && this.interest.writable) this.onWritable();
    this.writable = false;
    if (!this.interest.readable || this.handle === null) return;
    const outcome = this.onReadable();
    if (outcome === NOTHING) this.spinsLeft--;
    else this.spinsLeft = SPIN_TURNS;
    if (outcome === MORE || this.spinsLeft > 0) this.request();
  };
}

/** Asks the kernel, since libuv's refusal would be the end of the process. */
function checkPollable(fd: number): void {
  const system = libc();
  const epoll = system.epollCreate(O_CLOEXEC);
  if (epoll < 0) throw new SystemError('epoll_create1', epoll, 'watch a descriptor');
  const result = system.epollCtl(epoll, EPOLL_CTL_ADD, fd, new Uint8Array(EPOLL_EVENT_LENGTH));
  system.close(epoll);
  if (result < 0) throw new SystemError('epoll_ctl', result, `watch descriptor ${fd}`);
}
