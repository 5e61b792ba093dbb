import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Mib } from '../../src/core/mib.ts';
import { DEFAULT_SYSCTL, type Sysctl } from '../../src/core/sysctl.ts';
import { type CongestionState, SSTHRESH_INFINITE } from '../../src/tcp/congestion/congestion.ts';
import { Cubic } from '../../src/tcp/congestion/cubic.ts';
import { CONGESTION_CONTROLS, createCongestionControl } from '../../src/tcp/congestion/registry.ts';
import { Reno } from '../../src/tcp/congestion/reno.ts';
import { established, ISS_VALUES, MS, segments } from './harness.ts';

const RTT_US = 100 * MS;

const START_US = 1e9;

/** A flow that nothing but its window holds back. */
function state(cwnd: number, ssthresh = SSTHRESH_INFINITE, sysctl: Partial<Sysctl> = {}) {
  return {
    cwnd,
    ssthresh,
    cwndCount: 0,
    priorCwnd: 0,
    nowUs: START_US,
    sndUna: 0,
    sndNxt: 0,
    mss: 1000,
    srttUs: RTT_US,
    minRttUs: RTT_US,
    lastSentUs: START_US,
    cwndLimited: true,
    maxPacketsOut: cwnd,
    paced: false as boolean,
    context: { host: { sysctl: { ...DEFAULT_SYSCTL, ...sysctl }, mib: new Mib() } },
  } satisfies CongestionState;
}
type Flow = ReturnType<typeof state>;

/** Runs `seconds` of an unlimited flow, one acknowledgement at a time; gives the window at the end of each round. */
function run(control: Cubic | Reno, flow: Flow, seconds: number, startUs = START_US): number[] {
  const windows: number[] = [];
  for (let now = startUs; now < startUs + seconds * 1e6; now += RTT_US) {
    const acks = flow.cwnd;
    for (let i = 0; i < acks; i++) {
      flow.nowUs = now + Math.floor((i * RTT_US) / acks);
      control.onRtt(flow, RTT_US);
      control.onAck(flow, 1);
    }
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
    // Alpha a round for forty rounds, above the old window, too (as Linux).
    const expected = 14 + 40 * alpha;
    assert.ok(Math.abs((windows.at(-1) ?? 0) - expected) < 1, `${windows.at(-1)}, not ${expected}`);
  });

  it('can be slower than Reno with tcp_friendliness off', () => {
    const cubic = new Cubic();
    const flow = state(20, 20, { tcp_cubic_tcp_friendliness: false });
    flow.ssthresh = cubic.onLoss(flow);
    flow.cwnd = flow.ssthresh;
    assert.ok((run(cubic, flow, 4).at(-1) ?? 0) < 24, 'C (4 - K)^3 above the old window');
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
    let [before = 0] = run(cubic, flow, RTT_US / 1e6);
    // Twenty seconds later the cubic is at thousands of segments.
    for (const cwnd of run(cubic, flow, 0.5, START_US + 20e6)) {
      assert.ok(cwnd > 1.3 * before && cwnd <= 1.5 * before + 1, `${before} to ${cwnd}`);
      before = cwnd;
    }
  });

  it('grows from the window it finds after a time-out (section 4.8)', () => {
    const cubic = new Cubic();
    const flow = state(1000);
    flow.ssthresh = cubic.onLoss(flow);
    cubic.onTimeout(flow);
    flow.cwnd = flow.ssthresh;
    const [first = 0] = run(cubic, flow, 3);
    assert.ok(first > 730 && first < 740, `as if nothing were known: a segment for twenty, not ${first}`);
  });

  it('does not count idle time (section 5.8)', () => {
    const after = (idleUs: number): number => {
      const cubic = new Cubic();
      const flow = state(1000);
      flow.ssthresh = cubic.onLoss(flow);
      flow.cwnd = flow.ssthresh;
      run(cubic, flow, 1);
      flow.lastSentUs = START_US + 1e6;
      flow.nowUs = flow.lastSentUs + idleUs;
      cubic.onRestart(flow);
      return run(cubic, flow, 1, START_US + 1e6 + idleUs).at(-1) ?? 0;
    };
    assert.ok(Math.abs(after(0) - after(60e6)) <= 2, `${after(0)} and ${after(60e6)}`);
  });
});

/**
 * A round trip of slow start: the window's worth of segments acknowledged two by two, each acknowledgement `gapUs`
 * behind the one before and with the delay that `delayUs` gives it.
 */
function round(control: Cubic, flow: Flow, gapUs: number, delayUs: (index: number) => number): void {
  const acks = flow.cwnd >> 1;
  flow.sndNxt += flow.cwnd;
  for (let i = 0; i < acks; i++) {
    flow.nowUs += gapUs;
    flow.sndUna = flow.sndNxt - 2 * (acks - 1 - i);
    control.onRtt(flow, delayUs(i));
    control.onAck(flow, 2);
  }
}

