import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Sys } from '../../src/socket/calls.ts';
import * as C from '../../src/socket/constants.ts';
import type { OptionValue } from '../../src/socket/options.ts';
import { out, type Sockaddr } from '../../src/socket/sockaddr.ts';
import { bytes } from '../udp/fixture.ts';
import { named } from './fixture.ts';
import { established, listening, SERVER, stream, tcpPair } from './tcp-fixture.ts';

const WATCH = C.POLLIN | C.POLLOUT | C.POLLRDHUP;

function revents(sys: Sys, fd: number): number {
  const fds = [{ fd, events: WATCH, revents: 0 }];
  sys.poll(fds);
  return fds[0]?.revents ?? 0;
}

function soError(sys: Sys, fd: number): OptionValue | null {
  const value = out<OptionValue>();
  assert.equal(sys.getsockopt(fd, C.SOL_SOCKET, C.SO_ERROR, value), 0);
  return value.value;
}

describe('connect()', () => {
  it('never waits: EINPROGRESS, EALREADY, 0, EISCONN, as Linux', async () => {
    const { sysA, sysB, run } = tcpPair();
    listening(sysB);
    const fd = stream(sysA, C.SOCK_NONBLOCK);
    assert.equal(named(sysA.connect(fd, SERVER)), 'EINPROGRESS');
    assert.equal(named(sysA.connect(fd, SERVER)), 'EALREADY');
    assert.equal(revents(sysA, fd), 0);
    assert.equal(named(sysA.send(fd, bytes('x'))), 'EAGAIN');
    assert.equal(named(sysA.recv(fd, new Uint8Array(1))), 'EAGAIN');
    assert.equal(named(sysA.getpeername(fd, out())), 'ENOTCONN');
    await run(100);
    assert.equal(revents(sysA, fd), C.POLLOUT);
    assert.equal(soError(sysA, fd), 0);
    assert.equal(sysA.connect(fd, SERVER), 0);
    assert.equal(named(sysA.connect(fd, SERVER)), 'EISCONN');
  });

  it('to a closed port: refused, then the socket is fresh again', async () => {
    const { sysA, run } = tcpPair();
    const fd = stream(sysA);
    sysA.connect(fd, SERVER);
    await run(100);
    assert.equal(revents(sysA, fd), C.POLLIN | C.POLLOUT | C.POLLERR | C.POLLHUP | C.POLLRDHUP);
    assert.equal(named(sysA.connect(fd, SERVER)), 'ECONNREFUSED');
    assert.equal(named(sysA.connect(fd, SERVER)), 'EINPROGRESS');
    await run(100);
    assert.equal(soError(sysA, fd), 111);
    assert.equal(soError(sysA, fd), 0);
    assert.equal(named(sysA.connect(fd, SERVER)), 'ECONNABORTED');
  });

  it('waits when asked to', async () => {
    const { world, sysA, sysB } = tcpPair();
    const fd = stream(sysA);
    assert.equal(named(await world.run(sysA.wait.connect(fd, SERVER))), 'ECONNREFUSED');
    listening(sysB);
    assert.equal(await world.run(sysA.wait.connect(fd, SERVER)), 0);
    assert.equal(named(await world.run(sysA.wait.connect(fd, SERVER))), 'EISCONN');
    const other = stream(sysA, C.SOCK_NONBLOCK);
    assert.equal(named(await world.run(sysA.wait.connect(other, SERVER))), 'EINPROGRESS');
  });

  it('into the void: SO_SNDTIMEO, then ETIMEDOUT', async () => {
    const { world, sysA, pull } = tcpPair({ tcp_syn_retries: 2, base_reachable_time_ms: 1e6 });
    const fd = stream(sysA);
    assert.equal(named(await world.run(sysA.wait.connect(fd, SERVER))), 'ECONNREFUSED');
    const silent = await established({ tcp_syn_retries: 2, tcp_syn_linear_timeouts: 0 });
    silent.b.hook('ingress', () => false);
    const lost = stream(silent.sysA);
    silent.sysA.setsockopt(lost, C.SOL_SOCKET, C.SO_SNDTIMEO, { tv_sec: 2, tv_usec: 0 });
    const began = silent.world.nowUs;
    assert.equal(named(await silent.world.run(silent.sysA.wait.connect(lost, SERVER))), 'EINPROGRESS');
    assert.equal(silent.world.nowUs - began, 2e6);
    silent.sysA.setsockopt(lost, C.SOL_SOCKET, C.SO_SNDTIMEO, { tv_sec: 0, tv_usec: 0 });
    assert.equal(named(await silent.world.run(silent.sysA.wait.connect(lost, SERVER))), 'ETIMEDOUT');
    assert.equal(silent.world.nowUs - began, 7e6);
    pull();
  });

  it('aborted: EINTR, and the handshake goes on', async () => {
    const { world, sysA, sysB } = tcpPair();
    listening(sysB);
    const fd = stream(sysA);
    const abort = new AbortController();
    const connecting = sysA.wait.connect(fd, SERVER, { signal: abort.signal });
    abort.abort();
    assert.equal(named(await world.run(connecting)), 'EINTR');
    assert.equal(await world.run(sysA.wait.connect(fd, SERVER)), 0);
  });

  it('closed under way: EBADF', async () => {
    const { world, sysA, sysB } = tcpPair();
    listening(sysB);
    const fd = stream(sysA);
    const connecting = sysA.wait.connect(fd, SERVER);
    sysA.close(fd);
    assert.equal(named(await world.run(connecting)), 'EBADF');
  });

  it('with AF_UNSPEC ends the connection and makes the socket fresh', async () => {
    const { world, sysA, sysB, client, server } = await established();
    const nowhere = { family: C.AF_UNSPEC, address: '0.0.0.0', port: 0 };
    assert.equal(sysA.connect(client, nowhere), 0);
    assert.equal(revents(sysA, client), C.POLLOUT | C.POLLHUP);
    assert.equal(await world.run(sysA.wait.connect(client, SERVER)), 0);
    assert.equal(named(await world.run(sysB.wait.recv(server, new Uint8Array(1)))), 'ECONNRESET');
  });

  it('to itself over the loopback, and to 0.0.0.0', async () => {
    const { world, sysA } = tcpPair();
    listening(sysA);
    for (const address of ['127.0.0.1', '0.0.0.0', '10.0.0.1']) {
      assert.equal(await world.run(sysA.wait.connect(stream(sysA), { address, port: 80 })), 0);
    }
  });

  it('where it cannot go', () => {
    const { sysA } = tcpPair();
    const tries = ['192.0.2.1', '255.255.255.255', '10.0.0.255', '224.0.0.1'];
    const results = tries.map(address => named(sysA.connect(stream(sysA), { address, port: 80 })));
    assert.deepEqual(new Set(results), new Set(['ENETUNREACH']));
    assert.equal(named(sysA.connect(stream(sysA), { address: '::1', port: 80 })), 'EAFNOSUPPORT');
    assert.equal(named(sysA.connect(99, SERVER)), 'EBADF');
    assert.equal(named(sysA.connect(sysA.epoll_create1(), SERVER)), 'ENOTSOCK');
  });
});

