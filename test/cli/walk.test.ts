import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { readPcap } from '../../src/pcap/pcap.ts';
import type { TraceEvent } from '../../src/trace/events.ts';
import { ethertype } from './command.ts';

let folder = '';
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'ethertype-walk-'));
});
after(() => rmSync(folder, { recursive: true }));

const CALLS = [
  'socket(AF_INET, SOCK_STREAM, IPPROTO_TCP) = 5',
  'setsockopt(5, SOL_TCP, TCP_NODELAY, [1], 4) = 0',
  'setsockopt(5, SOL_SOCKET, SO_KEEPALIVE, [1], 4) = 0',
  'setsockopt(5, SOL_TCP, TCP_KEEPIDLE, [60], 4) = 0',
  'setsockopt(5, SOL_TCP, TCP_KEEPINTVL, [60], 4) = 0',
  'fcntl(5, F_SETFL, O_RDWR|O_NONBLOCK)    = 0',
  'connect(5, {sa_family=AF_INET, sin_port=htons(65500), sin_addr=inet_addr("10.0.0.2")}, 16) = -1 EINPROGRESS (Operation now in progress)',
  'poll([{fd=5, events=POLLOUT}], 1, 10000) = 1 ([{fd=5, revents=POLLOUT}])',
  'getsockopt(5, SOL_SOCKET, SO_ERROR, [0], [4]) = 0',
  'getpeername(5, {sa_family=AF_INET, sin_port=htons(65500), sin_addr=inet_addr("10.0.0.2")}, [128 => 16]) = 0',
  'getsockname(5, {sa_family=AF_INET, sin_port=htons(',
  'sendto(5, "GET / HTTP/1.1\\r\\nHost: 10.0.0.2:6"..., 82, MSG_NOSIGNAL, NULL, 0) = 82',
  'poll([{fd=5, events=POLLIN}], 1, 10000) = 1 ([{fd=5, revents=POLLIN}])',
  'recvfrom(5, "HTTP/1.1 200 OK\\r\\nServer: etherty"..., 102400, 0, NULL, NULL) = ',
  'close(5)                                = 0',
];

test('the walk shows every step, in order, in a terminal of 100 columns', () => {
  const ran = ethertype('walk');
  assert.equal(ran.err, '');
  assert.equal(ran.status, 0);
  const lines = ran.out.split('\n');
  for (const line of lines) assert.ok(line.length <= 100, line);
  const text = lines.join('\n');
  const places = [
    '1. ARP',
    'INCOMPLETE',
    '2. The three-way handshake',
    'CLOSED -> SYN_SENT',
    'SYN queue: 1',
    'accept queue: 1',
    '3. Request and response',
    '> GET / HTTP/1.1',
    '< HTTP/1.1 200 OK',
    '4. On the wire',
    'Flags [S], seq ',
    'Flags [S.], seq ',
    '5. The four-way close',
    'FIN_WAIT_1',
    'TIME_WAIT -> CLOSED',
    '6. What is left',
    ' 0 packets dropped, 0 timers left',
  ].map(what => [what, text.indexOf(what)] as const);
  places.forEach(([what, at], i) => {
    assert.ok(at >= 0, `${what} is missing`);
    if (/^\d\./.test(what)) assert.ok(at > (places[i - 1]?.[1] ?? -1), `${what} comes too early`);
  });
  assert.match(text, /Flags \[F\.\]/);
});

test('without wrapping, every call is a line of strace and they come in order', () => {
  const lines = ethertype('walk', '--columns', '0').out.split('\n');
  let at = 0;
  for (const call of CALLS) {
    const found = lines.findIndex((line, i) => i >= at && line.startsWith(call));
    assert.ok(found >= 0, `missing or out of order: ${call}`);
    at = found + 1;
  }
});

test('--ipv6 shows the same over IPv6', () => {
  const ran = ethertype('walk', '--ipv6');
  assert.equal(ran.err, '');
  assert.equal(ran.status, 0);
  for (const line of ran.out.split('\n')) assert.ok(line.length <= 100, line);
  let at = 0;
  for (const what of [
    'GET http://[fd00::2]:65500/ from',
    '1. NDP',
    'neighbor solicitation, who has fd00::2',
    'waiting for NDP: 1',
    'fd00::2: NONE -> INCOMPLETE',
    'neighbor advertisement, tgt is fd00::2',
    '2. The three-way handshake',
    '- Flags [S], seq ',
    'socket(AF_INET6, SOCK_STREAM, IPPROTO_TCP) = 5',
    '*   Trying [fd00::2]:65500...',
    '> Host: [fd00::2]:65500',
    '< HTTP/1.1 200 OK',
    '[fd00::1]:',
    ' IP6 :: > ff02::1:ff00:1: ICMP6, neighbor solicitation, who has fd00::1, length 32',
    'IP6 fd00::1.',
    '5. The four-way close',
    'Ip6.InReceives',
    ' 0 packets dropped, 0 timers left',
  ]) {
    const found = ran.out.indexOf(what, at);
    assert.ok(found >= 0, `${what} is missing, or not in its place`);
    at = found;
  }
  assert.doesNotMatch(ran.out, /\bARP\b|IP 10\./);
});

test('--json prints events and nothing else, the same ones every time', () => {
  const { out, err, status } = ethertype('walk', '--json', '--seed', '7');
  assert.equal(err, '');
  assert.equal(status, 0);
  const events = out
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line) as TraceEvent);
  const types = new Set(events.map(event => event.type));
  for (const type of ['packet', 'call', 'tcp:state', 'queue', 'neighbor'] as const)
    assert.ok(types.has(type), type);
  assert.equal(types.has('drop'), false);
  assert.equal(ethertype('walk', '--json', '--seed', '7').out, out);
  assert.notEqual(ethertype('walk', '--json', '--seed', '8').out, out);
});

test('--write makes a capture file with the packets that are shown', () => {
  const file = join(folder, 'walk.pcap');
  const { out } = ethertype('walk', '--write', file, '--columns', '0');
  const capture = readPcap(readFileSync(file));
  assert.ok(capture !== null);
  const shown = out.split('\n').filter(line => /^\d\d:\d\d:\d\d\.\d{6} /.test(line));
  assert.equal([...capture.packets].length, shown.length);
});

test('--dir serves another folder, which needs an index', () => {
  writeFileSync(join(folder, 'other.txt'), 'x');
  assert.match(ethertype('walk', '--dir', folder).out, /< HTTP\/1\.1 403 Forbidden/);
  writeFileSync(join(folder, 'index.html'), '<p>mine</p>\n');
  assert.match(ethertype('walk', '--dir', folder).out, /\n<p>mine<\/p>\n/);
});
