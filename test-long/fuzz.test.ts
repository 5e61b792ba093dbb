import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fuzz } from '../src/sim/fuzz/fuzz.ts';

test('a million mutated frames with a fresh seed', t => {
  const seed = Math.floor(Math.random() * 0x100000000);
  t.diagnostic(`seed ${seed}: npx ethertype fuzz --frames 1000000 --seed ${seed}`);
  const result = fuzz({ frames: 1_000_000, seed });
  assert.deepEqual(result.violations, [], `seed ${seed}`);
});
