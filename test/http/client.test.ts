import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HttpClient, request } from '../../src/http/client.ts';
import { serveConnection } from '../../src/http/server.ts';
import { type ByteStream, streamOf, streamPair } from '../../src/http/stream.ts';
import { readAll, serveTestFiles, stillClock, textOf } from './exchange.ts';

/** A peer that says exactly this when it is asked, then ends. */
async function scripted(answer: string): Promise<ByteStream> {
  const [client, server] = streamPair();
  await server.write(Buffer.from(answer, 'latin1'));
  await server.end();
  return client;
}

test('requests over one connection: GET, HEAD, a chunked POST, 404', async () => {
  const [near, far] = streamPair();
  const served = serveConnection(
    far,
    async incoming =>
      incoming.method === 'POST' ? { body: [await incoming.body.bytes()] } : serveTestFiles(incoming),
    { env: stillClock().env(1) },
  );
  const client = new HttpClient(near);
  const headers = { Host: 'h' };
  const home = await client.request({ headers });
  assert.equal(home.status, 200);
  assert.equal(home.headers.get('CONTENT-TYPE'), 'text/html');
  assert.equal(await home.body.text(), '<p>home</p>\n');
  const head = await client.request({ method: 'HEAD', headers });
  assert.equal(head.headers.get('content-length'), '12');
  assert.equal(await head.body.text(), '');
  // Its body is left unread: the next request skips it.
  await client.request({ path: '/big.bin', headers });
  const post = await client.request({ method: 'POST', headers, body: [Buffer.from('ab'), Buffer.from('c')] });
  assert.equal(await post.body.text(), 'abc');
  const last = await client.request({ path: '/nope', headers: { ...headers, Connection: 'close' } });
  assert.equal(last.status, 404);
  assert.equal(last.keepAlive, false);
  await last.body.text();
  await assert.rejects(client.request({ headers }), /cannot carry another request/);
  near.close();
  await served;
});

test('the request on the wire', async () => {
  const [near, far] = streamPair();
  const answer = request(near, {
    method: 'PUT',
    path: '/a',
    headers: [
      ['Host', 'h'],
      ['X-A', 1],
    ],
    body: 'hé',
  });
  await new Promise(resolve => setImmediate(resolve));
  assert.equal(
    textOf((await far.read()) ?? new Uint8Array(0)),
    'PUT /a HTTP/1.1\r\nHost: h\r\nX-A: 1\r\nContent-Length: 3\r\n\r\nh\xc3\xa9',
  );
  await far.write(Buffer.from('HTTP/1.1 204 No Content\r\nContent-Length: 7\r\n\r\n'));
  assert.equal((await answer).status, 204);
});

test('1xx answers come before the answer', async () => {
  const stream = await scripted(
    'HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na',
  );
  const answer = await request(stream, { headers: { Host: 'h' } });
  assert.deepEqual(
    answer.informational.map(head => head.status),
    [103],
  );
  assert.equal(await answer.body.text(), 'a');
});

test('a body without length ends with the connection', async () => {
  const answer = await request(await scripted('HTTP/1.1 200 OK\r\n\r\nall the rest'), {
    headers: { Host: 'h' },
  });
  assert.equal(answer.keepAlive, false);
  assert.equal(await answer.body.text(), 'all the rest');
});

test('304 has no body, whatever its Content-Length', async () => {
  const answer = await request(await scripted('HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n'));
  assert.equal(await answer.body.text(), '');
});

const BROKEN: readonly [name: string, answer: string][] = [
  ['nothing', ''],
  ['half a head', 'HTTP/1.1 200 OK\r\nContent-'],
  ['no status line', 'hello\r\n\r\n'],
  ['101', 'HTTP/1.1 101 Switching Protocols\r\n\r\n'],
  ['length and chunks', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n'],
  ['half a body', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc'],
  ['half a chunk', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc'],
];

for (const [name, answer] of BROKEN) {
  test(`an answer of ${name} is an error`, async () => {
    const stream = await scripted(answer);
    await assert.rejects(async () => (await request(stream)).body.text(), { name: 'HttpError' });
  });
}

test('what cannot be sent is refused before anything is sent', async () => {
  const [near, far] = streamPair();
  await assert.rejects(request(near, { path: '/a b' }), TypeError);
  await assert.rejects(request(near, { method: 'GET /' }), TypeError);
  await assert.rejects(request(near, { headers: { 'X-A': 'a\r\nb' } }), TypeError);
  near.close();
  assert.equal(await readAll(far), '');
});

test('HTTP over web streams', async () => {
  const there = new TransformStream<Uint8Array, Uint8Array>();
  const back = new TransformStream<Uint8Array, Uint8Array>();
  const served = serveConnection(
    streamOf({ readable: there.readable, writable: back.writable }),
    serveTestFiles,
    {
      env: stillClock().env(1),
    },
  );
  const stream = streamOf({ readable: back.readable, writable: there.writable });
  const answer = await request(stream, { path: '/big.bin', headers: { Host: 'h', Connection: 'close' } });
  assert.equal((await answer.body.bytes()).length, 200_000);
  await served;
  stream.close();
});
