import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Sys } from '../../src/socket/calls.ts';
import * as C from '../../src/socket/constants.ts';
import type { EpollEvent } from '../../src/socket/epoll.ts';
import { bytes } from '../udp/fixture.ts';
import { named, udpPair, udpSocket } from './fixture.ts';

function watched(events: number): {
  sys: Sys;
  epfd: number;
  fd: number;
  send: () => void;
  take: () => void;
  ready: () => number[];
} & ReturnType<typeof udpPair> {
  const pair = udpPair();
  const sys = pair.sysB;
  const fd = udpSocket(sys, 53);
  const epfd = sys.epoll_create1();
  const client = udpSocket(pair.sysA, 0);
  assert.equal(sys.epoll_ctl(epfd, C.EPOLL_CTL_ADD, fd, { events, data: 42 }), 0);
  return {
    ...pair,
    sys,
    epfd,
    fd,
    send: () => {
      pair.sysA.sendto(client, bytes('x'), 0, { address: '10.0.0.2', port: 53 });
      pair.clock.runFor(1e6);
    },
    take: () => {
      assert.equal(sys.recv(fd, new Uint8Array(1)), 1);
    },
    ready: () => {
      const found: EpollEvent[] = [];
      assert.equal(sys.epoll_wait(epfd, found, 8), found.length);
      return found.map(event => event.events);
    },
  };
}

describe('epoll, level-triggered', () => {
  it('reports for as long as it holds', () => {
    const { send, take, ready } = watched(C.EPOLLIN);
    assert.deepEqual(ready(), []);
    send();
    assert.deepEqual(ready(), [C.EPOLLIN]);
    assert.deepEqual(ready(), [C.EPOLLIN]);
    take();
    assert.deepEqual(ready(), []);
  });

  it('hands back the data it was given, of at most maxevents files, each in turn', () => {
    const { sysB } = udpPair();
    const epfd = sysB.epoll_create1();
    for (let data = 0; data < 3; data++) {
      sysB.epoll_ctl(epfd, C.EPOLL_CTL_ADD, udpSocket(sysB, 0), { events: C.EPOLLOUT, data });
    }
    const order: number[] = [];
    for (let i = 0; i < 3; i++) {
      const found: EpollEvent[] = [];
      assert.equal(sysB.epoll_wait(epfd, found, 2), 2);
      order.push(...found.map(event => event.data));
    }
    assert.deepEqual(order, [0, 1, 2, 0, 1, 2]);
  });
});

describe('epoll, edge-triggered', () => {
  it('reports once for each arrival, and at once what holds when it is added', () => {
    const { sys, epfd, fd, send, ready } = watched(C.EPOLLIN | C.EPOLLET);
    send();
    assert.deepEqual(ready(), [C.EPOLLIN]);
    assert.deepEqual(ready(), []);
    send();
    assert.deepEqual(ready(), [C.EPOLLIN]);
    assert.deepEqual(ready(), []);
    sys.epoll_ctl(epfd, C.EPOLL_CTL_MOD, fd, { events: C.EPOLLIN | C.EPOLLET, data: 1 });
    assert.deepEqual(ready(), [C.EPOLLIN]);
    assert.deepEqual(ready(), []);
  });

  it('says nothing when what arrived was taken before', () => {
    const { send, take, ready } = watched(C.EPOLLIN | C.EPOLLET);
    send();
    take();
    assert.deepEqual(ready(), []);
  });
});

describe('epoll, one-shot', () => {
  it('reports once and then only after EPOLL_CTL_MOD', () => {
    const { sys, epfd, fd, send, ready } = watched(C.EPOLLIN | C.EPOLLONESHOT);
    send();
    assert.deepEqual(ready(), [C.EPOLLIN]);
    send();
    assert.deepEqual(ready(), []);
    sys.epoll_ctl(epfd, C.EPOLL_CTL_MOD, fd, { events: C.EPOLLIN | C.EPOLLONESHOT, data: 1 });
    assert.deepEqual(ready(), [C.EPOLLIN]);
    assert.deepEqual(ready(), []);
  });

  it('is forgotten with its file even when used up', () => {
    const { sys, epfd, fd, send, ready } = watched(C.EPOLLIN | C.EPOLLONESHOT);
    send();
    ready();
    sys.close(fd);
    const again = udpSocket(sys, 53);
    assert.equal(again, fd);
    assert.equal(named(sys.epoll_ctl(epfd, C.EPOLL_CTL_MOD, again, { events: 1, data: 0 })), 'ENOENT');
  });
});