describe('names', () => {
  it('of a fresh, a bound, a listening and a connected socket', async () => {
    const { sysA, sysB, client, server, listener } = await established();
    const name = (sys: Sys, fd: number, which: 'getsockname' | 'getpeername'): string | number => {
      const addr = out<Sockaddr>();
      const result = sys[which](fd, addr);
      return result < 0 ? named(result) : `${addr.value?.address}:${addr.value?.port}`;
    };
    const fresh = stream(sysA);
    assert.equal(name(sysA, fresh, 'getsockname'), '0.0.0.0:0');
    assert.equal(name(sysA, fresh, 'getpeername'), 'ENOTCONN');
    sysA.bind(fresh, { address: '10.0.0.1', port: 1234 });
    assert.equal(name(sysA, fresh, 'getsockname'), '10.0.0.1:1234');
    assert.equal(name(sysB, listener, 'getsockname'), '0.0.0.0:80');
    assert.equal(name(sysB, listener, 'getpeername'), 'ENOTCONN');
    assert.equal(name(sysA, client, 'getpeername'), '10.0.0.2:80');
    assert.equal(name(sysB, server, 'getsockname'), '10.0.0.2:80');
    assert.equal(name(sysB, server, 'getpeername'), name(sysA, client, 'getsockname'));
  });
});

