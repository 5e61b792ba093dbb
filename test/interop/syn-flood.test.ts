/**
 * Someone sends SYNs from everywhere, some thousand a second, and a real client is served all the same.
 */
import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { serveHttp } from '../../src/http/server.ts';
import { serveFiles } from '../../src/http/static.ts';
import { enterNetns } from '../node/linux/kernel.ts';
import { FAMILIES, httpUrl } from './support/family.ts';
import { Host } from './support/host.ts';
import { bytesOf, PatternFiles } from './support/pattern.ts';
import { run, shell } from './support/programs.ts';
import { skipUnless } from './support/skip.ts';
import { synFlood4, synFlood6 } from './support/syn-flood.ts';

const skip = skipUnless('hping3', 'curl');
/** Half-open connections that the listener remembers; beyond it, it answers with cookies. */
const BACKLOG = 64;
const COOKIES = 5000;
const SIZE = 300_000;

for (const family of FAMILIES) {
  describe(`a flood of SYNs over ${family.name}`, { skip, timeout: 60_000 }, () => {
    const isV4 = family.name === 'IPv4';

    before(enterNetns);

    it('does not keep curl from its files, and leaves nothing behind', async () => {
      // Half-open connections are given up at once, so that the test sees their end.
      const host = new Host({ family, gateway: true, sysctl: { tcp_synack_retries: 0 } });
      try {
        const { stack } = host;
        const listener = stack.listen({ hostname: family.any, port: 80, backlog: BACKLOG });
        void serveHttp(listener, serveFiles(new PatternFiles()), { env: stack.host.env });
        // Nobody answers our SYN-ACKs with a reset.
        await shell(`ip ${isV4 ? '' : '-6 '}route add blackhole default`);
        const flood = isV4
          ? synFlood4(family.ours, 80)
          : synFlood6('et0', host.tap.mac ?? assert.fail(), family.ours, 80);
        let served = 0;
        let halfOpen = 0;
        while (stack.mib.TcpExt.SyncookiesSent < COOKIES || served < 20) {
          const { output } = await run('curl', [
            '-gsS',
            '--max-time',
            '20',
            `${httpUrl(family.ours)}/${SIZE}`,
          ]);
          assert.deepEqual(output, bytesOf(0, SIZE));
          served++;
          const requests = stack.sockets().filter(({ state }) => state === 'SYN_RCVD').length;
          halfOpen = Math.max(halfOpen, requests);
        }
        await flood.stop();
        assert.ok(halfOpen <= BACKLOG + 1, `${halfOpen} half-open connections`);
        assert.ok(stack.mib.TcpExt.SyncookiesRecv > 0);
        await host.idle();
      } finally {
        host.close();
      }
    });
  });
}