describe("HyStart in CUBIC's slow start", () => {
  const begin = (sysctl: Partial<Sysctl> = {}, cwnd = 20): { cubic: Cubic; flow: Flow } => {
    const flow = state(cwnd, SSTHRESH_INFINITE, sysctl);
    const cubic = new Cubic();
    cubic.onStart(flow);
    round(cubic, flow, 5000, () => RTT_US);
    return { cubic, flow };
  };

  it('ends slow start with the ninth delay that is an eighth longer than the least', () => {
    const { cubic, flow } = begin();
    round(cubic, flow, 5000, i => RTT_US + (i === 3 ? 12_400 : 13_000));
    assert.equal(flow.ssthresh, SSTHRESH_INFINITE, 'less than an eighth: 12.5 ms');
    const before = flow.cwnd;
    round(cubic, flow, 5000, () => RTT_US + 12_600);
    // The round's first acknowledgement counts as one of its delays; the ninth ends it before it grows the window.
    assert.equal(flow.ssthresh, before + 2 * 8);
    assert.equal(flow.context.host.mib.TcpExt.TCPHystartDelayDetect, 1);
    assert.equal(flow.context.host.mib.TcpExt.TCPHystartDelayCwnd, flow.ssthresh);
  });

  it('takes no rise of less than 4 ms for a queue, and one of 16 ms always', () => {
    const exits = (rttUs: number, riseUs: number): boolean => {
      const flow = state(20);
      const cubic = new Cubic();
      cubic.onStart(flow);
      round(cubic, flow, 5000, () => rttUs);
      round(cubic, flow, 5000, () => rttUs + riseUs);
      return flow.ssthresh !== SSTHRESH_INFINITE;
    };
    assert.equal(exits(8000, 3900), false);
    assert.equal(exits(8000, 4100), true);
    assert.equal(exits(400_000, 15_900), false);
    assert.equal(exits(400_000, 16_100), true);
  });

  it('ends slow start when acknowledgements come closely for half of the least delay', () => {
    const { cubic, flow } = begin({}, 40);
    // 40 acknowledgements, 1.9 ms apart: more than 50.5 ms (half of 100 ms + 1 ms) after the first is the 28th.
    round(cubic, flow, 1900, () => RTT_US);
    assert.equal(flow.context.host.mib.TcpExt.TCPHystartTrainDetect, 1);
    assert.equal(flow.ssthresh, 80 + 2 * 27);
    assert.equal(flow.context.host.mib.TcpExt.TCPHystartTrainCwnd, flow.ssthresh);
  });

  it('lets a paced train last for the whole delay', () => {
    const { cubic, flow } = begin({}, 40);
    flow.paced = true;
    round(cubic, flow, 1900, () => RTT_US);
    assert.equal(flow.ssthresh, SSTHRESH_INFINITE);
  });

  it('looks only at what tcp_cubic_hystart_detect says, from tcp_cubic_hystart_low_window on, or not at all', () => {
    const late = (sysctl: Partial<Sysctl>): number => {
      const { cubic, flow } = begin(sysctl);
      round(cubic, flow, 5000, () => RTT_US + 20_000);
      return flow.ssthresh;
    };
    assert.notEqual(late({}), SSTHRESH_INFINITE);
    assert.equal(late({ tcp_cubic_hystart_detect: 1 }), SSTHRESH_INFINITE);
    assert.equal(late({ tcp_cubic_hystart_low_window: 1000 }), SSTHRESH_INFINITE);
    assert.equal(late({ tcp_cubic_hystart: 0 }), SSTHRESH_INFINITE);
    assert.equal(late({ tcp_cubic_hystart: 0, tcp_cubic_initial_ssthresh: 25 }), 25);
  });
});

describe('HyStart++ (RFC 9406)', () => {
  const sysctl: Partial<Sysctl> = { tcp_cubic_hystart: 2 };
  const late = (): number => RTT_US + 15_000;

  it('grows by a quarter while delays are longer, and ends slow start after five round trips of that', () => {
    const flow = state(20, SSTHRESH_INFINITE, sysctl);
    const cubic = new Cubic();
    cubic.onStart(flow);
    round(cubic, flow, 5000, () => RTT_US);
    assert.equal(flow.cwnd, 40);
    round(cubic, flow, 5000, late);
    assert.ok(flow.cwnd < 70, `${flow.cwnd}: from the eighth delay on slower`);
    for (let i = 0; i < 4; i++) {
      const before = flow.cwnd;
      round(cubic, flow, 5000, late);
      assert.ok(Math.abs(flow.cwnd - 1.25 * before) <= 1, `${before} to ${flow.cwnd}`);
      assert.equal(flow.ssthresh, SSTHRESH_INFINITE);
    }
    const before = flow.cwnd;
    round(cubic, flow, 5000, late);
    assert.equal(flow.ssthresh, before);
  });

  it('goes on with slow start when the delays fall again', () => {
    const flow = state(20, SSTHRESH_INFINITE, sysctl);
    const cubic = new Cubic();
    cubic.onStart(flow);
    round(cubic, flow, 5000, () => RTT_US);
    round(cubic, flow, 5000, late);
    round(cubic, flow, 5000, () => RTT_US);
    const before = flow.cwnd;
    round(cubic, flow, 5000, () => RTT_US);
    assert.equal(flow.cwnd, (2 * before) & ~1);
    assert.equal(flow.ssthresh, SSTHRESH_INFINITE);
  });

  it('grows by no more than eight segments for one acknowledgement, unless it is paced', () => {
    const flow = state(20, SSTHRESH_INFINITE, sysctl);
    const cubic = new Cubic();
    cubic.onStart(flow);
    cubic.onAck(flow, 20);
    assert.equal(flow.cwnd, 28);
    flow.paced = true;
    cubic.onAck(flow, 20);
    assert.equal(flow.cwnd, 48);
  });
});

describe('the registry', () => {
  it('knows the names TCP_CONGESTION takes', () => {
    for (const name of CONGESTION_CONTROLS) assert.equal(createCongestionControl(name)?.name, name);
    assert.equal(createCongestionControl('vegas'), null);
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
