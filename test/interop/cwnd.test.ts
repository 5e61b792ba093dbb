/**
 * The congestion window of a stack of ours against the kernel's, over the same losses and at the same times, on a path
 * of 100 ms and 8 Mbit/s. cwnd/main.ts draws such windows.
 */
import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { BOUND, distance } from './cwnd/distance.ts';
import type { Course, Journey } from './cwnd/journey.ts';
import { SCENARIOS } from './cwnd/scenarios.ts';
import { takePrecedence, travel } from './cwnd/transfer.ts';
import { skipUnless } from './support/skip.ts';

const skip = skipUnless('nc', 'chrt');
/** A loss in slow start, then a time-out that was needless. */
const UNDO = SCENARIOS.find(({ name }) => name === 'undo') as Journey;
/** The loss alone, and CUBIC's way back to the window at which it happened, and past it. */
const { stall, ...path } = UNDO;
const LOSS: Journey = { ...path, phases: [{ seconds: 10, rate: Number.POSITIVE_INFINITY }] };
/** After a time-out the window is one segment: if one's comes 50 ms sooner, that alone is a distance of 0.03. */
const UNDO_BOUND = 0.05;

describe("our CUBIC's window follows the kernel's", { skip, timeout: 120_000 }, () => {
  let linux: Course;
  let ours: Course;
  let reno: Course;
  let linuxUndo: Course;
  let oursUndo: Course;

  before(async () => {
    assert.equal(takePrecedence(), null);
    [linux, ours, reno, linuxUndo, oursUndo] = await Promise.all([
      travel('kernel', LOSS),
      travel({}, LOSS),
      travel({ tcp_congestion_control: 'reno' }, LOSS),
      travel('kernel', UNDO),
      travel({}, UNDO),
    ]);
  });

  it('after a loss', test => {
    assert.deepEqual([linux.lostAt.length, ours.lostAt.length], [1, 1], 'both have lost the same segment');
    const apart = distance(ours.samples, linux.samples, 'at');
    test.diagnostic(`ours: ${apart.toFixed(4)}`);
    assert.ok(apart < BOUND, `mean |ln(ours / kernel)| is ${apart}`);
  });

  it('as Reno does not', test => {
    const apart = distance(reno.samples, linux.samples, 'at');
    test.diagnostic(`Reno: ${apart.toFixed(4)}`);
    assert.ok(apart > 10 * BOUND, `mean |ln(Reno / kernel)| is only ${apart}`);
  });

  it('through a time-out that is undone', test => {
    const apart = distance(oursUndo.samples, linuxUndo.samples, 'at');
    test.diagnostic(`ours: ${apart.toFixed(4)}`);
    assert.ok(apart < UNDO_BOUND, `mean |ln(ours / kernel)| is ${apart}`);
    const least = Math.min(...oursUndo.samples.filter(({ at }) => at > 3).map(({ cwnd }) => cwnd));
    assert.equal(least, 1, 'there was a time-out');
  });
});
