import { INFINITE_LIFETIME } from '../wire/ndp-options.ts';

/** When something ends that was given so many seconds now, in microseconds; Infinity for never. */
export function lifetimeEndUs(nowUs: number, seconds: number): number {
  return seconds === INFINITE_LIFETIME ? Number.POSITIVE_INFINITY : nowUs + seconds * 1e6;
}
