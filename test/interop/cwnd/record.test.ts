/** Our CUBIC in virtual time against recorded windows of Linux: without a kernel, and the same each time. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { repositoryRoot } from '../../support/repository.ts';
import { distance } from './distance.ts';
import { readRecord, writeRecord } from './record.ts';
import { SCENARIOS, type Scenario } from './scenarios.ts';
import { travelVirtually } from './virtual.ts';

const RECORD = readFileSync(join(repositoryRoot(), 'test/interop/cwnd/linux-6.18.txt'), 'utf8');
/**
 * How far apart they may be. Real clocks tick late, and the receiver of the record was another one. Linux's timer wheel
 * may hold a time-out back by 36 ms: a window of one segment comes so much later.
 */
const BOUNDS = { short: 0.02, undo: 0.04, idle: 0.02 };

describe('our CUBIC against recorded windows of Linux', () => {
  // Where slow start ends by a loss: HyStart depends on real clocks too much.
  for (const [wanted, bound] of Object.entries(BOUNDS)) {
    const scenario = SCENARIOS.find(({ name }) => name === wanted) as Scenario;
    it(scenario.title, async test => {
      const linux = readRecord(RECORD, scenario.name);
      const { samples } = await travelVirtually({}, scenario);
      const apart = distance(samples, linux, 'at');
      test.diagnostic(`ours: ${apart.toFixed(4)}`);
      assert.ok(apart < bound, `mean |ln(ours / Linux)| is ${apart}`);
      const reno = await travelVirtually({ tcp_congestion_control: 'reno' }, scenario);
      assert.ok(distance(reno.samples, linux, 'at') > 5 * bound, 'Reno is far away');
    });
  }
});

describe('records of windows', () => {
  it('are read as they were written', () => {
    const samples = [
      { at: 0, acked: 0, cwnd: 10, ssthresh: 0 },
      { at: 0.05, acked: 0, cwnd: 20, ssthresh: 0 },
    ];
    const text = writeRecord('a', samples) + writeRecord('b', samples);
    assert.equal(text, 'a\n10 20 20\nb\n10 20 20\n');
    assert.deepEqual(
      readRecord(text, 'b').map(({ at, cwnd }) => [at, cwnd]),
      [
        [0, 10],
        [0.02, 20],
        [0.04, 20],
      ],
    );
    assert.throws(() => readRecord(text, 'c'), /no record of 'c'/);
  });
});
