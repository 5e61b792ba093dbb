/**
 * An HTTP server and a client on the embedded network, in virtual time.
 *
 * Shows: the server takes whatever yields byte streams, here `stack.listen`; a handler may be a function or a folder of
 * files; the client sends several requests over one connection.
 *
 * Run: npm run build:test && node build/examples/http.js
 */
import { World } from 'ethertype';
import { HttpClient, type HttpHandler, MemoryFiles, serveFiles, serveHttp } from 'ethertype/http';

const world = new World({ seed: 1 });
const client = world.host('client');
const server = world.host('server');
world.connect(client, server, { delayUs: 5_000 });

const files = serveFiles(
  new MemoryFiles({ '/index.html': '<h1>It works</h1>\n', '/robots.txt': 'Disallow:\n' }),
);
const handler: HttpHandler = async request => {
  if (request.method !== 'POST') return files(request);
  const text = await request.body.text();
  return { status: 201, headers: { 'Content-Type': 'text/plain' }, body: text.toUpperCase() };
};
const listener = server.listen({ port: 80 });
const serving = serveHttp(listener, handler, { env: server.host.env });

async function talk() {
  const socket = client.connect({ hostname: '10.0.0.2', port: 80 });
  const http = new HttpClient(socket);
  const headers = { Host: '10.0.0.2' };

  const page = await http.request({ path: '/', headers });
  console.log(
    page.status,
    page.reason,
    page.headers.get('content-type'),
    JSON.stringify(await page.body.text()),
  );

  const posted = await http.request({ method: 'POST', path: '/shout', headers, body: 'hello' });
  console.log(posted.status, posted.reason, JSON.stringify(await posted.body.text()));

  const range = { ...headers, Range: 'bytes=4-8', Connection: 'close' };
  const part = await http.request({ path: '/index.html', headers: range });
  console.log(
    part.status,
    part.reason,
    part.headers.get('content-range'),
    JSON.stringify(await part.body.text()),
  );

  await socket.close();
  listener.close();
}

await world.run(Promise.all([talk(), serving]));
world.close();
