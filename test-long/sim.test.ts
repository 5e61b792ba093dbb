/** Five hundred worlds of fresh seeds: each run plays others. A failure names the seed. */
import { randomInt } from 'node:crypto';
import { test } from 'node:test';
import { playWorlds } from '../test/sim/seeded-worlds.ts';

test('500 seeded worlds keep every invariant', () => {
  playWorlds(randomInt(0xffffffff), 500);
});
