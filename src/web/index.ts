/**
 * The entry point for browsers, workers and other runtimes with the web's globals:
 * `import { Stack, webEnv, World } from 'ethertype'`.
 * @module
 */
import { type WorldOptions, World as WorldWithoutRuntime } from '../sim/world.ts';
import { turn } from './turn.ts';

export * from '../index.ts';
export { webEnv } from './env.ts';
export { turn };

/** Hosts, cables and switches on one virtual clock, run from the event loop of a browser or a worker. */
export class World extends WorldWithoutRuntime {
  constructor(options: WorldOptions = {}) {
    super({ turn, ...options });
  }
}
