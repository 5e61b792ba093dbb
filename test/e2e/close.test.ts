/**
 * close() ends everything: each promise settles, nothing stays armed, the process can exit.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { turn } from '../../src/node/turn.ts';
import { World } from '../../src/sim/world.ts';
import { AF_INET, EPOLLIN, SOCK_STREAM } from '../../src/socket/constants.ts';
import { out } from '../../src/socket/sockaddr.ts';
import { leftovers, NOTHING } from './transfer.ts';

test('two stacks, 1,000 connections at once, close() on both: the process ends by itself', () => {
  const program = fileURLToPath(new URL('thousand.js', import.meta.url));
  const result = spawnSync(process.execPath, [program], { encoding: 'utf8', timeout: 20_000 });
  assert.equal(result.stderr, '');
  assert.equal(result.signal, null, 'it had to be killed');
  assert.equal(result.status, 0);
  assert.deepEqual(JSON.parse(result.stdout), {
    established: [1000, 1000],
    left: [NOTHING, NOTHING],
    packets: [0, 0],
  });
});

/** What became of a promise: 'done', or the code of its error. */
function outcome(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'done',
    (error: { code?: string }) => error.code ?? String(error),
  );
}

test('close() in the middle of everything settles every promise', async () => {
  const world = new World({ seed: 31, turn });
  const [a, b] = [world.host('a'), world.host('b')];
  world.connect(a, b, { delayUs: 1000, rate: 10e6 });
  const listener = b.listen({ port: 80 });
  const socket = a.connect('10.0.0.2:80');
  const peer = await world.run(listener.accept());
  const { sys } = a;
  const fd = sys.socket(AF_INET, SOCK_STREAM);
  const epoll = sys.epoll_create1();
  const writer = socket.writable.getWriter();
  const busy = {
    opened: socket.opened,
    reading: socket.readable.getReader().read(),
    writing: writer.write(new Uint8Array(10_000_000)),
    queued: writer.write(new Uint8Array(1)),
    closed: socket.closed,
    connecting: a.connect('10.0.0.77:80').opened,
    datagram: a.udp().receive(),
    accepting: a.listen({ port: 81 }).accept(),
    connectCall: sys.wait.connect(fd, { address: '10.0.0.77', port: 80 }).then(String),
    pollCall: sys.wait.poll([{ fd, events: 1 }], -1).then(String),
    epollCall: sys.wait.epoll_wait(epoll, [], 1, 60_000).then(String),
  };
  const peerClosed = peer.closed;
  await world.runFor(100_000);
  a.close();
  const outcomes = await world.run(
    Promise.all(
      Object.entries(busy).map(async ([name, promise]) => [name, await outcome(promise)] as const),
    ).then(Object.fromEntries),
  );
  assert.deepEqual(outcomes, {
    opened: 'done',
    reading: 'ECONNABORTED',
    writing: 'ECONNABORTED',
    queued: 'ECONNABORTED',
    closed: 'ECONNABORTED',
    connecting: 'ECONNABORTED',
    datagram: 'EBADF',
    accepting: 'EBADF',
    connectCall: 'done',
    pollCall: 'done',
    epollCall: 'done',
  });
  assert.equal(await busy.connectCall, '-9');
  assert.equal(await busy.epollCall, '-9');
  assert.deepEqual(leftovers(a), NOTHING);
  b.close();
  assert.equal(await world.run(outcome(peerClosed)), 'ECONNABORTED');
  assert.deepEqual(leftovers(b), NOTHING);
  world.close();
  assert.deepEqual([world.pool.inUse, world.clock.armed], [0, 0]);
});

test('a closed stack refuses new sockets, and a second close() does nothing', () => {
  const world = new World({ seed: 32, turn });
  const a = world.host('a');
  world.connect(a, world.host('b'));
  a.close();
  a.close();
  assert.ok(a.sys.socket(AF_INET, SOCK_STREAM) < 0);
  assert.throws(() => a.connect('10.0.0.2:80'), { name: 'SocketError' });
  assert.throws(() => a.listen({ port: 80 }), { name: 'SocketError' });
  assert.throws(() => a.udp(), { name: 'SocketError' });
  world.close();
});

test('descriptors of other processes of the host are closed, too', async () => {
  const world = new World({ seed: 33, turn });
  const a = world.host('a');
  const other = a.sys.as('other');
  const fd = other.socket(AF_INET, SOCK_STREAM);
  const epoll = other.epoll_create1();
  other.epoll_ctl(epoll, 1, fd, { events: EPOLLIN, data: fd });
  a.close();
  assert.equal(other.getsockname(fd, out()), -9);
  assert.equal(other.epoll_wait(epoll, [], 1), -9);
  world.close();
});
