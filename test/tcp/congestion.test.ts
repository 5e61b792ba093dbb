import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type CongestionState, SSTHRESH_INFINITE } from '../../src/tcp/congestion/congestion.ts';
import { Cubic } from '../../src/tcp/congestion/cubic.ts';
import { CONGESTION_CONTROLS, createCongestionControl } from '../../src/tcp/congestion/registry.ts';
import { Reno } from '../../src/tcp/congestion/reno.ts';
import { established, ISS_VALUES, MS, segments } from './harness.ts';

const RTT_US = 100 * MS;

function state(cwnd: number, ssthresh = SSTHRESH_INFINITE): CongestionState {
  return { cwnd, ssthresh, cwndCount: 0, srttUs: RTT_US, minRttUs: RTT_US };
}

/** Runs `seconds` of an unlimited flow, one acknowledgement at a time; gives the window at the end of each round. */
function run(control: Cubic | Reno, flow: CongestionState, seconds: number, startUs = 1e9): number[] {
  const windows: number[] = [];
  for (let now = startUs; now < startUs + seconds * 1e6; now += RTT_US) {
    const acks = flow.cwnd;
    for (let i = 0; i < acks; i++) control.onAck(flow, 1, now + Math.floor((i * RTT_US) / acks));
    windows.push(flow.cwnd);
  }
  return windows;
}

describe('Reno (RFC 5681)', () => {
  it('doubles the window each round trip in slow start', () => {
    const flow = state(10);
    assert.deepEqual(run(new Reno(), flow, 0.4), [20, 40, 80, 160]);
  });

  it('leaves slow start exactly at ssthresh, and then adds one segment a round trip', () => {
    const flow = state(10, 16);
    assert.deepEqual(run(new Reno(), flow, 0.5), [16, 17, 18, 19, 20]);
  });

  it('halves the window on a loss, but not below two segments', () => {
    assert.equal(new Reno().onLoss(state(21)), 10);
    assert.equal(new Reno().onLoss(state(2)), 2);
  });
});

