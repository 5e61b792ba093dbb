import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  Flight,
  newTxSegment,
  TX_EVER_RETRANS,
  TX_FIN,
  TX_LOST,
  TX_PUSH,
  TX_RETRANS,
  TX_SACKED,
  TX_SKB_END,
  type TxSegment,
} from '../../src/tcp/flight.ts';
import { ISS_VALUES } from './harness.ts';

const MARKS = [TX_SACKED, TX_LOST, TX_RETRANS, TX_EVER_RETRANS, TX_LOST | TX_RETRANS];

function all(flight: Flight): TxSegment[] {
  return Array.from({ length: flight.packetsOut }, (_, index) => flight.at(index) as TxSegment);
}

function recount(flight: Flight, mark: number): number {
  return all(flight).filter(segment => (segment.marks & mark) !== 0).length;
}

const command = fc.record({
  what: fc.constantFrom('push', 'shift', 'mark', 'unmark', 'split'),
  index: fc.nat(20),
  mark: fc.constantFrom(...MARKS),
  length: fc.integer({ min: 2, max: 50 }),
});

for (const iss of ISS_VALUES) {
  describe(`flight, iss ${iss >>> 0}`, () => {
    it('counts what a recount over the marks would count', () => {
      fc.assert(
        fc.property(fc.array(command, { maxLength: 60 }), commands => {
          const flight = new Flight();
          let next = iss;
          for (const { what, index, mark, length } of commands) {
            const segment = flight.at(index);
            if (what === 'push') {
              const end = (next + length) | 0;
              flight.push(newTxSegment(next, end, 0, 0));
              next = end;
            } else if (what === 'shift') flight.shift();
            else if (segment === undefined) continue;
            else if (what === 'mark') flight.mark(segment, mark);
            else if (what === 'unmark') flight.unmark(segment, mark);
            else if (((segment.end - segment.seq) | 0) > 1) flight.split(index, (segment.seq + 1) | 0);
            assert.equal(flight.sackedOut, recount(flight, TX_SACKED));
            assert.equal(flight.lostOut, recount(flight, TX_LOST));
            assert.equal(flight.retransOut, recount(flight, TX_RETRANS));
            const bounds = all(flight).flatMap(({ seq, end }) => [seq, end]);
            for (let i = 1; i + 1 < bounds.length; i += 2) assert.equal(bounds[i], bounds[i + 1], 'no hole');
          }
        }),
      );
    });

    it('finds the first segment that ends after a sequence number', () => {
      const flight = new Flight();
      for (let i = 0; i < 8; i++) {
        const seq = (iss + 10 * i) | 0;
        flight.push(newTxSegment(seq, (seq + 10) | 0, 0, 0));
      }
      for (let offset = 0; offset <= 80; offset++)
        assert.equal(flight.indexAfter((iss + offset) | 0), Math.floor(offset / 10));
    });
  });
}

describe('a segment cut in two', () => {
  it('keeps its marks on both sides, and its FIN at the end', () => {
    const flight = new Flight();
    const segment = { ...newTxSegment(0, 21, 5, TX_FIN | TX_SKB_END), attempts: 1 };
    flight.push(segment);
    flight.mark(segment, TX_LOST);
    flight.split(0, 10);
    assert.deepEqual(all(flight), [
      { ...newTxSegment(0, 10, 5, TX_LOST | TX_SKB_END), attempts: 1 },
      { ...newTxSegment(10, 21, 5, TX_LOST | TX_FIN | TX_SKB_END), attempts: 1 },
    ]);
    assert.equal(flight.lostOut, 2);
    assert.equal(flight.skbs, 2);
  });

  it('is put together again with what belongs to its last byte', () => {
    const flight = new Flight();
    for (const [seq, marks] of [
      [0, TX_LOST],
      [10, TX_LOST | TX_EVER_RETRANS | TX_FIN | TX_PUSH],
    ] as const) {
      const segment = newTxSegment(seq, seq + 10, 5, TX_SKB_END);
      flight.push(segment);
      flight.mark(segment, marks);
    }
    flight.join(0);
    const marks = TX_LOST | TX_EVER_RETRANS | TX_FIN | TX_PUSH | TX_SKB_END;
    assert.deepEqual(all(flight), [newTxSegment(0, 20, 5, marks)]);
    assert.deepEqual([flight.packetsOut, flight.lostOut, flight.skbs], [1, 1, 1]);
  });
});
