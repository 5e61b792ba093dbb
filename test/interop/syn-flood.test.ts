/**
 * Someone sends SYNs from everywhere, as fast as hping3 goes, and a real client is served all the same.
 */
import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { serveHttp } from '../../src/http/server.ts';
import { serveFiles } from '../../src/http/static.ts';
import { enterNetns, OURS } from '../node/linux/kernel.ts';
import { Host } from './support/host.ts';
import { bytesOf, PatternFiles } from './support/pattern.ts';
import { run, shell, start } from './support/programs.ts';
import { skipUnless } from './support/skip.ts';

const skip = skipUnless('hping3', 'curl');
/** Half-open connections that the listener remembers; beyond it, it answers with cookies. */
const BACKLOG = 64;
const COOKIES = 5000;
const SIZE = 300_000;

describe('a flood of SYNs', { skip, timeout: 60_000 }, () => {
  before(enterNetns);

  it('does not keep curl from its files, and leaves nothing behind', async () => {
    // Half-open connections are given up at once, so that the test sees their end.
    const host = new Host({ gateway: true, sysctl: { tcp_synack_retries: 0 } });
    try {
      const { stack } = host;
      const listener = stack.listen({ port: 80, backlog: BACKLOG });
      void serveHttp(listener, serveFiles(new PatternFiles()), { env: stack.host.env });
      // Nobody answers our SYN-ACKs with a reset.
      await shell('ip route add blackhole default');
      const flood = start('hping3', ['-q', '-S', '-p', '80', '--rand-source', '-i', 'u100', OURS]);
      let served = 0;
      let halfOpen = 0;
      while (stack.mib.TcpExt.SyncookiesSent < COOKIES || served < 20) {
        const { output } = await run('curl', ['-sS', '--max-time', '20', `http://${OURS}/${SIZE}`]);
        assert.deepEqual(output, bytesOf(0, SIZE));
        served++;
        const requests = stack.sockets().filter(({ state }) => state === 'SYN_RCVD').length;
        halfOpen = Math.max(halfOpen, requests);
      }
      await flood.stop('SIGINT');
      assert.ok(halfOpen <= BACKLOG + 1, `${halfOpen} half-open connections`);
      assert.ok(stack.mib.TcpExt.SyncookiesRecv > 0);
      await host.idle();
    } finally {
      host.close();
    }
  });
});
