import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Rng } from '../../src/base/rng.ts';
import { type Bench, type BenchOptions, established, MS } from '../tcp/harness.ts';

const SECOND = 1_000_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const FULL = 1460;

/** A connection whose user has written a lot; the peer has an ordinary MSS and a large window. */
function sender(options: BenchOptions = {}, bytes = 1_000_000): Bench {
  const settings = { sndBuf: 4_000_000, sndBufLocked: true, ...options.settings };
  const bench = established({ peerMss: FULL, peerScale: 7, sack: false, ...options, settings });
  bench.write('x'.repeat(bytes));
  return bench;
}

/** Bytes in flight. */
function flying({ connection }: Bench): number {
  return (connection.sndNxt - connection.sndUna) | 0;
}

describe('a peer that does not read or answer', () => {
  it('that never reads: we send no more than its window, and then ask seldom', () => {
    const bench = sender({ peerWindow: 20_000, peerScale: 0 });
    const { connection } = bench;
    bench.take();
    // It acknowledges all it got, and never opens its window again.
    for (let round = 0; round < 10; round++) {
      bench.receive('.', { window: Math.max(0, 20_000 - ((connection.sndNxt - connection.iss) | 0)) });
      bench.advance(50 * MS);
    }
    bench.receive('.', { window: 0 });
    bench.take();
    bench.advance(HOUR);
    const probes = bench.take().length;
    assert.ok(probes > 0 && probes < 60, `${probes} probes in an hour`);
    assert.ok(bench.connection.sendQueue.length <= 4_000_000, 'what waits is what the user wrote');
  });

  it('that never reads cannot hold a connection whose user has gone, though it answers', () => {
    const bench = sender({ peerWindow: 0 }, 5000);
    bench.connection.close();
    for (let minutes = 0; minutes < 60 && bench.over === 'no'; minutes++) {
      bench.receive('.', { ack: 1, window: 0 });
      bench.advance(MINUTE);
    }
    assert.equal(bench.over, 'ended');
    assert.equal(bench.context.blocks.inUse, 0);
  });

  it('that never acknowledges: the connection ends by itself, and sooner when its user has gone', () => {
    for (const orphan of [false, true]) {
      const bench = sender();
      if (orphan) bench.connection.close();
      const segments = bench.take().length;
      bench.advance(orphan ? 3 * MINUTE : 20 * MINUTE);
      assert.equal(bench.over, 'ended');
      assert.ok(bench.take().length < segments + 20, 'and repeats little until then');
      assert.equal(bench.connection.error, 110);
      bench.connection.close();
      assert.equal(bench.context.blocks.inUse, 0);
      assert.equal(bench.host.timers.size, 0);
    }
  });

  it('TCP_USER_TIMEOUT bounds both', () => {
    const bench = sender({ settings: { userTimeoutUs: 10 * SECOND } });
    bench.advance(12 * SECOND);
    assert.equal(bench.over, 'ended');
  });

  it('that sends gaps for ever: ranges and memory are bounded', () => {
    const bench = established({ sysctl: { ethertype_ofo_ranges: 64 } });
    const { connection } = bench;
    for (let i = 1; i < 20_000; i++) bench.receive('.', { seq: 1 + ((i * 3) % 60_000), text: 'x' });
    assert.ok(connection.receiveQueue.rangeCount <= 64);
    assert.ok(bench.context.blocks.inUse * 4096 <= connection.rcvBuf, `${bench.context.blocks.inUse} blocks`);
    connection.abort();
    assert.equal(bench.context.blocks.inUse, 0);
  });

  it('that sends one byte a segment costs one byte each, not a segment each', () => {
    const bench = established();
    for (let i = 0; i < 20_000; i++) bench.receive('P.', { text: 'x' });
    assert.equal(bench.connection.receiveQueue.readable, 20_000);
    assert.ok(bench.context.blocks.inUse <= 6, `${bench.context.blocks.inUse} blocks for 20,000 segments`);
    assert.equal(bench.read().length, 20_000);
  });
});

describe('a peer that plays with its window', () => {
  it('that takes it back: what is outside is not sent, and nothing breaks', () => {
    const bench = sender({ peerWindow: 1000, peerScale: 5 });
    const { connection } = bench;
    for (const window of [1000, 10, 0, 500, 1, 65535, 0, 3]) {
      bench.receive('.', { ack: 1, window });
      bench.take();
      bench.advance(MS);
      for (const { seq, text } of bench.takeSent()) {
        assert.ok(text.length === 0 || seq + text.length <= 1 + (window << 5), `window ${window << 5}`);
      }
    }
    bench.receive('.', { window: 65535 });
    assert.ok(connection.state === 'ESTABLISHED' && flying(bench) > 0, 'it goes on when the window opens');
  });

  it('that offers a few bytes at a time gets few, larger segments (silly window)', () => {
    const bench = sender({ peerWindow: 65535, peerScale: 0 }, 60_000);
    const { connection } = bench;
    let rounds = 0;
    bench.receive('.', { window: 0 });
    bench.take();
    for (; rounds < 200; rounds++) bench.receive('.', { window: 5 + (rounds % 3) }).advance(MS);
    assert.ok(bench.take().length < 10, 'crumbs of window are not filled with crumbs of data');
    assert.equal(connection.state, 'ESTABLISHED');
  });

  it('that announces a tiny MSS: tcp_min_snd_mss is the least, and segments in flight are bounded', () => {
    const bench = sender({
      peerMss: 1,
      peerWindow: 65535,
      peerScale: 14,
      sack: true,
      sysctl: { tcp_min_snd_mss: 48 },
    });
    const { connection } = bench;
    assert.ok(connection.mss >= 48 - 12, `mss ${connection.mss}`);
    const more = 'x'.repeat(500_000);
    for (let round = 0; round < 16; round++) {
      if (connection.sendQueue.length < more.length) bench.write(more);
      bench.receive('.').advance(MS);
    }
    const { packetsOut } = connection.flight;
    assert.ok(
      packetsOut > 256 && packetsOut * 512 <= connection.sndBuf + 512 * 2000,
      `${packetsOut} segments`,
    );
  });
});

