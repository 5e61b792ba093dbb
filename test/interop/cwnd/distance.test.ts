import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BOUND, distance } from './distance.ts';
import type { Sample } from './program.ts';

const SECONDS = 10;
const W_MAX = 110;

function samples(window: (at: number) => number): Sample[] {
  return Array.from({ length: SECONDS * 200 }, (_, step) => {
    const at = step / 200;
    return { at, acked: step * 1000, cwnd: window(at), ssthresh: 0 };
  });
}

/** CUBIC's curve after a loss at W_MAX (RFC 9438 section 4.2), in whole segments. */
function cubic(c: number, beta: number): Sample[] {
  const k = Math.cbrt((W_MAX * (1 - beta)) / c);
  return samples(at => Math.floor(c * (at - k) ** 3 + W_MAX));
}

describe('the distance of two windows', () => {
  it('is nothing for equal ones, however often they were looked at', () => {
    const some = cubic(0.4, 0.7);
    assert.equal(distance(some, some, 'at'), 0);
    assert.equal(
      distance(
        [
          { ...first(some), cwnd: 7 },
          { ...last(some), cwnd: 7 },
        ],
        samples(() => 7),
        'at',
      ),
      0,
    );
  });

  it('is the logarithm of their ratio, whichever is the larger', () => {
    const [seven, fourteen] = [samples(() => 7), samples(() => 14)];
    assert.ok(Math.abs(distance(seven, fourteen, 'at') - Math.LN2) < 1e-9);
    assert.equal(distance(seven, fourteen, 'at'), distance(fourteen, seven, 'at'));
  });

  it('by bytes does not see a delay', () => {
    const now = cubic(0.4, 0.7);
    const later = now.map(sample => ({ ...sample, at: sample.at + 1 }));
    assert.ok(distance(now, later, 'at') > BOUND);
    assert.equal(distance(now, later, 'acked'), 0);
  });

  it('tells a CUBIC with other constants from that of Linux', () => {
    const linux = cubic(0.4, 0.7);
    for (const [c, beta] of [
      [0.4, 0.75],
      [0.4, 0.65],
      [0.35, 0.7],
      [0.5, 0.7],
    ] as const) {
      const apart = distance(cubic(c, beta), linux, 'at');
      assert.ok(apart > 1.5 * BOUND, `C ${c}, beta ${beta}: ${apart}`);
    }
  });
});

function first(some: readonly Sample[]): Sample {
  return some[0] as Sample;
}

function last(some: readonly Sample[]): Sample {
  return some.at(-1) as Sample;
}
