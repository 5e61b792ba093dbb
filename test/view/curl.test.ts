import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatCurl, formatCurlFailure } from '../../src/view/curl.ts';

const request = 'GET / HTTP/1.1\r\nHost: 127.0.0.1:18124\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\n\r\n';
const exchange = { hostname: '127.0.0.1', address: '127.0.0.1', port: 18124, request };

test('a request on a connection that is kept', () => {
  const responses = ['HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: keep-alive\r\n\r\n'];
  assert.deepEqual(formatCurl({ ...exchange, responses, after: 'intact' }), [
    '*   Trying 127.0.0.1:18124...',
    '* Connected to 127.0.0.1 (127.0.0.1) port 18124 (#0)',
    '> GET / HTTP/1.1',
    '> Host: 127.0.0.1:18124',
    '> User-Agent: curl/7.88.1',
    '> Accept: */*',
    '> ',
    '< HTTP/1.1 200 OK',
    '< Content-Length: 3',
    '< Connection: keep-alive',
    '< ',
    '* Connection #0 to host 127.0.0.1 left intact',
  ]);
});

test('an answer of an old server closes the connection', () => {
  const lines = formatCurl({
    ...exchange,
    responses: ['HTTP/1.0 404 File not found\r\n\r\n'],
    after: 'closing',
  });
  assert.deepEqual(lines.slice(-4), [
    '* HTTP 1.0, assume close after body',
    '< HTTP/1.0 404 File not found',
    '< ',
    '* Closing connection 0',
  ]);
});

test('no connection', () => {
  assert.deepEqual(formatCurlFailure('127.0.0.1', '127.0.0.1', 1, 'Connection refused', 0), [
    '*   Trying 127.0.0.1:1...',
    '* connect to 127.0.0.1 port 1 failed: Connection refused',
    "* Failed to connect to 127.0.0.1 port 1 after 0 ms: Couldn't connect to server",
    '* Closing connection 0',
    "curl: (7) Failed to connect to 127.0.0.1 port 1 after 0 ms: Couldn't connect to server",
  ]);
});
