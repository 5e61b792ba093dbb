import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exchange, get, parseAnswer } from './exchange.ts';

const ETAG = '"2ebc98a1-a"';
const MODIFIED = 'Sun, 06 Nov 1994 08:49:37 GMT';
const EARLIER = 'Sun, 06 Nov 1994 08:49:36 GMT';

test('the headers are those of nginx, in its order', async () => {
  const answer = await get('/digits.txt');
  assert.equal(answer.line, 'HTTP/1.1 200 OK');
  assert.deepEqual(answer.names, [
    'Server',
    'Date',
    'Content-Type',
    'Content-Length',
    'Last-Modified',
    'Connection',
    'ETag',
    'Accept-Ranges',
  ]);
  assert.match(answer.headers.get('server') ?? '', /^ethertype\/\d/);
  assert.equal(answer.headers.get('date'), 'Tue, 14 Nov 2023 22:13:20 GMT');
  assert.equal(answer.headers.get('content-type'), 'text/plain');
  assert.equal(answer.headers.get('content-length'), '10');
  assert.equal(answer.headers.get('last-modified'), MODIFIED);
  assert.equal(answer.headers.get('etag'), ETAG);
  assert.equal(answer.headers.get('accept-ranges'), 'bytes');
  assert.equal(answer.body, '0123456789');
});

const PATHS: readonly [path: string, status: number, bodyOrLocation?: string][] = [
  ['/', 200, '<p>home</p>\n'],
  ['/?query', 200, '<p>home</p>\n'],
  ['/sub/', 200, '<p>sub</p>\n'],
  ['//sub//index.html', 200, '<p>sub</p>\n'],
  ['/sub/../index.html', 200, '<p>home</p>\n'],
  ['/./digits.txt', 200, '0123456789'],
  ['/%64igits.txt', 200, '0123456789'],
  ['/with%20space/a+b.txt', 200, 'space'],
  ['http://other/digits.txt', 200, '0123456789'],
  ['http://other', 200, '<p>home</p>\n'],
  ['/empty.css', 200, ''],
  ['/sub', 301, 'http://h/sub/'],
  ['/sub?a=b', 301, 'http://h/sub/?a=b'],
  ['/with%20space', 301, 'http://h/with%20space/'],
  ['/bare/', 403],
  ['/nope', 404],
  ['/nope/', 404],
  ['/digits.txt/', 404],
  ['/sub/nope.html', 404],
  ['/../index.html', 400],
  ['/sub/../../etc/passwd', 400],
  ['/..%2findex.html', 400],
  ['/%2e%2e/index.html', 400],
  ['/index.html%00.txt', 400],
  ['/%zz', 400],
  ['/%ff', 400],
  ['*', 400],
];

for (const [path, status, expected] of PATHS) {
  test(`${path} is ${status}`, async () => {
    const answer = await get(path);
    assert.equal(answer.status, status);
    if (status === 200) assert.equal(answer.body, expected);
    if (status === 301) assert.equal(answer.headers.get('location'), expected);
    if (status >= 400) assert.match(answer.body, new RegExp(`<title>${status} `));
  });
}

test('a type that is not known is application/octet-stream', async () => {
  assert.equal((await get('/noext')).headers.get('content-type'), 'application/octet-stream');
  assert.equal((await get('/empty.css')).headers.get('content-type'), 'text/css');
});

for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'TRACE']) {
  test(`${method} is not allowed`, async () => {
    const answer = await get('/', [], method);
    assert.equal(answer.status, 405);
    assert.equal(answer.headers.get('allow'), 'GET, HEAD');
  });
}

const CONDITIONS: readonly [field: string, status: number][] = [
  [`If-None-Match: ${ETAG}`, 304],
  [`If-None-Match: W/${ETAG}`, 304],
  [`If-None-Match: "a", ${ETAG}`, 304],
  ['If-None-Match: *', 304],
  ['If-None-Match: "a,b"', 200],
  [`If-None-Match: "other"\r\nIf-Modified-Since: ${MODIFIED}`, 200],
  [`If-Modified-Since: ${MODIFIED}`, 304],
  [`If-Modified-Since: ${EARLIER}`, 200],
  ['If-Modified-Since: yesterday', 200],
  [`If-Match: ${ETAG}`, 200],
  ['If-Match: *', 200],
  ['If-Match: "other"', 412],
  [`If-Match: W/${ETAG}`, 412],
  [`If-Unmodified-Since: ${MODIFIED}`, 200],
  [`If-Unmodified-Since: ${EARLIER}`, 412],
  [`If-Match: ${ETAG}\r\nIf-Unmodified-Since: ${EARLIER}`, 200],
  [`If-Match: ${ETAG}\r\nIf-None-Match: ${ETAG}`, 304],
];

