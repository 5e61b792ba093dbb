import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import type { Benchmark } from './benchmark.ts';
import { must, Pair } from './pair.ts';

const MESSAGE = 64;

/** 64 bytes there and 64 bytes back, one after the other on one connection. */
export const latency: Benchmark = {
  name: 'rtt-64b',
  unit: 'round trips/s',
  referenceName: 'node:net over 127.0.0.1',
  rounds: 5,
  async ours(scale) {
    const pair = new Pair(1500);
    const value = await tripsOn(pair, scale);
    pair.close();
    return value;
  },
  async reference(scale) {
    const trips = Math.round(50_000 * scale);
    const server = createServer(socket => socket.setNoDelay().pipe(socket)).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1').setNoDelay();
    await once(socket, 'connect');
    const began = performance.now();
    await pingPong(socket, trips);
    const seconds = (performance.now() - began) / 1000;
    socket.destroy();
    server.close();
    return trips / seconds;
  },
};

/** The same between two hosts that are there already. */
export async function tripsOn(pair: Pair, scale: number): Promise<number> {
  const trips = Math.round(50_000 * scale);
  void echo(pair, pair.listen());
  const { sys } = pair.client;
  const fd = await pair.connect();
  const message = new Uint8Array(MESSAGE).fill(7);
  const answer = new Uint8Array(MESSAGE);
  const began = performance.now();
  for (let trip = 0; trip < trips; trip++) {
    must(await sys.wait.send(fd, message), 'send');
    for (let got = 0; got < MESSAGE; ) got += must(await sys.wait.recv(fd, answer), 'recv');
  }
  return trips / ((performance.now() - began) / 1000);
}

async function echo(pair: Pair, listener: number): Promise<void> {
  const { sys } = pair.server;
  const fd = must(await sys.wait.accept(listener), 'accept');
  const buffer = new Uint8Array(MESSAGE);
  for (;;) {
    const count = await sys.wait.recv(fd, buffer);
    if (count <= 0) return;
    await sys.wait.send(fd, count === MESSAGE ? buffer : buffer.subarray(0, count));
  }
}

function pingPong(socket: Socket, trips: number): Promise<void> {
  const message = new Uint8Array(MESSAGE).fill(7);
  return new Promise((resolve, reject) => {
    let got = 0;
    let left = trips;
    socket.on('error', reject).on('data', chunk => {
      got += chunk.length;
      if (got < MESSAGE) return;
      got = 0;
      if (--left === 0) resolve();
      else socket.write(message);
    });
    socket.write(message);
  });
}
