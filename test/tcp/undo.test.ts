/**
 * A reduction of the window that was for nothing is undone: RFC 2883 and 3708 (D-SACK), RFC 3522 and 4015 (Eifel),
 * RFC 5682 (F-RTO). The round trip is 10 ms.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { WRITE_MORE } from '../../src/tcp/send/write.ts';
import { type Bench, type BenchOptions, ISS_VALUES, MS, segments } from './harness.ts';
import { ackFor, block, inFlight, letters, ranges } from './letters.ts';

const INFINITE = 0x7fffffff;
/** A time-out is wanted, not a probe before it. */
const NO_PROBES = { sysctl: { tcp_early_retrans: 0 } };

for (const iss of ISS_VALUES) {
  const lossy = (count: number, options: BenchOptions = {}) => inFlight(count, { iss, ...options });

  describe(`undo by D-SACK, iss ${iss >>> 0}`, () => {
    /** 'a' was late, and is in flight twice. */
    const repeated = (options: BenchOptions = {}): Bench => {
      const bench = lossy(10, options);
      bench.receive('.', { ack: 1, sack: [block('b', 'd')] });
      assert.equal(letters(bench), 'a');
      assert.equal(bench.connection.ssthresh, 7);
      return bench;
    };

    it('gives the window back when the repetition arrived as a duplicate, while repairing', () => {
      const bench = repeated();
      bench.receive('.', { ack: ackFor('e') });
      assert.equal(bench.connection.caState, 'Recovery');
      bench.receive('.', { ack: ackFor('e'), sack: [block('a')] });
      assert.equal(bench.connection.caState, 'Open');
      assert.equal(bench.connection.ssthresh, INFINITE);
      assert.equal(bench.connection.cwnd, 10);
      assert.equal(bench.host.mib.TcpExt.TCPDSACKUndo, 1);
    });

    it('also when the D-SACK comes after the repair', () => {
      const bench = repeated();
      bench.receive('.', { ack: ackFor('k') });
      assert.equal(bench.connection.ssthresh, 7);
      bench.receive('.', { ack: ackFor('k'), sack: [block('a')] });
      assert.equal(bench.connection.ssthresh, INFINITE);
      assert.ok(bench.connection.cwnd >= 10);
      assert.equal(bench.host.mib.TcpExt.TCPDSACKUndo, 1);
    });

    it('only when every repetition was a duplicate', () => {
      const bench = lossy(10);
      bench.receive('.', { ack: 1, sack: [block('b'), block('d', 'j')] });
      assert.equal(letters(bench), 'ac');
      bench.receive('.', { ack: ackFor('k') });
      bench.receive('.', { ack: ackFor('k'), sack: [block('a')] });
      assert.equal(bench.connection.ssthresh, 7);
      bench.receive('.', { ack: ackFor('k'), sack: [block('c')] });
      assert.equal(bench.connection.ssthresh, INFINITE);
    });

    it('and not twice', () => {
      const bench = repeated();
      bench.receive('.', { ack: ackFor('k') });
      bench.receive('.', { ack: ackFor('k'), sack: [block('a')] });
      bench.write(segments(3, 10));
      bench.receive('.', { ack: ackFor('k'), sack: [block('l')] });
      assert.equal(bench.host.mib.TcpExt.TCPDSACKUndo, 1);
    });

    it('does not count the duplicate of a segment that was sent once', () => {
      const bench = repeated();
      bench.receive('.', { ack: 1, sack: [block('c'), block('b', 'd')] });
      assert.equal(bench.host.mib.TcpExt.TCPDSACKOfoRecv, 1);
      assert.equal(bench.host.mib.TcpExt.TCPDSACKUndo, 0);
      assert.equal(bench.connection.ssthresh, 7);
    });

    it('does not believe more duplicates than were ever sent again', () => {
      const bench = lossy(10);
      bench.receive('.', { ack: ackFor('c'), sack: [block('a')] });
      assert.equal(bench.host.mib.TcpExt.TCPDSACKIgnoredDubious, 1);
      bench.receive('.', { ack: ackFor('c'), sack: [block('d', 'f')] });
      bench.receive('.', { ack: ackFor('g') });
      bench.receive('.', { ack: ackFor('g'), sack: [block('c')] });
      assert.equal(bench.host.mib.TcpExt.TCPDSACKUndo, 0);
    });

    it('ignores a D-SACK for what was sent before the recovery', () => {
      const bench = lossy(10);
      bench.receive('.', { ack: ackFor('c') });
      bench.receive('.', { ack: ackFor('c'), sack: [block('d', 'f')] });
      const { ssthresh } = bench.connection;
      bench.receive('.', { ack: ackFor('k') });
      bench.write(segments(1, 10));
      bench.receive('.', { ack: ackFor('k'), sack: [block('a')] });
      assert.equal(bench.connection.ssthresh, ssthresh);
      assert.equal(bench.host.mib.TcpExt.TCPDSACKIgnoredOld, 1);
    });
  });

  describe(`undo by timestamps, iss ${iss >>> 0}`, () => {
    it('of a fast retransmit: what ends the repair echoes a time before the repetition', () => {
      const bench = lossy(10, { timestamps: true });
      const echo = { tsVal: 2, tsEcr: bench.connection.tsNow - 10 };
      bench.receive('.', { ack: 1, sack: [block('b', 'd')], ...echo });
      assert.equal(letters(bench), 'a');
      bench.advance(2 * MS);
      bench.receive('.', { ack: ackFor('k'), ...echo });
      assert.equal(bench.connection.caState, 'Open');
      assert.equal(bench.connection.ssthresh, INFINITE);
      assert.ok(bench.connection.cwnd >= 10);
      assert.equal(bench.host.mib.TcpExt.TCPFullUndo, 1);
    });

    it('not when it echoes the repetition', () => {
      const bench = lossy(10, { timestamps: true });
      const { tsNow } = bench.connection;
      bench.receive('.', { ack: 1, sack: [block('b', 'd')], tsVal: 2, tsEcr: tsNow - 10 });
      bench.advance(10 * MS);
      bench.receive('.', { ack: ackFor('k'), tsVal: 3, tsEcr: tsNow });
      assert.equal(bench.connection.ssthresh, 7);
      assert.equal(bench.host.mib.TcpExt.TCPFullUndo, 0);
    });

    it('of a partial repair', () => {
      const bench = lossy(10, { timestamps: true });
      const echo = { tsVal: 2, tsEcr: bench.connection.tsNow - 10 };
      bench.receive('.', { ack: 1, sack: [block('b', 'd')], ...echo });
      assert.equal(letters(bench), 'a');
      bench.receive('.', { ack: ackFor('e'), ...echo });
      assert.equal(bench.connection.caState, 'Open');
      assert.equal(bench.connection.ssthresh, INFINITE);
      assert.equal(bench.host.mib.TcpExt.TCPPartialUndo, 1);
    });

    it('only when no repetition is out any more; until then no other hole is repeated', () => {
      const bench = lossy(10, { timestamps: true });
      const echo = { tsVal: 2, tsEcr: bench.connection.tsNow - 10 };
      for (const sack of ['b', 'bd', 'bdf', 'bdfg'])
        bench.receive('.', { ack: 1, sack: ranges([...sack]), ...echo });
      assert.equal(letters(bench), 'ac', 'the window does not let e out yet');
      bench.receive('.', { ack: ackFor('c'), sack: ranges(['d', 'f', 'g']), ...echo });
      assert.equal(letters(bench), '');
      assert.equal(bench.host.mib.TcpExt.TCPTSReorder, 1);
      assert.equal(bench.host.mib.TcpExt.TCPPartialUndo, 0);
      bench.receive('.', { ack: ackFor('e'), sack: ranges(['f', 'g']), ...echo });
      assert.equal(bench.host.mib.TcpExt.TCPPartialUndo, 1);
    });

    it('and what was taken for lost by its time has to wait for a time-out if it is (as Linux)', () => {
      const bench = lossy(10, { timestamps: true });
      const echo = { tsVal: 2, tsEcr: bench.connection.tsNow - 10 };
      for (const sack of ['b', 'bd', 'bde']) bench.receive('.', { ack: 1, sack: ranges([...sack]), ...echo });
      assert.equal(letters(bench), 'a');
      bench.receive('.', { ack: ackFor('c'), sack: ranges(['d', 'e']), ...echo });
      assert.equal(bench.connection.flight.lostOut, 0);
      assert.equal(bench.connection.caState, 'Disorder');
      bench.advance(100 * MS);
      assert.equal(letters(bench), '');
      bench.advance(150 * MS);
      assert.equal(letters(bench)[0], 'c');
      assert.equal(bench.connection.caState, 'Loss');
    });

    it('of a time-out', () => {
      const bench = lossy(4, { timestamps: true, ...NO_PROBES });
      const tsEcr = bench.connection.tsNow - 10;
      bench.advance(200 * MS);
      assert.equal(letters(bench), 'a');
      assert.equal(bench.connection.cwnd, 1);
      bench.advance(5 * MS);
      bench.receive('.', { ack: ackFor('b'), tsVal: 2, tsEcr });
      assert.equal(bench.connection.caState, 'Open');
      assert.ok(bench.connection.cwnd >= 10);
      assert.equal(bench.connection.ssthresh, INFINITE);
      assert.equal(bench.connection.flight.lostOut, 0);
      assert.equal(bench.host.mib.TcpExt.TCPLossUndo, 1);
      assert.equal(letters(bench), '');
    });

    it('of a time-out, without SACK', () => {
      const bench = lossy(4, { timestamps: true, sack: false });
      const tsEcr = bench.connection.tsNow - 10;
      bench.advance(205 * MS);
      bench.receive('.', { ack: ackFor('b'), tsVal: 2, tsEcr });
      assert.ok(bench.connection.cwnd >= 10);
      assert.equal(bench.host.mib.TcpExt.TCPLossUndo, 1);
      bench.receive('.', { ack: ackFor('e'), tsVal: 2, tsEcr });
      bench.write(segments(1, 4));
      bench.receive('.', { ack: ackFor('f'), tsVal: 3, tsEcr: tsEcr + 10 });
      assert.equal(bench.connection.caState, 'Open');
    });
  });

  describe(`F-RTO, iss ${iss >>> 0}`, () => {
    /** The retransmission timer has gone off: 'a' is out again, and was lost or not. */
    const timedOut = (count: number, more: number, options: BenchOptions = {}): Bench => {
      const bench = lossy(count, { ...NO_PROBES, ...options });
      bench.write(segments(more, count), WRITE_MORE);
      letters(bench);
      bench.advance(200 * MS);
      assert.equal(letters(bench)[0], 'a');
      assert.equal(bench.connection.caState, 'Loss');
      return bench;
    };

    it('sends new data on the first ACK, not the next hole (section 3.1, step 2.b)', () => {
      const bench = timedOut(10, 4);
      bench.receive('.', { ack: ackFor('b') });
      assert.equal(letters(bench), 'kl');
      assert.equal(bench.connection.caState, 'Loss');
    });

    it('gives the window back when an original arrives (step 3.b)', () => {
      const bench = timedOut(10, 4);
      bench.receive('.', { ack: ackFor('b') });
      assert.equal(letters(bench), 'kl');
      bench.receive('.', { ack: ackFor('d') });
      assert.equal(bench.connection.caState, 'Open');
      assert.ok(bench.connection.cwnd >= 10);
      assert.equal(bench.connection.ssthresh, INFINITE);
      assert.equal(bench.host.mib.TcpExt.TCPSpuriousRTOs, 1);
      assert.equal(bench.host.mib.TcpExt.TCPLossUndo, 1);
      assert.equal(letters(bench), 'mn');
    });

    it('also when it is SACKed', () => {
      const bench = timedOut(10, 4);
      bench.receive('.', { ack: 1, sack: [block('d')] });
      assert.equal(bench.host.mib.TcpExt.TCPSpuriousRTOs, 1);
    });

    it('repairs what was lost when only the new data arrives (step 3.a)', () => {
      const bench = timedOut(10, 4);
      bench.receive('.', { ack: ackFor('b') });
      assert.equal(letters(bench), 'kl');
      bench.advance(10 * MS);
      bench.receive('.', { ack: ackFor('b'), sack: [block('k')] });
      assert.equal(bench.host.mib.TcpExt.TCPSpuriousRTOs, 0);
      assert.equal(letters(bench), 'b');
      // From here on an original proves nothing any more.
      bench.receive('.', { ack: ackFor('d'), sack: [block('k')] });
      assert.equal(bench.host.mib.TcpExt.TCPSpuriousRTOs, 0);
      assert.equal(bench.connection.caState, 'Loss');
    });

    it('repairs at once when there is no new data', () => {
      const bench = timedOut(10, 0);
      bench.receive('.', { ack: ackFor('b') });
      assert.equal(letters(bench), 'bc');
    });

    it('repairs at once when the peer has no room for new data', () => {
      const bench = timedOut(10, 4);
      bench.receive('.', { ack: ackFor('b'), window: 90 });
      assert.equal(letters(bench), 'bc');
    });

    it('does nothing of it when tcp_frto is 0', () => {
      const bench = timedOut(10, 4, { sysctl: { tcp_early_retrans: 0, tcp_frto: 0 } });
      bench.receive('.', { ack: ackFor('b') });
      assert.equal(letters(bench), 'bc');
      bench.receive('.', { ack: ackFor('f') });
      assert.equal(bench.connection.caState, 'Loss');
    });

    it('works without SACK: the second ACK, too, acknowledges what was not sent again', () => {
      const bench = timedOut(10, 4, { sack: false });
      bench.receive('.', { ack: ackFor('b') });
      assert.equal(letters(bench), 'kl');
      bench.receive('.', { ack: ackFor('c') });
      assert.equal(bench.host.mib.TcpExt.TCPSpuriousRTOs, 1);
      assert.ok(bench.connection.cwnd >= 10);
    });

    it('without SACK: a duplicate ACK for the new data means that the loss was real', () => {
      const bench = timedOut(10, 4, { sack: false });
      bench.receive('.', { ack: ackFor('b') });
      assert.equal(letters(bench), 'kl');
      bench.receive('.', { ack: ackFor('b') });
      assert.equal(letters(bench)[0], 'b');
      bench.receive('.', { ack: ackFor('c') });
      assert.equal(bench.host.mib.TcpExt.TCPSpuriousRTOs, 0);
    });

    it('without SACK: duplicates of what was sent before the time-out let nothing out', () => {
      const bench = timedOut(10, 0, { sack: false });
      bench.receive('.', { ack: 1 }).receive('.', { ack: 1 }).receive('.', { ack: 1 });
      assert.equal(letters(bench), '');
    });

    it('counts what time-outs cost (tcpi_total_rto)', () => {
      const bench = timedOut(10, 0);
      bench.advance(20 * MS);
      bench.receive('.', { ack: ackFor('k') });
      const { connection } = bench;
      assert.deepEqual(connection.timeouts, { count: 1, recoveries: 1, repairUs: 20 * MS, sinceUs: 0 });
    });
  });
}
