import assert from 'node:assert/strict';
import { drawPlan } from '../../src/sim/draw-plan.ts';
import { createWorkshop, runWorld, type WorldResult } from '../../src/sim/run-world.ts';

/** Plays the worlds of `count` seeds from `firstSeed` on; fails with all that went wrong and how to see it again. */
export function playWorlds(firstSeed: number, count: number): WorldResult[] {
  const workshop = createWorkshop();
  const results = Array.from({ length: count }, (_, i) =>
    runWorld(drawPlan((firstSeed + i) >>> 0), workshop),
  );
  const wrong = results
    .filter(result => !result.ok)
    .map(({ seed, violation }) => `${violation}\n  npx ethertype sim --seed ${seed} --trace`);
  assert.deepEqual(wrong, [], wrong.join('\n'));
  return results;
}
