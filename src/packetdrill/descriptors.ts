import { EBADF } from '../base/errno.ts';
import { pattern, patternBreak } from './pattern.ts';
import type { Value } from './syntax.ts';
import { numberOf, ScriptValueError } from './values.ts';

/** A file or one end of a pipe, which the stack knows nothing of. */
export type OtherFile =
  | { readonly kind: 'file'; readonly length: number }
  | { readonly kind: 'pipe'; readonly pipe: { bytes: number } };

/** A script's descriptors and the stack's, and how far each has read and written its stream. */
export class Descriptors {
  private readonly live = new Map<number, number>();
  private readonly others = new Map<number, OtherFile>();
  private readonly readAt = new Map<number, number>();
  private readonly wroteAt = new Map<number, number>();
  private readonly house: boolean;

  constructor(house: boolean) {
    this.house = house;
  }

  /** The stack's descriptor for one of the script. Throws ScriptValueError when it is none that is open. */
  of(value: Value | undefined): number {
    const script = numberOf(value);
    const live = this.live.get(script);
    if (live !== undefined) return live;
    // House scripts may ask what a wrong descriptor gives.
    if (this.house) return script;
    throw new ScriptValueError(`unable to find fd with script fd ${script}`);
  }

  /** The stack's descriptor for one of the script, or -EBADF. */
  find(script: number): number {
    return this.live.get(script) ?? -EBADF;
  }

  /** Throws ScriptValueError when a descriptor that is to be opened is open. */
  mustBeNew(script: number): void {
    if (!this.house && (this.live.has(script) || this.others.has(script)))
      throw new ScriptValueError(`duplicate fd ${script} in script`);
  }

  /** Takes note of a descriptor that was opened. */
  opened(script: number, live: number): void {
    this.live.set(script, live);
    this.readAt.delete(live);
    this.wroteAt.delete(live);
  }

  openedOther(script: number, file: OtherFile): void {
    this.mustBeNew(script);
    this.others.set(script, file);
  }

  /** A file or a pipe; undefined when the descriptor is none of them. */
  other(value: Value | undefined): OtherFile | undefined {
    return this.others.get(numberOf(value));
  }

  closed(script: number): void {
    if (!this.house) this.live.delete(script);
    this.others.delete(script);
  }

  /** What is to be written next. */
  nextOut(live: number, length: number): Uint8Array {
    return pattern(this.wroteAt.get(live) ?? 0, length);
  }

  wrote(live: number, result: number): void {
    this.wroteAt.set(live, (this.wroteAt.get(live) ?? 0) + Math.max(result, 0));
  }

  /** Reading has passed over an urgent byte. */
  passedOver(live: number): void {
    this.readAt.set(live, (this.readAt.get(live) ?? 0) + 1);
  }

  /** Looks at what was read; returns what is wrong, or null. `bytes` null: they were not kept. */
  didRead(live: number, bytes: Uint8Array | null, length: number, peeked: boolean): string | null {
    const at = this.readAt.get(live) ?? 0;
    if (!peeked) this.readAt.set(live, at + length);
    const wrong = bytes === null ? null : patternBreak(at, bytes.subarray(0, length));
    return wrong === null ? null : `byte ${wrong} of the stream is not what was sent`;
  }
}
