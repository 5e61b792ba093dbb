/**
 * Our HTTP client fetches from nginx over a TAP device.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { HttpClient } from '../../src/http/client.ts';
import { hostPort } from '../../src/socket/api/errors.ts';
import { enterNetns } from '../node/linux/kernel.ts';
import { FAMILIES, type Family } from './support/family.ts';
import { Host } from './support/host.ts';
import { bytesOf, digestOf, writePattern } from './support/pattern.ts';
import { type Program, start } from './support/programs.ts';
import { skipUnless } from './support/skip.ts';
import { until } from './support/until.ts';

const skip = skipUnless('nginx');
const SIZES = [0, 1, 612, 1_000_000, 100_000_000];
const PAGE = 'The quick brown fox jumps over the lazy dog.\n'.repeat(20_000);

/** Answers that have no length are sent in chunks: those that are compressed, or looked through for directives. */
function configuration(folder: string, { kernel }: Family): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(name => {
    return `${name}_temp_path ${folder}/${name};`;
  });
  return `daemon off; master_process off; pid ${folder}/pid; error_log stderr;
events {}
http {
  access_log off; ${temporary.join(' ')}
  server {
    listen ${hostPort(kernel, 80)}; root ${folder}/site;
    location /gzip/ { alias ${folder}/site/; gzip on; gzip_types *; }
    location /ssi/ { alias ${folder}/site/; ssi on; ssi_types *; }
  }
}
`;
}

for (const family of FAMILIES) {
  describe(`our client and nginx over ${family.name}`, { skip, timeout: 60_000 }, () => {
    let folder: string;
    let host: Host;
    let nginx: Program;

    before(async () => {
      enterNetns();
      host = new Host({ family });
      folder = mkdtempSync(join(tmpdir(), 'ethertype-'));
      mkdirSync(join(folder, 'site'));
      for (const size of SIZES) writePattern(join(folder, 'site', `${size}`), size);
      writeFileSync(join(folder, 'site', 'page'), PAGE);
      writeFileSync(join(folder, 'nginx.conf'), configuration(folder, family));
      nginx = start('nginx', ['-p', folder, '-e', 'stderr', '-c', join(folder, 'nginx.conf')]);
      // Written once it listens.
      await until(
        () => existsSync(join(folder, 'pid')),
        () => nginx.report,
      );
    });
    after(async () => {
      await nginx?.stop();
      host?.close();
      rmSync(folder, { recursive: true });
    });

    /** A client with a connection of its own. */
    async function client(): Promise<HttpClient> {
      return new HttpClient(await host.connect(80));
    }

    function get(to: HttpClient, path: string, headers: Record<string, string> = {}) {
      return to.request({ path, headers: { Host: 'nginx', ...headers } });
    }

    for (const size of SIZES) {
      it(`fetches ${size} bytes`, async () => {
        const answer = await get(await client(), `/${size}`, { Connection: 'close' });
        assert.equal(answer.status, 200);
        assert.equal(answer.headers.get('content-length'), `${size}`);
        const hash = createHash('blake2b512');
        for await (const piece of answer.body) hash.update(piece);
        assert.equal(hash.digest('hex'), digestOf(size));
      });
    }

    it('sends many requests on one connection', async () => {
      const opened = host.stack.mib.Tcp.ActiveOpens;
      const http = await client();
      for (let i = 0; i < 50; i++) {
        const answer = await get(http, i % 2 === 0 ? '/612' : '/1000000');
        assert.equal(answer.status, 200);
        assert.equal(answer.keepAlive, true);
        assert.deepEqual(Buffer.from(await answer.body.bytes()), bytesOf(0, i % 2 === 0 ? 612 : 1_000_000));
      }
      assert.equal(host.stack.mib.Tcp.ActiveOpens, opened + 1);
    });

    it('reads an answer in chunks, and another one behind it', async () => {
      const http = await client();
      for (let i = 0; i < 3; i++) {
        const answer = await get(http, '/ssi/page');
        assert.equal(answer.headers.get('content-length'), undefined);
        assert.equal(answer.headers.get('transfer-encoding'), 'chunked');
        assert.equal(await answer.body.text(), PAGE);
      }
    });

    it('reads compressed chunks', async () => {
      const answer = await get(await client(), '/gzip/page', { 'Accept-Encoding': 'gzip' });
      assert.equal(answer.headers.get('transfer-encoding'), 'chunked');
      assert.equal(answer.headers.get('content-encoding'), 'gzip');
      assert.equal(gunzipSync(await answer.body.bytes()).toString(), PAGE);
    });

    it('gets a range, no body for HEAD, 404 and 416, all on one connection', async () => {
      const http = await client();
      const range = await get(http, '/1000000', { Range: 'bytes=999990-' });
      assert.equal(range.status, 206);
      assert.equal(range.headers.get('content-range'), 'bytes 999990-999999/1000000');
      assert.deepEqual(Buffer.from(await range.body.bytes()), bytesOf(999_990, 1_000_000));
      const head = await http.request({ method: 'HEAD', path: '/1000000', headers: { Host: 'nginx' } });
      assert.equal(head.headers.get('content-length'), '1000000');
      assert.equal((await head.body.bytes()).length, 0);
      assert.equal((await get(http, '/nothing')).status, 404);
      assert.equal((await get(http, '/612', { Range: 'bytes=612-' })).status, 416);
      assert.equal((await get(http, '/1')).status, 200);
    });

    it('is refused what it sends wrongly', async () => {
      const answer = await (await client()).request({ path: '/612' });
      assert.equal(answer.status, 400);
      assert.match(await answer.body.text(), /400 Bad Request/);
    });
  });
}
