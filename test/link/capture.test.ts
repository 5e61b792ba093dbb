import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CHECKSUM_NONE, CHECKSUM_PARTIAL, CHECKSUM_VERIFIED } from '../../src/core/packet.ts';
import { createCable } from '../../src/link/cable.ts';
import { capture } from '../../src/link/capture.ts';
import { LOOPBACK_MTU, Loopback } from '../../src/link/loopback.ts';
import { Bench, RecordingPort, range } from './fixture.ts';

function setup(queueLimit: number) {
  const bench = new Bench();
  const [inner, b] = createCable(bench.env, { rate: 1e6, queueLimit });
  const seen: string[] = [];
  const a = capture(inner, (packet, direction) => {
    seen.push(`${direction} ${packet.view.getUint32(packet.start + 14)}`);
  });
  return {
    bench,
    a,
    b,
    seen,
    portA: new RecordingPort(bench.env, a),
    portB: new RecordingPort(bench.env, b),
  };
}

test('a capture shows each frame once, in both directions, even when the link refuses at first', () => {
  const { bench, a, b, seen, portA, portB } = setup(3);
  bench.pump(a, portA, 30);
  bench.pump(b, portB, 5);
  bench.clock.runUntilIdle();
  assert.deepEqual([portB.tags, portA.tags], [range(30), range(5)]);
  assert.deepEqual(
    seen.filter(line => line.startsWith('out')),
    range(30).map(n => `out ${n}`),
  );
  assert.deepEqual(
    seen.filter(line => line.startsWith('in')),
    range(5).map(n => `in ${n}`),
  );
  assert.equal(bench.pool.inUse, 0);
});

test('a capture is otherwise its link', () => {
  const { bench, a, b, portA } = setup(1);
  assert.deepEqual([a.mtu, a.medium, a.offloads], [b.mtu, b.medium, b.offloads]);
  bench.pump(a, portA, 3);
  a.close();
  a.send(bench.frame(9));
  b.close();
  assert.deepEqual([bench.pool.inUse, bench.clock.armed], [0, 0]);
});

test('loopback gives frames to its own port and computes no checksum', () => {
  const bench = new Bench();
  const lo = new Loopback();
  const port = new RecordingPort(bench.env, lo);
  for (const state of [CHECKSUM_PARTIAL, CHECKSUM_NONE] as const) {
    const packet = bench.frame(5);
    packet.checksumState = state;
    assert.equal(lo.send(packet), true);
  }
  assert.deepEqual(
    [port.tags, port.states],
    [
      [5, 5],
      [CHECKSUM_VERIFIED, CHECKSUM_NONE],
    ],
  );
  assert.equal(LOOPBACK_MTU, 65536);
  lo.close();
  lo.send(bench.frame(6));
  assert.equal(bench.pool.inUse, 0);
});
