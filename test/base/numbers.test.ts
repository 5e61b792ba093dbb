import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import * as errno from '../../src/base/errno.ts';
import { Rng } from '../../src/base/rng.ts';
import { seqAdd, seqDiff, seqGe, seqGt, seqLe, seqLt, seqMax, seqMin, seqToU32 } from '../../src/base/seq.ts';
import { SipHash } from '../../src/base/siphash.ts';

const int32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const near = fc.integer({ min: 1, max: 2 ** 31 - 1 });

describe('sequence numbers (RFC 9293 section 3.4)', () => {
  it('compare by distance, anywhere on the circle', () => {
    fc.assert(
      fc.property(int32, near, (seq, n) => {
        const later = seqAdd(seq, n);
        assert.equal(seqDiff(later, seq), n);
        assert.ok(seqLt(seq, later) && seqLe(seq, later) && seqGt(later, seq) && seqGe(later, seq));
        assert.ok(!seqLt(later, seq) && !seqLe(later, seq) && !seqGt(seq, later) && !seqGe(seq, later));
        assert.equal(seqMax(seq, later), later);
        assert.equal(seqMin(later, seq), seq);
        assert.ok(seqLe(seq, seq) && seqGe(seq, seq) && !seqLt(seq, seq) && !seqGt(seq, seq));
      }),
    );
  });

  it('wrap at 2^32', () => {
    assert.equal(seqToU32(seqAdd(0xfffffffe | 0, 3)), 1);
    assert.equal(seqToU32(-1), 4294967295);
    assert.ok(seqLt(0xffffffff | 0, 0));
  });
});

describe('Rng', () => {
  it('gives the same numbers for the same seed, and others for another', () => {
    const take = (seed: number): number[] => {
      const rng = new Rng(seed);
      return Array.from({ length: 8 }, () => rng.u32());
    };
    assert.deepEqual(take(1), take(1));
    assert.notDeepEqual(take(1), take(2));
    assert.deepEqual(new Rng(0).u32(), new Rng(0).u32());
  });

  it('stays within its bounds and reaches all of them, evenly', () => {
    const rng = new Rng(3);
    const counts = new Array<number>(6).fill(0);
    for (let i = 0; i < 6000; i++) {
      const n = rng.between(10, 15);
      counts[n - 10] = (counts[n - 10] ?? 0) + 1;
      const f = rng.float();
      assert.ok(f >= 0 && f < 1);
    }
    for (const count of counts) assert.ok(count > 850 && count < 1150, `${counts}`);
  });

  it('chance(0) is never, chance(1) is always, and neither 0 uses up a number', () => {
    const rng = new Rng(4);
    const twin = new Rng(4);
    for (let i = 0; i < 100; i++) assert.equal(rng.chance(0), false);
    assert.equal(rng.u32(), twin.u32());
    for (let i = 0; i < 100; i++) assert.equal(rng.chance(1), true);
  });

  it('forks a generator that does not depend on what its parent does later', () => {
    const [a, b] = [new Rng(5), new Rng(5)];
    const forks = [a.fork(), b.fork()] as const;
    a.u32();
    assert.equal(forks[0].u32(), forks[1].u32());
  });
});

describe('SipHash', () => {
  const key = Uint8Array.of(0, 1, 2, 3, 4, 5, 6, 7);
  /** The message 00 01 02 ... of so many 32-bit words. */
  const hash = (words: number): number => {
    const sip = new SipHash(key).begin();
    for (let i = 0; i < words; i++) sip.add(0x03020100 + i * 0x04040404);
    return sip.end() >>> 0;
  };

  it('gives the test vectors of HalfSipHash-2-4 (its authors’ vectors.h)', () => {
    assert.equal(hash(0), 0x5b9f35a9);
    assert.equal(hash(1), 0x89466e2a);
  });

  it('depends on every word, their order and their number', () => {
    const sip = new SipHash(key);
    const values = [[], [0], [0, 0], [1], [1, 2], [2, 1]].map(words => {
      sip.begin();
      for (const word of words) sip.add(word);
      return sip.end();
    });
    assert.equal(new Set(values).size, values.length);
  });
});

describe('errno', () => {
  const constants = Object.entries(errno).flatMap(([name, value]): [string, number][] =>
    typeof value === 'number' ? [[name, value]] : [],
  );

  it('names every constant by its own name, and gives it a text', () => {
    assert.ok(constants.length > 30);
    for (const [name, number] of constants) {
      assert.equal(errno.errnoName(number), name);
      assert.equal(errno.errnoName(-number), name);
      assert.doesNotMatch(errno.strerror(number), /^Unknown/);
    }
    assert.equal(new Set(constants.map(([, number]) => number)).size, constants.length);
  });

  it('does not fail for a number it does not know', () => {
    assert.equal(errno.errnoName(-999), 'E999');
    assert.equal(errno.strerror(999), 'Unknown error 999');
  });
});
