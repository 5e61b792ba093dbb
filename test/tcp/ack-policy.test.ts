import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Bench, established, ISS_VALUES, MS, segments } from './harness.ts';

/** A connection whose quick ACKs are used up. */
function patient(iss: number): Bench {
  const bench = established({ iss, peerMss: 10 });
  bench.connection.rcvMss = 10;
  bench.connection.setQuickAck(false);
  return bench;
}

for (const iss of ISS_VALUES) {
  describe(`acknowledging, iss ${iss >>> 0}`, () => {
    it('answers the first segments at once', () => {
      const bench = established({ iss });
      for (let i = 0; i < 5; i++) {
        bench.receive('P.', { text: 'abc' });
        assert.deepEqual(bench.take(), [`. 1:1 ack ${4 + 3 * i}`]);
      }
    });

    it('then waits 40 ms', () => {
      const bench = patient(iss);
      bench.receive('P.', { text: 'abc' });
      bench.advance(39 * MS);
      assert.deepEqual(bench.take(), []);
      bench.advance(1 * MS);
      assert.deepEqual(bench.take(), ['. 1:1 ack 4']);
      assert.equal(bench.host.mib.TcpExt.DelayedACKs, 1);
    });

    it('answers every second full segment at once when the user reads', () => {
      const bench = patient(iss);
      for (let i = 0; i < 6; i++) {
        bench.receive('.', { text: segments(1) });
        bench.read();
      }
      assert.deepEqual(bench.take(), ['. 1:1 ack 21', '. 1:1 ack 41', '. 1:1 ack 61']);
    });

    it('lets our data carry the ACK', () => {
      const bench = patient(iss);
      bench.receive('P.', { text: 'abc' });
      bench.write('xyz');
      assert.deepEqual(bench.take(), ['P. 1:4 ack 4 xyz']);
      bench.advance(100 * MS);
      assert.deepEqual(bench.take(), []);
    });

    it('answers at once what is out of order, fills a gap, or came before', () => {
      const bench = patient(iss);
      bench.receive('.', { seq: 4, text: 'def' });
      assert.deepEqual(bench.take(), ['. 1:1 ack 1 sack 4:7']);
      bench.receive('.', { seq: 1, text: 'abc' });
      assert.deepEqual(bench.take(), ['. 1:1 ack 7']);
      bench.receive('.', { seq: 1, text: 'abc' });
      assert.deepEqual(bench.take(), ['. 1:1 ack 7 sack 1:4']);
    });

    it('sends SACK blocks with our own data, which is so much shorter', () => {
      const bench = patient(iss);
      bench.write(segments(20));
      bench.take();
      bench.receive('.', { seq: 11, text: 'b', ack: 101 });
      const lines = bench.take();
      assert.ok(lines.length > 1);
      for (const line of lines) assert.match(line, / ack 1 sack 11:12 /);
    });

    it('TCP_QUICKACK sends at once what is owed for data that was read', () => {
      const bench = patient(iss);
      bench.receive('P.', { text: 'abc' });
      bench.connection.setQuickAck(true);
      assert.deepEqual(bench.take(), []);
      bench.connection.read(new Uint8Array(10), 0, 10, false);
      bench.connection.setQuickAck(true);
      assert.deepEqual(bench.take(), ['. 1:1 ack 4']);
    });
  });

  describe(`FIN, irs ${iss >>> 0}`, () => {
    it('ahead of missing data is acknowledged as such, and counts when the data is there', () => {
      const bench = patient(iss);
      bench.receive('F.', { seq: 4 });
      assert.deepEqual(bench.take(), ['. 1:1 ack 1 sack 4:5']);
      assert.equal(bench.state, 'ESTABLISHED');
      bench.receive('.', { seq: 1, text: 'abc' });
      assert.deepEqual(bench.take(), ['. 1:1 ack 5']);
      assert.equal(bench.state, 'CLOSE_WAIT');
      assert.equal(bench.read(), 'abc');
      assert.ok(bench.connection.eof);
    });

    it('behind data that waits behind a gap counts when the gap is filled', () => {
      const bench = patient(iss);
      bench.receive('FP.', { seq: 4, text: 'def' });
      bench.receive('.', { seq: 1, text: 'abc' });
      assert.equal(bench.state, 'CLOSE_WAIT');
      assert.equal(bench.read(), 'abcdef');
    });

    it('that comes again is acknowledged again', () => {
      const bench = patient(iss);
      bench.receive('FP.', { text: 'abc' });
      bench.take();
      bench.receive('FP.', { seq: 1, text: 'abc' });
      assert.deepEqual(bench.take(), ['. 1:1 ack 5 sack 1:5']);
    });

    it('waits for its ACK as data does, since a close() will probably carry it', () => {
      const bench = patient(iss);
      bench.receive('FP.', { text: 'abc' });
      assert.deepEqual(bench.take(), []);
      bench.advance(40 * MS);
      assert.deepEqual(bench.take(), ['. 1:1 ack 5']);
    });

    it('that is all the peer ever sent waits no longer than a tick', () => {
      const bench = established({ iss });
      bench.receive('F.', {});
      assert.deepEqual(bench.take(), []);
      bench.advance(1 * MS);
      assert.deepEqual(bench.take(), ['. 1:1 ack 2']);
    });

    it('behind more than the window is taken whole while nothing waits to be read', () => {
      const bench = patient(iss);
      bench.connection.rcvWnd = 5;
      bench.receive('FP.', { text: 'abcdefgh' });
      assert.equal(bench.read(), 'abcdefgh');
      assert.equal(bench.state, 'CLOSE_WAIT');
    });
  });
}

