import { strerror } from '../base/errno.ts';
import { Failure } from './failure.ts';

/** The result of a call that must not fail. */
export function check(call: string, result: number): number {
  if (result < 0) throw new Failure(`${call}: ${strerror(result)}`);
  return result;
}
