import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HttpExchange, HttpHandler } from '../../src/http/server.ts';
import { serveConnection, serveHttp } from '../../src/http/server.ts';
import { type ByteStream, streamPair } from '../../src/http/stream.ts';
import { exchange, parseAnswer, readAll, serveTestFiles, stillClock } from './exchange.ts';

const echo: HttpHandler = async request => ({
  headers: { 'Content-Type': 'text/plain' },
  body: `${request.method} ${request.target} ${await request.body.text()}`,
});

/** Requests that must be refused, and with what. */
const REFUSED: readonly [name: string, status: number, request: string][] = [
  ['no request line', 400, 'hello\r\n\r\n'],
  ['HTTP/0.9', 400, 'GET /\r\n\r\n'],
  ['a method in lower case', 400, 'get / HTTP/1.1\r\nHost: h\r\n\r\n'],
  ['an unknown method', 501, 'BREW / HTTP/1.1\r\nHost: h\r\n\r\n'],
  ['HTTP/2.0', 505, 'GET / HTTP/2.0\r\nHost: h\r\n\r\n'],
  ['no Host', 400, 'GET / HTTP/1.1\r\n\r\n'],
  ['two Hosts', 400, 'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n'],
  ['a Host with a path', 400, 'GET / HTTP/1.1\r\nHost: a/b\r\n\r\n'],
  ['a header line without colon', 400, 'GET / HTTP/1.1\r\nHost: h\r\nnonsense\r\n\r\n'],
  ['a blank before the colon', 400, 'GET / HTTP/1.1\r\nHost : h\r\n\r\n'],
  ['a folded line', 400, 'GET / HTTP/1.1\r\nHost: h\r\nA: b\r\n c\r\n\r\n'],
  ['a NUL in a header', 400, 'GET / HTTP/1.1\r\nHost: h\r\nA: b\0c\r\n\r\n'],
  ['a bare CR in a header', 400, 'GET / HTTP/1.1\r\nHost: h\r\nA: b\rc\r\n\r\n'],
  ['a control character in the target', 400, 'GET /\x01 HTTP/1.1\r\nHost: h\r\n\r\n'],
  ['a long request line', 414, `GET /${'a'.repeat(9000)} HTTP/1.1\r\nHost: h\r\n\r\n`],
  ['a long request line without an end', 414, `GET /${'a'.repeat(9000)}`],
  ['a long header', 431, `GET / HTTP/1.1\r\nHost: h\r\nA: ${'a'.repeat(33_000)}\r\n\r\n`],
  ['many headers', 431, `GET / HTTP/1.1\r\nHost: h\r\n${'A: b\r\n'.repeat(101)}\r\n`],
  ['a Content-Length that is none', 400, 'POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1x\r\n\r\n'],
  ['a negative Content-Length', 400, 'POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n'],
  [
    'two Content-Lengths',
    400,
    'POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na',
  ],
  ['a body that is too long', 413, 'POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1048577\r\n\r\n'],
  [
    'length and chunks',
    400,
    'POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  ],
  ['an unknown coding', 501, 'POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n'],
  ['chunks in HTTP/1.0', 400, 'POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
  ['a negative chunk', 400, 'POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nabc'],
  [
    'a chunk size that is none',
    400,
    'POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n',
  ],
  [
    'a chunk of the wrong length',
    400,
    'POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n',
  ],
  [
    'an endless chunk extension',
    400,
    `POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1;${'a'.repeat(2000)}`,
  ],
  [
    'chunks that are too long',
    413,
    'POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n100001\r\n',
  ],
  ['an unknown expectation', 417, 'GET / HTTP/1.1\r\nHost: h\r\nExpect: tea\r\n\r\n'],
];

for (const [name, status, request] of REFUSED) {
  test(`${name} is answered ${status}, and the connection closed`, async () => {
    const answer = parseAnswer(await exchange(request, echo));
    assert.equal(answer.status, status);
    assert.equal(answer.headers.get('connection'), 'close');
    assert.equal(answer.body.length, Number(answer.headers.get('content-length')));
  });
}

test('requests on one connection are answered in order, in whatever pieces they come', async () => {
  const requests = [
    'GET /one HTTP/1.1\r\nHost: h\r\n\r\n',
    'POST /two HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc',
    'POST /three HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nde\r\n1\r\nf\r\n0\r\nTrailer: t\r\n\r\n',
    '\r\nGET /four HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n',
  ];
  const text = await exchange(requests.join(''), echo);
  assert.deepEqual(text.match(/(GET|POST) \/\w+ [a-f]*/g), [
    'GET /one ',
    'POST /two abc',
    'POST /three def',
    'GET /four ',
  ]);
  assert.equal(text.match(/Connection: keep-alive/g)?.length, 3);
  assert.equal(text.match(/Connection: close/g)?.length, 1);
});

test('HTTP/1.0 closes unless asked to keep the connection', async () => {
  const once = parseAnswer(await exchange('GET /index.html HTTP/1.0\r\n\r\nGET /never HTTP/1.0\r\n\r\n'));
  assert.equal(once.headers.get('connection'), 'close');
  assert.equal(once.body, '<p>home</p>\n');
  const twice = await exchange('GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET / HTTP/1.0\r\n\r\n');
  assert.equal(twice.match(/HTTP\/1\.1 200 OK/g)?.length, 2);
});

test('a body of unknown length is chunked, and ends with the connection for HTTP/1.0', async () => {
  const pieces: HttpHandler = () => ({ body: [Buffer.from('ab'), new Uint8Array(0), Buffer.from('cde')] });
  const chunked = parseAnswer(await exchange('GET / HTTP/1.1\r\nHost: h\r\n\r\n', pieces));
  assert.equal(chunked.headers.get('transfer-encoding'), 'chunked');
  assert.equal(chunked.body, '2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n');
  const old = parseAnswer(await exchange('GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n', pieces));
  assert.equal(old.headers.get('connection'), 'close');
  assert.equal(old.body, 'abcde');
});

test('HEAD has the headers of GET and no body', async () => {
  const head = parseAnswer(await exchange('HEAD / HTTP/1.1\r\nHost: h\r\n\r\n'));
  const get = parseAnswer(await exchange('GET / HTTP/1.1\r\nHost: h\r\n\r\n'));
  assert.deepEqual([...head.headers], [...get.headers]);
  assert.equal(head.body, '');
  assert.equal(get.body, '<p>home</p>\n');
});

test('100 Continue is sent when the handler reads the body, and only then', async () => {
  const head = 'POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n';
  const read = await exchange([head, 'ok'], echo);
  assert.ok(read.startsWith('HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n'), read);
  const unread = await exchange(head, () => ({ status: 403 }));
  assert.ok(unread.startsWith('HTTP/1.1 403 Forbidden\r\n'), unread);
  assert.match(unread, /Connection: close/);
});

test('a body that the handler does not read does not become the next request', async () => {
  const post = 'POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 16\r\n\r\nGET /x HTTP/1.1\r\n';
  const text = await exchange(`${post}GET /next HTTP/1.1\r\nHost: h\r\n\r\n`, request => ({
    body: request.target,
  }));
  assert.equal(text.match(/HTTP\/1\.1 200/g)?.length, 2);
  assert.ok(text.endsWith('/next'));
});

test('a request that asks for an upgrade is answered as if it did not', async () => {
  const upgrade = 'Connection: Upgrade\r\nUpgrade: h2c\r\n';
  const text = await exchange(
    `POST /a HTTP/1.1\r\nHost: h\r\n${upgrade}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n` +
      `GET /b HTTP/1.1\r\nHost: h\r\n${upgrade}\r\nGET /c HTTP/1.1\r\nHost: h\r\n\r\n`,
    echo,
  );
  assert.deepEqual(text.match(/(GET|POST) \/\w [a-f]*/g), ['POST /a abc', 'GET /b ', 'GET /c ']);
});

test('a handler that throws makes a 500 and is reported', async () => {
  const errors: unknown[] = [];
  const handler: HttpHandler = () => {
    throw new Error('broken');
  };
  const answer = parseAnswer(
    await exchange('GET / HTTP/1.1\r\nHost: h\r\n\r\n', handler, { onError: error => errors.push(error) }),
  );
  assert.equal(answer.status, 500);
  assert.deepEqual(errors, [new Error('broken')]);
});

test('headers that would split the response are refused', async () => {
  const handler: HttpHandler = () => ({ headers: { 'X-Name': 'a\r\nSet-Cookie: b' } });
  const text = await exchange('GET / HTTP/1.1\r\nHost: h\r\n\r\n', handler);
  assert.match(text, /^HTTP\/1\.1 500 /);
  assert.doesNotMatch(text, /Set-Cookie/);
});

test('a connection is closed after keepAliveRequests', async () => {
  const text = await exchange('GET / HTTP/1.1\r\nHost: h\r\n\r\n'.repeat(3), serveTestFiles, {
    keepAliveRequests: 2,
  });
  assert.deepEqual(text.match(/Connection: [a-z-]+/g), ['Connection: keep-alive', 'Connection: close']);
});

test('an idle connection is closed after its time, and no timer is left', async () => {
  const clock = stillClock();
  const [client, server] = streamPair();
  const served = serveConnection(server, serveTestFiles, {
    env: clock.env(1),
    headerTimeoutMs: 60_000,
    keepAliveTimeoutMs: 75_000,
  });
  await client.write(Buffer.from('GET / HTTP/1.1\r\nHost: h\r\n\r\n'));
  assert.notEqual(await client.read(), null);
  await new Promise(resolve => setImmediate(resolve));
  clock.runFor(74_999_000);
  await client.write(Buffer.from('GET / HTTP/1.1\r\nHost: h\r\n\r\n'));
  assert.notEqual(await client.read(), null);
  await new Promise(resolve => setImmediate(resolve));
  clock.runFor(75_000_000);
  assert.equal(await client.read(), null);
  await served;
  assert.equal(clock.armed, 0);
});

test('a head that does not arrive in time closes the connection', async () => {
  const clock = stillClock();
  const [client, server] = streamPair();
  const served = serveConnection(server, serveTestFiles, { env: clock.env(1) });
  await client.write(Buffer.from('GET / HTTP/1.1\r\nHost:'));
  await new Promise(resolve => setImmediate(resolve));
  clock.runFor(60_000_000);
  await served;
  assert.equal(await client.read(), null);
  assert.equal(clock.armed, 0);
});

test('above maxConnections a new connection is closed at once', async () => {
  const pairs = [streamPair(), streamPair(), streamPair()];
  async function* listener(): AsyncGenerator<ByteStream> {
    for (const [, server] of pairs) yield server;
  }
  const served = serveHttp(listener(), serveTestFiles, { env: stillClock().env(1), maxConnections: 2 });
  const request = Buffer.from('GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n');
  assert.equal(await pairs[2]?.[0].read(), null);
  for (const [client] of pairs.slice(0, 2)) {
    await client.write(request);
    assert.match(await readAll(client), /200 OK/);
    client.close();
  }
  await served;
});

test('each answer is told once it is sent, with what was asked and how much went out', async () => {
  const told: HttpExchange[] = [];
  const [client, server] = streamPair();
  const serving = serveConnection(server, serveTestFiles, {
    env: stillClock().env(1),
    onExchange: exchange => told.push(exchange),
  });
  const get = (line: string): string => `${line} HTTP/1.1\r\nHost: h\r\n\r\n`;
  const requests = [
    get('GET /digits.txt'),
    get('HEAD /digits.txt'),
    get('GET /big.bin'),
    get('GET /nope'),
    'nonsense\r\n\r\n',
  ];
  await client.write(new TextEncoder().encode(requests.join('')));
  await readAll(client);
  client.close();
  await serving;
  assert.deepEqual(
    told.map(({ request, status, bodyBytes, complete }) => [
      request?.method,
      request?.target,
      status,
      bodyBytes,
      complete,
    ]),
    [
      ['GET', '/digits.txt', 200, 10, true],
      ['HEAD', '/digits.txt', 200, 0, true],
      ['GET', '/big.bin', 200, 200_000, true],
      ['GET', '/nope', 404, told[3]?.bodyBytes, true],
      [undefined, undefined, 400, told[4]?.bodyBytes, true],
    ],
  );
  for (const { connection } of told) assert.equal(connection, server);
});

test('an answer that is cut short is told as such', async () => {
  const told: HttpExchange[] = [];
  const [client, server] = streamPair();
  const handler: HttpHandler = () => ({ headers: { 'Content-Length': 10 }, body: [new Uint8Array(4)] });
  const serving = serveConnection(server, handler, {
    env: stillClock().env(1),
    onExchange: exchange => told.push(exchange),
  });
  await client.write(new TextEncoder().encode('GET / HTTP/1.1\r\nHost: h\r\n\r\n'));
  await serving;
  assert.deepEqual(
    told.map(({ status, bodyBytes, complete }) => [status, bodyBytes, complete]),
    [[200, 4, false]],
  );
});
