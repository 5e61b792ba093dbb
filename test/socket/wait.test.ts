import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as C from '../../src/socket/constants.ts';
import type { PollFd } from '../../src/socket/poll.ts';
import { bytes } from '../udp/fixture.ts';
import { named, udpPair, udpSocket } from './fixture.ts';

const B53 = { address: '10.0.0.2', port: 53 };

describe('blocking calls', () => {
  it('recv waits for a datagram', async () => {
    const { clock, sysA, sysB } = udpPair();
    const server = udpSocket(sysB, 53);
    const buffer = new Uint8Array(9);
    const waiting = sysB.wait.recv(server, buffer);
    sysA.sendto(udpSocket(sysA, 0), bytes('late'), 0, B53);
    assert.equal(await clock.finish(waiting), 4);
  });

  it('two that wait get one datagram each, in their order', async () => {
    const { clock, sysA, sysB } = udpPair();
    const server = udpSocket(sysB, 53);
    const buffers = [new Uint8Array(1), new Uint8Array(1)];
    const waiting = Promise.all(buffers.map(buffer => sysB.wait.recv(server, buffer)));
    const client = udpSocket(sysA, 0);
    sysA.sendto(client, bytes('1'), 0, B53);
    sysA.sendto(client, bytes('2'), 0, B53);
    await clock.finish(waiting);
    assert.deepEqual(buffers, [bytes('1'), bytes('2')]);
  });

  it('does not wait with O_NONBLOCK or MSG_DONTWAIT', async () => {
    const { clock, sysB } = udpPair();
    const buffer = new Uint8Array(1);
    const server = udpSocket(sysB, 53);
    assert.equal(named(await clock.finish(sysB.wait.recv(server, buffer, C.MSG_DONTWAIT))), 'EAGAIN');
    const other = udpSocket(sysB, 54, C.SOCK_NONBLOCK);
    assert.equal(named(await clock.finish(sysB.wait.recv(other, buffer))), 'EAGAIN');
  });

  it('SO_RCVTIMEO ends the wait with EAGAIN, to the microsecond, and leaves no timer', async () => {
    const { clock, b, sysB } = udpPair();
    const server = udpSocket(sysB, 53);
    sysB.setsockopt(server, C.SOL_SOCKET, C.SO_RCVTIMEO, { tv_sec: 3, tv_usec: 7 });
    const began = clock.nowUs;
    assert.equal(named(await clock.finish(sysB.wait.recv(server, new Uint8Array(1)))), 'EAGAIN');
    assert.equal(clock.nowUs - began, 3_000_007);
    assert.equal(b.host.timers.size, 0);
  });

  it('an AbortSignal ends the wait with EINTR, before and after it began', async () => {
    const { clock, sysB } = udpPair();
    const server = udpSocket(sysB, 53);
    const abort = new AbortController();
    const waiting = sysB.wait.recv(server, new Uint8Array(1), 0, { signal: abort.signal });
    abort.abort();
    assert.equal(named(await clock.finish(waiting)), 'EINTR');
    const late = sysB.wait.recv(server, new Uint8Array(1), 0, { signal: abort.signal });
    assert.equal(named(await clock.finish(late)), 'EINTR');
  });

  it('close wakes with EBADF, even when the number is used again at once', async () => {
    const { clock, sysB } = udpPair();
    const server = udpSocket(sysB, 53);
    const waiting = sysB.wait.recv(server, new Uint8Array(1));
    sysB.close(server);
    assert.equal(udpSocket(sysB, 53), server);
    assert.equal(named(await clock.finish(waiting)), 'EBADF');
  });

  it('closeAll wakes everyone in every process, and nothing can be opened afterwards', async () => {
    const { clock, b, sysB } = udpPair();
    const other = sysB.as('other');
    const waiting = Promise.all([
      sysB.wait.recv(udpSocket(sysB, 53), new Uint8Array(1)),
      other.wait.recv(udpSocket(other, 54), new Uint8Array(1)),
      sysB.wait.epoll_wait(sysB.epoll_create1(), [], 1, -1),
      sysB.wait.poll([{ fd: udpSocket(sysB, 55), events: C.POLLIN }], -1),
    ]);
    sysB.closeAll();
    assert.deepEqual((await clock.finish(waiting)).map(named), ['EBADF', 'EBADF', 'EBADF', 1]);
    assert.equal(named(sysB.socket(C.AF_INET, C.SOCK_DGRAM)), 'ENETDOWN');
    assert.equal(named(other.epoll_create1()), 'ENETDOWN');
    assert.equal(b.host.timers.size, 0);
    assert.deepEqual([...b.udp.ports.all()], []);
  });
});

describe('poll', () => {
  it('reports at once what holds, POLLNVAL for a closed descriptor, and passes over negative ones', () => {
    const { sysA } = udpPair();
    const udp = udpSocket(sysA, 0);
    const stream = sysA.socket(C.AF_INET, C.SOCK_STREAM);
    const fds: PollFd[] = [
      { fd: udp, events: C.POLLIN | C.POLLOUT | C.POLLWRNORM },
      { fd: stream, events: 0 },
      { fd: 77, events: C.POLLIN },
      { fd: -1, events: C.POLLIN, revents: 99 },
      { fd: udp, events: C.POLLIN },
    ];
    assert.equal(sysA.poll(fds), 3);
    const revents = fds.map(entry => entry.revents);
    assert.deepEqual(revents, [C.POLLOUT | C.POLLWRNORM, C.POLLHUP, C.POLLNVAL, 0, 0]);
  });

  it('waits for the first of several, or for its time-out', async () => {
    const { clock, sysA, sysB } = udpPair();
    const [one, two] = [udpSocket(sysB, 53), udpSocket(sysB, 54)];
    const fds: PollFd[] = [one, two].map(fd => ({ fd, events: C.POLLIN }));
    assert.equal(await clock.finish(sysB.wait.poll(fds, 0)), 0);
    const began = clock.nowUs;
    assert.equal(await clock.finish(sysB.wait.poll(fds, 1500)), 0);
    assert.equal(clock.nowUs - began, 1_500_000);
    const waiting = sysB.wait.poll(fds, -1);
    sysA.sendto(udpSocket(sysA, 0), bytes('x'), 0, { address: '10.0.0.2', port: 54 });
    assert.equal(await clock.finish(waiting), 1);
    assert.deepEqual([fds[0]?.revents, fds[1]?.revents], [0, C.POLLIN]);
  });

  it('of nothing just waits; a signal ends it', async () => {
    const { clock, sysB } = udpPair();
    const began = clock.nowUs;
    assert.equal(await clock.finish(sysB.wait.poll([], 20)), 0);
    assert.equal(clock.nowUs - began, 20_000);
    const abort = new AbortController();
    const waiting = sysB.wait.poll([], -1, { signal: abort.signal });
    abort.abort();
    assert.equal(named(await clock.finish(waiting)), 'EINTR');
  });
});
