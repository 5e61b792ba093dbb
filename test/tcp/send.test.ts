import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { POLLOUT } from '../../src/core/readiness.ts';
import { WRITE_EOR, WRITE_MORE } from '../../src/tcp/send/write.ts';
import { type BenchOptions, established, ISS_VALUES, MS, MSS, segments } from './harness.ts';

const NO_DELAY = { noDelay: true };

for (const iss of ISS_VALUES) {
  const open = (options: BenchOptions = {}) => established({ iss, ...options });

  describe(`sending, iss ${iss >>> 0}`, () => {
    it('cuts what was written into full segments; what leaves at once is pushed at its end (Linux)', () => {
      const bench = open({ sysctl: { tcp_min_tso_segs: 5 } });
      bench.write('aaaaaaaaaabbbbbbbbbbccc');
      assert.deepEqual(bench.take(), [
        '. 1:11 ack 1 aaaaaaaaaa',
        '. 11:21 ack 1 bbbbbbbbbb',
        'P. 21:24 ack 1 ccc',
      ]);
    });

    it('sends at once what leaves in a millisecond, two segments at least, each time pushed at its end', () => {
      // Ten segments in 10 ms, at 3.1 times that rate: 31 bytes a millisecond.
      const bench = open({ sysctl: { tcp_pacing_ss_ratio: 310 } });
      bench.write(segments(5));
      const flags = (): string[] => bench.take().map(line => line.split(' ')[0] ?? '');
      assert.deepEqual(flags(), ['.', '.', 'P.', '.', 'P.']);
      bench.host.sysctl.tcp_pacing_ss_ratio = 200;
      bench.write(segments(3));
      assert.deepEqual(flags(), ['.', 'P.', 'P.'], 'the last one was the end of the write');
    });

    it('does not push a single segment in the middle of a write', () => {
      const bench = open();
      bench.write(segments(3), WRITE_MORE);
      assert.deepEqual(
        bench.take().map(line => line.split(' ')[0]),
        ['.', 'P.', '.'],
      );
    });

    it('hands a super-segment down where the path takes it', () => {
      const bench = open({ gso: 1000, sysctl: { tcp_min_tso_segs: 3 } });
      bench.write(segments(3));
      const [sent, ...more] = bench.takeSent();
      assert.equal(more.length, 0);
      assert.equal(sent?.text, segments(3));
      assert.equal(sent?.gsoSize, MSS);
      assert.equal(bench.connection.flight.packetsOut, 3);
      assert.equal(bench.host.mib.Tcp.OutSegs, 2 + 3, 'SYN, ACK, and what the link makes of it');
    });

    it('counts segments the same with and without super-segments', () => {
      for (const gso of [0, 25, 1000]) {
        const bench = open({ gso });
        bench.write(`${segments(4)}xyz`);
        assert.equal(
          bench
            .takeSent()
            .map(({ text }) => text)
            .join(''),
          `${segments(4)}xyz`,
        );
        assert.equal(bench.connection.flight.packetsOut, 5);
      }
    });

    it('stays within the congestion window, and goes on as acknowledgements come', () => {
      const bench = open();
      bench.write(segments(26));
      assert.equal(bench.take().length, 10);
      bench.receive('.', { ack: 1 + 2 * MSS });
      assert.deepEqual(
        bench.takeSent().map(({ text }) => text[0]),
        ['k', 'l', 'm', 'n'],
        'slow start: two for one',
      );
    });

    it("stays within the peer's window, to the byte", () => {
      const bench = open({ peerWindow: 25 });
      bench.write(segments(5));
      assert.deepEqual(bench.take(), ['. 1:11 ack 1 aaaaaaaaaa', 'P. 11:21 ack 1 bbbbbbbbbb']);
      bench.receive('.', { ack: 21, window: 30 });
      assert.equal(bench.take().length, 3);
    });

    it('does not send small pieces because the window is small (silly windows)', () => {
      const bench = open({ peerWindow: 40 });
      bench.write(segments(10));
      assert.equal(bench.take().length, 4);
      bench.receive('.', { ack: 41, window: 3 });
      assert.deepEqual(bench.take(), []);
      // From a segment on, all that the window takes, as long as nothing small is in flight (Linux).
      bench.receive('.', { ack: 41, window: 13 });
      assert.deepEqual(bench.take(), ['. 41:51 ack 1 eeeeeeeeee', 'P. 51:54 ack 1 fff']);
      bench.receive('.', { ack: 51, window: 13 });
      assert.deepEqual(bench.take(), ['. 54:64 ack 1 fffffffggg']);
    });

    it('takes half of a small window for a full segment', () => {
      const bench = open({ peerMss: 1460, peerWindow: 1000 });
      assert.equal(bench.connection.mss, 500);
    });
  });

  describe(`Nagle, iss ${iss >>> 0}`, () => {
    it('holds a small segment back while a small one is in flight (Minshall)', () => {
      const bench = open();
      bench.write('aaa');
      bench.write('bbb');
      assert.deepEqual(bench.take(), ['P. 1:4 ack 1 aaa']);
      bench.receive('.', { ack: 4 });
      assert.deepEqual(bench.take(), ['P. 4:7 ack 1 bbb']);
    });

    it('lets a small segment follow full ones', () => {
      const bench = open();
      bench.write(segments(2));
      bench.write('ccc');
      assert.deepEqual(bench.take().at(-1), 'P. 21:24 ack 1 ccc');
    });

    it('sends what has become a full segment', () => {
      const bench = open();
      bench.write('aaa');
      bench.write('bbbbb');
      bench.write('ccccccc');
      assert.deepEqual(bench.take(), ['P. 1:4 ack 1 aaa', '. 4:14 ack 1 bbbbbccccc']);
    });

    it('is off with TCP_NODELAY, and turning it off sends what was held', () => {
      const bench = open();
      bench.write('aaa');
      bench.write('bbb');
      bench.take();
      bench.set(NO_DELAY);
      assert.deepEqual(bench.take(), ['P. 4:7 ack 1 bbb']);
      bench.write('ccc');
      assert.deepEqual(bench.take(), ['P. 7:10 ack 1 ccc']);
    });
  });

  describe(`cork and MSG_MORE, iss ${iss >>> 0}`, () => {
    it('hold every partial segment, even with TCP_NODELAY', () => {
      const bench = open({ settings: { cork: true, noDelay: true } });
      bench.write('aaaaaaaaaabbb');
      assert.deepEqual(bench.take(), ['. 1:11 ack 1 aaaaaaaaaa']);
      bench.set({ cork: false });
      assert.deepEqual(bench.take(), ['P. 11:14 ack 1 bbb']);
    });

    it('hold for 200 ms and no longer', () => {
      const bench = open({ settings: { cork: true } });
      bench.write('aaa');
      bench.advance(209 * MS);
      assert.deepEqual(bench.take(), []);
      bench.advance(2 * MS);
      assert.deepEqual(bench.take(), ['P. 1:4 ack 1 aaa']);
    });

    it('MSG_MORE holds until a write without it', () => {
      const bench = open();
      bench.write('aaa', WRITE_MORE);
      assert.deepEqual(bench.take(), []);
      bench.write('bbb');
      assert.deepEqual(bench.take(), ['P. 1:7 ack 1 aaabbb']);
    });

    it('TCP_NODELAY sends what MSG_MORE held', () => {
      const bench = open();
      bench.write('aaa', WRITE_MORE);
      bench.set(NO_DELAY);
      // Nobody has asked to push it.
      assert.deepEqual(bench.take(), ['. 1:4 ack 1 aaa']);
    });

    it('MSG_MORE holds a partial segment until the next acknowledgement, and no longer (Linux)', () => {
      const bench = open();
      bench.write(segments(1));
      bench.write('aaa', WRITE_MORE);
      assert.deepEqual(bench.take(), ['P. 1:11 ack 1 aaaaaaaaaa']);
      bench.receive('.', { ack: 11 });
      assert.deepEqual(bench.take(), ['. 11:14 ack 1 aaa']);
    });

    it('MSG_EOR keeps what is written later out of the segment', () => {
      const bench = open({ settings: { cork: true } });
      bench.write('aaa', WRITE_EOR);
      bench.write('bbb');
      bench.set({ cork: false });
      assert.deepEqual(bench.take(), ['P. 1:4 ack 1 aaa']);
      bench.receive('.', { ack: 4 });
      assert.deepEqual(bench.take(), ['P. 4:7 ack 1 bbb']);
    });
  });

  describe(`FIN, iss ${iss >>> 0}`, () => {
    it('goes with the last data', () => {
      const bench = open({ settings: { cork: true } });
      bench.write('aaa');
      bench.connection.shutdownWrite();
      assert.deepEqual(bench.take(), ['FP. 1:5 ack 1 aaa']);
    });

    it('goes alone when nothing waits', () => {
      const bench = open();
      bench.connection.shutdownWrite();
      assert.deepEqual(bench.take(), ['F. 1:2 ack 1']);
    });

    it('waits behind data that the congestion window holds', () => {
      const bench = open();
      bench.write(segments(12));
      bench.connection.shutdownWrite();
      assert.ok(bench.take().every(line => !line.startsWith('F')));
      bench.receive('.', { ack: 11 });
      assert.ok(bench.take().some(line => line.startsWith('FP. 111:122 ack 1')));
    });

    it('waits for the congestion window with the last segment, and alone, too', () => {
      for (const [count, fin] of [
        [11, 'FP. 101:112 ack 1'],
        [10, 'F. 101:102 ack 1'],
      ] as const) {
        const bench = open();
        bench.write(segments(count));
        bench.connection.shutdownWrite();
        assert.ok(bench.take().every(line => !line.startsWith('F')));
        bench.receive('.', { ack: 11 });
        assert.ok(bench.take().some(line => line.startsWith(fin)));
      }
    });

    it('takes a place in the window: without one the last segment waits with it (Linux)', () => {
      const bench = open({ peerWindow: 5 });
      bench.write('aaaaa', WRITE_MORE);
      bench.connection.shutdownWrite();
      assert.deepEqual(bench.take(), []);
      bench.receive('.', { window: 6 });
      assert.deepEqual(bench.take(), ['FP. 1:7 ack 1 aaaaa']);
    });

    it('lets a probe go first when the window takes the data alone', () => {
      const bench = open({ peerWindow: 5 });
      bench.write('aaaaa', WRITE_MORE);
      bench.connection.shutdownWrite();
      bench.advance(300 * MS);
      assert.deepEqual(bench.take(), ['P. 1:6 ack 1 aaaaa']);
      bench.receive('.', { ack: 6 });
      assert.deepEqual(bench.take(), ['F. 6:7 ack 1']);
    });
  });

  describe(`zero window, iss ${iss >>> 0}`, () => {
    it('is probed, twice as late each time, for as long as the peer answers', () => {
      const bench = open();
      bench.receive('.', { window: 0 });
      bench.write('aaa');
      assert.deepEqual(bench.take(), []);
      const at: number[] = [];
      for (let i = 0; i < 1200; i++) {
        bench.advance(1e6);
        for (const probe of bench.takeSent()) {
          assert.equal(probe.seq, 0, 'an old number, which must be answered');
          at.push(probe.atUs);
          bench.receive('.', { window: 0 });
        }
      }
      const gaps = at.slice(1).map((us, i) => us - (at[i] ?? 0));
      assert.ok((gaps[1] ?? 0) > 1.9 * (gaps[0] ?? 0));
      // From the answer on, which came within a second.
      assert.equal(Math.floor(Math.max(...gaps) / 1e6), 120);
      assert.equal(bench.state, 'ESTABLISHED');
      bench.receive('.', { window: 100 });
      assert.deepEqual(bench.take(), ['P. 1:4 ack 1 aaa']);
    });

    it('is probed twice as late each time for a FIN alone, too', () => {
      const bench = open();
      bench.receive('.', { window: 0 });
      bench.connection.shutdownWrite();
      const at: number[] = [];
      for (let i = 0; i < 100; i++) {
        bench.advance(100 * MS);
        for (const { atUs } of bench.takeSent()) {
          at.push(atUs);
          bench.receive('.', { window: 0 });
        }
      }
      assert.ok(at.length >= 3 && at.length <= 6, `${at.length} probes in 10 s`);
      bench.receive('.', { window: 1 });
      assert.deepEqual(bench.take(), ['F. 1:2 ack 1']);
    });

    it('ends a connection whose peer is silent', () => {
      const bench = open({ sysctl: { tcp_retries2: 3 } });
      bench.receive('.', { window: 0 });
      bench.write('aaa');
      bench.advance(3600e6);
      assert.equal(bench.take().length, 3);
      assert.equal(bench.state, 'CLOSED');
    });

    it('does not let a peer hold a connection that nobody owns', () => {
      const bench = open({ sysctl: { tcp_orphan_retries: 3, tcp_rto_max_ms: 1000 } });
      bench.receive('.', { window: 0 });
      bench.write('aaa');
      bench.connection.close();
      for (let i = 0; i < 60 && bench.over === 'no'; i++) {
        bench.advance(1e6);
        if (bench.over === 'no') bench.receive('.', { window: 0 });
      }
      assert.equal(bench.over, 'ended');
    });

    it('that takes back what was offered does not end the connection while the peer answers', () => {
      const bench = open({ sysctl: { tcp_retries2: 3 } });
      bench.write('aaa');
      bench.receive('.', { ack: 1, seq: 1, window: 65535 });
      bench.receive('P.', { ack: 1, text: 'x', window: 0 });
      for (let i = 0; i < 100; i++) {
        bench.advance(10e6);
        bench.receive('.', { ack: 1, window: 0 });
      }
      assert.equal(bench.state, 'ESTABLISHED');
    });

    it('that takes back what was offered gets ACKs with a number it accepts', () => {
      const bench = open({ peerWindow: 30 });
      bench.write(segments(3));
      bench.receive('P.', { ack: 1, text: 'x', window: 20 });
      bench.take();
      bench.receive('P.', { ack: 1, text: 'y', window: 20 });
      assert.deepEqual(bench.take(), ['. 21:21 ack 3']);
    });
  });
}

