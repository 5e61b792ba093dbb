import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { AssertionError } from '../../src/base/assert.ts';
import { BLOCK_SIZE, BlockPool } from '../../src/core/blocks.ts';
import { ByteQueue } from '../../src/core/byte-queue.ts';
import { Hooks } from '../../src/core/hook.ts';
import type { Packet } from '../../src/core/packet.ts';
import { LARGE_SLOT, PacketPool, SMALL_SLOT } from '../../src/core/pool.ts';
import { pickEphemeralPort } from '../../src/core/ports.ts';
import { Alarm, Timers } from '../../src/core/timers.ts';

const queueCommand = fc.record({
  what: fc.constantFrom('append', 'append', 'consume', 'copy', 'ahead', 'clear'),
  a: fc.nat(3 * BLOCK_SIZE),
  b: fc.nat(3 * BLOCK_SIZE),
});

function take(pool: PacketPool, length: number): Packet {
  const packet = pool.take(length);
  assert.ok(packet !== null);
  return packet;
}

describe('ByteQueue', () => {
  it('behaves as one array of bytes, and gives every block back', () => {
    fc.assert(
      fc.property(fc.array(queueCommand, { maxLength: 40 }), commands => {
        const pool = new BlockPool();
        const queue = new ByteQueue(pool);
        let model: number[] = [];
        let counter = 0;
        const fresh = (length: number): Uint8Array => Uint8Array.from({ length }, () => counter++ & 0xff);
        for (const { what, a, b } of commands) {
          if (what === 'append') {
            const plain = fresh(a + 3);
            // Node's own kind of bytes too, that begin in the middle of their memory.
            const bytes = b % 2 === 0 ? plain : Buffer.concat([Buffer.alloc(5), plain]).subarray(5);
            queue.append(bytes, 1, a + 2);
            model.push(...bytes.subarray(1, a + 2));
          } else if (what === 'consume') {
            const n = Math.min(a, model.length);
            queue.consume(n);
            model = model.slice(n);
          } else if (what === 'ahead') {
            // Something behind a gap first, then the gap: as segments out of order.
            const [gap, rest] = [fresh(a % 5000), fresh(b % 5000)];
            queue.writeAt(queue.length + gap.length, rest, 0, rest.length);
            queue.append(gap, 0, gap.length);
            queue.advance(rest.length);
            model.push(...gap, ...rest);
          } else if (what === 'clear' && a % 4 === 0) {
            queue.clear();
            model = [];
          } else {
            const offset = Math.min(a, model.length);
            const n = Math.min(b, model.length - offset);
            const into = new Uint8Array(n + 2);
            queue.copyTo(offset, into, 1, n);
            assert.deepEqual([...into], [0, ...model.slice(offset, offset + n), 0]);
          }
          assert.equal(queue.length, model.length);
        }
        queue.clear();
        assert.equal(pool.inUse, 0);
      }),
      { numRuns: 40 },
    );
  });

  it('holds no memory while it is empty', () => {
    const pool = new BlockPool();
    const queue = new ByteQueue(pool);
    queue.append(new Uint8Array(100), 0, 100);
    queue.consume(100);
    queue.releaseIfEmpty();
    assert.equal(pool.inUse, 0);
  });
});

describe('PacketPool', () => {
  it('lends each slot to one packet only, and takes it back once', () => {
    const pool = new PacketPool({ smallSlots: 4, largeSlots: 1, overflowPackets: 0 });
    const packets = [1, 2, 3, 4].map(() => take(pool, 100));
    assert.equal(new Set(packets.map(({ bytes }) => bytes.byteOffset)).size, 4);
    for (const [i, packet] of packets.entries()) packet.bytes.fill(i + 1);
    for (const [i, packet] of packets.entries()) assert.ok(packet.bytes.every(byte => byte === i + 1));
    packets[0]?.release();
    assert.throws(() => packets[0]?.release(), AssertionError);
    assert.equal(pool.inUse, 3);
    assert.equal(pool.inUseMax, 4);
  });

  it('goes on with heap packets up to its limit, and then says no', () => {
    const pool = new PacketPool({ smallSlots: 1, largeSlots: 1, overflowPackets: 2 });
    const packets = [take(pool, 100), take(pool, 60_000), take(pool, 60_000), take(pool, 100)];
    assert.equal(pool.take(100), null);
    for (const packet of packets) packet.release();
    assert.equal(pool.inUse, 0);
    assert.ok(pool.take(100) !== null);
  });

  it('has two sizes of slots, and none for more than the largest packet', () => {
    const pool = new PacketPool({ smallSlots: 2, largeSlots: 2 });
    assert.equal(take(pool, 1514).bytes.length, SMALL_SLOT);
    assert.equal(take(pool, 65_535).bytes.length, LARGE_SLOT);
    assert.equal(pool.take(LARGE_SLOT), null);
  });

  it('lends packets that know nothing of their last use', () => {
    const pool = new PacketPool({ smallSlots: 1, largeSlots: 0 });
    const packet = take(pool, 100);
    packet.mark = 7;
    packet.gsoSize = 1460;
    packet.end = packet.start + 50;
    packet.release();
    const again = take(pool, 100);
    assert.deepEqual([again.mark, again.gsoSize, again.length], [0, 0, 0]);
  });
});

