import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { WebSocket as WsWebSocket } from 'ws';
import {
  createWebSocketLink,
  type WebSocketLike,
  type WebSocketLinkOptions,
} from '../../src/link/web-socket.ts';
import { Bench, RecordingPort, range } from './fixture.ts';

type Listener = (event: never) => void;

/** A browser's WebSocket, as far as a link sees it: no pause, no terminate. */
class FakeSocket implements WebSocketLike {
  binaryType = 'blob';
  readyState = 0;
  bufferedAmount = 0;
  readonly sent: Uint8Array[] = [];
  readonly closes: (number | undefined)[] = [];
  private readonly listeners = new Map<string, Listener[]>();

  send(data: Uint8Array): void {
    if (this.readyState === 0) throw new Error('InvalidStateError');
    this.sent.push(data);
    this.bufferedAmount += data.length;
  }

  close(code?: number): void {
    this.readyState = 2;
    this.closes.push(code);
  }

  addEventListener(type: string, listener: Listener): void {
    this.listeners.set(type, [...(this.listeners.get(type) ?? []), listener]);
  }

  open(): void {
    this.readyState = 1;
    this.tell('open', {});
  }

  end(code: number, reason = ''): void {
    this.readyState = 3;
    this.tell('close', { code, reason });
  }

  tell(type: string, event: object): void {
    for (const listener of this.listeners.get(type) ?? []) listener(event as never);
  }
}

/** A socket of the package `ws`. */
class FakeWs extends FakeSocket {
  paused = false;
  terminated = 0;
  pause(): void {
    this.paused = true;
  }
  resume(): void {
    this.paused = false;
  }
  terminate(): void {
    this.terminated++;
  }
}

function setup<S extends FakeSocket>(socket: S, options: WebSocketLinkOptions = {}) {
  const bench = new Bench();
  const link = createWebSocketLink(bench.env, socket, { pool: bench.pool, ...options });
  const port = new RecordingPort(bench.env, link);
  return { bench, ...bench, link, port, socket };
}

test('a socket that still connects is up once it is open; each frame is one binary message', () => {
  const { bench, clock, link, port, socket } = setup(new FakeSocket());
  clock.runFor(0);
  assert.deepEqual([link.up, port.carriers, socket.binaryType], [false, [false], 'arraybuffer']);
  link.send(bench.frame(1));
  socket.open();
  clock.runFor(0);
  assert.deepEqual([link.up, port.carriers], [true, [false, true]]);
  for (const length of [64, 100]) link.send(bench.frame(1, length));
  socket.tell('message', { data: Uint8Array.of(1, 2).buffer });
  socket.tell('message', { data: Buffer.from([3]) });
  clock.runFor(0);
  assert.deepEqual(
    socket.sent.map(data => data.length),
    [64, 100],
  );
  assert.deepEqual([port.hex, link.counters.dropped], [['0102', '03'], 1]);
});

test('text is no frame: it is dropped and counted, the connection stays', () => {
  const { clock, link, port, socket } = setup(new FakeSocket());
  socket.open();
  socket.tell('message', { data: 'hello' });
  clock.runUntilIdle();
  assert.deepEqual([link.up, link.counters.dropped, port.tags], [true, 1, []]);
});

test('above bufferLimit the link waits; it looks again until half of it is gone', () => {
  const { bench, clock, link, port, socket, pool } = setup(new FakeSocket(), {
    bufferLimit: 10_000,
    queueLimit: 2000,
  });
  socket.open();
  bench.pump(link, port, 100, 1000);
  clock.runFor(100_000);
  assert.deepEqual([socket.sent.length, pool.inUse], [11, 2]);
  socket.bufferedAmount = 5001;
  clock.runFor(100_000);
  assert.equal(socket.sent.length, 11);
  socket.bufferedAmount = 5000;
  clock.runFor(32_000);
  assert.equal(socket.sent.length, 17);
  while (socket.sent.length < 100) {
    socket.bufferedAmount = 0;
    clock.runFor(32_000);
  }
  clock.runFor(0);
  assert.equal(clock.armed, 0, 'no polling without a reason');
  assert.equal(pool.inUse, 0);
});

test('a closed socket: the carrier goes, with the code and what is known of the reason', () => {
  for (const [socket, reason] of [
    [new FakeSocket(), 'the WebSocket was closed (1006)'],
    [new FakeWs(), 'the WebSocket was closed (1006: connect ECONNREFUSED)'],
  ] as const) {
    const { clock, link, port } = setup(socket);
    socket.tell('error', socket instanceof FakeWs ? { message: 'connect ECONNREFUSED' } : {});
    socket.end(1006);
    clock.runUntilIdle();
    assert.deepEqual([link.reason, port.carriers, clock.armed], [reason, [false], 0]);
  }
  const over = new FakeSocket();
  over.readyState = 3;
  const { clock, link } = setup(over);
  clock.runUntilIdle();
  assert.equal(link.reason, 'the WebSocket is closed');
});

test('a socket that can be paused is, while the stack does not keep up', () => {
  const { clock, socket, port } = setup(new FakeWs());
  socket.open();
  let count = 0;
  for (; !socket.paused; count++) socket.tell('message', { data: new ArrayBuffer(1000) });
  clock.runUntilIdle();
  assert.deepEqual([socket.paused, port.tags.length], [false, count]);
});

test('close says goodbye; who does not answer within a second is cut off where that is possible', () => {
  const browser = setup(new FakeSocket());
  browser.socket.open();
  browser.link.close();
  assert.deepEqual([browser.socket.closes, browser.clock.armed], [[1000], 0]);

  const polite = setup(new FakeWs());
  polite.socket.open();
  polite.link.close();
  polite.socket.end(1000);
  polite.clock.runUntilIdle();
  assert.equal(polite.socket.terminated, 0);

  const silent = setup(new FakeWs());
  silent.socket.open();
  silent.link.close();
  silent.clock.runFor(999_999);
  assert.equal(silent.socket.terminated, 0);
  silent.clock.runFor(1);
  assert.deepEqual([silent.socket.terminated, silent.clock.armed], [1, 0]);
});

test('a timer that polls does not outlive the link', () => {
  const { bench, clock, link, port, socket } = setup(new FakeSocket(), { bufferLimit: 10 });
  socket.open();
  bench.pump(link, port, 3);
  clock.runFor(5000);
  assert.equal(clock.armed, 1);
  link.close();
  assert.equal(clock.armed, 0);
});

test('given a function, the link makes a new socket after each that was closed', () => {
  const bench = new Bench();
  const sockets: FakeSocket[] = [];
  const link = createWebSocketLink(
    bench.env,
    () => sockets[sockets.push(new FakeSocket()) - 1] as FakeSocket,
    {
      pool: bench.pool,
    },
  );
  for (const n of range(3)) {
    assert.equal(sockets.length, n + 1);
    sockets[n]?.end(1006);
    bench.clock.runFor(1e6);
  }
  link.close();
  assert.equal(bench.clock.armed, 0);
});

test("Node's WebSocket and that of ws are what a link takes", () => {
  // The compiler checks it.
  const takes = (socket: WebSocket | WsWebSocket): WebSocketLike => socket;
  assert.equal(takes.length, 1);
});
