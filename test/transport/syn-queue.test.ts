/** The SYN queue, as seeded worlds have found it lacking. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TcpEndpoint } from '../../src/transport/tcp-layer.ts';
import { LayerBench, PEER_PORT } from './harness.ts';

test('a SYN that takes over a TIME_WAIT waits its turn when the queue is full', () => {
  const bench = new LayerBench();
  const listener = bench.listen(1);
  const iss = bench.handshake();
  const old = listener.accept() as TcpEndpoint;
  old.shutdown(false, true);
  bench.receive({ flags: 'F.', seq: 101, ack: iss + 2 });
  assert.equal(old.stateName, 'TIME_WAIT');
  for (const port of [1, 2]) bench.receive({ flags: 'S', seq: 5, port, mss: 1460 });
  bench.takeSent();
  bench.receive({ flags: 'S', seq: 1_000_000, mss: 1460 });
  assert.deepEqual(bench.take(), []);
  assert.equal(listener.synQueueLength, 2);
  assert.equal(bench.host.mib.TcpExt.TCPReqQFullDrop, 1);
  // It comes again: the old connection is gone, and the full queue answers with a cookie.
  bench.receive({ flags: 'S', seq: 1_000_000, mss: 1460 });
  assert.deepEqual(bench.take(), ['S.']);
  assert.equal(listener.synQueueLength, 2);
});

test('the arrows of a connection that a cookie made begin in LISTEN', () => {
  const bench = new LayerBench({ tcp_syncookies: 2 });
  bench.listen();
  bench.handshake(PEER_PORT);
  assert.deepEqual(bench.arrows.slice(-2), [
    'LISTEN receive SYN SYN_RCVD',
    'SYN_RCVD receive ACK of SYN ESTABLISHED',
  ]);
});
