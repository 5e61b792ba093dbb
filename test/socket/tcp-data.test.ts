import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Sys } from '../../src/socket/calls.ts';
import * as C from '../../src/socket/constants.ts';
import type { EpollEvent } from '../../src/socket/epoll.ts';
import type { OptionValue } from '../../src/socket/options.ts';
import { out, type Sockaddr } from '../../src/socket/sockaddr.ts';
import { bytes } from '../udp/fixture.ts';
import { named } from './fixture.ts';
import { established, SERVER, stream, tcpPair, text } from './tcp-fixture.ts';

function count(sys: Sys, fd: number, request: number): number | null {
  const value = out<number>();
  assert.equal(sys.ioctl(fd, request, value), 0);
  return value.value;
}

function revents(sys: Sys, fd: number, events = C.POLLIN | C.POLLOUT | C.POLLRDHUP): number {
  const fds = [{ fd, events, revents: 0 }];
  sys.poll(fds);
  return fds[0]?.revents ?? 0;
}

describe('a stream', () => {
  it('carries bytes, with no boundaries between messages', async () => {
    const { sysA, sysB, client, server, run } = await established();
    assert.equal(sysA.send(client, bytes('one')), 3);
    assert.equal(sysA.write(client, bytes('two')), 3);
    assert.equal(sysA.sendmsg(client, { msg_iov: [bytes('th'), bytes('ree')] }), 5);
    assert.equal(count(sysA, client, C.SIOCOUTQ), 11);
    await run(500);
    assert.equal(count(sysA, client, C.SIOCOUTQ), 0);
    assert.equal(count(sysA, client, C.SIOCOUTQNSD), 0);
    assert.equal(count(sysB, server, C.FIONREAD), 11);
    const buffer = new Uint8Array(20);
    assert.equal(sysB.recv(server, buffer, C.MSG_PEEK), 11);
    assert.equal(sysB.read(server, buffer.subarray(0, 4)), 4);
    assert.equal(text(buffer, 4), 'onet');
    const from = { value: { family: 2, address: null, port: 1 } } as never as { value: Sockaddr | null };
    assert.equal(sysB.recvfrom(server, buffer, 0, from), 7);
    assert.equal(text(buffer, 7), 'wothree');
    assert.equal(from.value, null);
    assert.equal(named(sysB.recv(server, buffer)), 'EAGAIN');
    assert.equal(sysB.recv(server, new Uint8Array(0)), 0);
  });

  it('takes as much as fits; the blocking form waits until all is taken', async () => {
    const { world, sysA, sysB, client, server } = await established();
    const data = Uint8Array.from({ length: 10_000_000 }, (_, i) => (i * 31) >>> 3);
    const taken = sysA.send(client, data);
    assert.ok(taken > 0 && taken < data.length);
    assert.equal(named(sysA.send(client, data)), 'EAGAIN');
    assert.equal(revents(sysA, client), 0);
    const sending = sysA.wait.send(client, data.subarray(taken));
    const got = new Uint8Array(data.length);
    const receiving = sysB.wait.recv(server, got, C.MSG_WAITALL);
    assert.equal(await world.run(sending), data.length - taken);
    assert.equal(await world.run(receiving), data.length);
    assert.deepEqual(got, data);
  });

  it('MSG_WAITALL gives up at the end of the stream with what there is', async () => {
    const { world, sysA, sysB, client, server } = await established();
    const buffer = new Uint8Array(10);
    const receiving = sysB.wait.recv(server, buffer, C.MSG_WAITALL);
    sysA.send(client, bytes('short'));
    sysA.shutdown(client, C.SHUT_WR);
    assert.equal(await world.run(receiving), 5);
    assert.equal(await world.run(sysB.wait.recv(server, buffer, C.MSG_WAITALL)), 0);
  });

  it('SO_SNDTIMEO ends a send with what was taken, or EAGAIN', async () => {
    const { world, sysA, client } = await established();
    sysA.setsockopt(client, C.SOL_SOCKET, C.SO_SNDTIMEO, { tv_sec: 1, tv_usec: 0 });
    const taken = await world.run(sysA.wait.send(client, new Uint8Array(50_000_000)));
    assert.ok(taken > 0 && taken < 50_000_000);
    while (sysA.send(client, new Uint8Array(100000)) > 0);
    assert.equal(named(await world.run(sysA.wait.send(client, new Uint8Array(1)))), 'EAGAIN');
    assert.equal(named(await world.run(sysA.wait.send(client, new Uint8Array(1), C.MSG_DONTWAIT))), 'EAGAIN');
  });

  it('an aborted send tells what was taken, an aborted recv EINTR; the connection lives', async () => {
    const { world, sysA, sysB, client, server } = await established();
    const abort = new AbortController();
    const options = { signal: abort.signal };
    const sending = sysA.wait.send(client, new Uint8Array(50_000_000), 0, options);
    const receiving = sysA.wait.recv(client, new Uint8Array(1), 0, options);
    abort.abort();
    assert.ok((await world.run(sending)) > 0);
    assert.equal(named(await world.run(receiving)), 'EINTR');
    assert.equal(sysB.send(server, bytes('x')), 1);
    assert.equal(await world.run(sysA.wait.recv(client, new Uint8Array(1))), 1);
  });

  it('TCP_INFO, TCP_MAXSEG and IP_MTU tell of the connection', async () => {
    const { sysA, client } = await established();
    const value = out<OptionValue>();
    sysA.getsockopt(client, C.SOL_TCP, C.TCP_INFO, value);
    assert.equal((value.value as { state: number }).state, 1);
    sysA.getsockopt(client, C.SOL_TCP, C.TCP_MAXSEG, value);
    assert.equal(value.value, 1448);
    sysA.getsockopt(client, C.SOL_IP, C.IP_MTU, value);
    assert.equal(value.value, 1500);
  });

  it('a fresh one is not connected', () => {
    const { sysA } = tcpPair();
    const fd = stream(sysA);
    assert.equal(named(sysA.recv(fd, new Uint8Array(1))), 'ENOTCONN');
    assert.equal(named(sysA.send(fd, bytes('x'))), 'EPIPE');
    assert.equal(named(sysA.sendto(fd, bytes('x'), 0, SERVER)), 'EPIPE');
    assert.equal(named(sysA.shutdown(fd, C.SHUT_WR)), 'ENOTCONN');
    assert.equal(named(sysA.accept(fd)), 'EINVAL');
    assert.equal(revents(sysA, fd), C.POLLOUT | C.POLLHUP);
  });

  it('MSG_OOB sends a byte that the peer reads by itself, and SIOCATMARK shows where it was', async () => {
    const { sysA, sysB, client, server, run } = await established();
    const byte = new Uint8Array(1);
    const atMark = out<number>();
    assert.equal(named(sysB.recv(server, byte, C.MSG_OOB)), 'EINVAL');
    assert.equal(sysA.send(client, bytes('abX'), C.MSG_OOB), 3);
    assert.equal(sysA.send(client, bytes('cd')), 2);
    await run(100);
    assert.equal(revents(sysB, server, C.POLLIN | C.POLLPRI), C.POLLIN | C.POLLPRI);
    assert.equal(sysB.recv(server, byte, C.MSG_OOB | C.MSG_PEEK), 1);
    assert.equal(sysB.recv(server, byte, C.MSG_OOB), 1);
    assert.equal(text(byte, 1), 'X');
    assert.equal(named(sysB.recv(server, byte, C.MSG_OOB)), 'EINVAL');
    const buffer = new Uint8Array(10);
    assert.equal(sysB.recv(server, buffer), 2);
    assert.equal(text(buffer, 2), 'ab');
    assert.equal(sysB.ioctl(server, C.SIOCATMARK, atMark), 0);
    assert.equal(atMark.value, 1);
    assert.equal(sysB.recv(server, buffer, C.MSG_PEEK), 2);
    assert.equal(sysB.recv(server, buffer), 2);
    assert.equal(text(buffer, 2), 'cd');
    assert.equal(sysB.ioctl(server, C.SIOCATMARK, atMark), 0);
    assert.equal(atMark.value, 0);
  });
});

