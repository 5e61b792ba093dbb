import { WRITE_EOR, WRITE_MORE, WRITE_URGENT } from '../tcp/send/write.ts';
import { MSG_EOR, MSG_MORE, MSG_OOB } from './constants.ts';

/** WRITE_* of the MSG_* that a stream knows. */
export function writeFlags(flags: number): number {
  const urgent = (flags & MSG_OOB) !== 0 ? WRITE_URGENT : 0;
  return ((flags & MSG_MORE) !== 0 ? WRITE_MORE : 0) | ((flags & MSG_EOR) !== 0 ? WRITE_EOR : 0) | urgent;
}
