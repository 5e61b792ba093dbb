import assert from 'node:assert/strict';
import { test } from 'node:test';
import { explore } from '../src/sim/explore/explore.ts';
import { SCENARIOS } from '../src/sim/explore/scenarios.ts';

test('every order of events to depth 8: at least 200,000 states, and all is well in each', t => {
  let states = 0;
  for (const scenario of SCENARIOS) {
    const result = explore(scenario, 8);
    t.diagnostic(`${scenario.name}: ${result.states} states, ${result.transitions} steps`);
    assert.deepEqual(result.violations, [], scenario.name);
    states += result.states;
  }
  assert.ok(states >= 200_000, `${states} states`);
});