describe('shutdown()', () => {
  it('SHUT_WR is a half close: the other direction goes on', async () => {
    const { world, sysA, sysB, client, server } = await established();
    sysA.send(client, bytes('question'));
    assert.equal(sysA.shutdown(client, C.SHUT_WR), 0);
    assert.equal(named(sysA.send(client, bytes('x'))), 'EPIPE');
    const buffer = new Uint8Array(20);
    assert.equal(await world.run(sysB.wait.recv(server, buffer)), 8);
    assert.equal(await world.run(sysB.wait.recv(server, buffer)), 0);
    assert.equal(revents(sysB, server), C.POLLIN | C.POLLOUT | C.POLLRDHUP);
    sysB.send(server, bytes('answer'));
    sysB.close(server);
    assert.equal(await world.run(sysA.wait.recv(client, buffer)), 6);
    assert.equal(await world.run(sysA.wait.recv(client, buffer)), 0);
    assert.equal(revents(sysA, client), C.POLLIN | C.POLLOUT | C.POLLRDHUP | C.POLLHUP);
  });

  it('SHUT_RD wakes a reader with the end of the stream; SHUT_WR a writer with EPIPE', async () => {
    const { world, sysA, client } = await established();
    const reading = sysA.wait.recv(client, new Uint8Array(1));
    assert.equal(sysA.shutdown(client, C.SHUT_RD), 0);
    assert.equal(await world.run(reading), 0);
    while (sysA.send(client, new Uint8Array(100000)) > 0);
    const writing = sysA.wait.send(client, bytes('x'));
    assert.equal(sysA.shutdown(client, C.SHUT_WR), 0);
    assert.equal(named(await world.run(writing)), 'EPIPE');
  });

  it('of a socket that connects gives up', async () => {
    const { world, sysA } = tcpPair();
    const fd = stream(sysA);
    sysA.connect(fd, SERVER);
    assert.equal(sysA.shutdown(fd, C.SHUT_RDWR), 0);
    assert.equal(named(await world.run(sysA.wait.recv(fd, new Uint8Array(1)))), 'ENOTCONN');
  });
});

