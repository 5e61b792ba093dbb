import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CHECKSUM_PARTIAL } from '../../src/core/packet.ts';
import {
  CONNECT_TIMEOUT_MS,
  createRemoteLink,
  RECEIVE_LIMIT,
  RECEIVE_PAUSE,
  type RemoteLink,
  type RemoteLinkOptions,
} from '../../src/link/remote.ts';
import type { Framing, RemoteEvents, RemoteTransport } from '../../src/link/remote-transport.ts';
import { LearningSwitch } from '../../src/link/switch.ts';
import { TraceLog } from '../../src/trace/sink.ts';
import { Bench, RecordingPort, range } from './fixture.ts';

/** A transport in memory that does what a test tells it. */
class Fake implements RemoteTransport {
  readonly events: RemoteEvents;
  readonly written: Buffer[] = [];
  /** What `write` returns. */
  ready = true;
  paused = false;
  pauses = 0;
  closes = 0;
  onWrite: () => void = () => {};

  constructor(events: RemoteEvents) {
    this.events = events;
  }

  write(chunk: Uint8Array): boolean {
    this.written.push(Buffer.from(chunk));
    this.onWrite();
    return this.ready;
  }

  pause(): void {
    this.paused = true;
    this.pauses++;
  }

  resume(): void {
    this.paused = false;
  }

  close(): void {
    this.closes++;
  }
}

function setup(framing: Framing = 'stream', options: RemoteLinkOptions = {}) {
  const bench = new Bench();
  const fakes: Fake[] = [];
  const trace = new TraceLog();
  const open = (events: RemoteEvents): Fake => {
    const fake = new Fake(events);
    fakes.push(fake);
    events.up();
    return fake;
  };
  const link = createRemoteLink(bench.env, framing, open, {
    pool: bench.pool,
    trace,
    name: 'wire',
    ...options,
  });
  const port = new RecordingPort(bench.env, link);
  const last = (): Fake => fakes.at(-1) as Fake;
  return { ...bench, bench, link, port, fakes, last, trace };
}

/** What a frame of `bench.frame` is on the wire. */
function bytesOf(bench: Bench, tag: number, length = 64): Buffer {
  const packet = bench.frame(tag, length);
  const bytes = Buffer.from(packet.bytes.subarray(packet.start, packet.end));
  packet.release();
  return bytes;
}

function framed(bytes: Uint8Array): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt32BE(bytes.length);
  return Buffer.concat([head, bytes]);
}

function faults(trace: TraceLog): string[] {
  return trace.events.map(event =>
    event.type === 'fault' ? `${event.fault} ${event.detail ?? event.length}` : event.type,
  );
}

test('frames of one moment share a write of a stream; each is a message of its own elsewhere', () => {
  for (const [framing, writes] of [
    ['stream', 1],
    ['message', 3],
  ] as const) {
    const { bench, clock, link, last, pool } = setup(framing);
    for (const tag of range(3)) assert.equal(link.send(bench.frame(tag)), true);
    clock.runUntilIdle();
    const frames = range(3).map(tag => bytesOf(bench, tag));
    const expected = Buffer.concat(framing === 'stream' ? frames.map(framed) : frames);
    assert.deepEqual([last().written.length, Buffer.concat(last().written)], [writes, expected]);
    assert.deepEqual([link.counters.sent, pool.inUse], [3, 0]);
  }
});

test('what comes in arrives in order, from a task, whatever the chunks (property)', () => {
  const cuts = fc.array(fc.nat(20_000), { maxLength: 20 });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 200 }), cuts, (count, places) => {
      const { bench, clock, link, port, last, pool } = setup();
      const stream = Buffer.concat(range(count).map(tag => framed(bytesOf(bench, tag))));
      const ends = [...places.map(n => n % stream.length), stream.length].sort((a, b) => a - b);
      let at = 0;
      for (const end of ends) {
        last().events.received(stream.subarray(at, end));
        at = end;
      }
      assert.deepEqual(port.tags, []);
      clock.runUntilIdle();
      assert.deepEqual(port.tags, range(count));
      assert.deepEqual([link.counters.received, link.counters.dropped, pool.inUse], [count, 0, 0]);
    }),
  );
});

test('a burst does not overrun the port: 64 frames, then others have their turn', () => {
  const { bench, clock, port, last } = setup('message');
  for (const tag of range(100)) last().events.received(bytesOf(bench, tag));
  clock.step();
  assert.equal(port.tags.length, 64);
  clock.step();
  assert.equal(port.tags.length, 100);
});

