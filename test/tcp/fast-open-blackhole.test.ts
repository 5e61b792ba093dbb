import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Host } from '../../src/core/host.ts';
import { PacketPool } from '../../src/core/pool.ts';
import { DEFAULT_SYSCTL } from '../../src/core/sysctl.ts';
import { FastOpenBlackhole } from '../../src/tcp/fast-open/blackhole.ts';
import { ManualEnv } from './harness.ts';

const SECOND = 1e6;

function blackhole(seconds: number): { host: Host; hole: FastOpenBlackhole; at: (second: number) => string } {
  const pool = new PacketPool({ smallSlots: 4, largeSlots: 0 });
  const sysctl = { ...DEFAULT_SYSCTL, tcp_fastopen_blackhole_timeout_sec: seconds };
  const host = new Host('h', new ManualEnv(), pool, sysctl);
  const hole = new FastOpenBlackhole(host);
  const at = (second: number): string => {
    host.nowUs = second * SECOND;
    return hole.state;
  };
  return { host, hole, at };
}

describe('a black hole for Fast Open', () => {
  it('is looked for only where a time is set', () => {
    const { host, hole, at } = blackhole(0);
    hole.pause();
    assert.equal(at(0), 'open');
    assert.equal(host.mib.TcpExt.TCPFastOpenBlackhole, 0);
  });

  it('a pause of that time, and of twice as long each time that it happens again, 64 times at most', () => {
    const { host, hole, at } = blackhole(10);
    let pause = 10;
    for (let times = 1; times <= 9; times++) {
      assert.equal(at(0), times === 1 ? 'open' : 'pause');
      hole.pause();
      assert.equal(at(pause - 0.001), 'pause', `${times}`);
      assert.equal(at(pause), 'trial', `${times}`);
      pause = Math.min(pause * 2, 640);
      host.nowUs = 0;
    }
    assert.equal(host.mib.TcpExt.TCPFastOpenBlackhole, 9);
  });

  it('is over when data has come, or when another time is set', () => {
    const { host, hole, at } = blackhole(10);
    hole.pause();
    hole.end();
    assert.equal(at(1), 'open');
    hole.pause();
    assert.equal(at(2), 'pause');
    host.sysctl.tcp_fastopen_blackhole_timeout_sec = 20;
    assert.equal(at(3), 'open');
  });
});
