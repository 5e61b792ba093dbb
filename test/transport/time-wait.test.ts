import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Sysctl } from '../../src/core/sysctl.ts';
import type { TcpEndpoint } from '../../src/transport/tcp-layer.ts';
import { ANY_V4 } from '../../src/wire/address.ts';
import { LayerBench, PEER, PEER_PORT, PORT } from './harness.ts';

const IRS = 0xfffffffe | 0;

interface Waiting {
  bench: LayerBench;
  endpoint: TcpEndpoint;
  /** What both sides would send next. */
  ours: number;
  theirs: number;
}

/** A connection from our listener that we closed first: in TIME_WAIT. */
function timeWait(
  sysctl: Partial<Sysctl> = {},
  timestamps = false,
  port = PEER_PORT,
  bench = new LayerBench(sysctl),
): Waiting {
  const ts = timestamps ? { tsVal: 1000 } : {};
  const listener = [...bench.layer.allListeners()][0] ?? bench.listen();
  bench.receive({ flags: 'S', seq: IRS, port, mss: 1460, ...ts });
  const iss = bench.takeSent().at(-1)?.seq ?? 0;
  bench.receive({ flags: '.', seq: IRS + 1, ack: iss + 1, port, ...ts });
  const endpoint = listener.accept() as TcpEndpoint;
  endpoint.shutdown(false, true);
  bench.receive({ flags: 'F.', seq: IRS + 1, ack: iss + 2, port, ...ts });
  bench.takeSent();
  assert.equal(endpoint.stateName, 'TIME_WAIT');
  return { bench, endpoint, ours: (iss + 2) | 0, theirs: (IRS + 2) | 0 };
}

