/**
 * What two windows are compared over. Losses are bytes of the stream, so that both senders lose the same.
 * @module
 */
import { Rng } from '../../../src/base/rng.ts';
import type { Journey } from './journey.ts';

/** A journey with a name. */
export interface Scenario extends Journey {
  /** Of its picture: cubic-<name>.svg. */
  readonly name: string;
  readonly title: string;
}

/** Payload of a segment over an MTU of 1500 with timestamps. */
const MSS = 1448;
const FULL = Number.POSITIVE_INFINITY;
const LONG = { rttMs: 100, rate: 8e6, queueLimit: 1000 };
const SHORT = { rttMs: 40, rate: 20e6, queueLimit: 1000 };

/** Loses these segments, as if each were full. */
function segments(...numbers: readonly number[]): number[] {
  return numbers.map(number => number * MSS + MSS / 2);
}

/** Loses each segment with this probability, but for the first ones. */
function byLot(loss: number, seed: number): number[] {
  const rng = new Rng(seed);
  const lost = Array.from({ length: 100_000 }, (_, number) => number).filter(() => rng.chance(loss));
  return segments(...lost.filter(number => number >= 10));
}

function full(seconds: number): Journey['phases'] {
  return [{ seconds, rate: FULL }];
}

/** In the order of the docs. */
export const SCENARIOS: readonly Scenario[] = [
  {
    ...LONG,
    name: 'loss',
    title: 'HyStart, three losses; 100 ms, 8 Mbit/s',
    positions: segments(2000, 11_500, 12_500),
    phases: full(24),
  },
  {
    ...SHORT,
    name: 'loss-0.1',
    title: '0.1 % of the segments lost; 40 ms, 20 Mbit/s',
    positions: byLot(0.001, 7),
    phases: full(20),
  },
  {
    ...SHORT,
    name: 'loss-1',
    title: '1 % of the segments lost; 40 ms, 20 Mbit/s',
    positions: byLot(0.01, 7),
    phases: full(20),
  },
  {
    ...SHORT,
    rttMs: 20,
    name: 'short',
    title: "A short path, on which Reno's share counts; 20 ms, 20 Mbit/s",
    positions: segments(14, 2500, 7000),
    phases: full(8),
  },
  {
    ...LONG,
    name: 'undo',
    title: 'A loss, then a needless time-out and its undo (F-RTO); 100 ms, 8 Mbit/s',
    positions: segments(100),
    stall: { from: 3, to: 3.05, ms: 900 },
    phases: full(9),
  },
  {
    ...LONG,
    name: 'idle',
    title: 'Nothing to send from 4 to 7 s, little from 10 to 14 s; 100 ms, 8 Mbit/s',
    positions: segments(100),
    phases: [
      { seconds: 4, rate: FULL },
      { seconds: 3, rate: 0 },
      { seconds: 3, rate: FULL },
      { seconds: 4, rate: 1e6 },
      { seconds: 3, rate: FULL },
    ],
  },
  {
    ...LONG,
    name: 'ecn',
    title: 'No loss: the bottleneck marks when 60 packets wait; 100 ms, 8 Mbit/s',
    markAt: 60,
    phases: full(24),
  },
];

/** How long it takes, in seconds. */
export function secondsOf({ phases }: Journey): number {
  return phases.reduce((sum, { seconds }) => sum + seconds, 0);
}
