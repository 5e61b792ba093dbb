import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { repositoryRoot } from '../test/support/repository.ts';

const run = promisify(execFile);
const DIST = join(repositoryRoot(), 'dist');
/** Headless, as root, and without the calls home that a browser makes. */
const CHROMIUM = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'];
const QUIET = ['--disable-background-networking', '--disable-component-update', '--disable-sync'];

/** An echo over a lossy cable in virtual time, then over a plain one in real time. */
const PAGE = `<!doctype html><pre id="out">nothing</pre><script type="module">
import { createCable, Stack, webEnv, World } from './web/index.js';
async function echo(a, b) {
  const listener = b.listen({ port: 7 });
  const socket = a.connect({ hostname: '10.0.0.2', port: 7 });
  const peer = await listener.accept();
  peer.readable.pipeTo(peer.writable);
  const writer = socket.writable.getWriter();
  writer.write(new TextEncoder().encode('hello')).then(() => writer.close());
  let text = '';
  for await (const chunk of socket.readable) text += new TextDecoder().decode(chunk);
  return text;
}
const world = new World({ seed: 1 });
const [a, b] = [world.host('a'), world.host('b')];
world.connect(a, b, { delayUs: 10_000, loss: 0.2 });
const virtual = await world.run(echo(a, b));
const env = webEnv();
const [left, right] = createCable(env);
const [c, d] = [new Stack({ env }), new Stack({ env })];
c.attach(left, { address: '10.0.0.1/24' });
d.attach(right, { address: '10.0.0.2/24' });
document.getElementById('out').textContent = 'virtual ' + virtual + ', real ' + (await echo(c, d));
</script>`;

/** Serves the compiled files and the page. */
async function serve(): Promise<Server> {
  const server = createServer((request, response) => {
    const path = request.url ?? '/';
    const script = path.endsWith('.js');
    response.setHeader('Content-Type', script ? 'text/javascript' : 'text/html');
    response.end(script ? readFileSync(join(DIST, path)) : PAGE);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

async function chromium(url: string, profile: string): Promise<string> {
  const options = [
    ...CHROMIUM,
    ...QUIET,
    `--user-data-dir=${profile}`,
    '--virtual-time-budget=20000',
    '--dump-dom',
  ];
  const { stdout } = await run('chromium', [...options, url], { timeout: 60_000 });
  return stdout;
}

test('the same stack runs in a browser, in virtual and in real time', async t => {
  const there = await run('chromium', ['--version']).then(
    () => true,
    () => false,
  );
  if (!there) {
    t.skip('SKIPPED: chromium is not installed, so nothing was run in a browser');
    return;
  }
  const server = await serve();
  const profile = mkdtempSync(join(tmpdir(), 'ethertype-browser-'));
  try {
    const { port } = server.address() as AddressInfo;
    assert.match(await chromium(`http://127.0.0.1:${port}/`, profile), /virtual hello, real hello/);
  } finally {
    server.closeAllConnections();
    server.close();
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  }
});
