import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Bag } from '../../src/base/bag.ts';

test('holds what a Set would hold, whatever comes and goes', () => {
  fc.assert(
    fc.property(fc.array(fc.record({ add: fc.boolean(), id: fc.nat(9) }), { maxLength: 100 }), commands => {
      const items = Array.from({ length: 10 }, (_, id) => ({ id, bagIndex: -1 }));
      const bag = new Bag<{ id: number; bagIndex: number }>();
      const model = new Set<(typeof items)[number]>();
      for (const { add, id } of commands) {
        const item = items[id] as (typeof items)[number];
        if (!add) {
          assert.equal(bag.delete(item), model.delete(item));
        } else if (!model.has(item)) {
          bag.add(item);
          model.add(item);
        }
        assert.equal(bag.size, model.size);
        assert.deepEqual(new Set(bag), model);
      }
    }),
  );
});
