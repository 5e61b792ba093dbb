import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nearest } from '../../src/cli/scene/nearest.ts';
import { SCENES } from '../../src/scenes/index.ts';
import type { TraceEvent } from '../../src/trace/events.ts';
import { ethertype } from './command.ts';

test('without a name the scenes are listed, a line each', () => {
  const ran = ethertype('scene');
  assert.equal(ran.status, 0);
  for (const { name } of SCENES) assert.match(ran.out, new RegExp(`^  ${name} +\\S`, 'm'));
  assert.equal(ran.out.split('\n').length, SCENES.length + 3);
  for (const line of ran.out.split('\n')) assert.ok(line.length <= 100, line);
});

test('a scene says what to look at, shows the events with marks, and says what was seen', () => {
  const { status, out, err } = ethertype('scene', 'simultaneous-close');
  assert.equal(status, 0);
  assert.equal(err, '');
  assert.match(out, /^simultaneous-close: both ends/);
  assert.match(out, /^\*1\.010000 +FIN_WAIT_1 -> CLOSING \(receive FIN\)\n +\^ The other's FIN/m);
  assert.match(out, /^Seen: Anna went FIN_WAIT_1, CLOSING, TIME_WAIT/m);
  assert.ok(out.indexOf('Both programs close') < out.indexOf('time (s)'));
});

test('--ipv6 plays it over IPv6, or what is played over IPv6 instead', () => {
  const { status, out, err } = ethertype('scene', 'arp', '--ipv6');
  assert.equal(status, 0);
  assert.equal(err, '');
  assert.match(out, /^ time \(s\) +client fd00::1 +server fd00::2$/m);
  assert.match(out, /ICMP6, neighbor solicitation, who has fd00::99/);
  assert.match(out, /connect\(4, \[fd00::99\]:80\) = -1 EHOSTUNREACH/);
  assert.doesNotMatch(out, /10\.0\.0\.|\bARP\b/);
  assert.match(ethertype('scene', 'fragmentation', '-6').out, /^fragmentation: only the sender cuts IPv6/);
});

test('slow-start has a plot', () => {
  const { out } = ethertype('scene', 'slow-start');
  assert.match(out, /^Congestion window of the client\n\n +\d+ KB \|.*#/m);
});

test('--json prints the events and nothing else', () => {
  const { status, out } = ethertype('scene', 'arp', '--json', '--seed', '7');
  assert.equal(status, 0);
  const events = out
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line) as TraceEvent);
  assert.ok(events.some(event => event.type === 'neighbor' && event.to === 'FAILED'));
  assert.equal(out, ethertype('scene', 'arp', '--json', '--seed', '7').out);
  assert.notEqual(out, ethertype('scene', 'arp', '--json', '--seed', '8').out);
});

test('an unknown scene ends with 2 and one line with the nearest names', () => {
  const { status, out, err } = ethertype('scene', 'zero-windwo');
  assert.equal(status, 2);
  assert.equal(out, '');
  assert.equal(err, "ethertype: unknown scene 'zero-windwo': did you mean zero-window?\n");
  assert.match(ethertype('scene', 'xyzzy').err, /^ethertype: unknown scene 'xyzzy': [^\n]+ lists them\n$/);
});

test('other wrong command lines', () => {
  for (const args of [['--nope'], ['arp', 'extra'], ['arp', '--seed', 'x'], ['--json'], ['--ipv6']]) {
    const { status, out, err } = ethertype('scene', ...args);
    assert.equal(status, 2, args.join(' '));
    assert.equal(out, '');
    assert.match(err, /^ethertype: [^\n]+\n$/);
  }
});

test('the nearest names: few letters wrong, or contained in it', () => {
  const names = ['arp', 'zero-window', 'slow-start', 'simultaneous-open', 'simultaneous-close'];
  assert.deepEqual(nearest('apr', names), ['arp']);
  assert.deepEqual(nearest('Slow', names), ['slow-start']);
  assert.deepEqual(nearest('simultaneous', names), ['simultaneous-open', 'simultaneous-close']);
  assert.deepEqual(nearest('qqqqqqqqq', names), []);
  assert.deepEqual(nearest('', names), []);
});