for (const [field, status] of CONDITIONS) {
  test(`${JSON.stringify(field)} makes ${status}`, async () => {
    for (const method of ['GET', 'HEAD'])
      assert.equal((await get('/digits.txt', [field], method)).status, status);
  });
}

test('304 has the validators and neither body nor length', async () => {
  const answer = await get('/digits.txt', [`If-None-Match: ${ETAG}`]);
  assert.deepEqual(answer.names, ['Server', 'Date', 'Last-Modified', 'Connection', 'ETag']);
  assert.equal(answer.body, '');
});

const RANGES: readonly [range: string, status: number, body: string, contentRange?: string][] = [
  ['bytes=0-0', 206, '0', 'bytes 0-0/10'],
  ['bytes=2-4', 206, '234', 'bytes 2-4/10'],
  ['bytes=7-', 206, '789', 'bytes 7-9/10'],
  ['bytes=-3', 206, '789', 'bytes 7-9/10'],
  ['bytes=-30', 206, '0123456789', 'bytes 0-9/10'],
  ['bytes=5-100', 206, '56789', 'bytes 5-9/10'],
  ['bytes=20-30, 3-3', 206, '3', 'bytes 3-3/10'],
  ['items=0-1', 200, '0123456789'],
  ['bytes=0-9,0-9', 200, '0123456789'],
  [`bytes=${'0-0,'.repeat(40)}1-1`, 200, '0123456789'],
  ['bytes=10-', 416, '', 'bytes */10'],
  ['bytes=-0', 416, '', 'bytes */10'],
  ['bytes=4-2', 416, '', 'bytes */10'],
  ['bytes=a-b', 416, '', 'bytes */10'],
];

for (const [range, status, body, contentRange] of RANGES) {
  test(`Range: ${range.slice(0, 30)} makes ${status}`, async () => {
    const answer = await get('/digits.txt', [`Range: ${range}`]);
    assert.equal(answer.status, status);
    assert.equal(answer.headers.get('content-range'), contentRange);
    if (status !== 416) assert.equal(answer.body, body);
    assert.equal(answer.headers.get('content-length'), String(answer.body.length));
  });
}

test('several ranges come as multipart/byteranges', async () => {
  const answer = await get('/digits.txt', ['Range: bytes=0-1,4-4,-1']);
  assert.equal(answer.status, 206);
  const type = answer.headers.get('content-type') ?? '';
  const boundary = /^multipart\/byteranges; boundary=(\d+)$/.exec(type)?.[1];
  assert.notEqual(boundary, undefined);
  const part = (range: string, bytes: string): string =>
    `\r\n--${boundary}\r\nContent-Type: text/plain\r\nContent-Range: bytes ${range}/10\r\n\r\n${bytes}`;
  assert.equal(
    answer.body,
    `${part('0-1', '01')}${part('4-4', '4')}${part('9-9', '9')}\r\n--${boundary}--\r\n`,
  );
  assert.equal(answer.headers.get('content-length'), String(answer.body.length));
});

test('If-Range decides whether the range counts', async () => {
  const range = 'Range: bytes=1-1';
  assert.equal((await get('/digits.txt', [range, `If-Range: ${ETAG}`])).status, 206);
  assert.equal((await get('/digits.txt', [range, `If-Range: ${MODIFIED}`])).status, 206);
  assert.equal((await get('/digits.txt', [range, 'If-Range: "other"'])).status, 200);
  assert.equal((await get('/digits.txt', [range, `If-Range: W/${ETAG}`])).status, 200);
  assert.equal((await get('/digits.txt', [range, `If-Range: ${EARLIER}`])).status, 200);
});

test('HEAD of a range has its headers', async () => {
  const answer = await get('/digits.txt', ['Range: bytes=2-4'], 'HEAD');
  assert.equal(answer.status, 206);
  assert.equal(answer.headers.get('content-length'), '3');
  assert.equal(answer.body, '');
});

test('a file longer than a chunk arrives whole, and so does its middle', async () => {
  const expected = Array.from({ length: 200_000 }, (_, i) => String.fromCharCode(i & 0xff)).join('');
  assert.equal((await get('/big.bin')).body, expected);
  const part = await get('/big.bin', ['Range: bytes=1000-150999']);
  assert.equal(part.body, expected.slice(1000, 151_000));
});

test('a redirect for a client without Host is relative', async () => {
  const answer = parseAnswer(await exchange('GET /sub HTTP/1.0\r\n\r\n'));
  assert.equal(answer.headers.get('location'), '/sub/');
});