test('a transport that takes no more: the queue fills to its limit, then send refuses, and nothing is lost', () => {
  for (const framing of ['stream', 'message'] as const) {
    const { bench, clock, link, port, last, pool } = setup(framing, { queueLimit: 2000 });
    last().ready = false;
    bench.pump(link, port, 500, 96);
    clock.runUntilIdle();
    assert.equal(last().written.length, 1);
    assert.ok(pool.inUse <= 20, `${pool.inUse} packets wait`);
    let rooms = 0;
    for (; link.counters.sent < 500 && rooms < 600; rooms++) {
      last().events.room();
      clock.runUntilIdle();
    }
    const bytes = Buffer.concat(last().written);
    const frames = range(500).map(tag => bytesOf(bench, tag, 96));
    assert.ok(bytes.equals(Buffer.concat(framing === 'stream' ? frames.map(framed) : frames)));
    assert.deepEqual([link.counters.dropped, pool.inUse], [0, 0]);
  }
});

test('room that is told from inside write is not forgotten', () => {
  const { bench, clock, link, port, last } = setup('message', { queueLimit: 100 });
  last().ready = false;
  last().onWrite = () => last().events.room();
  bench.pump(link, port, 50);
  clock.runUntilIdle();
  assert.equal(last().written.length, 50);
});

test('a source that runs ahead of the stack is paused and goes on later', () => {
  const { bench, clock, port, last } = setup();
  const chunk = Buffer.concat(range(500).map(tag => framed(bytesOf(bench, tag, 1000))));
  let sent = 0;
  while (!last().paused) {
    last().events.received(chunk);
    sent++;
  }
  assert.ok(sent * chunk.length < RECEIVE_PAUSE + 2 * chunk.length);
  clock.runUntilIdle();
  assert.deepEqual([last().paused, last().pauses, port.tags.length], [false, 1, sent * 500]);
});

test('a source that does not pause loses messages beyond the limit, and its connection if it is a stream', () => {
  const message = setup('message');
  for (let bytes = 0; bytes < 2 * RECEIVE_LIMIT; bytes += 1000) {
    message.last().events.received(bytesOf(message.bench, 1, 1000));
  }
  message.clock.runUntilIdle();
  const { received, dropped } = message.link.counters;
  assert.ok(received * 1000 <= RECEIVE_LIMIT && dropped > 0 && message.link.up, `${received} received`);

  const stream = setup('stream', { reconnect: false });
  const chunk = framed(bytesOf(stream.bench, 1, 1000));
  for (let bytes = 0; bytes < 2 * RECEIVE_LIMIT; bytes += 1000) stream.last().events.received(chunk);
  stream.clock.runUntilIdle();
  assert.equal(stream.link.reason, 'more came in than was asked for');
  assert.equal(stream.pool.inUse, 0);
});

test('bytes that are no frames end the connection once, with a reason; frames before them arrive', () => {
  const { bench, clock, link, port, last, trace, pool } = setup('stream', { reconnect: false });
  const { events } = last();
  events.received(Buffer.concat([framed(bytesOf(bench, 7)), Buffer.from('HTTP/1.1 400\r\n')]));
  events.received(framed(bytesOf(bench, 8)));
  clock.runUntilIdle();
  events.received(framed(bytesOf(bench, 9)));
  events.down('and again');
  clock.runUntilIdle();
  assert.deepEqual(port.tags, [7]);
  assert.match(link.reason, /^not a stream of frames: a frame of 1213486160 bytes/);
  assert.deepEqual(faults(trace), ['cable-in 0', `cable-pulled ${link.reason}`]);
  assert.deepEqual([port.carriers, last().closes, pool.inUse, clock.armed], [[false], 1, 0, 0]);
});

test('a message that can be no frame costs only itself', () => {
  const { bench, clock, link, port, last } = setup('message');
  for (const bytes of [new Uint8Array(0), new Uint8Array(70_000), bytesOf(bench, 1)]) {
    last().events.received(bytes);
  }
  clock.runUntilIdle();
  assert.deepEqual([port.tags, link.counters.dropped, link.up], [[1], 2, true]);
});

test('a frame over the MTU is dropped and counted in both directions', () => {
  const { bench, clock, link, port, last, trace, pool } = setup('message', { mtu: 1000 });
  for (const length of [1014, 1015]) {
    link.send(bench.frame(1, length));
    last().events.received(bytesOf(bench, 2, length));
  }
  clock.runUntilIdle();
  assert.deepEqual([last().written.length, port.tags, link.counters.dropped, pool.inUse], [1, [2], 2, 0]);
  assert.deepEqual(faults(trace).sort(), ['cable-in 0', 'too-big 1015', 'too-big 1015']);
});