describe('a peer that lies in its acknowledgements', () => {
  it('of what was not sent: refused, and answered seldom (RFC 5961 section 5)', () => {
    const bench = sender();
    const { connection } = bench;
    const before = [connection.sndUna, connection.cwnd];
    bench.take();
    for (let ahead = 1; ahead < 100_000; ahead += 997) {
      bench.receive('.', { ack: ((connection.sndNxt - connection.iss) | 0) + ahead });
    }
    assert.deepEqual([connection.sndUna, connection.cwnd], before);
    assert.ok(bench.take().length <= 1);
  });

  /** The window after everything in flight was acknowledged, in `pieces` a segment, each `times` times. */
  const windowAfter = (pieces: number, times: number, sack: boolean): number => {
    const bench = sender({ sack });
    const { connection } = bench;
    for (let round = 0; round < 4; round++) {
      const from = (connection.sndUna - connection.iss) | 0;
      const to = (connection.sndNxt - connection.iss) | 0;
      bench.advance(10 * MS);
      for (let at = from; at < to; ) {
        at = Math.min(at + Math.ceil(FULL / pieces), to);
        for (let time = 0; time < times; time++) bench.receive('.', { ack: at });
      }
    }
    return connection.cwnd;
  };

  for (const sack of [false, true]) {
    it(`in many pieces a segment: the window grows by segments, not by acknowledgements; sack ${sack}`, () => {
      const honest = windowAfter(1, 1, sack);
      assert.ok(honest >= 100, `four round trips of slow start: ${honest}`);
      for (const pieces of [2, 10, 100])
        assert.ok(windowAfter(pieces, 1, sack) <= honest, `${pieces} pieces`);
    });

    it(`each of them many times: the window does not grow by it; sack ${sack}`, () => {
      const honest = windowAfter(1, 1, sack);
      // A duplicate may let a segment out early (RFC 3042), which is then acknowledged a little early.
      for (const times of [2, 3, 10])
        assert.ok(windowAfter(1, times, sack) <= 1.1 * honest, `${times} times`);
    });
  }

  it('by a thousand duplicates: what they let out is bounded by the window before the loss', () => {
    const bench = sender({ sack: false });
    const { connection } = bench;
    const before = connection.cwnd;
    bench.take();
    for (let i = 0; i < 1000; i++) bench.receive('.', { ack: 1 });
    assert.ok(connection.cwnd <= before + connection.flight.packetsOut);
    assert.ok(
      connection.flight.inFlight <= before,
      `${connection.flight.inFlight} thought to be in the network`,
    );
    const sent = bench.takeSent().length;
    assert.ok(sent <= 2 * before, `${sent} segments for 1000 duplicates`);
  });

  it('in SACK about what was not sent, or backward: not believed', () => {
    const bench = sender({ sack: true });
    const { connection } = bench;
    const rng = new Rng(1);
    const end = (connection.sndNxt - connection.iss) | 0;
    for (let i = 0; i < 1000; i++) {
      const left = end + rng.between(0, 1_000_000);
      bench.receive('.', { ack: 1, sack: [[left, left + rng.between(1, 100_000)]] });
      bench.receive('.', { ack: 1, sack: [[end - rng.below(1000), 1]] });
      bench.receive('.', { ack: 1, sack: [[5, end + 1 + i]] });
    }
    assert.equal(connection.flight.sackedOut, 0);
    assert.equal(connection.caState, 'Open');
    assert.ok(bench.host.mib.TcpExt.TCPSACKDiscard >= 2000);
  });

  it('in SACK about what it does not have: it gets it all the same, after a time-out (RFC 2018 section 8)', () => {
    const bench = sender({ sack: true }, 10 * FULL);
    const { connection } = bench;
    const end = 1 + 10 * FULL;
    bench.take();
    bench.receive('.', { ack: 1, sack: [[1 + FULL, end]] });
    // It takes the first segment and claims never to have seen the others.
    bench.receive('.', { ack: 1 + FULL });
    const got = new Set<number>();
    for (let i = 0; i < 30; i++) {
      bench.advance(2 * SECOND);
      for (const { seq, text } of bench.takeSent())
        for (let at = 0; at < text.length; at++) got.add(seq + at);
      let next = 1 + FULL;
      while (got.has(next)) next++;
      bench.receive('.', { ack: next });
    }
    assert.equal(connection.sndUna, connection.sndNxt, 'everything was sent again and acknowledged');
    assert.ok(bench.host.mib.TcpExt.TCPSACKReneging > 0);
  });

  it('in timestamps: the time-out stays within its bounds', () => {
    const bench = sender({ timestamps: true, sack: true });
    const { connection } = bench;
    const rng = new Rng(3);
    let ack = 1;
    for (let i = 0; i < 300; i++) {
      ack = Math.min(ack + 500, (connection.sndNxt - connection.iss) | 0);
      bench.receive('.', { ack, tsVal: 2 + i, tsEcr: rng.u32() | 0 });
      bench.advance(MS);
      assert.ok(connection.rtoUs >= 200 * MS && connection.rtoUs <= 120 * SECOND, `${connection.rtoUs}`);
    }
    assert.equal(connection.state, 'ESTABLISHED');
  });
});
