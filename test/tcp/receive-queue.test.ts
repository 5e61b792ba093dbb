import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { BlockPool } from '../../src/core/blocks.ts';
import { ReceiveQueue } from '../../src/tcp/receive/receive-queue.ts';
import { established, ISS_VALUES } from './harness.ts';

/** Each segment behind a gap is acknowledged by itself. */
const AT_ONCE = { tcp_comp_sack_nr: 0 };
const LENGTH = 9000;
const STREAM = Uint8Array.from({ length: LENGTH }, (_, i) => (i * 7 + (i >> 8) * 13) & 0xff);

function textOf(from: number, to: number): string {
  return String.fromCharCode(...STREAM.subarray(from, to));
}

const pieces = fc.array(fc.record({ from: fc.nat(LENGTH - 1), length: fc.integer({ min: 1, max: 1500 }) }), {
  minLength: 1,
  maxLength: 60,
});

for (const irs of ISS_VALUES) {
  describe(`receive queue, irs ${irs >>> 0}`, () => {
    it('gives the exact stream, whatever comes first, twice, or in other pieces', () => {
      fc.assert(
        fc.property(pieces, list => {
          const bench = established({ iss: 1, irs });
          let out = '';
          const arrived = new Uint8Array(LENGTH);
          for (const { from, length } of [...list, { from: 0, length: LENGTH }]) {
            const to = Math.min(from + length, LENGTH);
            bench.receive('.', { seq: 1 + from, text: textOf(from, to) });
            arrived.fill(1, from, to);
            out += bench.read();
            let inOrder = arrived.indexOf(0);
            if (inOrder < 0) inOrder = LENGTH;
            assert.equal(out.length, inOrder, 'as much as is in order');
          }
          assert.equal(out, textOf(0, LENGTH));
          assert.equal(bench.context.blocks.inUse, 0);
        }),
        { numRuns: 60 },
      );
    });

    it('reports in SACK blocks exactly what waits behind gaps, the newest first', () => {
      fc.assert(
        fc.property(pieces, list => {
          const bench = established({ iss: 1, irs, sysctl: AT_ONCE });
          const arrived = new Uint8Array(LENGTH + 1);
          for (const { from, length } of list) {
            const to = Math.min(from + length, LENGTH);
            const known = arrived.subarray(from, to).every(byte => byte === 1);
            const overlaps = arrived.subarray(from, to).some(byte => byte === 1);
            bench.receive('.', { seq: 1 + from, text: textOf(from, to) });
            arrived.fill(1, from, to);
            const [ack] = bench.takeSent().slice(-1);
            const inOrder = arrived.indexOf(0);
            if (inOrder >= from) continue;
            assert.ok(ack !== undefined, 'out of order: acknowledged at once');
            const [first, second] = ack.sack;
            const newest = overlaps ? second : first;
            assert.ok(newest !== undefined && newest[0] <= 1 + from && newest[1] >= 1 + to);
            if (known) assert.deepEqual(first, [1 + from, 1 + to], 'D-SACK');
            const blocks = overlaps ? ack.sack.slice(1) : ack.sack;
            for (const [left, right] of blocks) {
              assert.ok(arrived.subarray(left - 1, right - 1).every(byte => byte === 1));
              assert.equal(arrived[left - 2], 0, 'a range ends where a gap begins');
              assert.equal(arrived[right - 1], 0);
            }
          }
        }),
        { numRuns: 60 },
      );
    });
  });
}

describe('the limit on ranges', () => {
  it('refuses a range more, but still takes what extends one', () => {
    const queue = new ReceiveQueue(new BlockPool());
    const data = new Uint8Array(10);
    assert.equal(queue.insert(0, 20, data, 0, 10, 2, 50), 'kept');
    assert.equal(queue.insert(0, 60, data, 0, 10, 2, 50), 'kept');
    assert.equal(queue.insert(0, 40, data, 0, 10, 2, 50), 'full');
    assert.equal(queue.insert(0, 30, data, 0, 10, 2, 50), 'kept');
    assert.equal(queue.rangeCount, 2);
    assert.deepEqual(queue.sackRanges[0], { start: 20, end: 40 });
    assert.equal(queue.highest(0), 70);
  });

  it('is counted, and what was refused can come again', () => {
    const bench = established({ sysctl: { ethertype_ofo_ranges: 1 } });
    bench.receive('.', { seq: 11, text: 'b' });
    bench.receive('.', { seq: 21, text: 'c' });
    assert.equal(bench.host.mib.TcpExt.TCPOFODrop, 1);
    bench.receive('.', { seq: 1, text: '0123456789' });
    assert.equal(bench.read(), '0123456789b');
  });
});

describe('the order of SACK blocks (RFC 2018 section 4)', () => {
  it('is the order of arrival, newest first, at most four without timestamps and three with them', () => {
    for (const [timestamps, limit] of [
      [false, 4],
      [true, 3],
    ] as const) {
      const bench = established({ timestamps, sysctl: AT_ONCE });
      for (const seq of [11, 21, 31, 41, 51])
        bench.receive('.', { seq, text: 'x', ...(timestamps ? { tsVal: 1 } : {}) });
      const blocks = bench.takeSent().at(-1)?.sack ?? [];
      assert.deepEqual(
        blocks,
        [51, 41, 31, 21].slice(0, limit).map(left => [left, left + 1]),
      );
    }
  });
});