describe('TIME_WAIT', () => {
  it('ends after its time, and leaves nothing', () => {
    const { bench } = timeWait();
    bench.advance(59.9e6);
    assert.equal(bench.layer.timeWaits.count, 1);
    bench.advance(0.2e6);
    assert.equal(bench.layer.timeWaits.count, 0);
    assert.equal(bench.layer.flows.size, 0);
    assert.equal(bench.host.timers.size, 0);
    assert.equal(bench.arrows.at(-1), 'TIME_WAIT timeout CLOSED');
  });

  it('acknowledges a FIN that comes again, and waits anew', () => {
    const { bench, ours, theirs } = timeWait();
    bench.advance(50e6);
    bench.receive({ flags: 'F.', seq: theirs - 1, ack: ours });
    const [ack] = bench.takeSent();
    assert.equal(ack?.ack, theirs);
    assert.equal(ack?.seq, ours);
    bench.advance(50e6);
    assert.equal(bench.layer.timeWaits.count, 1);
    bench.advance(11e6);
    assert.equal(bench.layer.timeWaits.count, 0);
  });

  it('ends each entry at its own time, also when an older one was restarted', () => {
    const { bench, ours, theirs } = timeWait();
    bench.advance(10e6);
    timeWait({}, false, PEER_PORT + 1, bench);
    bench.advance(10e6);
    timeWait({}, false, PEER_PORT + 2, bench);
    bench.receive({ flags: 'F.', seq: theirs - 1, ack: ours });
    bench.advance(50.1e6);
    assert.equal(bench.layer.timeWaits.count, 2, 'the second of three');
    bench.advance(10e6);
    assert.equal(bench.layer.timeWaits.count, 0);
  });

  it('does not answer a bare ACK in sequence', () => {
    const { bench, ours, theirs } = timeWait();
    bench.receive({ flags: '.', seq: theirs, ack: ours });
    assert.deepEqual(bench.take(), []);
  });

  it('is ended by a reset at exactly the next number, unless tcp_rfc1337 protects it', () => {
    for (const tcp_rfc1337 of [false, true]) {
      const { bench, theirs } = timeWait({ tcp_rfc1337 });
      bench.receive({ flags: 'R', seq: theirs + 1 });
      assert.equal(bench.layer.timeWaits.count, 1);
      bench.receive({ flags: 'R', seq: theirs });
      assert.equal(bench.layer.timeWaits.count, tcp_rfc1337 ? 1 : 0);
      assert.equal(bench.arrows.includes('TIME_WAIT receive RST CLOSED'), !tcp_rfc1337);
      assert.deepEqual(bench.take(), []);
    }
  });

  it('gives way to a SYN with a later number (RFC 6191), whose answer begins far behind', () => {
    const { bench, ours, theirs } = timeWait();
    bench.receive({ flags: 'S', seq: theirs + 1, mss: 1460 });
    const [answer] = bench.takeSent();
    assert.equal(answer?.ack, (theirs + 2) | 0);
    assert.equal(((answer?.seq ?? 0) - ours) | 0, 65537);
    assert.equal(bench.layer.timeWaits.count, 0);
    assert.ok(bench.arrows.includes('TIME_WAIT receive SYN CLOSED'));
  });

  it('gives way to a SYN with a later timestamp, but not to an earlier one', () => {
    const { bench, theirs } = timeWait({}, true);
    bench.receive({ flags: 'S', seq: theirs - 5000, mss: 1460, tsVal: 999 });
    assert.deepEqual(bench.take(), ['.']);
    bench.receive({ flags: 'S', seq: theirs - 5000, mss: 1460, tsVal: 1001 });
    assert.deepEqual(bench.take(), ['S.']);
  });

  it('is not ended by a SYN when nobody listens any more, nor by SYN and FIN together', () => {
    const { bench, theirs } = timeWait();
    bench.receive({ flags: 'SF', seq: theirs + 1 });
    for (const listener of [...bench.layer.allListeners()]) listener.close();
    bench.receive({ flags: 'S', seq: theirs + 1, mss: 1460 });
    assert.equal(bench.layer.timeWaits.count, 1);
    assert.ok(!bench.take().includes('S.'));
  });

  it('is bounded: beyond tcp_max_tw_buckets connections end at once', () => {
    const { bench } = timeWait({ tcp_max_tw_buckets: 1 });
    timeWait({}, false, PEER_PORT + 1, bench);
    assert.equal(bench.layer.timeWaits.count, 1);
    assert.equal(bench.host.mib.TcpExt.TCPTimeWaitOverflow, 1);
    assert.equal(bench.layer.flows.size, 1);
    assert.equal(bench.arrows.at(-1), 'TIME_WAIT abort CLOSED');
  });

  it('survives what a user does with its socket: close, and abort', () => {
    for (const end of ['close', 'abort'] as const) {
      const { bench, endpoint } = timeWait();
      endpoint[end]();
      assert.equal(bench.layer.timeWaits.count, 1);
      assert.deepEqual(bench.take(), []);
      bench.advance(61e6);
      assert.equal(bench.layer.flows.size, 0);
    }
  });

  it('holds its port until it ends', () => {
    const { bench } = timeWait();
    for (const listener of [...bench.layer.allListeners()]) listener.close();
    assert.ok(typeof bench.layer.bind(ANY_V4, PORT, false, false) === 'number');
    const reuse = bench.layer.bind(ANY_V4, PORT, true, false);
    assert.ok(typeof reuse !== 'number', 'SO_REUSEADDR restarts a server');
    reuse.release();
    bench.advance(61e6);
    assert.equal(bench.layer.ports.size, 0);
  });

  it('answers segments without data at most once in tcp_invalid_ratelimit', () => {
    const { bench, ours, theirs } = timeWait();
    for (let i = 0; i < 10; i++) bench.receive({ flags: '.', seq: theirs - 3, ack: ours });
    assert.equal(bench.take().length, 1);
    assert.equal(bench.host.mib.TcpExt.TCPACKSkippedTimeWait, 9);
  });

  it('is forgotten when the stack is closed', () => {
    const { bench } = timeWait();
    bench.layer.close();
    assert.equal(bench.layer.flows.size, 0);
    assert.equal(bench.layer.ports.size, 0);
    assert.equal(bench.host.timers.size, 0);
    assert.equal(bench.arrows.at(-1), 'TIME_WAIT abort CLOSED');
  });

  it('of an outgoing connection can be taken over with tcp_tw_reuse after a second', () => {
    for (const tcp_tw_reuse of [0, 1] as const) {
      const bench = new LayerBench({ tcp_tw_reuse, ip_local_port_range: [40000, 40000] });
      const connect = () => bench.layer.connect(null, PEER, 80, bench.layer.defaults, null);
      const endpoint = connect() as TcpEndpoint;
      const syn = bench.takeSent()[0];
      const iss = syn?.seq ?? 0;
      const ts = { tsVal: 7, tsEcr: syn?.options.tsVal ?? 0 };
      const from = { port: 80, localPort: 40000, ...ts };
      bench.receive({ flags: 'S.', seq: 0, ack: iss + 1, mss: 1460, ...from });
      endpoint.shutdown(false, true);
      bench.receive({ flags: 'F.', seq: 1, ack: iss + 2, ...from });
      assert.equal(endpoint.stateName, 'TIME_WAIT');
      assert.equal(typeof connect(), 'number', 'too early');
      bench.advance(2e6);
      const again = connect();
      assert.equal(typeof again === 'number', tcp_tw_reuse === 0);
      if (tcp_tw_reuse === 1) {
        assert.equal(((bench.takeSent().at(-1)?.seq ?? 0) - (iss + 2)) | 0, 65537);
        assert.equal(bench.host.mib.TcpExt.TWRecycled, 1);
      }
    }
  });
});
