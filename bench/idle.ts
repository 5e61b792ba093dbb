import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Benchmark } from './benchmark.ts';
import { bulkOn } from './bulk.ts';
import { connectionsOn } from './connections.ts';
import { tripsOn } from './latency.ts';
import { Pair } from './pair.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** Established connections between the two hosts that do nothing. */
const IDLE = 100_000;

/** What a benchmark loses when most connections of the two hosts are idle: the reference is the same without them. */
function amongIdle(
  name: string,
  unit: string,
  measure: (pair: Pair, scale: number) => Promise<number>,
): Benchmark {
  const once = async (idle: number, scale: number): Promise<number> => {
    const pair = new Pair(1500);
    await pair.openIdle(idle);
    // What opening them left behind is not what they cost.
    collectGarbage();
    const value = await measure(pair, scale);
    pair.close();
    return value;
  };
  return {
    name,
    unit,
    referenceName: 'without idle connections',
    rounds: 3,
    ours: scale => once(Math.round(IDLE * scale), scale),
    reference: scale => once(0, scale),
  };
}

/** The benchmarks of streams, round trips and connections among 100,000 idle connections. */
export const idle: readonly Benchmark[] = [
  amongIdle('idle-bulk', 'MB/s', bulkOn),
  amongIdle('idle-rtt-64b', 'round trips/s', tripsOn),
  amongIdle('idle-connections', 'connections/s', connectionsOn),
];
