import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { pickEphemeralPort } from '../../src/core/ports.ts';

describe('pickEphemeralPort', () => {
  it('finds a free port of the range whenever there is one, from any start', () => {
    const ports = fc.integer({ min: 1024, max: 1100 });
    fc.assert(
      fc.property(ports, fc.nat(40), fc.integer(), fc.array(ports), (low, size, start, taken) => {
        const high = low + size;
        const free = (port: number): boolean => !taken.includes(port);
        const picked = pickEphemeralPort([low, high], start, free);
        const all = Array.from({ length: size + 1 }, (_, i) => low + i);
        assert.equal(picked !== 0, all.some(free));
        if (picked !== 0) assert.ok(picked >= low && picked <= high && free(picked));
      }),
    );
  });

  it('begins where the start says and goes round', () => {
    const order: number[] = [];
    pickEphemeralPort([10, 13], 2, port => {
      order.push(port);
      return false;
    });
    assert.deepEqual(order, [12, 13, 10, 11]);
    assert.equal(
      pickEphemeralPort([5, 4], 0, () => true),
      0,
    );
  });
});
