import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { established, finWait1, ISS_VALUES } from './harness.ts';

const KEEPALIVE = { keepAlive: true, keepIdleUs: 10e6, keepIntervalUs: 2e6, keepCount: 3 };

for (const iss of ISS_VALUES) {
  describe(`keepalive, iss ${iss >>> 0}`, () => {
    it('probes a silent peer with an old number, and gives it up with a reset', () => {
      const bench = established({ iss, settings: KEEPALIVE });
      bench.advance(9e6);
      assert.deepEqual(bench.take(), []);
      bench.advance(1e6);
      assert.deepEqual(bench.take(), ['. 0:0 ack 1']);
      bench.advance(4e6);
      assert.deepEqual(bench.take(), ['. 0:0 ack 1', '. 0:0 ack 1']);
      bench.advance(2e6);
      assert.deepEqual(bench.take(), ['R. 1:1 ack 1']);
      assert.equal(bench.connection.takeError(), 110);
    });

    it('begins anew with every sign of life', () => {
      const bench = established({ iss, settings: KEEPALIVE });
      for (let i = 0; i < 20; i++) {
        bench.advance(12.5e6);
        bench.receive('.');
      }
      assert.equal(bench.state, 'ESTABLISHED');
      assert.equal(bench.host.mib.TcpExt.TCPKeepAlive, 40);
    });

    it('is off when it is turned off', () => {
      const bench = established({ iss, settings: KEEPALIVE });
      bench.set({ keepAlive: false });
      bench.advance(3600e6);
      assert.deepEqual(bench.take(), []);
      assert.equal(bench.host.timers.size, 0);
    });
  });

  describe(`FIN_WAIT_2 without a user, iss ${iss >>> 0}`, () => {
    it('ends after tcp_fin_timeout in silence', () => {
      const bench = finWait1({ iss });
      bench.connection.close();
      bench.receive('.');
      bench.advance(59e6);
      assert.equal(bench.state, 'FIN_WAIT_2');
      bench.advance(2e6);
      assert.equal(bench.state, 'CLOSED');
      assert.deepEqual(bench.take(), []);
    });

    it('gives way to a SYN, after a reset', () => {
      const bench = finWait1({ iss });
      bench.connection.close();
      bench.receive('.');
      bench.take();
      bench.receive('S', { seq: 1 });
      assert.deepEqual(
        bench.takeSent().map(({ flags }) => flags),
        ['R.'],
      );
      assert.equal(bench.state, 'CLOSED');
    });

    it('waits for ever for a user who only shut down', () => {
      const bench = finWait1({ iss });
      bench.receive('.');
      bench.advance(3600e6);
      assert.equal(bench.state, 'FIN_WAIT_2');
    });

    it('is skipped with a negative TCP_LINGER2', () => {
      const bench = finWait1({ iss, settings: { linger2Us: -1 } });
      bench.connection.close();
      bench.receive('.');
      assert.equal(bench.state, 'CLOSED');
      assert.deepEqual(bench.take(), ['R 2:2']);
    });
  });
}
