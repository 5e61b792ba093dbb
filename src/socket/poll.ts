import { POLLIN, POLLNVAL, POLLOUT } from '../core/readiness.ts';
import { POLLRDNORM, POLLWRNORM } from './constants.ts';
import type { FdTable } from './fd-table.ts';
import { ALWAYS, type File } from './file.ts';

/** struct pollfd. */
export interface PollFd {
  /** A negative descriptor is passed over. */
  fd: number;
  /** What to look for: POLL* bits. */
  events: number;
  /** Filled in by the call. */
  revents?: number;
}

/** A file's bits, with those that Linux shows under a second name. */
export function pollBits(file: File): number {
  let mask = file.poll();
  if ((mask & POLLIN) !== 0) mask |= POLLRDNORM;
  if ((mask & POLLOUT) !== 0) mask |= POLLWRNORM;
  return mask;
}

/** What a waiter for these poll(2) bits waits for at the file, which knows only POLLIN and POLLOUT. */
export function waitMask(events: number): number {
  let mask = events | ALWAYS;
  if ((events & POLLRDNORM) !== 0) mask |= POLLIN;
  if ((events & POLLWRNORM) !== 0) mask |= POLLOUT;
  return mask;
}

/** Fills in every `revents`; returns how many are not zero. */
export function pollNow(files: FdTable, fds: readonly PollFd[]): number {
  let count = 0;
  for (const entry of fds) {
    entry.revents = 0;
    if (entry.fd < 0) continue;
    const file = files.get(entry.fd);
    entry.revents = file === undefined ? POLLNVAL : pollBits(file) & (entry.events | ALWAYS);
    if (entry.revents !== 0) count++;
  }
  return count;
}
