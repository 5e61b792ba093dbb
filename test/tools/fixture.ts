import { turn } from '../../src/node/turn.ts';
import type { Connection } from '../../src/sim/world.ts';
import { World } from '../../src/sim/world.ts';
import type { Stack } from '../../src/stack/stack.ts';
import { ip } from '../udp/fixture.ts';

/** Everything that an async iteration yields. */
export async function collect<T>(source: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of source) items.push(item);
  return items;
}

/** Two hosts, 10.0.0.1 and 10.0.0.2, on a cable of 100 us. */
export function twoStacks(): { world: World; a: Stack; b: Stack; cable: Connection } {
  const world = new World({ seed: 1, turn });
  const [a, b] = [world.host('a'), world.host('b')];
  const cable = world.connect(a, b, { delayUs: 100 });
  return { world, a, b, cable };
}

/** a 10.0.1.1 -- r1 10.0.1.254, 10.0.2.1 -- r2 10.0.2.2, 10.0.3.254 -- b 10.0.3.1; a cable takes 500 us. */
export function path(mtu = 1500): { world: World; a: Stack; r1: Stack; r2: Stack; b: Stack } {
  const world = new World({ seed: 1, turn });
  const a = world.host('a', { address: '10.0.1.1/24' });
  const r1 = world.host('r1', { sysctl: { ip_forward: true } });
  const r2 = world.host('r2', { sysctl: { ip_forward: true } });
  const b = world.host('b', { address: '10.0.3.1/24' });
  world.connect(a, r1, { addresses: [undefined, '10.0.1.254/24'], delayUs: 500 });
  world.connect(r1, r2, { addresses: ['10.0.2.1/24', '10.0.2.2/24'], delayUs: 500, mtu });
  world.connect(r2, b, { addresses: ['10.0.3.254/24', undefined], delayUs: 500 });
  a.ip.routes.addDefault(ip('10.0.1.254'));
  r1.ip.routes.addDefault(ip('10.0.2.2'));
  r2.ip.routes.add({ destination: ip('10.0.1.0'), prefixLength: 24, gateway: ip('10.0.2.1') });
  b.ip.routes.addDefault(ip('10.0.3.254'));
  return { world, a, r1, r2, b };
}