describe('duplicates above a gap (RFC 2883 section 4.2)', () => {
  it('are reported with the range that holds them second', () => {
    const bench = established();
    bench.receive('.', { seq: 11, text: 'bbb' });
    bench.receive('.', { seq: 21, text: 'ccc' });
    bench.take();
    bench.receive('.', { seq: 11, text: 'b' });
    assert.deepEqual(bench.take(), ['. 1:1 ack 1 sack 11:12 11:14 21:24']);
  });

  it('are not reported with tcp_dsack off, nor to a peer without SACK', () => {
    for (const options of [{ sysctl: { tcp_dsack: false } }, { sack: false }]) {
      const bench = established(options);
      bench.receive('.', { text: 'abc' });
      bench.take();
      bench.receive('.', { seq: 1, text: 'abc' });
      assert.deepEqual(bench.take(), ['. 1:1 ack 4']);
    }
  });
});

describe('SACK blocks', () => {
  it('leave a packet within the smallest MTU (RFC 791: 68 bytes)', () => {
    const bench = established({ mtu: 68, timestamps: true });
    for (const seq of [11, 21, 31]) bench.receive('.', { seq, text: 'x', tsVal: 1 });
    assert.deepEqual(bench.take().at(-1), '. 1:1 ack 1 sack 31:32');
  });
});

describe('SACKs that are put off (tcp_comp_sack_delay_ns)', () => {
  /** Six segments behind a gap: three are acknowledged at once, the others together in a moment. */
  function putOff(): Bench {
    const bench = established();
    for (const seq of [11, 21, 31, 41, 51, 61]) bench.receive('.', { seq, text: segments(1) });
    assert.deepEqual(
      bench.take().map(line => line.split('sack ')[1]),
      ['11:21', '11:31', '11:41'],
    );
    return bench;
  }

  it('go before what comes after their time, though the host is late with its timers', () => {
    const bench = putOff().beLate(2 * MS);
    bench.receive('.', { seq: 1, text: segments(1) });
    assert.deepEqual(bench.take(), ['. 1:1 ack 1 sack 11:71', '. 1:1 ack 71']);
    assert.equal(bench.host.mib.TcpExt.TCPAckCompressed, 2);
  });

  it('are one with the ACK of what fills the gap in time', () => {
    const bench = putOff();
    bench.receive('.', { seq: 1, text: segments(1) });
    assert.deepEqual(bench.take(), ['. 1:1 ack 71']);
    assert.deepEqual(bench.advance(10 * MS).take(), []);
  });
});
