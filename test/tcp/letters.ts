/**
 * Full segments in flight that are named by the letter they are filled with: 'a' is the first.
 * @module
 */
import { type Bench, type BenchOptions, established, MS, MSS, segments } from './harness.ts';

/** `count` full segments in flight; letters name them: 'a' is the first. */
export function inFlight(count: number, options: BenchOptions = {}): Bench {
  const bench = established({ ...options, settings: { noDelay: true } });
  bench.write(segments(count));
  bench.advance(10 * MS);
  bench.take();
  return bench;
}

/** The segments sent, by the letter that fills them. */
export function letters(bench: Bench): string {
  return bench
    .takeSent()
    .map(({ text }) => text[0] ?? '.')
    .join('');
}

/** Sequence numbers of the segments from letter to letter. */
export function block(from: string, to = from): readonly [number, number] {
  const index = (letter: string): number => letter.charCodeAt(0) - 97;
  return [1 + index(from) * MSS, 1 + (index(to) + 1) * MSS];
}

/** The acknowledgement that asks for the segment `letter`. */
export function ackFor(letter: string): number {
  return block(letter)[0];
}

/** The runs of letters as SACK blocks. */
export function ranges(list: readonly string[]): (readonly [number, number])[] {
  const out: (readonly [number, number])[] = [];
  for (const letter of list) {
    const [left, right] = block(letter);
    const last = out.at(-1);
    if (last?.[1] === left) out[out.length - 1] = [last[0], right];
    else out.push([left, right]);
  }
  return out.reverse().slice(0, 4);
}
