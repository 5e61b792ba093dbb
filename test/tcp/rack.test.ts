/**
 * RACK: RFC 8985 section 6. The round trip is 10 ms, so the reordering window is 2.5 ms, and the reordering timer goes
 * off 2 ms (ethertype_timeout_min_us) after it.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { TIMER_RETRANSMIT, timerDue } from '../../src/tcp/timers.ts';
import { type Bench, type BenchOptions, ISS_VALUES, MS, MSS, segments } from './harness.ts';
import { ackFor, block, inFlight, letters } from './letters.ts';

/** Bits of tcp_recovery. */
const STATIC_WINDOW = 1 | 2;
const NO_DUPTHRESH = 1 | 4;

for (const iss of ISS_VALUES) {
  const lossy = (count: number, options: BenchOptions = {}) => inFlight(count, { iss, ...options });
  /** A path on which 'a' has come 1 ms after 'b': it is known to reorder. 'c' to 'j' are in flight. */
  const reordering = (options: BenchOptions = {}): Bench => {
    const bench = lossy(10, options);
    bench.receive('.', { ack: 1, sack: [block('b')] });
    bench.advance(1 * MS);
    bench.receive('.', { ack: ackFor('c') });
    assert.equal(bench.host.mib.TcpExt.TCPSACKReorder, 1);
    return bench;
  };

  describe(`a loss is found by time, iss ${iss >>> 0}`, () => {
    it('a quarter of a round trip after something sent later has arrived, whatever its number', () => {
      const bench = lossy(6);
      bench.receive('.', { ack: 1, sack: [block('b')] });
      assert.equal(letters(bench), '');
      bench.advance(4 * MS);
      assert.equal(letters(bench), '');
      bench.advance(1 * MS);
      assert.equal(letters(bench), 'a');
      assert.equal(bench.connection.caState, 'Recovery');
      assert.equal(bench.host.mib.TcpExt.TCPSackRecovery, 1);
      assert.equal(bench.host.mib.TcpExt.TCPTimeouts, 0);
    });

    it('not when it arrives within that time', () => {
      const bench = lossy(6);
      bench.receive('.', { ack: 1, sack: [block('b')] });
      bench.advance(3 * MS);
      bench.receive('.', { ack: ackFor('c') });
      bench.advance(3 * MS);
      assert.equal(letters(bench), '');
      assert.equal(bench.connection.caState, 'Open');
    });

    it('at once when three segments above have arrived and nothing was ever seen out of order', () => {
      const bench = lossy(6);
      bench.receive('.', { ack: 1, sack: [block('b', 'd')] });
      assert.equal(letters(bench), 'a');
    });

    it('not at once with bit 4 of tcp_recovery', () => {
      const bench = lossy(6, { sysctl: { tcp_recovery: NO_DUPTHRESH } });
      bench.receive('.', { ack: 1, sack: [block('b', 'd')] });
      assert.equal(letters(bench), '');
      bench.advance(5 * MS);
      assert.equal(letters(bench), 'a');
    });

    it('also without bit 1 of tcp_recovery: there is no other way any more (as Linux)', () => {
      const bench = lossy(6, { sysctl: { tcp_recovery: 0, tcp_early_retrans: 0 } });
      bench.receive('.', { ack: 1, sack: [block('b', 'c')] });
      bench.advance(5 * MS);
      assert.equal(letters(bench), 'a');
    });

    it('of everything that was sent before what has arrived', () => {
      const bench = lossy(8);
      bench.receive('.', { ack: 1, sack: [block('f', 'h')] });
      assert.equal(bench.connection.flight.lostOut, 5);
    });

    it('not of what was sent after it', () => {
      const bench = lossy(8);
      bench.receive('.', { ack: 1, sack: [block('b', 'd')] });
      assert.equal(bench.connection.flight.lostOut, 1);
    });

    it('at once while a loss is being repaired', () => {
      const bench = lossy(10);
      bench.write(segments(6, 10));
      bench.receive('.', { ack: 1, sack: [block('b', 'd')] });
      bench.receive('.', { ack: 1, sack: [block('b', 'g')] });
      assert.match(letters(bench), /^akl/);
      bench.advance(10 * MS);
      // 'h' to 'j' are as old as the first loss; 'a' again and 'k' were sent before 'l', which has arrived.
      bench.receive('.', { ack: 1, sack: [block('l'), block('b', 'g')] });
      assert.equal(bench.connection.caState, 'Recovery');
      assert.equal(bench.connection.flight.lostOut, 5);
    });

    it('by the round trip that was measured last, not by the shortest (as Linux)', () => {
      const bench = lossy(10);
      bench.write(segments(6, 10));
      bench.receive('.', { ack: 1, sack: [block('b', 'd')] });
      bench.receive('.', { ack: 1, sack: [block('b', 'g')] });
      assert.match(letters(bench), /^akl/);
      bench.advance(10 * MS);
      // 'l' took 10 ms, but 'h' and 'i', which are acknowledged behind it, 20: 'k' may be as late as they were.
      bench.receive('.', { ack: ackFor('j'), sack: [block('l')] });
      assert.equal(bench.connection.flight.lostOut, 1, 'j');
    });

    it('of the tail, when a repetition that was sent later arrives', () => {
      const bench = lossy(6);
      bench.receive('.', { ack: 1, sack: [block('b', 'e')] });
      assert.equal(letters(bench), 'a');
      bench.advance(10 * MS);
      bench.receive('.', { ack: ackFor('f') });
      assert.equal(letters(bench), 'f');
    });
  });

  describe(`a lost repetition, iss ${iss >>> 0}`, () => {
    it('is repeated when something sent after it has arrived', () => {
      const bench = lossy(10);
      bench.write(segments(4, 10));
      bench.receive('.', { ack: 1, sack: [block('b', 'd')] });
      bench.receive('.', { ack: 1, sack: [block('b', 'e')] });
      bench.receive('.', { ack: 1, sack: [block('b', 'f')] });
      assert.match(letters(bench), /^ak/);
      bench.advance(10 * MS);
      bench.receive('.', { ack: 1, sack: [block('b', 'j')] });
      assert.ok(!letters(bench).includes('a'), 'all of these were sent before the repetition');
      bench.receive('.', { ack: 1, sack: [block('b', 'k')] });
      assert.ok(letters(bench).includes('a'));
      assert.equal(bench.host.mib.TcpExt.TCPLostRetransmit, 1);
    });

    it('after a time-out begins a fast recovery', () => {
      const bench = lossy(10, { sysctl: { tcp_early_retrans: 0, tcp_frto: 0 } });
      bench.advance(210 * MS);
      bench.receive('.', { ack: ackFor('b') });
      assert.equal(letters(bench), 'abc');
      bench.advance(10 * MS);
      bench.receive('.', { ack: ackFor('b'), sack: [block('c')] });
      assert.equal(letters(bench)[0], 'b');
      assert.equal(bench.connection.caState, 'Recovery');
      assert.equal(bench.host.mib.TcpExt.TCPLostRetransmit, 1);
    });

    it('is not shown by what was sent before it in the same microsecond', () => {
      const bench = lossy(4);
      // One acknowledgement lets new data out, the next in the same batch the repetition.
      bench.write(segments(2, 4));
      bench.receive('.', { ack: 1, sack: [block('b', 'd')] });
      assert.equal(letters(bench), 'efa');
      bench.advance(10 * MS);
      bench.receive('.', { ack: 1, sack: [block('b', 'f')] });
      assert.equal(letters(bench), '');
      assert.equal(bench.host.mib.TcpExt.TCPLostRetransmit, 0);
    });

    it('is not shown by an ACK that came too soon to be an answer to a repetition', () => {
      const bench = lossy(8);
      bench.receive('.', { ack: 1, sack: [block('b'), block('d', 'f')] });
      assert.equal(letters(bench), 'ac');
      bench.advance(5 * MS);
      // The original of 'c': its repetition cannot be there yet, so it says nothing of the repetition of 'a'.
      bench.receive('.', { ack: 1, sack: [block('b', 'f')] });
      bench.advance(4 * MS);
      assert.equal(bench.host.mib.TcpExt.TCPLostRetransmit, 0);
    });

    it('is no witness when the ACK echoes the time of an earlier repetition', () => {
      const lostAfter = (echoMs: number): number => {
        const bench = lossy(10, { timestamps: true });
        const echo = { tsVal: 2, tsEcr: bench.connection.tsNow };
        bench.write(segments(6, 10));
        bench.receive('.', { ack: 1, sack: [block('b', 'd')], ...echo });
        bench.receive('.', { ack: 1, sack: [block('b', 'g')], ...echo });
        assert.match(letters(bench), /^akl/);
        bench.advance(10 * MS);
        bench.receive('.', { ack: 1, sack: [block('k'), block('b', 'g')], ...echo });
        assert.equal(letters(bench)[0], 'a', 'for the second time');
        const { flight } = bench.connection;
        bench.advance(15 * MS);
        const before = flight.lostOut;
        bench.receive('.', { ack: ackFor('h'), sack: [block('k')], tsVal: 3, tsEcr: echo.tsEcr + echoMs });
        return flight.lostOut - (before - 1);
      };
      assert.equal(lostAfter(10), 2, "the second: 'l' and 'm', sent before it, are lost");
      assert.equal(lostAfter(0), 0, 'the first: nothing is known of what was sent after it');
    });
  });

  describe(`the reordering window, iss ${iss >>> 0}`, () => {
    it('holds also against three segments once the path was seen to reorder', () => {
      const bench = reordering();
      bench.receive('.', { ack: ackFor('c'), sack: [block('d', 'i')] });
      assert.equal(letters(bench), '');
      bench.advance(5 * MS);
      assert.equal(letters(bench), 'c');
    });

    it('grows with a D-SACK, once a round trip', () => {
      const bench = reordering();
      const { connection } = bench;
      assert.equal(connection.reoWndSteps, 1);
      bench.receive('.', { ack: ackFor('c'), sack: [block('d', 'f')] });
      bench.advance(5 * MS);
      assert.equal(letters(bench), 'c');
      bench.receive('.', { ack: ackFor('g') });
      bench.receive('.', { ack: ackFor('g'), sack: [block('c')] });
      assert.equal(connection.reoWndSteps, 1, 'with the next that arrives');
      bench.receive('.', { ack: ackFor('g'), sack: [block('h', 'i')] });
      assert.equal(connection.reoWndSteps, 2);
      bench.advance(6 * MS);
      assert.equal(letters(bench), '', 'now half a round trip');
      bench.advance(1 * MS);
      assert.equal(letters(bench), 'g');
      bench.receive('.', { ack: ackFor('j') });
      bench.receive('.', { ack: ackFor('j'), sack: [block('g')] });
      assert.equal(connection.reoWndSteps, 2, 'what was out at the first one is not yet acknowledged');
      bench.receive('.', { ack: ackFor('k') });
      assert.equal(connection.flight.packetsOut, 0);
    });

    it('does not grow with bit 2 of tcp_recovery', () => {
      const bench = reordering({ sysctl: { tcp_recovery: STATIC_WINDOW } });
      bench.receive('.', { ack: ackFor('c'), sack: [block('d', 'f')] });
      bench.advance(5 * MS);
      bench.receive('.', { ack: ackFor('g'), sack: [block('c')] });
      assert.equal(bench.connection.reoWndSteps, 1);
    });

    it('is what it was after 16 recoveries without a D-SACK', () => {
      const bench = reordering();
      const { connection } = bench;
      bench.receive('.', { ack: ackFor('c'), sack: [block('d', 'f')] });
      bench.advance(5 * MS);
      bench.receive('.', { ack: ackFor('g'), sack: [block('c')] });
      assert.equal(connection.reoWndSteps, 2);
      bench.receive('.', { ack: ackFor('k') });
      let next = 10;
      const recover = (): void => {
        bench.write(segments(2, next));
        bench.advance(10 * MS);
        const una = (connection.sndUna - bench.iss) | 0;
        bench.receive('.', { ack: una, sack: [[una + MSS, una + 2 * MSS]] });
        bench.advance(10 * MS);
        bench.receive('.');
        next += 2;
      };
      const began = bench.host.mib.TcpExt.TCPSackRecovery;
      for (let i = 0; i < 16; i++) recover();
      assert.equal(bench.host.mib.TcpExt.TCPSackRecovery - began, 16);
      bench.write(segments(1, next));
      bench.receive('.');
      assert.equal(connection.reoWndSteps, 1);
    });
  });

  describe(`the retransmission timer while repairing, iss ${iss >>> 0}`, () => {
    it('starts anew for what was sent before the repetition, not for what was sent after it', () => {
      const bench = lossy(10);
      bench.write(segments(6, 10));
      const due = (): number => (timerDue(bench.connection, TIMER_RETRANSMIT) - bench.host.nowUs) / MS;
      bench.receive('.', { ack: 1, sack: [block('b', 'd')] });
      bench.receive('.', { ack: 1, sack: [block('b', 'g')] });
      assert.match(letters(bench), /^akl/);
      const rto = due();
      bench.advance(5 * MS);
      bench.receive('.', { ack: 1, sack: [block('b', 'h')] });
      assert.ok(due() >= rto, 'h was sent before the repetition');
      bench.advance(5 * MS);
      bench.receive('.', { ack: 1, sack: [block('k'), block('b', 'h')] });
      bench.advance(5 * MS);
      assert.ok(due() < rto, 'time runs for the repetition');
    });
  });

  describe(`a time-out with RACK, iss ${iss >>> 0}`, () => {
    it('takes for lost the oldest segment, and what is older than a round trip (RFC 8985 section 6.3)', () => {
      const bench = lossy(4, { sysctl: { tcp_early_retrans: 0 } });
      bench.advance(195 * MS);
      bench.write(segments(3, 4));
      assert.equal(letters(bench), 'efg');
      bench.advance(5 * MS);
      assert.equal(letters(bench), 'a');
      assert.equal(bench.connection.caState, 'Loss');
      assert.equal(bench.connection.flight.lostOut, 4, 'a to d; e to g may still come');
    });
  });
}