test('a checksum that was left to the link is computed: others cannot know of it', () => {
  const { bench, clock, link, last } = setup('message');
  const packet = bench.frame(0x01020304, 34 + 8);
  packet.l4 = packet.start + 34;
  packet.checksumOffset = 6;
  packet.checksumState = CHECKSUM_PARTIAL;
  packet.view.setUint16(packet.l4 + 6, 0x1234);
  link.send(packet);
  clock.runUntilIdle();
  assert.equal(last().written[0]?.readUInt16BE(34 + 6), 0xffff ^ 0x1234);
});

test('a connection that breaks: what came in is delivered, then the carrier goes; frames are dropped meanwhile', () => {
  const { bench, clock, link, port, last, fakes, trace, pool } = setup('stream');
  last().ready = false;
  for (const tag of range(3)) link.send(bench.frame(tag));
  clock.runFor(0);
  link.send(bench.frame(3));
  const carriers: boolean[][] = [];
  port.onWritable = () => {};
  last().events.received(Buffer.concat(range(100).map(tag => framed(bytesOf(bench, tag)))));
  last().events.received(Buffer.from('000000', 'hex'));
  last().events.down('reset by peer');
  carriers.push([...port.carriers]);
  clock.runFor(0);
  assert.deepEqual(port.tags, range(100));
  assert.deepEqual([carriers, port.carriers], [[[]], [false]]);
  assert.equal(link.reason, 'reset by peer, inside a frame');
  assert.equal(link.send(bench.frame(9)), true);
  assert.deepEqual([link.counters.dropped, pool.inUse], [2, 0]);

  clock.runFor(200_000);
  assert.deepEqual([fakes.length, port.carriers, link.up, link.reason], [2, [false, true], true, '']);
  last().events.received(framed(bytesOf(bench, 200)));
  fakes[0]?.events.received(framed(bytesOf(bench, 201)));
  fakes[0]?.events.down('long gone');
  clock.runFor(0);
  assert.deepEqual([port.tags.at(-1), link.up], [200, true]);
  assert.deepEqual(faults(trace), [
    'cable-in 0',
    'cable-pulled reset by peer, inside a frame',
    'drop reset by peer, inside a frame',
    'cable-in 0',
  ]);
});

test('a sender that waits for room is told when the connection is gone: its frames are dropped, not held', () => {
  const { bench, clock, link, port, last, pool } = setup('message', { queueLimit: 100, reconnect: false });
  last().ready = false;
  bench.pump(link, port, 10);
  clock.runFor(0);
  last().events.down('gone');
  clock.runUntilIdle();
  assert.deepEqual([link.counters.sent + link.counters.dropped, pool.inUse], [10, 0]);
});

test('attempts to connect come after 0.1 s, twice as late each time, up to the maximum, with jitter', () => {
  const atMs: number[] = [];
  const reasons: string[] = [];
  const bench = new Bench();
  const open = (): never => {
    atMs.push(bench.clock.nowUs / 1000);
    throw new Error('refused');
  };
  const options = {
    pool: bench.pool,
    reconnect: { maxMs: 1000 },
    onDown: (why: string) => reasons.push(why),
  };
  const link = createRemoteLink(bench.env, 'stream', open, options);
  const port = new RecordingPort(bench.env, link);
  bench.clock.runFor(20e6);
  const waits = atMs.slice(1).map((ms, n) => ms - (atMs[n] as number));
  for (const [n, wait] of waits.entries()) {
    const full = Math.min(1000, 100 * 2 ** n);
    assert.ok(wait >= full / 2 && wait <= full, `wait ${n}: ${wait} ms`);
  }
  assert.ok(new Set(waits.slice(5)).size > 5, 'jitter');
  assert.deepEqual([port.carriers, link.reason, reasons.length], [[false], 'refused', atMs.length]);
  link.close();
  assert.equal(bench.clock.armed, 0);
});

test('a connection that held long begins the back-off anew, one that did not does not', () => {
  const waitAfter = (heldMs: number): number => {
    const { clock, last, fakes } = setup('stream', { reconnect: { minMs: 100, maxMs: 5000 } });
    for (const _ of range(5)) {
      last().events.down('gone');
      clock.runFor(5_000_000);
      last().events.down('gone');
      clock.runFor(5_000_000);
    }
    clock.runFor(heldMs * 1000);
    const count = fakes.length;
    last().events.down('gone');
    const startUs = clock.nowUs;
    while (fakes.length === count) clock.step();
    return (clock.nowUs - startUs) / 1000;
  };
  assert.ok(waitAfter(6000) <= 100);
  assert.ok(waitAfter(0) >= 2500 - 1);
});

