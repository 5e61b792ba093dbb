import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import type { Offloads } from '../src/core/link.ts';
import type { Benchmark } from './benchmark.ts';
import { must, Pair } from './pair.ts';
import { Pattern, PIECE_MAX } from './pattern.ts';

/** Moved in one measurement. */
const BYTES = 256_000_000;
const PIECE = 64 * 1024;
const pattern = new Pattern();

interface Cable {
  readonly offloads?: Partial<Offloads>;
  readonly loss?: number;
}

/** One stream in one direction; both ends in this process; every byte compared. In megabytes a second. */
function bulkOver(name: string, cable: Cable, bytes: number = BYTES): Benchmark {
  return {
    name,
    unit: 'MB/s',
    referenceName: 'node:net over 127.0.0.1',
    rounds: 5,
    ours: scale => ours(cable, Math.round(bytes * scale)),
    reference: scale => reference(Math.round(BYTES * scale)),
  };
}

/** Every packet is cut to the MTU, checksummed and verified. */
export const bulk: Benchmark = bulkOver('bulk-mtu1500', {});

/** The cable takes super-segments of 64 KiB and vouches for checksums, as lo does. */
export const bulkGso: Benchmark = bulkOver('bulk-gso', {
  offloads: { checksum: true, gsoMaxSize: 65536 },
});

/** Of 100 frames one is lost, each way. The reference loses nothing: no kernel does so without privileges. */
export const bulkLoss1: Benchmark = bulkOver('goodput-loss1', { loss: 0.01 }, 32_000_000);

/** Of 20 frames one is lost, each way. */
export const bulkLoss5: Benchmark = bulkOver('goodput-loss5', { loss: 0.05 }, 4_000_000);

async function ours({ offloads = {}, loss = 0 }: Cable, bytes: number): Promise<number> {
  const pair = new Pair(1500, { offloads, loss });
  const value = await stream(pair, bytes);
  pair.close();
  return value;
}

/** The same between two hosts that are there already. */
export function bulkOn(pair: Pair, scale: number): Promise<number> {
  return stream(pair, Math.round(BYTES * scale));
}

async function stream(pair: Pair, bytes: number): Promise<number> {
  const listener = pair.listen();
  const fd = await pair.connect();
  const seconds = await both(source(pair, fd, bytes), sink(pair, listener, bytes));
  return bytes / 1e6 / seconds;
}

async function reference(bytes: number): Promise<number> {
  const server = createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const connection = once(server, 'connection') as Promise<[Socket]>;
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const [accepted] = await connection;
  const seconds = await both(sourceOfNet(socket, bytes), sinkOfNet(accepted, bytes));
  socket.destroy();
  server.close();
  return bytes / 1e6 / seconds;
}

/** Seconds until both ends are done; fails as soon as one does. */
async function both(source: Promise<void>, sink: Promise<void>): Promise<number> {
  const began = performance.now();
  await Promise.all([source, sink]);
  return (performance.now() - began) / 1000;
}

async function source(pair: Pair, fd: number, bytes: number): Promise<void> {
  for (let sent = 0; sent < bytes; ) {
    const piece = pattern.at(sent, Math.min(PIECE, bytes - sent));
    sent += must(await pair.client.sys.wait.send(fd, piece), 'send');
  }
}

async function sourceOfNet(socket: Socket, bytes: number): Promise<void> {
  for (let sent = 0; sent < bytes; ) {
    const piece = pattern.at(sent, Math.min(PIECE, bytes - sent));
    sent += piece.length;
    if (!socket.write(piece)) await once(socket, 'drain');
  }
}

async function sink(pair: Pair, listener: number, bytes: number): Promise<void> {
  const { sys } = pair.server;
  const fd = must(await sys.wait.accept(listener), 'accept');
  const buffer = new Uint8Array(PIECE_MAX);
  for (let received = 0; received < bytes; ) {
    const count = must(await sys.wait.recv(fd, buffer), 'recv');
    if (count === 0) throw new Error(`the stream ended after ${received} bytes`);
    pattern.check(buffer, count, received);
    received += count;
  }
}

async function sinkOfNet(socket: Socket, bytes: number): Promise<void> {
  let received = 0;
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    pattern.check(chunk, chunk.length, received);
    received += chunk.length;
    if (received >= bytes) return;
  }
  throw new Error(`the stream ended after ${received} bytes`);
}
