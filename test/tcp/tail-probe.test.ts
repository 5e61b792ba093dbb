/**
 * Tail loss probe: RFC 8985 section 7. The round trip is 10 ms, so a probe comes after 22 ms of silence: two round
 * trips and ethertype_timeout_min_us.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  type Bench,
  type BenchOptions,
  established,
  ISS_VALUES,
  MS,
  MSS,
  segments,
  synReceived,
} from './harness.ts';
import { ackFor, block, letters } from './letters.ts';

/** The times in milliseconds, from now on, at which a timer went off. */
function fired(bench: Bench, timer: string, sinceUs: number): number[] {
  return bench.log.events.flatMap(event =>
    event.type === 'tcp:timer' && event.timer === timer && event.action === 'fire' && event.atUs >= sinceUs
      ? [(event.atUs - sinceUs) / MS]
      : [],
  );
}

for (const iss of ISS_VALUES) {
  const sending = (count: number, options: BenchOptions = {}): Bench => {
    const bench = established({ iss, ...options, settings: { noDelay: true } });
    bench.write(segments(count));
    return bench;
  };
  /** `count` segments are out, and nothing was heard for the time of a probe. */
  const probed = (count: number, options: BenchOptions = {}): Bench => {
    const bench = sending(count, options);
    bench.take();
    bench.advance(22 * MS);
    return bench;
  };

  describe(`sending a tail loss probe, iss ${iss >>> 0}`, () => {
    it('repeats the last segment after two round trips of silence, and not before', () => {
      const bench = sending(4);
      assert.equal(letters(bench), 'abcd');
      bench.advance(21 * MS);
      assert.equal(letters(bench), '');
      bench.advance(1 * MS);
      assert.equal(letters(bench), 'd');
      assert.equal(bench.host.mib.TcpExt.TCPLossProbes, 1);
      assert.equal(bench.host.mib.TcpExt.TCPTimeouts, 0);
    });

    it('sends new data instead when there is any, beyond the congestion window', () => {
      const bench = probed(12);
      assert.equal(letters(bench), 'k');
      assert.equal(bench.connection.flight.packetsOut, 11);
      assert.equal(bench.connection.totalRetrans, 0);
    });

    it('repeats the last segment when the peer has no room for new data', () => {
      assert.equal(letters(probed(6, { peerWindow: 4 * MSS })), 'd');
      assert.equal(letters(probed(6, { peerWindow: 4 * MSS + 5 })), 'd', 'no crumbs');
    });

    it('sends what Nagle holds back', () => {
      const bench = established({ iss });
      bench.write(`${segments(2)}x`);
      bench.write('y');
      assert.equal(letters(bench), 'abx');
      bench.advance(22 * MS);
      assert.equal(letters(bench), 'y');
    });

    it('repeats the FIN when that is the last', () => {
      const bench = sending(3);
      bench.connection.shutdownWrite();
      bench.take();
      bench.advance(22 * MS);
      assert.deepEqual(
        bench.take().map(line => line.split(' ')[0]),
        ['F.'],
      );
    });

    it('waits for the peer to delay its ACK when one segment is out, but not longer than the time-out', () => {
      const bench = sending(1);
      bench.take();
      bench.advance(209 * MS);
      assert.equal(letters(bench), '');
      bench.advance(1 * MS);
      assert.equal(letters(bench), 'a');
      assert.equal(bench.host.mib.TcpExt.TCPLossProbes, 1);
      assert.equal(bench.connection.cwnd, 10, 'a probe is no time-out');
      // On a steady path the deviation falls to its floor: the time-out comes 200 ms after a round trip.
      const steady = sending(2, { sysctl: { tcp_rto_min_us: 5000 } });
      steady.receive('.', { ack: ackFor('b') });
      steady.take();
      const sinceUs = steady.host.nowUs;
      steady.advance(1000 * MS);
      assert.equal(fired(steady, 'loss-probe', sinceUs).length, 1);
    });

    it('counts from the last acknowledgement', () => {
      const bench = sending(6);
      bench.take();
      bench.advance(10 * MS);
      bench.receive('.', { ack: ackFor('c') });
      bench.advance(21 * MS);
      assert.equal(letters(bench), '');
      bench.advance(1 * MS);
      assert.equal(letters(bench), 'f');
    });

    it('starts the retransmission timer anew: the time-out comes a whole RTO after the probe', () => {
      const bench = probed(4);
      const sinceUs = bench.host.nowUs;
      bench.advance(1000 * MS);
      assert.deepEqual(fired(bench, 'retransmit', sinceUs).slice(0, 2), [210, 630]);
      assert.equal(letters(bench), 'daa');
    });

    it('comes once in a silence', () => {
      const bench = probed(4);
      bench.advance(5000 * MS);
      assert.equal(bench.host.mib.TcpExt.TCPLossProbes, 1);
    });

    it('is one at a time: no second one before the first is answered', () => {
      const bench = probed(4);
      bench.receive('.', { ack: ackFor('b') });
      bench.advance(30 * MS);
      assert.equal(bench.host.mib.TcpExt.TCPLossProbes, 1);
      bench.receive('.', { ack: ackFor('e') });
      bench.write(segments(3, 4));
      bench.advance(10 * MS);
      bench.receive('.', { ack: ackFor('f') });
      bench.advance(30 * MS);
      assert.equal(bench.host.mib.TcpExt.TCPLossProbes, 2);
    });

    it('comes after a second when no round trip was ever measured', () => {
      const bench = established({ iss });
      bench.connection.srtt8Us = 0;
      bench.connection.rtoUs = 3e6;
      bench.write(segments(2));
      bench.take();
      const sinceUs = bench.host.nowUs;
      bench.advance(2e6);
      assert.deepEqual(fired(bench, 'loss-probe', sinceUs), [1000]);
    });
  });

  describe(`no tail loss probe, iss ${iss >>> 0}`, () => {
    const probes = (bench: Bench): number => {
      bench.advance(150 * MS);
      return bench.host.mib.TcpExt.TCPLossProbes;
    };

    it('without SACK, which would not tell what it repaired', () => {
      assert.equal(probes(sending(4, { sack: false })), 0);
    });

    it('when tcp_early_retrans is 0', () => {
      assert.equal(probes(sending(4, { sysctl: { tcp_early_retrans: 0 } })), 0);
    });

    it('while something is out of order: the reordering timer looks after it', () => {
      const bench = sending(4);
      bench.advance(10 * MS);
      bench.receive('.', { ack: 1, sack: [block('c')] });
      assert.equal(bench.connection.caState, 'Disorder');
      assert.equal(probes(bench), 0);
    });

    it('while a loss is being repaired, though new data goes out', () => {
      const bench = sending(16);
      letters(bench);
      bench.advance(10 * MS);
      bench.receive('.', { ack: 1, sack: [block('b', 'd')] });
      bench.receive('.', { ack: 1, sack: [block('b', 'i')] });
      assert.match(letters(bench), /^a.*[k-p]$/);
      assert.equal(bench.connection.caState, 'Recovery');
      assert.equal(probes(bench), 0);
    });

    it('while the handshake is not over', () => {
      const bench = synReceived({ iss });
      bench.connection.shutdownWrite();
      assert.equal(bench.connection.flight.packetsOut, 2, 'SYN and FIN');
      bench.advance(5000 * MS);
      assert.equal(bench.host.mib.TcpExt.TCPLossProbes, 0);
    });
  });

  describe(`what a tail loss probe has found, iss ${iss >>> 0}`, () => {
    it('a loss: more than the probe is acknowledged, so the window shrinks once', () => {
      const bench = probed(4);
      bench.receive('.', { ack: ackFor('e') });
      assert.equal(bench.connection.ssthresh, 0x7fffffff, 'not known yet');
      bench.write(segments(1, 4));
      bench.advance(10 * MS);
      bench.receive('.', { ack: ackFor('f') });
      assert.equal(bench.connection.ssthresh, 7);
      assert.ok(bench.connection.cwnd <= 8);
      assert.equal(bench.connection.caState, 'Open');
      assert.equal(bench.host.mib.TcpExt.TCPLossProbeRecovery, 1);
    });

    it('no loss: a D-SACK says that the segment had arrived already', () => {
      const bench = probed(4);
      bench.receive('.', { ack: ackFor('e') });
      bench.receive('.', { ack: ackFor('e'), sack: [block('d')] });
      bench.write(segments(1, 4));
      bench.receive('.', { ack: ackFor('f') });
      assert.equal(bench.host.mib.TcpExt.TCPLossProbeRecovery, 0);
      assert.equal(bench.connection.ssthresh, 0x7fffffff);
    });

    it('no loss: the ACK comes twice, from a peer that knows no D-SACK', () => {
      const bench = probed(4);
      bench.receive('.', { ack: ackFor('d') });
      bench.receive('.', { ack: ackFor('e') });
      bench.write(segments(1, 4));
      bench.receive('.', { ack: ackFor('e') });
      bench.receive('.', { ack: ackFor('f') });
      assert.equal(bench.host.mib.TcpExt.TCPLossProbeRecovery, 0);
    });

    it('nothing, when it was new data', () => {
      const bench = probed(12);
      bench.receive('.', { ack: ackFor('l') });
      bench.receive('.', { ack: ackFor('m') });
      assert.equal(bench.host.mib.TcpExt.TCPLossProbeRecovery, 0);
      assert.equal(bench.connection.ssthresh, 0x7fffffff);
    });

    it('more losses: the SACK it brings begins a recovery at once', () => {
      const bench = probed(6);
      letters(bench);
      // Only 'f', the probe, has arrived: everything sent before it is lost.
      bench.advance(10 * MS);
      bench.receive('.', { ack: 1, sack: [block('f')] });
      bench.advance(10 * MS);
      assert.equal(letters(bench)[0], 'a');
      assert.equal(bench.connection.caState, 'Recovery');
      assert.equal(bench.host.mib.TcpExt.TCPTimeouts, 0);
    });
  });
}
