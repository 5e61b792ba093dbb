import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { Duplex, PassThrough } from 'node:stream';
import { type TestContext, test } from 'node:test';
import type { Packet } from '../../src/core/packet.ts';
import { PacketPool } from '../../src/core/pool.ts';
import type { RemoteLink, RemoteLinkOptions } from '../../src/link/remote.ts';
import { createDuplexLink } from '../../src/node/duplex.ts';
import { nodeEnv } from '../../src/node/env.ts';
import { TraceLog } from '../../src/trace/sink.ts';
import { RecordingPort } from '../link/fixture.ts';

const env = nodeEnv();

/** Two TCP sockets that are connected to each other. */
async function sockets(t: TestContext): Promise<[Socket, Socket]> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const near = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const [[far]] = (await Promise.all([once(server, 'connection'), once(near, 'connect')])) as [
    [Socket],
    unknown,
  ];
  far.on('error', () => {});
  server.close();
  t.after(() => {
    near.destroy();
    far.destroy();
  });
  return [near, far];
}

function frame(pool: PacketPool, tag: number, length = 64): Packet {
  const packet = pool.take(length);
  assert.ok(packet !== null);
  packet.end = packet.start + length;
  packet.bytes.fill(0, packet.start, packet.end);
  packet.view.setUint32(packet.start + 14, tag);
  return packet;
}

function setup(source: Duplex | (() => Duplex), options: RemoteLinkOptions = {}) {
  const pool = new PacketPool({ smallSlots: 256, largeSlots: 4 });
  const trace = new TraceLog();
  const downs: string[] = [];
  let tell: () => void = () => {};
  const onDown = (reason: string): void => {
    downs.push(reason);
    tell();
  };
  const link = createDuplexLink(env, source, { pool, trace, onDown, ...options });
  const port = new RecordingPort(env, link);
  const down = async (): Promise<void> => {
    if (downs.length === 0) await new Promise<void>(resolve => (tell = resolve));
  };
  return { pool, trace, downs, down, link, port };
}

/** Frames tagged 0 .. count-1, as fast as the link takes them. */
function pump(link: RemoteLink, port: RecordingPort, pool: PacketPool, count: number, length: number): void {
  let next = 0;
  port.onWritable = () => {
    for (; next < count; next++) {
      const packet = frame(pool, next, length);
      if (link.send(packet)) continue;
      packet.release();
      return;
    }
  };
  port.onWritable();
}

test('a reader that stops bounds what is held on both sides; when it goes on everything arrives', async t => {
  const [near, far] = await sockets(t);
  const count = 20_000;
  const a = setup(near);
  far.pause();
  pump(a.link, a.port, a.pool, count, 1400);
  // The kernel's buffers fill up, then nothing moves any more.
  for (let before = -1; before !== a.link.counters.sent; ) {
    before = a.link.counters.sent;
    for (let n = 0; n < 20; n++) await new Promise(resolve => setImmediate(resolve));
  }
  assert.ok(a.link.counters.sent < count, 'the sender has to wait');
  assert.ok(near.writableLength <= 2 * 65536, `${near.writableLength} bytes in the socket`);
  assert.ok(a.pool.inUse <= (256 * 1024) / 1400 + 1, `${a.pool.inUse} packets in the link`);

  const b = setup(far);
  while (b.port.tags.length < count) await new Promise(resolve => setImmediate(resolve));
  assert.ok(b.port.tags.every((tag, n) => tag === n));
  assert.ok(b.pool.inUseMax <= 2, 'packets are made when the stack takes them');
  for (const { link, pool } of [a, b]) {
    link.close();
    assert.equal(pool.inUse, 0);
  }
});

test('a Duplex destroyed with an error: carrier down, one event, the reason, nothing unhandled', async t => {
  const [near] = await sockets(t);
  const { link, port, trace, downs, down, pool } = setup(near);
  await link.whenUp();
  link.send(frame(pool, 1));
  near.destroy(new Error('cable cut'));
  await down();
  await once(near, 'close').catch(() => {});
  near.emit('error', new Error('once more'));
  assert.deepEqual([downs, port.carriers], [['cable cut'], [false]]);
  const faults = trace.events.map(event => (event.type === 'fault' ? [event.fault, event.detail] : []));
  assert.deepEqual(faults, [
    ['cable-in', undefined],
    ['cable-pulled', 'cable cut'],
  ]);
  assert.equal(link.send(frame(pool, 2)), true);
  assert.deepEqual([link.counters.dropped >= 1, pool.inUse], [true, 0]);
});