describe('the send buffer', () => {
  it('counts what each packet takes besides its bytes, and tells a writer when a third of it is free', () => {
    // Packets of 20 bytes, which take 832 more: a fourth one begins below 3000 bytes, a fifth does not.
    const bench = established({ peerWindow: 100, settings: { sndBuf: 3000, sndBufLocked: true } });
    bench.connection.maxSndWnd = 20;
    assert.equal(bench.write('x'.repeat(200)), 80);
    assert.equal(bench.write('y'), 0);
    bench.readyMask = 0;
    bench.receive('.', { ack: 41 });
    assert.notEqual(bench.readyMask & POLLOUT, 0, 'two of four are left: 1704 of 3000');
    assert.equal(bench.write('y'.repeat(200)), 40);
    bench.readyMask = 0;
    bench.receive('.', { ack: 61 });
    assert.equal(bench.readyMask & POLLOUT, 0, 'not woken for crumbs: three are left, 2556 of 3000');
  });

  it('fills a packet that has begun, whatever the limit', () => {
    const bench = established({ settings: { sndBuf: 100, sndBufLocked: true } });
    assert.equal(bench.write('x'.repeat(150)), 150);
    assert.equal(bench.write('y', WRITE_EOR), 1);
    assert.equal(bench.write('z'), 0, 'MSG_EOR: a fresh packet would have to begin');
  });

  it('takes no more than TCP_NOTSENT_LOWAT of what is not sent, and wakes a writer at half of it', () => {
    const bench = established({ peerMss: 1000, settings: { notSentLowat: 4000 } });
    bench.connection.maxSndWnd = 4000;
    assert.equal(bench.write('x'.repeat(30000)), 10000 + 4000, 'what the windows take, and two packets');
    bench.readyMask = 0;
    bench.receive('.', { ack: 2001 });
    assert.equal(bench.readyMask & POLLOUT, POLLOUT);
    bench.set({ notSentLowat: 0 });
    assert.equal(bench.write('x'.repeat(5000)), 5000, 'the sysctl has no such limit');
  });

  it('grows with the congestion window unless SO_SNDBUF was set', () => {
    for (const sndBufLocked of [false, true]) {
      const bench = established({ peerMss: 1000, settings: { sndBuf: 10000, sndBufLocked } });
      bench.write('x'.repeat(10000));
      bench.receive('.', { ack: 5001 });
      assert.equal(bench.connection.sndBuf > 10000, !sndBufLocked);
    }
  });
});

describe('a smaller path MTU (RFC 1191)', () => {
  it('sends what is too big again at once, in smaller segments, without a smaller congestion window', () => {
    const bench = established({ peerMss: 1460, mtu: 1500 });
    bench.write('x'.repeat(2920));
    bench.take();
    const { cwnd } = bench.connection;
    bench.connection.setPath(1040, 0);
    bench.connection.retransmitTooBig();
    assert.deepEqual(
      bench.takeSent().map(({ seq, text }) => [seq, text.length]),
      [
        [1, 1000],
        [1001, 460],
        [1461, 1000],
        [2461, 460],
      ],
    );
    assert.equal(bench.connection.cwnd, cwnd);
    bench.receive('.', { ack: 2921 });
    assert.equal(bench.connection.caState, 'Open');
  });
});
