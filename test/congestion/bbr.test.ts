import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Bottleneck, type BottleneckOptions } from './bottleneck.ts';

const BBR = { tcp_congestion_control: 'bbr' };
const CUBIC = { tcp_congestion_control: 'cubic' };
/** 20 Mbit/s, 40 ms, a queue of three round trips. */
const LINE: BottleneckOptions = {
  rate: 20e6,
  delayUs: 20_000,
  queueLimit: 200,
  starts: [0],
  sysctl: BBR,
};

describe('BBR alone', () => {
  const line = new Bottleneck({ ...LINE, rate: 100e6, queueLimit: 660 });
  const begin = line.runTo(2);
  const steady = line.runTo(7);

  it('fills a line of 100 Mbit/s and 40 ms', () => {
    assert.ok(begin.total > 60e6, `${begin.total}: the first two seconds, with STARTUP and DRAIN`);
    assert.ok(steady.total > 95e6, `${steady.total}: all but the headers`);
  });

  it('and keeps little in a queue that has room for two round trips', () => {
    assert.ok(steady.queue < line.bdp / 4, `${steady.queue} packets on average`);
    assert.ok(steady.queueMax < line.bdp / 2, `${steady.queueMax} packets at most`);
  });

  it('knows bandwidth and round-trip time, and cruises', () => {
    const [flow] = line.flows();
    const { bw = 0, min_rtt = 0, cwnd_gain = 0 } = flow?.model ?? {};
    assert.ok(Math.abs(bw * 8 - 95.6e6) < 1e6, `${bw * 8}`);
    assert.ok(Math.abs(min_rtt - 40_000) < 600, `${min_rtt}`);
    assert.equal(cwnd_gain, 512);
    const { snd_cwnd = 0, delivery_rate = 0 } = flow?.info ?? {};
    assert.ok(Math.abs(snd_cwnd - 2 * line.bdp) < 40, `${snd_cwnd}, twice ${line.bdp}`);
    assert.ok(Math.abs(delivery_rate * 8 - 95.6e6) < 5e6, `${delivery_rate * 8}`);
  });

  it('empties the pipe for 200 ms when no shorter round trip was seen for ten seconds', () => {
    const windows: number[] = [];
    for (let second = 7; second < 11.5; second += 0.05) {
      line.runTo(second);
      windows.push(line.flows()[0]?.info['snd_cwnd'] ?? 0);
    }
    const low = windows.filter(cwnd => cwnd === 4).length;
    assert.ok(low >= 3 && low <= 6, `the window was four segments for about ${low * 50} ms`);
    const after = line.runTo(13);
    assert.ok(after.total > 95e6, `${after.total}`);
    line.world.close();
  });
});

describe('BBR where one packet in a hundred is lost', () => {
  const rateOf = (sysctl: BottleneckOptions['sysctl']): number => {
    const line = new Bottleneck({ ...LINE, sysctl, loss: 0.01 });
    line.runTo(2);
    const { total } = line.runTo(10);
    line.world.close();
    return total;
  };

  it('has nearly all of the line, and CUBIC does not', () => {
    const bbr = rateOf(BBR);
    const cubic = rateOf(CUBIC);
    assert.ok(bbr > 0.9 * LINE.rate, `${bbr}`);
    assert.ok(bbr > 3 * cubic, `${bbr} and ${cubic}`);
  });
});

describe('BBR and others', () => {
  it('two flows share the line, with about a round trip in the queue', () => {
    const line = new Bottleneck({ ...LINE, starts: [0, 2] });
    line.runTo(15);
    const { rates, total, queue } = line.runTo(40);
    const [first = 0, second = 0] = rates;
    assert.ok(total > 0.93 * LINE.rate, `${total}`);
    assert.ok(Math.min(first, second) > 0.35 * total, `${first} and ${second}`);
    assert.ok(queue < 1.6 * line.bdp, `${queue} packets, a round trip holds ${line.bdp}`);
    line.world.close();
  });
});
