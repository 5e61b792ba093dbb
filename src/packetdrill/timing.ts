import { seconds } from './format.ts';

/** How late or early something may be: the larger of a fixed time and a share of the time since the event before. */
export interface Tolerance {
  readonly us: number;
  readonly percent: number;
}

/** Packetdrill's: 4 ms, 12.5 % (the worst a timer of the kernel may be late by). */
export const DEFAULT_TOLERANCE: Tolerance = { us: 4_000, percent: 12.5 };

/** When something is expected, in microseconds since the script began. */
export interface Expected {
  /** 'any': whenever it comes. */
  readonly kind: 'absolute' | 'relative' | 'any';
  readonly atUs: number;
  /** The end of a range; null when there is none. */
  readonly latestUs: number | null;
  /** What relative times of this event count from. */
  readonly offsetUs: number;
}

/** The tolerance for something due at `atUs` when the event before was at `lastUs` (null: there was none). */
export function toleranceUs(tolerance: Tolerance, atUs: number, lastUs: number | null): number {
  if (lastUs === null) return tolerance.us;
  return Math.max(tolerance.us, Math.trunc((tolerance.percent / 100) * (atUs - lastUs)));
}

/** What is wrong with the time at which `what` happened, or null. */
export function timingError(
  what: string,
  expected: Expected,
  actualUs: number,
  lastUs: number | null,
  tolerance: Tolerance,
): string | null {
  const { kind, atUs, latestUs } = expected;
  if (kind === 'any') return null;
  const allowedUs = toleranceUs(tolerance, atUs, lastUs);
  if (actualUs >= atUs - allowedUs && actualUs <= (latestUs ?? atUs) + allowedUs) return null;
  const range =
    latestUs === null ? `at ${seconds(atUs)}` : `in time range ${seconds(atUs)}~${seconds(latestUs)}`;
  return (
    `timing error: expected ${what} ${range} sec but happened at ${seconds(actualUs)} sec; ` +
    `tolerance ${seconds(allowedUs)} sec`
  );
}
