import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TraceEvent } from '../../src/trace/events.ts';
import { ethertype } from './command.ts';

function jsonLines(text: string): Record<string, unknown>[] {
  return text
    .trim()
    .split('\n')
    .map(line => JSON.parse(line) as Record<string, unknown>);
}

test('ethertype sim --json prints a line a world and a last one', () => {
  const { status, out } = ethertype('sim', '--seeds', '3', '--seed', '7', '--json');
  assert.equal(status, 0);
  const lines = jsonLines(out);
  assert.deepEqual(
    lines.slice(0, 3).map(({ seed, ok }) => [seed, ok]),
    [
      [7, true],
      [8, true],
      [9, true],
    ],
  );
  for (const line of lines.slice(0, 3))
    assert.deepEqual(Object.keys(line), ['seed', 'hosts', 'connections', 'bytes', 'virtualSeconds', 'ok']);
  const { seconds, ...last } = lines[3] as Record<string, unknown>;
  assert.deepEqual(last, { worlds: 3, violations: 0, firstSeed: 7 });
  assert.ok(typeof seconds === 'number' && seconds > 0);
});

test('ethertype sim takes a fresh seed each time, and says which', () => {
  const firstSeeds = [1, 2].map(() => {
    const { status, out } = ethertype('sim', '--seeds', '1');
    assert.equal(status, 0, out);
    return /^1 world from seed (\d+) in .*: no violation$/m.exec(out)?.[1];
  });
  assert.notEqual(firstSeeds[0], undefined);
  assert.notEqual(firstSeeds[0], firstSeeds[1]);
});

test('ethertype sim --trace shows the plan and every event, the same each time', () => {
  const { status, out } = ethertype('sim', '--seed', '3', '--trace');
  assert.equal(status, 0);
  assert.match(out, /^World 3, .*\nHosts\n {2}\{"name":"h1"/);
  assert.match(out, /^ +0\.\d{6} {2}h\d+ +-> eth0 {2}ARP, Request who-has/m);
  assert.match(out, /: SYN_SENT -> ESTABLISHED \(receive SYN,ACK\)$/m);
  const events = ethertype('sim', '--seed', '3', '--trace', '--json').out;
  const [plan, ...rest] = jsonLines(events);
  assert.equal(plan?.['seed'], 3);
  assert.ok(rest.some(line => (line as unknown as TraceEvent).type === 'packet'));
  assert.equal(rest.at(-2)?.['ok'], true);
  const timeless = (text: string): string => text.replace(/"seconds":[\d.]+/, '');
  assert.equal(timeless(ethertype('sim', '--seed', '3', '--trace', '--json').out), timeless(events));
});

test('ethertype sim --trace without a seed, or with many, is a wrong command line', () => {
  for (const args of [
    ['--trace'],
    ['--trace', '--seed', '1', '--seeds', '2'],
    ['--seeds', '0'],
    ['--seed', '-1'],
  ]) {
    const { status, err } = ethertype('sim', ...args);
    assert.equal(status, 2, args.join(' '));
    assert.match(err, /^ethertype: [^\n]+\n$/);
  }
});
