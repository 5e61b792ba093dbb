import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createCable } from '../../src/link/cable.ts';
import { Loopback } from '../../src/link/loopback.ts';
import { LearningSwitch, type SwitchOptions } from '../../src/link/switch.ts';
import { TraceLog } from '../../src/trace/sink.ts';
import { Bench, BROADCAST, RecordingPort, range } from './fixture.ts';

/** A switch with `count` hosts; host n has MAC ...:n, counted from 1. */
function setup(count: number, options: SwitchOptions = {}) {
  const bench = new Bench();
  const lan = new LearningSwitch(bench.env, options);
  const links = range(count).map(() => lan.port());
  const ports = links.map(link => new RecordingPort(bench.env, link));
  const send = (from: number, to: number, tag: number, length = 64): void => {
    links[from - 1]?.send(bench.frame(tag, length, to, from));
    bench.clock.runFor(1000);
  };
  const seen = (): number[][] => ports.map(port => port.tags.splice(0));
  return { bench, lan, links, ports, send, seen, ...bench };
}

test('floods what it does not know, then sends only where the address is', () => {
  const { send, seen, lan, pool } = setup(4);
  send(1, 2, 10);
  assert.deepEqual(seen(), [[], [10], [10], [10]]);
  send(2, 1, 11);
  assert.deepEqual(seen(), [[11], [], [], []]);
  send(1, 2, 12);
  assert.deepEqual(seen(), [[], [12], [], []]);
  assert.deepEqual([lan.table.size, pool.inUse], [2, 0]);
  assert.deepEqual(lan.counters, { forwarded: 2, flooded: 1, filtered: 0, dropped: 0 });
});

test('floods broadcast and multicast, whole, and never learns a group address', () => {
  const { send, seen, ports, lan, bench, links, clock } = setup(3);
  send(1, BROADCAST, 20);
  assert.deepEqual(seen(), [[], [20], [20]]);
  assert.equal(ports[1]?.hex[0], ports[2]?.hex[0]);
  assert.equal(ports[1]?.hex[0]?.slice(0, 36), 'ffffffffffff020000000001080000000014');
  const multicast = bench.frame(21, 64, 5, 1);
  multicast.view.setUint16(multicast.start, 0x0100);
  multicast.view.setUint16(multicast.start + 6, 0x0300);
  links[0]?.send(multicast);
  clock.runFor(1000);
  assert.deepEqual(seen(), [[], [21], [21]]);
  assert.equal(lan.table.size, 1);
});

test('a frame for where it came from goes nowhere', () => {
  const { links, bench, clock, lan, seen, pool } = setup(3);
  links[0]?.send(bench.frame(1, 64, BROADCAST, 1));
  clock.runFor(10);
  seen();
  links[0]?.send(bench.frame(2, 64, 1, 9));
  clock.runFor(10);
  assert.deepEqual([seen(), lan.counters.filtered, pool.inUse], [[[], [], []], 1, 0]);
});

test('an address that turns up at another port is learned anew', () => {
  const { send, seen, links, bench, clock } = setup(3);
  send(1, BROADCAST, 1);
  links[2]?.send(bench.frame(2, 64, BROADCAST, 1));
  clock.runFor(1000);
  seen();
  send(2, 1, 3);
  assert.deepEqual(seen(), [[], [], [3]]);
});

test('addresses are forgotten after 300 s of silence', () => {
  const { send, seen, clock } = setup(3);
  send(1, BROADCAST, 1);
  clock.runFor(299e6);
  seen();
  send(2, 1, 2);
  assert.deepEqual(seen(), [[2], [], []]);
  clock.runFor(2e6);
  send(2, 1, 3);
  assert.deepEqual(seen(), [[3], [], [3]]);
});

test('a frame from an address keeps it known', () => {
  const { send, seen, clock } = setup(3);
  for (let i = 0; i < 3; i++) {
    send(1, BROADCAST, 1);
    clock.runFor(200e6);
  }
  seen();
  send(2, 1, 2);
  assert.deepEqual(seen(), [[2], [], []]);
});

