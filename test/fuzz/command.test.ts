import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ethertype } from '../cli/command.ts';

test('ethertype fuzz --json prints one line with the figures', () => {
  const { status, out, err } = ethertype('fuzz', '--frames', '3000', '--seed', '7', '--json');
  assert.equal(err, '');
  assert.equal(status, 0);
  const lines = out.split('\n');
  assert.deepEqual([lines.length, lines[1]], [2, '']);
  const { seconds, heapGrowth, conversations, ...rest } = JSON.parse(lines[0] ?? '');
  assert.ok(seconds > 0 && typeof heapGrowth === 'number' && conversations > 0);
  assert.deepEqual(rest, {
    frames: 3000,
    exceptions: 0,
    harmed: 0,
    growths: 0,
    contradictions: 0,
    seed: 7,
    violations: [],
  });
});

test('ethertype fuzz prints a summary with the seed, a new one each time', () => {
  const seeds = [1, 2].map(() => {
    const { status, out } = ethertype('fuzz', '--frames', '500');
    assert.equal(status, 0);
    assert.match(out, /^500 frames in .* s \(.*\/s\), seed \d+\nexceptions: 0\n/);
    return /seed (\d+)/.exec(out)?.[1];
  });
  assert.notEqual(seeds[0], seeds[1]);
});

test('wrong numbers are refused', () => {
  for (const args of [
    ['--frames', '0'],
    ['--frames', 'x'],
    ['--seed', '4294967296'],
  ]) {
    const { status, err } = ethertype('fuzz', ...args);
    assert.equal(status, 2);
    assert.match(err, /Not a number from/);
  }
});