describe('a reset', () => {
  it('is ECONNRESET once, then the end of the stream and EPIPE', async () => {
    const { world, sysA, sysB, client, server } = await established();
    const reading = sysB.wait.recv(server, new Uint8Array(1));
    sysA.setsockopt(client, C.SOL_SOCKET, C.SO_LINGER, { l_onoff: 1, l_linger: 0 });
    assert.equal(sysA.close(client), 0);
    assert.equal(named(await world.run(reading)), 'ECONNRESET');
    assert.equal(sysB.recv(server, new Uint8Array(1)), 0);
    assert.equal(named(sysB.send(server, bytes('x'))), 'EPIPE');
    assert.equal(named(sysB.getpeername(server, out())), 'ENOTCONN');
  });

  it('is told to a writer, too, and what came before it can be read first', async () => {
    const { sysA, sysB, client, server, run } = await established();
    sysA.send(client, bytes('last words'));
    await run(100);
    sysA.setsockopt(client, C.SOL_SOCKET, C.SO_LINGER, { l_onoff: 1, l_linger: 0 });
    sysA.close(client);
    await run(100);
    assert.equal(revents(sysB, server) & C.POLLERR, C.POLLERR);
    const buffer = new Uint8Array(20);
    assert.equal(sysB.recv(server, buffer), 10);
    assert.equal(named(sysB.send(server, bytes('x'))), 'ECONNRESET');
    assert.equal(named(sysB.send(server, bytes('x'))), 'EPIPE');
    assert.equal(sysB.recv(server, buffer), 0);
  });
});

