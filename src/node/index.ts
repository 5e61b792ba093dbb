/**
 * The entry point for Node: `import { nodeEnv, Stack, World } from 'ethertype'`.
 * @module
 */
import { type WorldOptions, World as WorldWithoutRuntime } from '../sim/world.ts';
import { turn } from './turn.ts';

export * from '../index.ts';
export { createDatagramLink, type DatagramLinkOptions } from './datagram.ts';
export { createDuplexLink } from './duplex.ts';
export { nodeEnv } from './env.ts';
export { FolderFiles, type FolderOptions } from './files.ts';
export { turn };

/**
 * Hosts, cables and switches on one virtual clock, run from Node's event loop. The same seed and the same calls give
 * the same trace, byte for byte, as fast as the machine can.
 * @example
 * const world = new World({ seed: 1 });
 * const a = world.host('a'); // 10.0.0.1
 * const b = world.host('b'); // 10.0.0.2
 * world.connect(a, b, { loss: 0.1, delayUs: 10_000 });
 * await world.run(talk(a, b));
 * world.close();
 */
export class World extends WorldWithoutRuntime {
  constructor(options: WorldOptions = {}) {
    super({ turn, ...options });
  }
}
