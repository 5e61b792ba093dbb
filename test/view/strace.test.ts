import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as errno from '../../src/base/errno.ts';
import type { CallEvent } from '../../src/trace/events.ts';
import { formatStrace } from '../../src/view/strace.ts';

function call(name: string, args: CallEvent['args'], result: number): CallEvent {
  return { type: 'call', atUs: 0, host: 'client', process: 'curl', name, args, result, waitedUs: 0 };
}

const server = { sa_family: 'AF_INET', sin_port: 65500, sin_addr: '10.0.0.2' };
const text = 'GET / HTTP/1.1\r\nHost: 10.0.0.2:65500\r\nUser-Agent: curl/8\r\n\r\n';
const buf = { text, length: 81 };

/** Calls, and the very lines that strace prints for them. */
const LINES: readonly [CallEvent, string][] = [
  [
    call('socket', { domain: 'AF_INET', type: 'SOCK_STREAM', protocol: 'IPPROTO_TCP' }, 5),
    'socket(AF_INET, SOCK_STREAM, IPPROTO_TCP) = 5',
  ],
  [
    call('setsockopt', { sockfd: 5, level: 'SOL_TCP', optname: 'TCP_NODELAY', optval: [1], optlen: 4 }, 0),
    'setsockopt(5, SOL_TCP, TCP_NODELAY, [1], 4) = 0',
  ],
  [
    call(
      'setsockopt',
      {
        sockfd: 3,
        level: 'SOL_TCP',
        optname: 'TCP_CONGESTION',
        optval: { text: 'cubic', length: 5 },
        optlen: 5,
      },
      0,
    ),
    'setsockopt(3, SOL_TCP, TCP_CONGESTION, "cubic", 5) = 0',
  ],
  [
    call(
      'setsockopt',
      {
        sockfd: 3,
        level: 'SOL_SOCKET',
        optname: 'SO_LINGER',
        optval: { l_onoff: 1, l_linger: 5 },
        optlen: 8,
      },
      0,
    ),
    'setsockopt(3, SOL_SOCKET, SO_LINGER, {l_onoff=1, l_linger=5}, 8) = 0',
  ],
  [
    call('fcntl', { fd: 5, cmd: 'F_GETFL' }, 2),
    'fcntl(5, F_GETFL)                       = 0x2 (flags O_RDWR)',
  ],
  [
    call('fcntl', { fd: 5, cmd: 'F_SETFL', arg: 'O_RDWR|O_NONBLOCK' }, 0),
    'fcntl(5, F_SETFL, O_RDWR|O_NONBLOCK)    = 0',
  ],
  [
    call('connect', { sockfd: 5, addr: server, addrlen: 16 }, -errno.EINPROGRESS),
    'connect(5, {sa_family=AF_INET, sin_port=htons(65500), sin_addr=inet_addr("10.0.0.2")}, 16) = -1 EINPROGRESS (Operation now in progress)',
  ],
  [
    call('poll', { fds: [{ fd: 5, events: 'POLLOUT', revents: 'POLLOUT' }], nfds: 1, timeout: 1000 }, 1),
    'poll([{fd=5, events=POLLOUT}], 1, 1000) = 1 ([{fd=5, revents=POLLOUT}])',
  ],
  [
    call(
      'poll',
      {
        fds: [
          { fd: 5, events: 'POLLIN', revents: '0' },
          { fd: 6, events: 'POLLIN|POLLOUT', revents: 'POLLOUT' },
        ],
        nfds: 2,
        timeout: -1,
      },
      1,
    ),
    'poll([{fd=5, events=POLLIN}, {fd=6, events=POLLIN|POLLOUT}], 2, -1) = 1 ([{fd=6, revents=POLLOUT}])',
  ],
  [
    call('poll', { fds: [{ fd: 5, events: 'POLLIN', revents: '0' }], nfds: 1, timeout: 0 }, 0),
    'poll([{fd=5, events=POLLIN}], 1, 0)     = 0 (Timeout)',
  ],
  [
    call('getsockopt', { sockfd: 5, level: 'SOL_SOCKET', optname: 'SO_ERROR', optval: [0], optlen: [4] }, 0),
    'getsockopt(5, SOL_SOCKET, SO_ERROR, [0], [4]) = 0',
  ],
  [
    call('getpeername', { sockfd: 5, addr: server, addrlen: [16] }, 0),
    'getpeername(5, {sa_family=AF_INET, sin_port=htons(65500), sin_addr=inet_addr("10.0.0.2")}, [128 => 16]) = 0',
  ],
  [
    call('sendto', { sockfd: 5, buf, len: 81, flags: 'MSG_NOSIGNAL', dest_addr: null, addrlen: 0 }, 81),
    'sendto(5, "GET / HTTP/1.1\\r\\nHost: 10.0.0.2:6"..., 81, MSG_NOSIGNAL, NULL, 0) = 81',
  ],
  [
    call(
      'recvfrom',
      { sockfd: 5, buf: { text: 'x', length: 1 }, len: 5, flags: '0', src_addr: null, addrlen: null },
      1,
    ),
    'recvfrom(5, "x", 5, 0, NULL, NULL)      = 1',
  ],
  [
    call(
      'recvfrom',
      { sockfd: 5, buf: { text: '', length: 0 }, len: 5, flags: '0', src_addr: null, addrlen: null },
      0,
    ),
    'recvfrom(5, "", 5, 0, NULL, NULL)       = 0',
  ],
  [
    call(
      'sendto',
      { sockfd: 7, buf: { text: 'hello', length: 5 }, len: 5, flags: '0', dest_addr: server, addrlen: 16 },
      5,
    ),
    'sendto(7, "hello", 5, 0, {sa_family=AF_INET, sin_port=htons(65500), sin_addr=inet_addr("10.0.0.2")}, 16) = 5',
  ],
  [
    call('accept4', { sockfd: 3, addr: server, addrlen: [16], flags: 'SOCK_CLOEXEC' }, 5),
    'accept4(3, {sa_family=AF_INET, sin_port=htons(65500), sin_addr=inet_addr("10.0.0.2")}, [16], SOCK_CLOEXEC) = 5',
  ],
  [
    call(
      'connect',
      { sockfd: 5, addr: { sa_family: 'AF_INET6', sin6_port: 80, sin6_addr: '::1' }, addrlen: 28 },
      0,
    ),
    'connect(5, {sa_family=AF_INET6, sin6_port=htons(80), sin6_flowinfo=htonl(0), inet_pton(AF_INET6, "::1", &sin6_addr), sin6_scope_id=0}, 28) = 0',
  ],
  [
    call(
      'sendmsg',
      {
        sockfd: 5,
        msg: {
          msg_name: null,
          msg_iov: [
            { text: 'ab', length: 2 },
            { text: 'cd', length: 2 },
          ],
          msg_flags: '0',
        },
        flags: '0',
      },
      4,
    ),
    'sendmsg(5, {msg_name=NULL, msg_namelen=0, msg_iov=[{iov_base="ab", iov_len=2}, {iov_base="cd", iov_len=2}], msg_iovlen=2, msg_controllen=0, msg_flags=0}, 0) = 4',
  ],
  [call('epoll_create1', { flags: 'EPOLL_CLOEXEC' }, 3), 'epoll_create1(EPOLL_CLOEXEC)            = 3'],
  [
    call(
      'epoll_ctl',
      { epfd: 6, op: 'EPOLL_CTL_ADD', fd: 5, event: { events: 'EPOLLIN|EPOLLET', data: 5 } },
      0,
    ),
    'epoll_ctl(6, EPOLL_CTL_ADD, 5, {events=EPOLLIN|EPOLLET, data={u32=5, u64=5}}) = 0',
  ],
  [
    call('epoll_ctl', { epfd: 6, op: 'EPOLL_CTL_DEL', fd: 5, event: null }, 0),
    'epoll_ctl(6, EPOLL_CTL_DEL, 5, NULL)    = 0',
  ],
  [
    call(
      'epoll_wait',
      { epfd: 6, events: [{ events: 'EPOLLIN', data: 5 }], maxevents: 1023, timeout: 1000 },
      1,
    ),
    'epoll_wait(6, [{events=EPOLLIN, data={u32=5, u64=5}}], 1023, 1000) = 1',
  ],
  [call('shutdown', { sockfd: 4, how: 'SHUT_WR' }, 0), 'shutdown(4, SHUT_WR)                    = 0'],
  [call('close', { fd: 5 }, 0), 'close(5)                                = 0'],
  [
    call('close', { fd: 9 }, -errno.EBADF),
    'close(9)                                = -1 EBADF (Bad file descriptor)',
  ],
];

for (const [event, line] of LINES) {
  test(line, () => assert.equal(formatStrace(event), line));
}

test('bytes that are not text are octal, as short as the next one allows', () => {
  const event = call(
    'sendto',
    {
      sockfd: 4,
      buf: { text: 'abc\0\x01\x7f\xff"\\\n\t1', length: 12 },
      len: 12,
      flags: '0',
      dest_addr: null,
      addrlen: 0,
    },
    12,
  );
  assert.equal(formatStrace(event), 'sendto(4, "abc\\0\\1\\177\\377\\"\\\\\\n\\t1", 12, 0, NULL, 0) = 12');
  const digits = call('read', { fd: 4, buf: { text: '\x010\x01a', length: 4 }, count: 4 }, 4);
  assert.equal(formatStrace(digits, { column: 0 }), 'read(4, "\\0010\\1a", 4) = 4');
});

test('more of a buffer is shown when asked for', () => {
  const event = call(
    'send',
    { sockfd: 5, buf: { text: 'x'.repeat(100), length: 300 }, len: 300, flags: '0' },
    300,
  );
  assert.equal(
    formatStrace(event, { stringLimit: 64, column: 0 }),
    `send(5, "${'x'.repeat(64)}"..., 300, 0) = 300`,
  );
});