test('an attempt that takes too long is given up, and its transport closed when it comes after all', async () => {
  const bench = new Bench();
  const late: (() => void)[] = [];
  const fakes: Fake[] = [];
  const open = (events: RemoteEvents): Promise<RemoteTransport> =>
    new Promise(resolve => {
      late.push(() => {
        const fake = new Fake(events);
        fakes.push(fake);
        events.up();
        resolve(fake);
      });
    });
  const link = createRemoteLink(bench.env, 'stream', open, { pool: bench.pool });
  bench.clock.runFor(CONNECT_TIMEOUT_MS * 1000);
  assert.equal(link.reason, 'no connection within the time allowed');
  bench.clock.runFor(200_000);
  for (const come of late) come();
  await Promise.resolve();
  await Promise.resolve();
  bench.clock.runFor(0);
  assert.deepEqual([fakes.map(fake => fake.closes), link.up, link.counters.connections], [[1, 0], true, 1]);
  link.close();
  assert.deepEqual([fakes.map(fake => fake.closes), bench.clock.armed], [[1, 1], 0]);
});

test('a transport that is promised and has much to say at once is paused when it comes', async () => {
  const bench = new Bench();
  const fakes: Fake[] = [];
  const open = async (events: RemoteEvents): Promise<RemoteTransport> => {
    const fake = new Fake(events);
    fakes.push(fake);
    events.received(new Uint8Array(RECEIVE_PAUSE));
    events.up();
    return fake;
  };
  const link = createRemoteLink(bench.env, 'stream', open, { pool: bench.pool });
  await new Promise(resolve => setImmediate(resolve));
  assert.equal(fakes[0]?.paused, true);
  link.close();
});

test('a promise that is rejected is an attempt that failed', async () => {
  const bench = new Bench();
  const open = () => Promise.reject(new Error('connect ECONNREFUSED'));
  const link = createRemoteLink(bench.env, 'stream', open, { pool: bench.pool, reconnect: false });
  await new Promise(resolve => setImmediate(resolve));
  bench.clock.runUntilIdle();
  assert.deepEqual([link.reason, link.peerClosed], ['connect ECONNREFUSED', true]);
});

test('a transport that throws ends its connection, not the stack', () => {
  const { bench, clock, link, port, last } = setup('message', { reconnect: false });
  last().onWrite = () => {
    throw new Error('INVALID_STATE_ERR');
  };
  assert.equal(link.send(bench.frame(1)), true);
  clock.runUntilIdle();
  assert.deepEqual([link.reason, port.carriers, last().closes], ['INVALID_STATE_ERR', [false], 1]);
});

test('close sends what waits, closes the transport once, and leaves nothing', () => {
  const { bench, clock, link, last, port, pool } = setup();
  for (const tag of range(3)) link.send(bench.frame(tag));
  last().events.received(framed(bytesOf(bench, 5)).subarray(0, 20));
  last().events.received(framed(bytesOf(bench, 5)));
  link.close();
  link.close();
  assert.equal(Buffer.concat(last().written).length, 3 * 68);
  assert.deepEqual(
    [last().closes, pool.inUse, clock.armed, link.closed, link.reason],
    [1, 0, 0, true, 'closed'],
  );
  last().events.room();
  last().events.received(framed(bytesOf(bench, 6)));
  last().events.down('too late');
  assert.equal(link.send(bench.frame(4)), true);
  clock.runUntilIdle();
  assert.deepEqual([port.tags, pool.inUse, clock.armed], [[], 0, 0]);
});

test('a link may be closed by those whom it tells', () => {
  for (const event of ['onUp', 'onDown'] as const) {
    let link: RemoteLink | null = null;
    const made = setup('stream', { [event]: () => link?.close() });
    link = made.link;
    made.clock.runFor(0);
    made.last().events.down('gone');
    made.clock.runUntilIdle();
    assert.deepEqual([made.clock.armed, made.fakes.length], [0, 1]);
  }
});

test('on a switch, a link whose connection is over makes room for another; one that reconnects stays', () => {
  for (const [reconnect, ports] of [
    [false, 0],
    [{}, 1],
  ] as const) {
    const { env, clock, link, last } = setup('stream', { reconnect });
    const lan = new LearningSwitch(env);
    lan.attach(link);
    clock.runFor(0);
    last().events.down('gone');
    clock.runFor(0);
    assert.equal(lan.portCount, ports);
    lan.close();
    link.close();
  }
});