describe('close()', () => {
  it('with unread data resets', async () => {
    const { world, sysA, sysB, client, server, run } = await established();
    sysA.send(client, bytes('x'));
    await run(100);
    sysB.close(server);
    assert.equal(named(await world.run(sysA.wait.recv(client, new Uint8Array(1)))), 'ECONNRESET');
  });

  it('sends what is left, by itself', async () => {
    const { world, sysA, sysB, client, server } = await established();
    const data = new Uint8Array(60000).fill(7);
    const taken = sysA.send(client, data);
    assert.equal(sysA.close(client), 0);
    const got = new Uint8Array(data.length);
    assert.equal(await world.run(sysB.wait.recv(server, got, C.MSG_WAITALL)), taken);
    assert.equal(named(sysA.close(client)), 'EBADF');
  });

  it('with SO_LINGER waits until all is acknowledged', async () => {
    const { world, sysA, client } = await established();
    sysA.setsockopt(client, C.SOL_SOCKET, C.SO_LINGER, { l_onoff: 1, l_linger: 60 });
    sysA.send(client, new Uint8Array(5000));
    const began = world.nowUs;
    assert.equal(await world.run(sysA.wait.close(client)), 0);
    const waited = world.nowUs - began;
    assert.ok(waited >= 2000 && waited < 100_000, `waited ${waited} µs`);
  });

  it('with SO_LINGER gives up when its time is over', async () => {
    const { world, a, b, sysA, client } = await established();
    b.hook('ingress', () => false);
    sysA.setsockopt(client, C.SOL_SOCKET, C.SO_LINGER, { l_onoff: 1, l_linger: 3 });
    sysA.send(client, new Uint8Array(5000));
    const began = world.nowUs;
    assert.equal(await world.run(sysA.wait.close(client)), 0);
    assert.equal(world.nowUs - began, 3e6);
    assert.equal(a.sockets()[0]?.state, 'FIN_WAIT_1');
  });

  it('of the whole stack wakes everyone and leaves nothing behind', async () => {
    const { world, a, b, sysA, sysB, client, server, listener } = await established();
    const pending = Promise.all([
      sysA.wait.recv(client, new Uint8Array(1)),
      sysA.wait.send(client, new Uint8Array(50_000_000)),
      sysB.wait.recv(server, new Uint8Array(1)),
      sysB.wait.accept(listener),
    ]);
    a.close();
    b.close();
    const [read, sent, read2, accepted] = await world.run(pending);
    assert.deepEqual([read, read2, accepted].map(named), ['EBADF', 'EBADF', 'EBADF']);
    assert.ok(sent > 0);
    world.close();
    assert.equal(a.host.timers.size + b.host.timers.size, 0);
    assert.equal(world.clock.armed, 0);
    assert.equal(world.pool.inUse, 0);
  });
});

describe('epoll on streams', () => {
  it('edge-triggered: connected, data, half close, reset', async () => {
    const { sysA, sysB, run } = tcpPair();
    const listener = stream(sysB);
    sysB.bind(listener, { address: '0.0.0.0', port: 80 });
    sysB.listen(listener, 1);
    const client = stream(sysA, C.SOCK_NONBLOCK);
    sysA.connect(client, SERVER);
    const epfd = sysA.epoll_create1();
    const watch = C.EPOLLIN | C.EPOLLOUT | C.EPOLLRDHUP | C.EPOLLET;
    sysA.epoll_ctl(epfd, C.EPOLL_CTL_ADD, client, { events: watch, data: client });
    const ready = (): number[] => {
      const events: EpollEvent[] = [];
      sysA.epoll_wait(epfd, events, 4);
      return events.map(event => event.events);
    };
    assert.deepEqual(ready(), []);
    await run(100);
    assert.deepEqual(ready(), [C.EPOLLOUT]);
    const server = sysB.accept(listener);
    sysB.send(server, bytes('hello'));
    await run(100);
    assert.deepEqual(ready(), [C.EPOLLIN | C.EPOLLOUT]);
    assert.deepEqual(ready(), []);
    sysB.shutdown(server, C.SHUT_WR);
    await run(100);
    assert.deepEqual(ready(), [C.EPOLLIN | C.EPOLLOUT | C.EPOLLRDHUP]);
    sysB.setsockopt(server, C.SOL_SOCKET, C.SO_LINGER, { l_onoff: 1, l_linger: 0 });
    sysB.close(server);
    await run(100);
    const over = C.EPOLLIN | C.EPOLLOUT | C.EPOLLRDHUP | C.EPOLLERR | C.EPOLLHUP;
    assert.deepEqual(ready(), [over]);
  });

  it('a full send buffer becomes writable when the peer reads', async () => {
    const { world, sysA, sysB, client, server, run } = await established();
    while (sysA.send(client, new Uint8Array(1e6)) > 0);
    await run(1000);
    while (sysA.send(client, new Uint8Array(1e6)) > 0);
    const epfd = sysA.epoll_create1();
    sysA.epoll_ctl(epfd, C.EPOLL_CTL_ADD, client, { events: C.EPOLLOUT | C.EPOLLET, data: 1 });
    assert.equal(sysA.epoll_wait(epfd, [], 1), 0);
    const waiting = sysA.wait.epoll_wait(epfd, [], 1, -1);
    const drain = async (): Promise<void> => {
      const buffer = new Uint8Array(1e6);
      while ((await sysB.wait.recv(server, buffer)) > 0);
    };
    void drain();
    assert.equal(await world.run(waiting), 1);
  });
});
