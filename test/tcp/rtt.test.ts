import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RTO_INITIAL_US } from '../../src/tcp/tcb.ts';
import { answerSyn, type Bench, established, ISS_VALUES, MS, synSent } from './harness.ts';

/** One segment there and its acknowledgement back after `us`. */
function roundTrip(bench: Bench, us: number): void {
  bench.write('x');
  bench.advance(us);
  bench.receive('.');
}

/** When each segment went out, in milliseconds since the first. */
function times(bench: Bench): number[] {
  const sent = bench.takeSent();
  return sent.map(({ atUs }) => (atUs - (sent[0]?.atUs ?? 0)) / MS);
}

for (const iss of ISS_VALUES) {
  describe(`round-trip time, iss ${iss >>> 0}`, () => {
    it('begins with RFC 6298 section 2.2: SRTT = R, and the deviation at least tcp_rto_min', () => {
      const bench = synSent({ iss });
      bench.advance(100 * MS);
      answerSyn(bench);
      assert.equal(bench.connection.srttUs, 100 * MS);
      // 4 * R/2 = 200 ms, which is also the floor.
      assert.equal(bench.connection.rtoUs, 300 * MS);
      const slow = synSent({ iss });
      slow.advance(400 * MS);
      answerSyn(slow);
      assert.equal(slow.connection.rtoUs, 400 * MS + 800 * MS);
    });

    it('follows RFC 6298 section 2.3: SRTT moves by an eighth of the error', () => {
      const bench = established({ iss });
      assert.equal(bench.connection.srttUs, 10 * MS);
      roundTrip(bench, 90 * MS);
      assert.equal(bench.connection.srttUs, 20 * MS);
      roundTrip(bench, 20 * MS);
      assert.equal(bench.connection.srttUs, 20 * MS);
      assert.equal(bench.connection.minRttUs, 10 * MS);
    });

    it('never falls below SRTT + tcp_rto_min on a steady path, however long it is', () => {
      const bench = established({ iss });
      for (let i = 0; i < 50; i++) roundTrip(bench, 10 * MS);
      assert.equal(bench.connection.rtoUs, 210 * MS);
    });

    it('raises the deviation at once on a rise, and lowers it slowly on a fall', () => {
      const bench = established({ iss });
      roundTrip(bench, 10 * MS);
      const steady = bench.connection.rtoUs;
      for (let i = 0; i < 4; i++) roundTrip(bench, 150 * MS);
      const risen = bench.connection.rtoUs;
      assert.ok(risen > steady + 100 * MS, `${risen}`);
      roundTrip(bench, 10 * MS);
      assert.ok(bench.connection.rttvarUs > 200 * MS, 'one fast answer forgets nothing');
    });

    it("obeys Karn's rule: what was sent twice is not measured, and the back-off stays", () => {
      const bench = established({ iss, sysctl: { tcp_early_retrans: 0 } });
      bench.write('x');
      bench.advance(215 * MS);
      assert.equal(bench.take().length, 2);
      bench.receive('.');
      assert.equal(bench.connection.srttUs, 10 * MS);
      assert.equal(bench.connection.backoff, 1);
      roundTrip(bench, 10 * MS);
      assert.equal(bench.connection.backoff, 0);
    });

    it('measures what was sent twice by its timestamp', () => {
      const bench = established({ iss, timestamps: true });
      bench.write('x');
      bench.advance(215 * MS);
      const [, again] = bench.takeSent();
      bench.advance(90 * MS);
      bench.receive('.', { tsVal: 2, tsEcr: again?.tsVal ?? 0 });
      assert.ok(Math.abs(bench.connection.srttUs - 20 * MS) < 1 * MS, `${bench.connection.srttUs}`);
      assert.equal(bench.connection.backoff, 0);
    });

    it('doubles the time-out up to tcp_rto_max', () => {
      const bench = established({ iss, sysctl: { tcp_rto_max_ms: 2000, tcp_early_retrans: 0 } });
      bench.write('x');
      bench.advance(10_000 * MS);
      assert.deepEqual(times(bench), [0, 210, 630, 1470, 3150, 5150, 7150, 9150]);
    });
  });
}

describe('a handshake with losses', () => {
  it('sends SYNs a second apart tcp_syn_linear_timeouts times, then after 1, 2, 4 ... s', () => {
    const bench = synSent();
    bench.advance(20e6);
    assert.deepEqual(times(bench), [0, 1000, 2000, 3000, 4000, 5000, 7000, 11000, 19000]);
    assert.equal(RTO_INITIAL_US, 1e6);
  });

  it('begins with 3 s when it gave no measurement (RFC 6298 section 5.7)', () => {
    const bench = synSent({ sack: false });
    bench.advance(1e6);
    answerSyn(bench);
    bench.take();
    bench.write('x');
    bench.advance(8e6);
    assert.deepEqual(times(bench), [0, 3000]);
  });

  it('begins with one segment when more than one SYN was lost (RFC 5681 section 3.1, RFC 6928)', () => {
    const once = synSent();
    once.advance(1e6);
    answerSyn(once);
    assert.equal(once.connection.cwnd, 10);
    const twice = synSent();
    twice.advance(3e6);
    answerSyn(twice);
    assert.equal(twice.connection.cwnd, 1);
  });
});
