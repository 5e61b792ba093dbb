import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Rng } from '../../src/base/rng.ts';
import { TX_LOST, TX_RETRANS, TX_SACKED, type TxSegment } from '../../src/tcp/flight.ts';
import { type Bench, type BenchOptions, established, ISS_VALUES, MS, segments } from './harness.ts';
import { ackFor, block, inFlight, letters, ranges } from './letters.ts';

for (const iss of ISS_VALUES) {
  const lossy = (count: number, options: BenchOptions = {}) => inFlight(count, { iss, ...options });

  describe(`fast retransmit with SACK, iss ${iss >>> 0}`, () => {
    it('repeats a segment when three above it have arrived, not before', () => {
      const bench = lossy(8);
      bench.receive('.', { ack: 1, sack: [block('b')] });
      bench.receive('.', { ack: 1, sack: [block('b', 'c')] });
      assert.equal(letters(bench), '');
      assert.equal(bench.connection.caState, 'Disorder');
      bench.receive('.', { ack: 1, sack: [block('b', 'd')] });
      assert.equal(letters(bench), 'a');
      assert.equal(bench.connection.caState, 'Recovery');
      assert.equal(bench.host.mib.TcpExt.TCPFastRetrans, 1);
    });

    it('repeats all holes, the oldest first, and only these', () => {
      const bench = lossy(10);
      for (const sack of [['b'], ['b', 'd'], ['b', 'd', 'f', 'g', 'h', 'i', 'j']])
        bench.receive('.', { ack: 1, sack: ranges(sack) });
      const first = letters(bench);
      bench.receive('.', { ack: ackFor('c'), sack: ranges(['d', 'f', 'g', 'h', 'i', 'j']) });
      bench.receive('.', { ack: ackFor('e'), sack: ranges(['f', 'g', 'h', 'i', 'j']) });
      assert.equal(first + letters(bench), 'ace');
    });

    it('ends when everything that was in flight is acknowledged, at ssthresh', () => {
      const bench = lossy(10);
      bench.receive('.', { ack: 1, sack: [block('b', 'd')] });
      const { ssthresh } = bench.connection;
      assert.equal(ssthresh, 7, 'CUBIC leaves 0.7');
      bench.receive('.', { ack: ackFor('e') });
      assert.equal(bench.connection.caState, 'Recovery');
      bench.receive('.', { ack: ackFor('k') });
      assert.equal(bench.connection.caState, 'Open');
      assert.ok(bench.connection.cwnd >= ssthresh && bench.connection.cwnd <= ssthresh + 1);
    });

    it('repeats a repetition that was lost as well, when something sent later arrives', () => {
      const bench = lossy(10);
      bench.write(segments(6, 10));
      bench.receive('.', { ack: 1, sack: [block('b', 'd')] });
      assert.equal(letters(bench)[0], 'a');
      bench.advance(10 * MS);
      for (const to of ['e', 'f', 'g', 'h', 'i', 'j']) bench.receive('.', { ack: 1, sack: [block('b', to)] });
      assert.ok(!letters(bench).includes('a'), 'sent before the repetition: proves nothing');
      bench.advance(10 * MS);
      bench.receive('.', { ack: 1, sack: [block('b', 'k')] });
      assert.ok(letters(bench).includes('a'));
      assert.equal(bench.host.mib.TcpExt.TCPLostRetransmit, 1);
    });

    it('believes no block outside of what is in flight', () => {
      const bench = lossy(4);
      bench.receive('.', { ack: 1, sack: [[31, 5000]] });
      bench.receive('.', { ack: 1, sack: [[21, 11]] });
      assert.equal(bench.connection.flight.sackedOut, 0);
      assert.equal(bench.host.mib.TcpExt.TCPSACKDiscard, 2);
    });

    it('recognizes a D-SACK: nothing new was received', () => {
      const bench = lossy(4);
      bench.receive('.', { ack: ackFor('c'), sack: [block('a')] });
      assert.equal(bench.host.mib.TcpExt.TCPDSACKRecv, 1);
      assert.equal(bench.connection.flight.sackedOut, 0);
    });

    it('waits for more segments on a path that was seen to reorder', () => {
      const bench = lossy(10);
      bench.receive('.', { ack: 1, sack: [block('f')] });
      bench.receive('.', { ack: ackFor('b'), sack: [block('f')] });
      assert.equal(bench.connection.reordering, 6, 'five behind what had arrived');
      assert.equal(bench.host.mib.TcpExt.TCPSACKReorder, 1);
      bench.receive('.', { ack: ackFor('b'), sack: [block('c', 'g')] });
      assert.equal(letters(bench), '', 'five above: may still be reordering');
    });
  });

  describe(`limited transmit and PRR, iss ${iss >>> 0}`, () => {
    it('sends new data for the first two SACKed segments (RFC 3042)', () => {
      const bench = lossy(10);
      bench.write(segments(4, 10));
      assert.equal(letters(bench), '');
      bench.receive('.', { ack: 1, sack: [block('b')] });
      assert.equal(letters(bench), 'k');
      // Within a millisecond it would wait for a fuller packet.
      bench.advance(1 * MS);
      bench.receive('.', { ack: 1, sack: [block('b', 'c')] });
      assert.equal(letters(bench), 'l');
    });

    it('sends ssthresh/cwnd of what arrives while repairing (RFC 6937)', () => {
      const bench = lossy(10);
      bench.write(segments(16, 10));
      let sent = 0;
      for (const to of 'bcdefghij') {
        bench.receive('.', { ack: 1, sack: [block('b', to)] });
        sent += letters(bench).length;
        const { flight, cwnd } = bench.connection;
        assert.ok(flight.inFlight <= Math.max(cwnd, 1), 'never more than the window');
      }
      // Two by limited transmit, then about 0.7 for each of the seven that follow.
      assert.ok(sent >= 2 + 5 && sent <= 2 + 7, `${sent}`);
    });
  });

  describe(`PRR below ssthresh, iss ${iss >>> 0}`, () => {
    it('sends what was delivered while losses come to light, and one more once they do not', () => {
      const bench = lossy(10);
      bench.receive('.', { ack: 1, sack: [block('b', 'd')] });
      assert.equal(letters(bench), 'a');
      bench.advance(10 * MS);
      // The repetition arrives before e, f, h, i and j: five more losses, nothing in flight, ssthresh 7.
      bench.receive('.', { ack: ackFor('e'), sack: [block('g')] });
      assert.equal(letters(bench), 'efhi', 'five delivered so far, one sent');
      bench.advance(10 * MS);
      bench.receive('.', { ack: ackFor('f'), sack: [block('g')] });
      assert.equal(bench.connection.cwnd, bench.connection.flight.inFlight - 1 + 2);
      assert.equal(letters(bench), 'j');
    });
  });

  describe(`NewReno, iss ${iss >>> 0}`, () => {
    const dup = { ack: 1 };
    /** The first ACK behind the SYN-ACK has a new number, so its window is news, and it no duplicate (as Linux). */
    const reno = (count: number): Bench => lossy(count, { sack: false }).receive('.', dup);

    it('repeats the first segment on the third duplicate ACK', () => {
      const bench = reno(8);
      bench.receive('.', dup).receive('.', dup);
      assert.equal(letters(bench), '');
      bench.receive('.', dup);
      assert.equal(letters(bench), 'a');
      assert.equal(bench.host.mib.TcpExt.TCPRenoRecovery, 1);
    });

    it('does not count what is not a duplicate: data, or another window', () => {
      const bench = reno(8);
      bench.receive('P.', { ack: 1, text: 'x' });
      bench.receive('.', { ack: 1, window: 60000 });
      bench.receive('.', { ack: 1, window: 60001 });
      assert.equal(bench.connection.flight.sackedOut, 0);
    });

    it('repeats the next hole on a partial ACK (RFC 6582 section 3.2)', () => {
      const bench = reno(8);
      bench.receive('.', dup).receive('.', dup).receive('.', dup).receive('.', dup).receive('.', dup);
      assert.equal(letters(bench), 'a');
      bench.receive('.', { ack: ackFor('d') });
      assert.equal(letters(bench), 'd');
      assert.equal(bench.connection.caState, 'Recovery');
    });

    it('repeats nothing on the full ACK, though newer data is in flight', () => {
      const bench = reno(8);
      bench.write(segments(4, 8));
      bench.take();
      bench.receive('.', dup).receive('.', dup).receive('.', dup);
      bench.write(segments(4, 12));
      bench.receive('.', dup).receive('.', dup).receive('.', dup).receive('.', dup);
      bench.take();
      const { highSeq, sndNxt } = bench.connection;
      assert.notEqual(sndNxt, highSeq, 'something was sent beyond');
      const retransmitted = bench.connection.totalRetrans;
      bench.receive('.', { ack: (highSeq - bench.iss) | 0 });
      assert.equal(bench.connection.totalRetrans, retransmitted);
      bench.receive('.');
      assert.equal(bench.connection.caState, 'Open');
    });

    it('counts no more duplicates than leave one segment missing: more mean that the path reorders', () => {
      const bench = reno(3);
      bench.receive('.', dup).receive('.', dup);
      assert.equal(bench.connection.flight.sackedOut, 2);
      assert.equal(bench.connection.reorderingSeen, 0);
      bench.receive('.', dup);
      assert.equal(bench.connection.flight.sackedOut, 2);
      assert.equal(bench.connection.reorderingSeen, 1);
      assert.equal(bench.host.mib.TcpExt.TCPRenoReorder, 1);
      bench.receive('.', { ack: ackFor('d') });
      assert.equal(bench.connection.flight.sackedOut, 0);
      assert.equal(bench.connection.caState, 'Open');
      bench.advance(60_000 * MS);
      assert.equal(bench.host.mib.TcpExt.TCPTimeouts, 0);
    });

    it('grows the window by what a filled hole has delivered, less the duplicates before it', () => {
      const bench = reno(10);
      bench.receive('.', dup).receive('.', dup);
      assert.equal(bench.connection.delivered, 1 + 2);
      bench.receive('.', { ack: ackFor('d') });
      assert.equal(bench.connection.delivered, 1 + 2 + 1);
      assert.equal(bench.connection.cwnd, 11);
    });

    it('does not take late duplicates for a second loss', () => {
      const bench = reno(8);
      bench.advance(300 * MS);
      bench.receive('.', { ack: ackFor('i') });
      bench.write(segments(4, 8));
      bench.take();
      for (let i = 0; i < 4; i++) bench.receive('.', { ack: ackFor('i') });
      assert.equal(letters(bench).includes('i'), false);
    });
  });

  describe(`retransmission time-out, iss ${iss >>> 0}`, () => {
    // Probes would come before it.
    const timed = (count: number) => lossy(count, { sysctl: { tcp_early_retrans: 0 } });

    it('repeats the oldest segment alone, then slow-starts through the rest', () => {
      const bench = timed(8);
      bench.advance(210 * MS);
      assert.equal(letters(bench), 'a');
      assert.equal(bench.connection.cwnd, 1);
      assert.equal(bench.connection.caState, 'Loss');
      bench.receive('.', { ack: ackFor('b') });
      assert.equal(letters(bench), 'bc');
      bench.receive('.', { ack: ackFor('d') });
      assert.equal(letters(bench), 'defg');
      bench.receive('.', { ack: ackFor('i') });
      assert.equal(bench.connection.caState, 'Open');
      assert.equal(bench.connection.retransmits, 0);
    });

    it('does not repeat what was SACKed', () => {
      const bench = timed(6);
      bench.receive('.', { ack: 1, sack: [block('b')] });
      bench.receive('.', { ack: 1, sack: [block('d'), block('b')] });
      bench.advance(300 * MS);
      bench.receive('.', { ack: ackFor('c'), sack: [block('d')] });
      bench.receive('.', { ack: ackFor('e') });
      assert.match(letters(bench), /^[acef]+$/);
    });

    it('reduces ssthresh once for one loss, however often it goes off', () => {
      const bench = timed(10);
      bench.advance(3000 * MS);
      assert.ok(bench.connection.retransmits >= 3);
      assert.equal(bench.connection.ssthresh, 7);
    });

    it('takes back what a reneging receiver had reported (RFC 2018 section 8)', () => {
      const bench = timed(6);
      bench.receive('.', { ack: 1, sack: [block('b', 'c')] });
      bench.receive('.', { ack: ackFor('b') });
      letters(bench);
      bench.advance(9 * MS);
      assert.equal(letters(bench), '', 'it may only be the order of the ACKs');
      bench.advance(1 * MS);
      assert.equal(bench.host.mib.TcpExt.TCPSACKReneging, 1);
      assert.equal(letters(bench)[0], 'b');
      assert.equal(bench.connection.flight.sackedOut, 0);
    });

    it('takes back nothing when the next ACK explains it', () => {
      const bench = timed(6);
      bench.receive('.', { ack: 1, sack: [block('b', 'c')] });
      bench.receive('.', { ack: ackFor('b') });
      bench.receive('.', { ack: ackFor('d') });
      bench.advance(100 * MS);
      assert.equal(bench.host.mib.TcpExt.TCPSACKReneging, 0);
    });

    it('restarts with new acknowledgements (RFC 6298 section 5.3)', () => {
      const bench = timed(6);
      bench.advance(150 * MS);
      bench.receive('.', { ack: ackFor('b') });
      bench.advance(150 * MS);
      assert.equal(letters(bench), '');
    });
  });

  describe(`giving up, iss ${iss >>> 0}`, () => {
    it('TCP_USER_TIMEOUT counts from the first retransmission without progress', () => {
      const bench = lossy(4);
      bench.set({ userTimeoutUs: 2e6 });
      bench.advance(1500 * MS);
      bench.receive('.', { ack: ackFor('b') });
      bench.advance(1800 * MS);
      assert.equal(bench.state, 'ESTABLISHED', 'there was progress 1.8 s ago');
      bench.advance(1500 * MS);
      assert.equal(bench.state, 'CLOSED');
    });

    it('tcp_retries2 doublings without an answer end the connection', () => {
      const bench = lossy(1);
      bench.advance(800e6);
      assert.equal(bench.state, 'ESTABLISHED');
      bench.advance(300e6);
      assert.equal(bench.state, 'CLOSED');
      assert.equal(bench.connection.takeError(), 110);
    });
  });

  describe(`counters under a random network, iss ${iss >>> 0}`, () => {
    for (const sack of [true, false]) {
      it(`always agree with the marks, sack ${sack}`, () => {
        fc.assert(
          fc.property(fc.integer(), fc.integer({ min: 20, max: 60 }), (seed, steps) => {
            const rng = new Rng(seed);
            const bench = established({ iss, sack, settings: { noDelay: true } });
            const arrived = new Set<number>();
            let acked = 1;
            for (let step = 0; step < steps; step++) {
              bench.write(segments(rng.between(0, 5)).slice(rng.between(0, 3)));
              for (const { seq, text } of bench.takeSent()) {
                if (rng.chance(0.3)) continue;
                for (let i = 0; i < text.length; i++) arrived.add(seq + i);
              }
              bench.advance(rng.between(0, 20) * MS);
              while (arrived.has(acked)) acked++;
              if (!rng.chance(0.2))
                bench.receive('.', { ack: acked, sack: sack ? sackBlocks(arrived, acked) : [] });
              checkCounters(bench);
            }
            for (let i = 0; i < 60 && bench.connection.flight.packetsOut > 0; i++) {
              for (const { seq, text } of bench.takeSent())
                for (let k = 0; k < text.length; k++) arrived.add(seq + k);
              while (arrived.has(acked)) acked++;
              bench.receive('.', { ack: acked, sack: [] });
              checkCounters(bench);
              bench.advance(1000 * MS);
            }
            assert.equal(bench.connection.flight.packetsOut, 0, 'everything arrives in the end');
            assert.equal(bench.connection.flight.inFlight, 0);
          }),
          { numRuns: 60 },
        );
      });
    }
  });
}

function sackBlocks(arrived: ReadonlySet<number>, acked: number): [number, number][] {
  const out: [number, number][] = [];
  for (const seq of [...arrived].filter(at => at > acked).sort((a, b) => a - b)) {
    const last = out.at(-1);
    if (last !== undefined && last[1] === seq) last[1] = seq + 1;
    else out.push([seq, seq + 1]);
  }
  return out.slice(0, 4);
}

function checkCounters(bench: Bench): void {
  const { flight, sack } = bench.connection;
  const all = Array.from({ length: flight.packetsOut }, (_, i) => flight.at(i) as TxSegment);
  const count = (mark: number): number => all.filter(({ marks }) => (marks & mark) !== 0).length;
  if (sack) assert.equal(flight.sackedOut, count(TX_SACKED));
  assert.equal(flight.lostOut, count(TX_LOST));
  assert.equal(flight.retransOut, count(TX_RETRANS));
  assert.ok(flight.inFlight >= 0);
  assert.ok(flight.sackedOut + flight.lostOut <= flight.packetsOut);
  assert.ok(flight.packetsOut === 0 || bench.host.timers.size > 0, 'a timer guards what is in flight');
}
