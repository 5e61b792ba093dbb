/**
 * curl, a client that everyone trusts, fetches from our HTTP server over a TAP device.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, before, beforeEach, describe, it } from 'node:test';
import { serveHttp } from '../../src/http/server.ts';
import { serveFiles } from '../../src/http/static.ts';
import { enterNetns } from '../node/linux/kernel.ts';
import { FAMILIES, httpUrl, IPV4 } from './support/family.ts';
import { Host } from './support/host.ts';
import { bytesOf, digestOf, PatternFiles } from './support/pattern.ts';
import { run, shell, start, startShell } from './support/programs.ts';
import { skipUnless } from './support/skip.ts';
import { until } from './support/until.ts';

const skip = skipUnless('curl', 'b2sum');

for (const family of FAMILIES) {
  describe(`curl and our server over ${family.name}`, { skip, timeout: 120_000 }, () => {
    const SITE = httpUrl(family.ours);
    // Where curl counts through [..], it takes an address in brackets for a range unless they are escaped.
    const globbed = SITE.replace(/[[\]]/g, '\\$&');
    let host: Host;
    let files: PatternFiles;

    before(enterNetns);
    beforeEach(() => {
      host = new Host({ family });
      files = new PatternFiles();
      const options = { env: host.stack.host.env };
      void serveHttp(host.stack.listen({ hostname: family.any, port: 80 }), serveFiles(files), options);
    });
    afterEach(() => host.close());

    for (const [name, size] of [
      ['1 KB', 1_000],
      ['1 MB', 1_000_000],
      ['100 MB', 100_000_000],
      ['1 GB', 1_000_000_000],
    ] as const) {
      // Once is enough of what only takes long.
      if (size === 1_000_000_000 && family !== IPV4) continue;
      it(`fetches ${name}, every byte right`, async () => {
        const sum = await shell(`curl -gsS --max-time 60 ${SITE}/${size} | b2sum`);
        assert.equal(sum.split(' ')[0], digestOf(size));
        await host.idle();
        assert.equal(files.openFiles, 0);
      });
    }

    for (const [range, from, to] of [
      ['0-0', 0, 1],
      ['100-199', 100, 200],
      ['65530-65545', 65530, 65546],
      ['999000-', 999_000, 1_000_000],
      ['-500', 999_500, 1_000_000],
    ] as const) {
      it(`fetches the range ${range}`, async () => {
        const curl = await run('curl', [
          '-gsS',
          '-r',
          range,
          '-w',
          '%{stderr}%{http_code}',
          `${SITE}/1000000`,
        ]);
        assert.equal(curl.stderr, '206');
        assert.deepEqual(curl.output, bytesOf(from, to));
      });
    }

    it('is told what it cannot have', async () => {
      const curl = await run('curl', [
        ...['-gsS', '-o', '/dev/null', '-w', '%{http_code} ', '-r', '2000-', `${SITE}/1000`],
        ...['--next', '-gsS', '-o', '/dev/null', '-w', '%{http_code} ', `${SITE}/nothing`],
        ...['--next', '-gsS', '-o', '/dev/null', '-w', '%{http_code}', '-d', 'a=b', `${SITE}/1000`],
      ]);
      assert.equal(curl.stdout, '416 404 405');
    });

    it('makes 50 transfers in parallel, each on its own connection', async () => {
      const folder = mkdtempSync(join(tmpdir(), 'ethertype-'));
      try {
        const parallel = ['-Z', '--parallel-immediate', '--parallel-max', '50'];
        await run('curl', ['-sS', ...parallel, '-o', join(folder, '#1'), `${globbed}/[300001-300050]`]);
        const sums = (await shell(`cd ${folder} && b2sum *`)).trim().split('\n');
        const expected = Array.from({ length: 50 }, (_, i) => `${digestOf(300_001 + i)}  ${300_001 + i}`);
        assert.deepEqual(sums, expected);
      } finally {
        rmSync(folder, { recursive: true });
      }
      assert.equal(host.stack.mib.Tcp.PassiveOpens, 50);
      await host.idle();
    });

    it('uses one connection for many requests', async () => {
      const curl = await run('curl', ['-sS', '-w', '%{stderr}%{num_connects}', `${globbed}/[1001-1040]`]);
      const expected = Array.from({ length: 40 }, (_, i) => bytesOf(0, 1001 + i));
      assert.deepEqual(curl.output, Buffer.concat(expected));
      assert.equal(curl.stderr, `1${'0'.repeat(39)}`);
      assert.equal(host.stack.mib.Tcp.PassiveOpens, 1);
    });

    it('stops half-way, and nothing is left of it here', async () => {
      await shell(`curl -gsS ${SITE}/1000000000 2>&1 | head -c 1000000 >/dev/null`);
      await host.idle();
      assert.equal(files.openFiles, 0);
    });

    it('is killed half-way, and nothing is left of it here', async () => {
      const curl = start('curl', ['-gsS', '-o', '/dev/null', '--limit-rate', '10M', `${SITE}/1000000000`]);
      await until(
        () => host.tap.stats.sentBytes > 5_000_000,
        () => curl.report,
      );
      await curl.stop('SIGKILL');
      await host.idle();
      assert.equal(files.openFiles, 0);
    });

    it('is stopped while it fetches, so that our window closes, and goes on later', async () => {
      const curl = startShell(`curl -gsS ${SITE}/50000000 | { sleep 1; b2sum; }`);
      assert.equal(await curl.ended, 0, curl.report);
      assert.equal(curl.stdout.split(' ')[0], digestOf(50_000_000));
      await host.idle();
    });
  });
}