describe('Timers', () => {
  it('fire when due, the earliest first, at most as many as the budget', () => {
    const timers = new Timers();
    const fired: string[] = [];
    const alarm = (name: string): Alarm => new Alarm(nowUs => fired.push(`${name}@${nowUs}`));
    timers.set(alarm('c'), 30);
    timers.set(alarm('a'), 10);
    timers.set(alarm('b'), 20);
    assert.equal(timers.nextUs, 10);
    timers.run(25, 1);
    assert.deepEqual(fired, ['a@25']);
    timers.run(25, 9);
    assert.deepEqual(fired, ['a@25', 'b@25']);
    assert.equal(timers.size, 1);
  });

  it('may be armed again, or stop each other, while they fire', () => {
    const timers = new Timers();
    let count = 0;
    const victim = new Alarm(() => assert.fail('was stopped'));
    const alarm = new Alarm(nowUs => {
      timers.delete(victim);
      if (++count < 3) timers.set(alarm, nowUs + 10);
    });
    timers.set(alarm, 10);
    timers.set(victim, 10);
    for (let now = 0; now <= 100; now += 10) timers.run(now, 99);
    assert.equal(count, 3);
    assert.equal(timers.size, 0);
    assert.equal(timers.nextUs, Number.POSITIVE_INFINITY);
  });

  it('tell of a new earliest deadline, and only of that', () => {
    const timers = new Timers();
    const told: number[] = [];
    timers.onEarliest = dueUs => told.push(dueUs);
    const alarms = [50, 60, 20].map(dueUs => {
      const alarm = new Alarm(() => {});
      timers.set(alarm, dueUs);
      return alarm;
    });
    assert.deepEqual(told, [50, 20]);
    timers.set(alarms[0] as Alarm, 10);
    assert.deepEqual(told, [50, 20, 10]);
  });
});

describe('Hooks', () => {
  it('are asked in order until one says no, at their own point only, until they are removed', () => {
    const hooks = new Hooks();
    const packet = take(new PacketPool({ smallSlots: 1, largeSlots: 0 }), 10);
    const asked: string[] = [];
    let verdict = true;
    hooks.ingress.add(() => asked.push('first') > 0);
    const remove = hooks.ingress.add(() => {
      asked.push('second');
      return verdict;
    });
    hooks.ingress.add(() => asked.push('third') > 0);
    assert.equal(hooks.egress.pass(packet), true);
    assert.deepEqual(asked, []);
    assert.equal(hooks.ingress.pass(packet), true);
    verdict = false;
    assert.equal(hooks.ingress.pass(packet), false);
    assert.deepEqual(asked.splice(0), ['first', 'second', 'third', 'first', 'second']);
    remove();
    assert.equal(hooks.ingress.pass(packet), true);
    assert.deepEqual(asked, ['first', 'third']);
  });
});

describe('pickEphemeralPort (RFC 6056)', () => {
  it('finds the only free port from any start, and 0 when there is none', () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 100, max: 120 }), (start, free) => {
        assert.equal(
          pickEphemeralPort([100, 120], start, port => port === free),
          free,
        );
        assert.equal(
          pickEphemeralPort([100, 120], start, () => false),
          0,
        );
        const any = pickEphemeralPort([100, 120], start, () => true);
        assert.ok(any >= 100 && any <= 120);
      }),
    );
    assert.equal(
      pickEphemeralPort([120, 100], 1, () => true),
      0,
    );
  });
});