test('something else than frames: the connection is closed at once, the reason says what came', async t => {
  const [near, far] = await sockets(t);
  const { link, downs, down, port } = setup(near);
  far.write('\0\0\0\x02ab');
  far.write('GET / HTTP/1.1\r\n\r\n');
  await down();
  assert.match(downs[0] ?? '', /^not a stream of frames: a frame of 1195725856 bytes/);
  assert.deepEqual([port.hex, link.up], [['6162'], false]);
  far.resume();
  if (!far.destroyed) await once(far, 'close');
});

test('the end of a connection inside a frame is told', async t => {
  const [near, far] = await sockets(t);
  const { downs, down } = setup(near);
  far.end('\0\0\0\x09abc');
  await down();
  assert.deepEqual(downs, ['the other side has closed the connection, inside a frame']);
});

test('a Duplex that gives text, and one that is already closed', async () => {
  const text = new PassThrough({ encoding: 'utf8', decodeStrings: false });
  const { down, downs, link } = setup(text);
  text.push('abc');
  await down();
  assert.deepEqual([downs, link.peerClosed], [['the connection gives something else than bytes'], true]);

  const gone = new PassThrough();
  gone.destroy();
  const closed = setup(gone);
  await closed.down();
  assert.deepEqual(closed.downs, ['the connection is closed']);
});

test('the pipes of a child process are a cable: what cat repeats comes back', async () => {
  const child = spawn(process.execPath, ['-e', 'process.stdin.pipe(process.stdout)'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const duplex = Duplex.from({ writable: child.stdin, readable: child.stdout }) as Duplex;
  const { link, port, pool } = setup(duplex);
  pump(link, port, pool, 1000, 200);
  while (port.tags.length < 1000) await new Promise(resolve => setImmediate(resolve));
  assert.ok(port.tags.every((tag, n) => tag === n));
  link.close();
  const [code] = await once(child, 'exit');
  assert.deepEqual([code, pool.inUse], [0, 0]);
});

test('a server that is not there yet is found as soon as it is', async t => {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  const {
    link,
    down,
    downs,
    port: recorder,
  } = setup(() => connect(port, '127.0.0.1'), {
    reconnect: { minMs: 1, maxMs: 10 },
  });
  await down();
  assert.match(downs[0] ?? '', /ECONNREFUSED/);
  const server = createServer(socket => socket.on('error', () => {}).end()).listen(port, '127.0.0.1');
  t.after(() => server.close());
  await link.whenUp();
  assert.deepEqual([recorder.carriers[0], link.counters.connections], [false, 1]);
  link.close();
});

test('after close the process ends by itself, even when the other side neither reads nor answers', () => {
  const url = (path: string): string => JSON.stringify(new URL(`../../src/${path}`, import.meta.url).href);
  const script = `
    import { connect, createServer } from 'node:net';
    const { nodeEnv } = await import(${url('node/env.js')});
    const { createDuplexLink } = await import(${url('node/duplex.js')});
    const { Stack } = await import(${url('stack/stack.js')});
    const env = nodeEnv();
    const server = createServer({ pauseOnConnect: true }, socket => {
      server.close();
      socket.unref();
    });
    server.listen(0, '127.0.0.1', async () => {
      const stack = new Stack({ env });
      const link = createDuplexLink(env, () => connect(server.address().port, '127.0.0.1'));
      stack.attach(link, { address: '10.0.0.1/24' });
      await link.whenUp();
      for (let refused = 0; refused < 50; ) {
        const packet = stack.host.pool.take(1400);
        packet.end += 1400;
        if (link.send(packet)) continue;
        packet.release();
        refused++;
        await new Promise(resolve => setImmediate(resolve));
      }
      stack.close();
      console.log('closed', link.reason);
    });
    const nowhere = createDuplexLink(env, () => connect(1, '127.0.0.1'), { reconnect: { minMs: 3600e3, maxMs: 3600e3 } });
    setTimeout(() => nowhere.close(), 50);`;
  const child = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
    timeout: 10_000,
  });
  assert.deepEqual([child.stdout, child.stderr, child.status], ['closed closed\n', '', 0]);
});
