import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Bottleneck, type BottleneckOptions } from './bottleneck.ts';

const LINE: BottleneckOptions = {
  rate: 20e6,
  delayUs: 20_000,
  queueLimit: 500,
  markAt: 40,
  starts: [0],
  sysctl: { tcp_ecn: 1 },
};

describe('a queue that marks', () => {
  it('loses nothing, and the line is full', () => {
    // Reno halves, and as what leaves next finds the queue still long, it does so twice.
    for (const [control, share] of [
      ['cubic', 0.95],
      ['reno', 0.8],
    ] as const) {
      const line = new Bottleneck({ ...LINE, sysctl: { tcp_ecn: 1, tcp_congestion_control: control } });
      // Slow start ends too low, and it takes its time to come back.
      line.runTo(20);
      const { total, queueMax } = line.runTo(35);
      assert.ok(total > share * LINE.rate * (1448 / 1514), `${control}: ${total}`);
      assert.ok(queueMax < 60, `${control}: ${queueMax} packets, marked from 40 on`);
      const [flow] = line.flows();
      assert.equal(flow?.info['total_retrans'], 0, control);
      assert.ok(
        line.marked > 0 && (flow?.info['delivered_ce'] ?? 0) > 0,
        `${control}: ${line.marked} marked`,
      );
      line.world.close();
    }
  });

  it('is not noticed by senders without ECN: the queue grows until it is full', () => {
    const line = new Bottleneck({ ...LINE, queueLimit: 200, sysctl: { tcp_ecn: 0 } });
    const { queueMax } = line.runTo(10);
    assert.equal(line.marked, 0);
    assert.ok(queueMax > 190, `${queueMax}`);
    assert.ok((line.flows()[0]?.info['total_retrans'] ?? 0) > 0);
    line.world.close();
  });

  it('is shared by two flows, without loss', () => {
    const line = new Bottleneck({ ...LINE, starts: [0, 1] });
    line.runTo(10);
    const { rates, total } = line.runTo(40);
    assert.ok(total > 0.94 * LINE.rate * (1448 / 1514), `${total}`);
    assert.ok(Math.min(...rates) > 0.25 * total, `${rates}`);
    for (const { info } of line.flows()) assert.equal(info['total_retrans'], 0);
    line.world.close();
  });
});
