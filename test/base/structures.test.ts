import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type HeapNode, TimerHeap } from '../../src/base/heap.ts';
import { Ring } from '../../src/base/ring.ts';

const ringCommand = fc.record({
  what: fc.constantFrom('push', 'push', 'shift', 'insert', 'remove', 'set', 'clear'),
  index: fc.nat(20),
});

describe('Ring', () => {
  it('behaves as an array, whatever is done to it', () => {
    fc.assert(
      fc.property(fc.array(ringCommand, { maxLength: 200 }), commands => {
        const ring = new Ring<number>();
        let model: number[] = [];
        for (const [value, { what, index }] of commands.entries()) {
          if (what === 'push') {
            ring.push(value);
            model.push(value);
          } else if (what === 'shift') assert.equal(ring.shift(), model.shift());
          else if (what === 'insert') {
            const at = Math.min(index, model.length);
            ring.insert(at, value);
            model.splice(at, 0, value);
          } else if (what === 'remove') assert.equal(ring.remove(index), model.splice(index, 1)[0]);
          else if (what === 'set' && index < model.length) {
            ring.set(index, value);
            model[index] = value;
          } else if (what === 'clear' && index === 0) {
            ring.clear();
            model = [];
          }
          assert.equal(ring.length, model.length);
          for (let i = -1; i <= model.length; i++) assert.equal(ring.at(i), model[i]);
        }
      }),
    );
  });
});

interface Node extends HeapNode {
  id: number;
}

const heapCommand = fc.record({
  what: fc.constantFrom('set', 'set', 'set', 'delete', 'pop'),
  id: fc.nat(15),
  dueUs: fc.nat(10),
});

describe('TimerHeap', () => {
  it('gives the earliest first, equal ones in arming order, after any moves and removals', () => {
    fc.assert(
      fc.property(fc.array(heapCommand, { maxLength: 200 }), commands => {
        const heap = new TimerHeap<Node>();
        const nodes = Array.from({ length: 16 }, (_, id): Node => ({ id, heapIndex: -1 }));
        let model: { id: number; dueUs: number; armed: number }[] = [];
        const earliest = () => [...model].sort((a, b) => a.dueUs - b.dueUs || a.armed - b.armed)[0];
        for (const [armed, { what, id, dueUs }] of commands.entries()) {
          const node = nodes[id] as Node;
          if (what === 'pop') {
            const due = earliest();
            const expected = due !== undefined && due.dueUs <= dueUs ? due.id : undefined;
            assert.equal(heap.popDue(dueUs)?.id, expected);
            model = model.filter(entry => entry.id !== expected);
          } else {
            model = model.filter(entry => entry.id !== id);
            if (what === 'set') {
              heap.set(node, dueUs);
              model.push({ id, dueUs, armed });
            } else heap.delete(node);
          }
          assert.equal(heap.size, model.length);
          assert.equal(heap.nextUs, earliest()?.dueUs ?? Number.POSITIVE_INFINITY);
          for (const other of nodes) {
            const due = model.find(entry => entry.id === other.id);
            assert.equal(heap.dueOf(other), due?.dueUs ?? Number.POSITIVE_INFINITY);
          }
        }
      }),
    );
  });
});