describe('bind() and listen()', () => {
  it('a port is held by one, until it is closed', () => {
    const { sysA } = tcpPair();
    const fd = stream(sysA);
    assert.equal(sysA.bind(fd, { address: '0.0.0.0', port: 80 }), 0);
    assert.equal(named(sysA.bind(fd, { address: '0.0.0.0', port: 81 })), 'EINVAL');
    const other = stream(sysA);
    assert.equal(named(sysA.bind(other, { address: '0.0.0.0', port: 80 })), 'EADDRINUSE');
    assert.equal(named(sysA.bind(other, { address: '10.0.0.9', port: 80 })), 'EADDRNOTAVAIL');
    sysA.close(fd);
    assert.equal(sysA.bind(other, { address: '0.0.0.0', port: 80 }), 0);
  });

  it('SO_REUSEADDR lets two bind, and one listen', () => {
    const { sysA } = tcpPair();
    const [one, two] = [0, 1].map(() => {
      const fd = stream(sysA);
      sysA.setsockopt(fd, C.SOL_SOCKET, C.SO_REUSEADDR, 1);
      assert.equal(sysA.bind(fd, { address: '0.0.0.0', port: 80 }), 0);
      return fd;
    }) as [number, number];
    assert.equal(sysA.listen(one, 1), 0);
    assert.equal(named(sysA.listen(two, 1)), 'EADDRINUSE');
  });

  it('a listener cannot connect, read or write, and can be told a new backlog', () => {
    const { sysA } = tcpPair();
    const fd = listening(sysA);
    assert.equal(named(sysA.connect(fd, SERVER)), 'EISCONN');
    assert.equal(named(sysA.recv(fd, new Uint8Array(1))), 'ENOTCONN');
    assert.equal(named(sysA.send(fd, bytes('x'))), 'EPIPE');
    assert.equal(named(sysA.ioctl(fd, C.FIONREAD, out())), 'EINVAL');
    assert.equal(sysA.listen(fd, 1), 0);
    const value = out<OptionValue>();
    sysA.getsockopt(fd, C.SOL_SOCKET, C.SO_ACCEPTCONN, value);
    assert.equal(value.value, 1);
  });

  it('a connection cannot listen', async () => {
    const { sysA, client } = await established();
    assert.equal(named(sysA.listen(client, 1)), 'EINVAL');
    assert.equal(named(sysA.bind(client, { address: '0.0.0.0', port: 1 })), 'EINVAL');
    assert.equal(named(sysA.accept(client)), 'EINVAL');
  });

  it('listen without bind picks a port', () => {
    const { sysA } = tcpPair();
    const fd = stream(sysA);
    assert.equal(sysA.listen(fd, 1), 0);
    const addr = out<Sockaddr>();
    sysA.getsockname(fd, addr);
    assert.ok((addr.value?.port ?? 0) >= 32768);
  });
});

describe('accept()', () => {
  it('gives a connection its descriptor, its peer and its flags', async () => {
    const { sysA, sysB, run } = tcpPair();
    const listener = listening(sysB);
    sysB.setsockopt(listener, C.SOL_TCP, C.TCP_NODELAY, 1);
    assert.equal(named(sysB.accept(listener)), 'EAGAIN');
    const client = stream(sysA);
    sysA.connect(client, SERVER);
    await run(100);
    assert.equal(revents(sysB, listener), C.POLLIN);
    const peer = out<Sockaddr>();
    assert.equal(named(sysB.accept4(listener, peer, 1)), 'EINVAL');
    const fd = sysB.accept4(listener, peer, C.SOCK_NONBLOCK);
    assert.equal(String(peer.value?.address), '10.0.0.1');
    assert.equal(sysB.fcntl(fd, C.F_GETFL), C.O_RDWR | C.O_NONBLOCK);
    assert.equal(sysB.fcntl(fd, C.F_GETFD), 0);
    const value = out<OptionValue>();
    sysB.getsockopt(fd, C.SOL_TCP, C.TCP_NODELAY, value);
    assert.equal(value.value, 1);
    assert.equal(revents(sysB, listener), 0);
  });

  it('waits; SO_RCVTIMEO, close and shutdown end the wait', async () => {
    const { world, sysB } = tcpPair();
    const listener = listening(sysB);
    sysB.setsockopt(listener, C.SOL_SOCKET, C.SO_RCVTIMEO, { tv_sec: 1, tv_usec: 0 });
    assert.equal(named(await world.run(sysB.wait.accept(listener))), 'EAGAIN');
    sysB.setsockopt(listener, C.SOL_SOCKET, C.SO_RCVTIMEO, { tv_sec: 0, tv_usec: 0 });
    const shut = sysB.wait.accept(listener);
    assert.equal(sysB.shutdown(listener, C.SHUT_RD), 0);
    assert.equal(named(await world.run(shut)), 'EINVAL');
    const other = listening(sysB, 81);
    const closed = sysB.wait.accept(other);
    sysB.close(other);
    assert.equal(named(await world.run(closed)), 'EBADF');
  });

  it('several that wait get one connection each', async () => {
    const { world, sysA, sysB } = tcpPair();
    const listener = listening(sysB);
    const accepted = Promise.all([0, 1, 2].map(() => sysB.wait.accept(listener)));
    for (let i = 0; i < 3; i++) sysA.connect(stream(sysA), SERVER);
    const fds = await world.run(accepted);
    assert.deepEqual([...fds].sort(), [4, 5, 6]);
  });
});

describe('sendto() with an address on a listener', () => {
  it('opens it actively (RFC 9293 section 3.10.2): against a listener, data and all', async () => {
    const { world, sysA, sysB } = tcpPair();
    const listener = listening(sysB);
    const fd = listening(sysA, 4000);
    assert.equal(sysA.sendto(fd, bytes('first'), 0, SERVER), 5);
    const server = await world.run(sysB.wait.accept(listener));
    const buffer = new Uint8Array(9);
    assert.equal(await world.run(sysB.wait.recv(server, buffer)), 5);
    const peer = out<Sockaddr>();
    sysB.getpeername(server, peer);
    assert.equal(peer.value?.port, 4000);
    assert.equal(named(sysA.accept(fd)), 'EINVAL');
  });
});
