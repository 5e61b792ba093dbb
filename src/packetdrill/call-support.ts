import { MSG_ERRQUEUE, MSG_PEEK, MSG_TRUNC } from '../socket/constants.ts';
import type { Descriptors } from './descriptors.ts';
import type { Flows } from './flows.ts';
import type { Subject } from './subject.ts';
import type { Value } from './syntax.ts';
import { itemsOf, numberOf, ScriptValueError } from './values.ts';

/** What calls are made with. */
export interface CallContext {
  readonly subject: Subject;
  readonly flows: Flows;
  readonly fds: Descriptors;
  readonly bindPort: number;
  /** How far off a time in a control message may be, in microseconds. */
  readonly toleranceUs: number;
  readonly house: boolean;
}

/** A call made ready. */
export interface Prepared {
  invoke(): number | Promise<number>;
  /** Looks at what the call has written once the result is right; returns what is wrong, or null. */
  check?(result: number): string | null;
  /** Whether the result is a new descriptor: any will do. */
  readonly opens?: true;
}

/** `...`, which stands for what the runner chooses. */
export function elided(value: Value | undefined): void {
  if (value?.kind !== 'elided') throw new ScriptValueError('Bad type; expected: ellipsis');
}

/** Looks at what a call has read. */
export function readCheck(
  fds: Descriptors,
  fd: number,
  bytes: Uint8Array | null,
  result: number,
  flags: number,
): string | null {
  if (result <= 0 || (flags & MSG_ERRQUEUE) !== 0) return null;
  return fds.didRead(fd, (flags & MSG_TRUNC) !== 0 ? null : bytes, result, (flags & MSG_PEEK) !== 0);
}

/** The lengths in `[{..., 1000}, {..., 20}]`, which must be `count`. */
export function iovecLengths(list: Value | undefined, count: number): number[] {
  const lengths = itemsOf(list).map(item => {
    if (item.kind !== 'struct') throw new ScriptValueError('Bad type; expected: iovec');
    elided(item.fields.get('0'));
    return numberOf(item.fields.get('1'));
  });
  if (lengths.length !== count)
    throw new ScriptValueError(`iov_count ${count} does not match ${lengths.length}-element iovec array`);
  return lengths;
}

/** Takes note of how much was written, whatever is expected. */
export function noted(
  fds: Descriptors,
  fd: number,
  result: number | Promise<number>,
): number | Promise<number> {
  const note = (value: number): number => {
    fds.wrote(fd, value);
    return value;
  };
  return typeof result === 'number' ? note(result) : result.then(note);
}