test('a full table floods instead of growing, and takes new addresses once old ones have aged', () => {
  const { lan, links, bench, clock, seen } = setup(3, { entries: 50 });
  for (const n of range(500)) {
    links[0]?.send(bench.frame(n, 64, BROADCAST, 100 + n));
    clock.runFor(10);
  }
  assert.equal(lan.table.size, 50);
  seen();
  links[1]?.send(bench.frame(1, 64, 100, 2));
  links[1]?.send(bench.frame(2, 64, 400, 2));
  clock.runFor(10);
  assert.deepEqual(seen(), [[1, 2], [], [2]]);
  clock.runFor(301e6);
  links[1]?.send(bench.frame(3, 64, BROADCAST, 2));
  clock.runFor(10);
  assert.equal(lan.table.size, 1);
});

test('802.1Q tags pass untouched; frames for the switch itself and fragments of a header do not pass', () => {
  const { links, bench, clock, ports, seen, lan, pool } = setup(2);
  const tagged = bench.frame(7, 64, BROADCAST, 1);
  tagged.view.setUint32(tagged.start + 12, 0x8100_6005);
  links[0]?.send(tagged);
  clock.runFor(10);
  assert.equal(ports[1]?.hex[0]?.slice(24, 32), '81006005');
  seen();
  const stp = bench.frame(8, 64, 2, 1);
  stp.view.setUint16(stp.start, 0x0180);
  stp.view.setUint32(stp.start + 2, 0xc200000e);
  links[0]?.send(stp);
  links[0]?.send(bench.frame(9, 13));
  clock.runFor(10);
  assert.deepEqual([seen(), lan.counters.dropped, pool.inUse], [[[], []], 2, 0]);
});

test('a port that cannot keep up loses frames; the others do not wait for it', () => {
  const trace = new TraceLog();
  const bench = new Bench();
  const lan = new LearningSwitch(bench.env, { name: 'sw', trace });
  const a = lan.port();
  new RecordingPort(bench.env, a);
  const slow = new RecordingPort(bench.env, lan.port({ back: { rate: 1e6, queueLimit: 5 } }));
  const fast = new RecordingPort(bench.env, lan.port());
  for (const n of range(20)) a.send(bench.frame(n, 64, BROADCAST));
  bench.clock.runFor(1e6);
  assert.deepEqual([slow.tags, fast.tags], [range(5), range(20)]);
  assert.equal(lan.counters.dropped, 15);
  assert.deepEqual(trace.events[0], { type: 'fault', atUs: 0, host: 'sw', fault: 'queue-full', length: 64 });
  assert.equal(bench.pool.inUse, 0);
});

test('a pulled cable makes the switch forget; a closed one frees the port', () => {
  const { lan, links, send, seen, clock } = setup(3);
  send(1, BROADCAST, 1);
  send(2, BROADCAST, 2);
  links[0]?.cable.pull();
  clock.runFor(10);
  assert.deepEqual([lan.table.size, lan.portCount], [1, 3]);
  links[1]?.close();
  clock.runFor(10);
  assert.deepEqual([lan.table.size, lan.portCount], [0, 2]);
  links[0]?.cable.plug();
  seen();
  send(3, 1, 5);
  assert.deepEqual(seen(), [[5], [], []]);
});

test('switches can be cabled to each other', () => {
  const { bench, lan, send, seen } = setup(2);
  const other = new LearningSwitch(bench.env);
  const [x, y] = createCable(bench.env);
  lan.attach(x);
  other.attach(y);
  const far = new RecordingPort(bench.env, other.port());
  send(1, 9, 1);
  assert.deepEqual([far.tags, seen()], [[1], [[], [1]]]);
  assert.equal(other.table.size, 1);
});

test('a link that does not fit is refused; close gives everything back', () => {
  const { bench, lan, links, pool, clock, ports } = setup(2);
  assert.throws(() => lan.attach(new Loopback()), RangeError);
  links[0]?.send(bench.frame(1));
  lan.close();
  clock.runFor(10);
  assert.deepEqual([pool.inUse, lan.portCount, ports[0]?.carriers], [0, 0, [false]]);
});
