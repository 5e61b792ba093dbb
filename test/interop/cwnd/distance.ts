import type { Sample } from './program.ts';

/** Below it two windows count as the same: CUBICs with C or beta a little different are farther apart in 10 s. */
export const BOUND = 0.012;

/** At how many places two windows are compared. */
const PLACES = 2000;

/**
 * How far apart two windows are: the mean of |ln(a / b)| at the same times, or where the same bytes were acknowledged.
 * 0.01 is one per cent. A window holds until its next sample; what only one has is not compared.
 */
export function distance(a: readonly Sample[], b: readonly Sample[], by: 'at' | 'acked'): number {
  const end = Math.min(a.at(-1)?.[by] ?? 0, b.at(-1)?.[by] ?? 0);
  const [first, second] = [windows(a, by, end), windows(b, by, end)];
  return (
    first.reduce((sum, cwnd, place) => sum + Math.abs(Math.log(cwnd / (second[place] ?? 1))), 0) / PLACES
  );
}

function windows(samples: readonly Sample[], by: 'at' | 'acked', end: number): number[] {
  let next = 0;
  return Array.from({ length: PLACES }, (_, place) => {
    const to = (place * end) / PLACES;
    while ((samples[next + 1]?.[by] ?? Number.POSITIVE_INFINITY) <= to) next++;
    return samples[next]?.cwnd ?? 1;
  });
}
