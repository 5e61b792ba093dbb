import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LayerBench } from './harness.ts';

/** Accepts a connection and closes it, while the peer says nothing: it stays in FIN_WAIT_1 without a socket. */
function orphan(bench: LayerBench, listener: ReturnType<LayerBench['listen']>, port: number): void {
  bench.handshake(port);
  listener.accept()?.close();
}

describe('connections whose socket was closed', () => {
  it('are remembered up to tcp_max_orphans; one more is reset', () => {
    const bench = new LayerBench({ tcp_max_orphans: 2 });
    const listener = bench.listen();
    for (const port of [1001, 1002]) {
      orphan(bench, listener, port);
      assert.deepEqual(bench.take(), ['F.']);
    }
    orphan(bench, listener, 1003);
    assert.deepEqual(bench.take(), ['F.', 'R.']);
    assert.equal(bench.host.mib.TcpExt.TCPAbortOnMemory, 1);
    assert.equal(bench.layer.flows.size, 2);
  });

  it('make room when they end', () => {
    const bench = new LayerBench({ tcp_max_orphans: 1 });
    const listener = bench.listen();
    orphan(bench, listener, 1001);
    bench.receive({ flags: 'R', seq: 101, port: 1001 });
    bench.take();
    orphan(bench, listener, 1002);
    assert.deepEqual(bench.take(), ['F.']);
    assert.equal(bench.host.mib.TcpExt.TCPAbortOnMemory, 0);
  });
});
