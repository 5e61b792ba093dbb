import type { Benchmark } from './benchmark.ts';
import { bulkOn } from './bulk.ts';
import { connectionsOn } from './connections.ts';
import { tripsOn } from './latency.ts';
import { Pair, type PairOptions } from './pair.ts';

/** What a benchmark loses over IPv6: the reference is the same over IPv4. */
function overIpv6(
  name: string,
  unit: string,
  measure: (pair: Pair, scale: number) => Promise<number>,
  options: PairOptions = {},
): Benchmark {
  const once = async (ipv6: boolean, scale: number): Promise<number> => {
    const pair = new Pair(1500, { ...options, ipv6 });
    const value = await measure(pair, scale);
    pair.close();
    return value;
  };
  return {
    name,
    unit,
    referenceName: 'the same over IPv4',
    rounds: 5,
    ours: scale => once(true, scale),
    reference: scale => once(false, scale),
  };
}

/** Streams, round trips and connections over IPv6. */
export const ipv6: readonly Benchmark[] = [
  overIpv6('ipv6-bulk-mtu1500', 'MB/s', bulkOn),
  overIpv6('ipv6-bulk-gso', 'MB/s', bulkOn, { offloads: { checksum: true, gsoMaxSize: 65536 } }),
  overIpv6('ipv6-rtt-64b', 'round trips/s', tripsOn),
  overIpv6('ipv6-connections', 'connections/s', connectionsOn),
];
