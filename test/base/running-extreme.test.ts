import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { RunningExtreme } from '../../src/base/running-extreme.ts';

const WINDOW = 100;

describe('the extreme of a sliding window', () => {
  it('follows a new extreme at once', () => {
    const least = new RunningExtreme('least');
    least.reset(0, 50);
    assert.equal(least.add(WINDOW, 1, 40), 40);
    assert.equal(least.add(WINDOW, 2, 60), 40);
    const largest = new RunningExtreme('largest');
    largest.reset(0, 50);
    assert.equal(largest.add(WINDOW, 1, 40), 50);
    assert.equal(largest.add(WINDOW, 2, 60), 60);
    assert.equal(largest.value, 60);
  });

  it('forgets it when the window is over, for the best of later parts of the window', () => {
    const least = new RunningExtreme('least');
    least.reset(0, 10);
    for (let at = 1; at <= 100; at++) least.add(WINDOW, at, at < 60 ? 20 : 30);
    assert.equal(least.value, 10);
    assert.equal(least.add(WINDOW, 101, 30), 20);
    for (let at = 102; at < 250; at++) least.add(WINDOW, at, 30);
    assert.equal(least.value, 30);
  });

  it('forgets everything after a silence of a window', () => {
    const least = new RunningExtreme('least');
    least.reset(0, 10);
    assert.equal(least.add(WINDOW, 101, 500), 500);
  });

  it('is never better than what the window holds, and never worse than its last sample', () => {
    const samples = fc.array(fc.tuple(fc.nat(40), fc.integer({ min: 1, max: 1000 })), { maxLength: 200 });
    fc.assert(
      fc.property(samples, steps => {
        const least = new RunningExtreme('least');
        const seen: { at: number; value: number }[] = [];
        let at = 0;
        for (const [step, value] of steps) {
          at += step;
          if (seen.length === 0) least.reset(at, value);
          else least.add(WINDOW, at, value);
          seen.push({ at, value });
          const inWindow = seen.filter(sample => at - sample.at <= WINDOW).map(sample => sample.value);
          assert.ok(inWindow.includes(least.value), 'one of the window');
          assert.ok(least.value <= value);
        }
      }),
    );
  });
});