describe('CUBIC (RFC 9438)', () => {
  const C = 0.4;
  const BETA = 0.7;

  it('leaves 0.7 of the window after a loss', () => {
    assert.equal(new Cubic().onLoss(state(100)), 70);
    assert.equal(new Cubic().onLoss(state(2)), 2);
  });

  it('follows W_cubic(t) = C (t - K)^3 + W_max back to the old window and beyond', () => {
    const cubic = new Cubic();
    const flow = state(1000);
    flow.ssthresh = cubic.onLoss(flow);
    flow.cwnd = flow.ssthresh;
    const k = Math.cbrt((1000 * (1 - BETA)) / C);
    const windows = run(cubic, flow, 1.4 * k);
    windows.forEach((cwnd, round) => {
      const t = (round + 1) * (RTT_US / 1e6);
      const expected = C * (t - k) ** 3 + 1000;
      assert.ok(Math.abs(cwnd - expected) < 0.03 * expected + 2, `t ${t}: ${cwnd}, not ${expected}`);
    });
    const plateau = windows[Math.round(k * 10)] ?? 0;
    assert.ok(Math.abs(plateau - 1000) < 10, `flat around W_max: ${plateau}`);
    assert.ok((windows.at(-1) ?? 0) > 1010, 'and then it probes');
  });

  it("is at least as fast as Reno would be: section 4.3's estimate", () => {
    const cubic = new Cubic();
    const flow = state(20);
    flow.ssthresh = cubic.onLoss(flow);
    flow.cwnd = flow.ssthresh;
    const alpha = (3 * (1 - BETA)) / (1 + BETA);
    const windows = run(cubic, flow, 4);
    // From 14 to 20 at alpha a round, then one segment a round.
    const rounds = (20 - 14) / alpha;
    const expected = 20 + (40 - rounds);
    assert.ok(Math.abs((windows.at(-1) ?? 0) - expected) < 5, `${windows.at(-1)}, not ${expected}`);
  });

  it('gives way to newcomers: a second loss below the first remembers less (section 4.7)', () => {
    const loss = (second: number): number => {
      const cubic = new Cubic();
      cubic.onLoss(state(1000));
      const flow = state(second);
      flow.ssthresh = cubic.onLoss(flow);
      flow.cwnd = flow.ssthresh;
      return run(cubic, flow, 5).at(-1) ?? 0;
    };
    // After 5 s the plateau: W_max, or 0.85 of it.
    assert.ok(Math.abs(loss(900) - 0.85 * 900) < 25, `${loss(900)}`);
    assert.ok(loss(1100) > 1000);
  });

  it('never grows by more than half of the window in a round trip (section 4.4)', () => {
    const cubic = new Cubic();
    const flow = state(10, 10);
    let before = flow.cwnd;
    for (const cwnd of run(cubic, flow, 30)) {
      assert.ok(cwnd <= 1.5 * before + 1, `${before} to ${cwnd}`);
      before = cwnd;
    }
  });

  it('grows from the window it finds after a time-out (section 4.8)', () => {
    const cubic = new Cubic();
    const flow = state(1000);
    flow.ssthresh = cubic.onLoss(flow);
    cubic.onTimeout();
    flow.cwnd = flow.ssthresh;
    const [first = 0] = run(cubic, flow, 3);
    assert.ok(first < 710, 'no jump towards the old window');
    const slow = state(1000);
    const normal = new Cubic();
    slow.ssthresh = normal.onLoss(slow);
    slow.cwnd = slow.ssthresh;
    run(normal, slow, 3);
    assert.ok(flow.cwnd < slow.cwnd);
  });

  it('does not count idle time (section 5.8)', () => {
    const after = (idleUs: number): number => {
      const cubic = new Cubic();
      const flow = state(1000);
      flow.ssthresh = cubic.onLoss(flow);
      flow.cwnd = flow.ssthresh;
      run(cubic, flow, 1);
      if (idleUs > 0) cubic.onRestart(flow, idleUs, 1e9 + 1e6 + idleUs);
      return run(cubic, flow, 1, 1e9 + 1e6 + idleUs).at(-1) ?? 0;
    };
    assert.ok(Math.abs(after(0) - after(60e6)) <= 2, `${after(0)} and ${after(60e6)}`);
  });
});

describe('the registry', () => {
  it('knows the names TCP_CONGESTION takes', () => {
    for (const name of CONGESTION_CONTROLS) assert.equal(createCongestionControl(name)?.name, name);
    assert.equal(createCongestionControl('bbr'), null);
  });
});

for (const iss of ISS_VALUES) {
  describe(`the window of a connection, iss ${iss >>> 0}`, () => {
    it('begins with ten segments (RFC 6928)', () => {
      const bench = established({ iss });
      bench.write(segments(20));
      assert.equal(bench.take().length, 10);
    });

    it('does not grow while the user, not the window, is the limit', () => {
      const bench = established({ iss });
      for (let i = 0; i < 50; i++) {
        bench.write(segments(2));
        bench.receive('.');
      }
      assert.equal(bench.connection.cwnd, 10);
    });

    it('falls back after idling, by halves for each time-out, to the initial window at least', () => {
      const bench = established({ iss });
      bench.connection.cwnd = 80;
      bench.advance(bench.connection.rtoUs * 1.5);
      bench.write('x');
      assert.equal(bench.connection.cwnd, 40);
      bench.receive('.');
      bench.advance(100e6);
      bench.write('x');
      assert.equal(bench.connection.cwnd, 10);
      assert.ok(bench.connection.ssthresh >= 60, 'and comes back fast');
    });

    it('does not fall back with tcp_slow_start_after_idle off', () => {
      const bench = established({ iss, sysctl: { tcp_slow_start_after_idle: false } });
      bench.connection.cwnd = 80;
      bench.advance(100e6);
      bench.write('x');
      assert.equal(bench.connection.cwnd, 80);
    });
  });
}
