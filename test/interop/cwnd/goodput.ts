/**
 * Goodput of the kernel and of a stack of ours over random losses, and the ratio.
 * @module
 */
import { travel, type Who } from './transfer.ts';

/** The longer the path, the more depends on chance: then more streams are measured, some of them at once. */
const PATHS = [
  { rttMs: 1, seconds: 8, seeds: 3, atOnce: 1 },
  { rttMs: 20, seconds: 15, seeds: 8, atOnce: 4 },
  { rttMs: 100, seconds: 20, seeds: 16, atOnce: 8 },
] as const;
const LOSSES = [0.001, 0.01, 0.05];
const RATE = 50e6;
const QUEUE = 1000;

/** Rows of a table, as they are measured: a line for each path and loss. */
export async function* goodputTable(): AsyncGenerator<string> {
  yield '| round trip | loss, each way | kernel, Mbit/s | ours, Mbit/s | ours / kernel |';
  yield '|---|---|---|---|---|';
  for (const path of PATHS) {
    for (const loss of LOSSES) {
      const [kernel, ours] = await goodputs(path, loss);
      const cells = [
        `${path.rttMs} ms`,
        `${loss * 100} %`,
        mbits(kernel),
        mbits(ours),
        (ours / kernel).toFixed(2),
      ];
      yield `| ${cells.join(' | ')} |`;
    }
  }
}

function mbits(rate: number): string {
  return (rate / 1e6).toPrecision(3);
}

/** Of the kernel and of ours, bits a second: the means over the seeds. */
async function goodputs(path: (typeof PATHS)[number], loss: number): Promise<[number, number]> {
  const phases = [{ seconds: path.seconds, rate: Number.POSITIVE_INFINITY }];
  const journey = { rttMs: path.rttMs, rate: RATE, queueLimit: QUEUE, faults: { loss }, phases };
  const sums: [number, number] = [0, 0];
  const measure = async (who: Who, index: 0 | 1, seed: number): Promise<void> => {
    const { goodput } = await travel(who, { ...journey, seed });
    sums[index] += goodput / path.seeds;
  };
  const seeds = Array.from({ length: path.seeds }, (_, index) => index + 1);
  const work = async (): Promise<void> => {
    for (let seed = seeds.shift(); seed !== undefined; seed = seeds.shift()) {
      await measure('kernel', 0, seed);
      await measure({}, 1, seed);
    }
  };
  await Promise.all(Array.from({ length: path.atOnce }, work));
  return sums;
}