describe('epoll_wait, waiting', () => {
  it('wakes when something arrives, also at a second epoll instance that watches the same file', async () => {
    const { clock, sys, epfd, fd, send } = watched(C.EPOLLIN);
    const other = sys.epoll_create1();
    sys.epoll_ctl(other, C.EPOLL_CTL_ADD, fd, { events: C.EPOLLIN | C.EPOLLET, data: 9 });
    const lists: EpollEvent[][] = [[], []];
    const waiting = [epfd, other].map((ep, i) => sys.wait.epoll_wait(ep, lists[i] as EpollEvent[], 4, -1));
    send();
    assert.deepEqual(await clock.finish(Promise.all(waiting)), [1, 1]);
    assert.deepEqual(lists, [[{ events: C.EPOLLIN, data: 42 }], [{ events: C.EPOLLIN, data: 9 }]]);
  });

  it('EPOLLEXCLUSIVE wakes one of several', async () => {
    const pair = udpPair();
    const { clock, sysA, sysB } = pair;
    const fd = udpSocket(sysB, 53);
    const results: number[] = [];
    for (let i = 0; i < 3; i++) {
      const epfd = sysB.epoll_create1();
      sysB.epoll_ctl(epfd, C.EPOLL_CTL_ADD, fd, { events: C.EPOLLIN | C.EPOLLEXCLUSIVE, data: i });
      void sysB.wait.epoll_wait(epfd, [], 1, -1).then(result => results.push(result));
    }
    sysA.sendto(udpSocket(sysA, 0), bytes('x'), 0, { address: '10.0.0.2', port: 53 });
    await clock.run({ untilUs: clock.nowUs + 1e6 });
    assert.deepEqual(results, [1]);
    sysB.closeAll();
    await clock.run();
    assert.equal(results.length, 3);
  });

  it('returns 0 when its time is over, -EINTR when aborted, -EBADF when closed', async () => {
    const { clock, b, sys, epfd } = watched(C.EPOLLIN);
    const began = clock.nowUs;
    assert.equal(await clock.finish(sys.wait.epoll_wait(epfd, [], 1, 250)), 0);
    assert.equal(clock.nowUs - began, 250_000);
    const abort = new AbortController();
    const aborted = sys.wait.epoll_wait(epfd, [], 1, -1, { signal: abort.signal });
    abort.abort();
    assert.equal(named(await clock.finish(aborted)), 'EINTR');
    const closed = sys.wait.epoll_wait(epfd, [], 1, 5000);
    sys.close(epfd);
    assert.equal(named(await clock.finish(closed)), 'EBADF');
    assert.equal(b.host.timers.size, 0);
  });

  it('makes the epoll descriptor itself readable', async () => {
    const { clock, sys, epfd, send } = watched(C.EPOLLIN);
    const fds = [{ fd: epfd, events: C.POLLIN, revents: 0 }];
    assert.equal(sys.poll(fds), 0);
    const waiting = sys.wait.poll(fds, -1);
    send();
    assert.equal(await clock.finish(waiting), 1);
  });
});

describe('epoll_ctl, mistakes', () => {
  it('are told apart', () => {
    const { sys, epfd, fd } = watched(C.EPOLLIN);
    const event = { events: C.EPOLLIN, data: 0 };
    const other = udpSocket(sys, 0);
    const tries: [number, number, number, EpollEvent | null][] = [
      [epfd, C.EPOLL_CTL_ADD, fd, event],
      [epfd, C.EPOLL_CTL_MOD, other, event],
      [epfd, C.EPOLL_CTL_DEL, other, null],
      [epfd, C.EPOLL_CTL_ADD, 99, event],
      [99, C.EPOLL_CTL_ADD, fd, event],
      [fd, C.EPOLL_CTL_ADD, other, event],
      [epfd, C.EPOLL_CTL_ADD, epfd, event],
      [epfd, C.EPOLL_CTL_ADD, sys.epoll_create1(), event],
      [epfd, C.EPOLL_CTL_ADD, other, null],
      [epfd, 77, other, event],
      [epfd, C.EPOLL_CTL_ADD, other, { events: C.EPOLLEXCLUSIVE | C.EPOLLONESHOT, data: 0 }],
    ];
    const results = tries.map(([ep, op, target, given]) => named(sys.epoll_ctl(ep, op, target, given)));
    const expected = 'EEXIST ENOENT ENOENT EBADF EBADF EINVAL EINVAL EINVAL EFAULT EINVAL EINVAL';
    assert.equal(results.join(' '), expected);
    assert.equal(named(sys.epoll_wait(epfd, [], 0)), 'EINVAL');
    assert.equal(named(sys.epoll_create1(1)), 'EINVAL');
  });

  it('EPOLL_CTL_DEL ends the watching', () => {
    const { sys, epfd, fd, send, ready } = watched(C.EPOLLIN);
    send();
    assert.equal(sys.epoll_ctl(epfd, C.EPOLL_CTL_DEL, fd), 0);
    assert.deepEqual(ready(), []);
  });
});
