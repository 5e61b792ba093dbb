import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  type Bench,
  type BenchOptions,
  closeWait,
  closing,
  established,
  finWait1,
  finWait2,
  ISS_VALUES,
  lastAck,
  MS,
  synReceived,
  synSent,
} from './harness.ts';

const SYNCHRONIZED: Record<string, (options: BenchOptions) => Bench> = {
  ESTABLISHED: established,
  FIN_WAIT_1: finWait1,
  FIN_WAIT_2: finWait2,
  CLOSE_WAIT: closeWait,
  CLOSING: closing,
  LAST_ACK: lastAck,
};

for (const iss of ISS_VALUES) {
  describe(`RST, iss ${iss >>> 0}`, () => {
    for (const [name, make] of Object.entries(SYNCHRONIZED)) {
      it(`in ${name}: only the exact number counts, another one in the window is challenged (RFC 5961)`, () => {
        const bench = make({ iss }).advance(1 * MS);
        bench.take();
        const next = (bench.connection.rcvNxt - bench.irs) | 0;
        bench.receive('R', { seq: next + 100000 });
        bench.receive('R', { seq: next - 1 });
        assert.deepEqual(bench.take(), []);
        bench.receive('R', { seq: next + 1 });
        assert.equal(bench.take().length, 1);
        assert.equal(bench.host.mib.TcpExt.TCPChallengeACK, 1);
        assert.equal(bench.state, name);
        bench.receive('R', { seq: next });
        assert.equal(bench.state, 'CLOSED');
        assert.deepEqual(bench.take(), []);
      });
    }

    it('counts also at the end of what was SACKed', () => {
      const bench = established({ iss });
      bench.receive('.', { seq: 11, text: 'abc' });
      bench.receive('R', { seq: 14 });
      assert.equal(bench.state, 'CLOSED');
    });

    it('in SYN_SENT needs an ACK of our SYN', () => {
      const bench = synSent({ iss });
      bench.take();
      bench.receive('R', { seq: 0 }).receive('R.', { seq: 0, ack: 2 }).receive('R.', { seq: 0, ack: 0 });
      assert.equal(bench.state, 'SYN_SENT');
      assert.deepEqual(bench.take(), []);
    });

    it('does not touch the remembered timestamp', () => {
      const bench = established({ iss, timestamps: true });
      bench.receive('R', { seq: 2, tsVal: 1_000_000 });
      bench.receive('P.', { seq: 1, text: 'abc', tsVal: 2 });
      assert.equal(bench.read(), 'abc');
    });

    it('leaves what was received readable', () => {
      const bench = established({ iss });
      bench.receive('P.', { text: 'abc' });
      bench.receive('R');
      assert.equal(bench.read(), 'abc');
    });
  });

  describe(`SYN on a connection, iss ${iss >>> 0}`, () => {
    for (const [name, make] of Object.entries(SYNCHRONIZED)) {
      it(`in ${name} is challenged wherever it lies (RFC 5961 section 4)`, () => {
        for (const seq of [0, 1, 2, 5000, -5000, 1 << 30]) {
          const bench = make({ iss });
          bench.take();
          bench.receive('S', { seq });
          assert.equal(bench.take().length, 1);
          assert.equal(bench.state, name);
          assert.equal(bench.host.mib.TcpExt.TCPSYNChallenge, 1);
        }
      });
    }
  });

  describe(`ACK, iss ${iss >>> 0}`, () => {
    it('of what was never sent, or long ago, is challenged, and its data dropped', () => {
      for (const ack of [2, 1 << 30, -100_000]) {
        const bench = established({ iss });
        bench.receive('P.', { ack, text: 'abc' });
        assert.deepEqual(bench.take(), ['. 1:1 ack 1']);
        assert.equal(bench.read(), '');
      }
    });

    it('of the recent past is taken for what it is', () => {
      const bench = established({ iss });
      bench.write('abc');
      bench.receive('.', { ack: 4 });
      bench.take();
      bench.receive('P.', { ack: 2, text: 'abc' });
      assert.equal(bench.read(), 'abc');
      assert.equal(bench.connection.sndUna, (iss + 4) | 0);
    });

    it('is needed: a segment without one is dropped', () => {
      const bench = established({ iss });
      bench.receive('P', { text: 'abc' });
      assert.equal(bench.read(), '');
      assert.deepEqual(bench.take(), []);
    });

    it('that is wrong in SYN_RCVD is answered by a reset', () => {
      const bench = synReceived({ iss });
      bench.receive('.', { ack: 5 });
      assert.deepEqual(bench.take(), ['R 5:5']);
      assert.equal(bench.state, 'SYN_RCVD');
    });

    it('that is wrong in SYN_SENT is answered by a reset', () => {
      const bench = synSent({ iss });
      bench.take();
      bench.receive('S.', { seq: 0, ack: 7 });
      assert.deepEqual(bench.take(), ['R 7:7']);
      assert.equal(bench.state, 'SYN_SENT');
    });
  });

  describe(`challenges, iss ${iss >>> 0}`, () => {
    it('are one in tcp_invalid_ratelimit on a connection', () => {
      const bench = established({ iss });
      for (let i = 0; i < 20; i++) {
        bench.receive('S', { seq: 5 });
        bench.advance(100 * MS);
      }
      assert.equal(bench.take().length, 4, 'in 2 s');
      assert.equal(bench.host.mib.TcpExt.TCPACKSkippedChallenge, 16);
    });

    it('of all connections together are limited, and by no round number (RFC 5961 section 7)', () => {
      const bench = established({ iss, sysctl: { tcp_challenge_ack_limit: 10, tcp_invalid_ratelimit: 0 } });
      const counts = new Set<number>();
      for (let second = 0; second < 20; second++) {
        for (let i = 0; i < 50; i++) bench.receive('S', { seq: 5 });
        const sent = bench.take().length;
        assert.ok(sent >= 5 && sent < 15, `${sent}`);
        counts.add(sent);
        bench.advance(1e6);
      }
      assert.ok(counts.size > 3, 'nobody can count with it');
    });
  });

  describe(`segments outside of the window, irs ${iss >>> 0}`, () => {
    it('are acknowledged and dropped', () => {
      const bench = established({ iss });
      bench.receive('P.', { seq: 1_000_000, text: 'abc' });
      assert.deepEqual(bench.take(), ['. 1:1 ack 1']);
      assert.equal(bench.read(), '');
    });

    it('are taken when they begin inside and nothing waits to be read, else not at all', () => {
      const bench = established({ iss });
      const room = bench.connection.rcvWndLeft;
      bench.receive('P.', { text: 'x'.repeat(room + 100) });
      assert.equal(bench.connection.readable, room + 100);
      bench.receive('P.', { text: 'y' });
      assert.equal(bench.connection.readable, room + 100);
      assert.equal(bench.host.mib.TcpExt.BeyondWindow, 1);
    });

    it('without data are acknowledged once in half a second: two confused ends do not storm', () => {
      const bench = established({ iss });
      for (let i = 0; i < 50; i++) bench.receive('.', { seq: -5 }).receive('.', { seq: 1 << 30 });
      assert.equal(bench.take().length, 1);
      assert.equal(bench.host.mib.TcpExt.TCPACKSkippedSeq, 99);
    });
  });

  describe(`PAWS (RFC 7323 section 5), iss ${iss >>> 0}`, () => {
    const open = () => {
      const bench = established({ iss, timestamps: true });
      bench.receive('P.', { text: 'abc', tsVal: 1000, tsEcr: 1 });
      bench.take();
      return bench;
    };

    it('drops a segment that is older than the last one acknowledged', () => {
      const bench = open();
      bench.receive('P.', { text: 'def', tsVal: 999 });
      assert.equal(bench.read(), 'abc');
      assert.equal(bench.host.mib.TcpExt.PAWSEstab, 1);
      assert.equal(bench.take().length, 1);
    });

    it('takes one of the same time, and compares across 2^32', () => {
      const bench = open();
      bench.receive('P.', { text: 'def', tsVal: 1000 });
      bench.receive('P.', { text: 'ghi', tsVal: 0x7fffffff });
      bench.receive('P.', { text: 'jkl', tsVal: 0xfffffff0 | 0 });
      bench.receive('P.', { text: 'mno', tsVal: 5 });
      assert.equal(bench.read(), 'abcdefghijklmno');
    });

    it('believes any after 24 days', () => {
      const bench = open();
      bench.advance(25 * 86400e6);
      bench.receive('P.', { text: 'def', tsVal: 1 });
      assert.equal(bench.read(), 'abcdef');
    });

    it('does not learn from a segment whose ACK is a lie, nor from one behind a gap', () => {
      const bench = open();
      bench.receive('P.', { text: 'def', ack: 5000, tsVal: 1_000_000 });
      bench.receive('P.', { seq: 10, text: 'xyz', tsVal: 1_000_000 });
      bench.receive('P.', { seq: 4, text: 'defghi', tsVal: 1001 });
      assert.equal(bench.read(), 'abcdefghixyz');
    });

    it('echoes the timestamp of the segment that the ACK is for', () => {
      const bench = open();
      bench.receive('P.', { text: 'def', tsVal: 2000 });
      assert.equal(bench.takeSent().at(-1)?.tsEcr, 2000);
      bench.receive('P.', { seq: 20, text: 'zzz', tsVal: 3000 });
      assert.equal(bench.takeSent().at(-1)?.tsEcr, 2000);
    });
  });

  describe(`data after close, iss ${iss >>> 0}`, () => {
    for (const make of [finWait1, finWait2]) {
      it(`resets the connection (${make.name})`, () => {
        const bench = make({ iss });
        bench.connection.close();
        bench.take();
        bench.receive('P.', { text: 'abc' });
        assert.equal(bench.state, 'CLOSED');
        assert.equal(bench.take()[0]?.startsWith('R '), true);
      });
    }

    it('that nobody read resets it at once', () => {
      const bench = established({ iss });
      bench.receive('P.', { text: 'abc' });
      bench.take();
      bench.connection.close();
      assert.deepEqual(bench.take(), ['R. 1:1 ack 4']);
      assert.equal(bench.host.mib.TcpExt.TCPAbortOnClose, 1);
    });
  });
}
