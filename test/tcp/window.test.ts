import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { established, ISS_VALUES, MS, synSent } from './harness.ts';

for (const iss of ISS_VALUES) {
  describe(`the receive window, irs ${iss >>> 0}`, () => {
    it('is never taken back: its right edge never moves left', () => {
      const bench = established({ iss, peerScale: 7, settings: { rcvBuf: 20000, rcvBufLocked: true } });
      const { connection } = bench;
      let edge = 0;
      for (let i = 0; i < 200; i++) {
        bench.receive('.', { text: 'x'.repeat(100) });
        if (i % 7 === 0) bench.read(i % 3 === 0 ? 1000 : 50);
        for (const { ack, window } of bench.takeSent()) {
          const right = ack + window * 2 ** connection.rcvWscale;
          assert.ok(right >= edge, `${right} after ${edge}`);
          edge = right;
        }
      }
      assert.ok(connection.readable <= 20000, 'and never more than the buffer');
    });

    it('with tcp_shrink_window stays open to what fills a gap, whatever waits behind that', () => {
      const sysctl = { tcp_shrink_window: true, tcp_rmem: [4096, 16384, 65536] as const };
      const bench = established({ iss, peerScale: 7, sysctl });
      const end = bench.connection.rcvWndLeft;
      for (let seq = 101; seq + 100 <= end; seq += 100) bench.receive('.', { seq, text: 'y'.repeat(100) });
      assert.ok((bench.takeSent().at(-1)?.window ?? 0) > 0);
      bench.receive('.', { seq: 1, text: 'x'.repeat(100) });
      assert.ok(bench.connection.readable >= 6000, 'the gap is filled, and nothing behind it was lost');
    });

    it('does not open in small steps (silly windows): the reader makes room for an announcement', () => {
      const bench = established({ iss, settings: { rcvBuf: 4000, rcvBufLocked: true } });
      bench.receive('.', { text: 'x'.repeat(bench.connection.rcvWndLeft) });
      bench.advance(100 * MS);
      assert.equal(bench.takeSent().at(-1)?.window, 0);
      bench.read(100);
      assert.deepEqual(bench.take(), []);
      bench.read();
      assert.ok((bench.takeSent().at(-1)?.window ?? 0) >= 536);
    });

    it('that is closed answers a probe', () => {
      const bench = established({ iss, settings: { rcvBuf: 4000, rcvBufLocked: true } });
      bench.receive('.', { text: 'x'.repeat(bench.connection.rcvWndLeft) });
      bench.advance(100 * MS);
      bench.take();
      bench.receive('.', { text: 'y' });
      assert.equal(bench.take().length, 1);
      bench.receive('.', { seq: 0 });
      assert.equal(bench.takeSent().at(-1)?.window, 0);
      assert.equal(bench.host.mib.TcpExt.BeyondWindow, 1);
    });

    it('grows for a reader that keeps up, up to tcp_rmem[2]', () => {
      const bench = established({ iss, peerMss: 1460, peerScale: 7, timestamps: true });
      const before = bench.connection.rcvBuf;
      for (let round = 0; round < 40; round++) {
        const room = bench.connection.rcvWndLeft;
        for (let sent = 0; sent + 1448 <= room; sent += 1448) {
          bench.receive('.', {
            text: 'x'.repeat(1448),
            tsVal: 2 + round,
            tsEcr: bench.connection.tsNow - 20,
          });
          bench.read();
        }
        bench.advance(20 * MS);
        bench.take();
      }
      assert.ok(bench.connection.rcvBuf > 4 * before, `${bench.connection.rcvBuf}`);
      assert.ok(bench.connection.rcvBuf <= bench.host.sysctl.tcp_rmem[2]);
    });

    it('does not grow when SO_RCVBUF was set, nor without tcp_moderate_rcvbuf', () => {
      for (const options of [
        { settings: { rcvBufLocked: true } },
        { sysctl: { tcp_moderate_rcvbuf: false } },
      ]) {
        const bench = established({ iss, peerMss: 1460, peerScale: 7, ...options });
        const before = bench.connection.rcvBuf;
        for (let i = 0; i < 500; i++) {
          bench.receive('.', { text: 'x'.repeat(1460) });
          bench.read();
          bench.advance(1 * MS);
        }
        assert.equal(bench.connection.rcvBuf, before);
      }
    });
  });
}

describe('the window in a SYN', () => {
  it('is a whole number of segments, never scaled, at most 65535', () => {
    const bench = synSent();
    const [syn] = bench.takeSent();
    assert.equal(syn?.window, 64240);
    assert.equal((syn?.window ?? 1) % 1460, 0);
    assert.equal(synSent({ settings: { rcvBuf: 4e6, rcvBufLocked: true } }).takeSent()[0]?.window, 65535);
  });

  it('names the MSS that the MTU leaves, or TCP_MAXSEG', () => {
    assert.equal(synSent().takeSent()[0]?.mss, 1460);
    assert.equal(synSent({ mtu: 576 }).takeSent()[0]?.mss, 536);
    assert.equal(synSent({ settings: { maxSeg: 400 } }).takeSent()[0]?.mss, 400);
  });

  it('of the peer is not scaled, its later ones are', () => {
    const bench = established({ peerScale: 3, peerWindow: 5000 });
    assert.equal(bench.connection.sndWnd, 5000);
    bench.receive('.', { window: 5000 });
    assert.equal(bench.connection.sndWnd, 40000);
  });

  it('without a scale from the peer means that nobody scales (RFC 7323 section 1.3)', () => {
    const bench = established();
    assert.equal(bench.connection.rcvWscale, 0);
    bench.receive('.', { window: 5000 });
    assert.equal(bench.connection.sndWnd, 5000);
  });

  it('is held down by TCP_WINDOW_CLAMP, also later', () => {
    assert.equal(synSent({ settings: { windowClamp: 2000 } }).takeSent()[0]?.window, 1460);
    const bench = established();
    // The first segment of a size says how much of the buffer is window, and sets the clamp (Linux).
    bench.receive('.', { text: 'x'.repeat(1000) });
    bench.set({ windowClamp: 3000 });
    for (let i = 0; i < 60; i++) {
      bench.receive('.', { text: 'x'.repeat(1000) });
      bench.read();
    }
    for (let i = 0; i < 5; i++) {
      bench.receive('.', { text: 'x'.repeat(1000) });
      bench.read();
    }
    assert.ok(bench.connection.rcvWndLeft <= 6000, `${bench.connection.rcvWndLeft}`);
  });
});
