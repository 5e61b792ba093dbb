import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import type { Benchmark } from './benchmark.ts';
import { must, Pair } from './pair.ts';

/** How many are opened at the same time. */
const AT_ONCE = 32;

/** A connection, a request of 64 bytes, an answer of 64 bytes, and its end; TIME_WAIT stays behind. */
export const connections: Benchmark = {
  name: 'connections',
  unit: 'connections/s',
  referenceName: 'node:net over 127.0.0.1',
  rounds: 5,
  async ours(scale) {
    const pair = new Pair(1500);
    const value = await connectionsOn(pair, scale);
    pair.close();
    return value;
  },
  async reference(scale) {
    const total = Math.round(20_000 * scale);
    const server = createServer(socket => socket.once('data', chunk => socket.end(chunk)));
    server.listen(0, '127.0.0.1', 1024);
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const seconds = await inParallel(total, async () => {
      const socket = connect(port, '127.0.0.1');
      socket.write(MESSAGE);
      socket.resume();
      await once(socket, 'close');
    });
    server.close();
    return total / seconds;
  },
};

/** The same between two hosts that are there already. */
export async function connectionsOn(pair: Pair, scale: number): Promise<number> {
  const total = Math.round(20_000 * scale);
  void answerAll(pair, pair.listen());
  const { sys } = pair.client;
  const seconds = await inParallel(total, async () => {
    const fd = await pair.connect();
    const answer = new Uint8Array(SIZE);
    must(await sys.wait.send(fd, MESSAGE), 'send');
    must(await sys.wait.recv(fd, answer), 'recv');
    must(await sys.wait.recv(fd, answer), 'recv');
    sys.close(fd);
  });
  return total / seconds;
}

const SIZE = 64;
const MESSAGE = new Uint8Array(SIZE).fill(7);

async function answerAll(pair: Pair, listener: number): Promise<void> {
  for (;;) {
    const fd = await pair.server.sys.wait.accept(listener);
    if (fd < 0) return;
    void answer(pair, fd);
  }
}

/** The server closes first, as servers of short answers do. */
async function answer({ server: { sys } }: Pair, fd: number): Promise<void> {
  const request = new Uint8Array(SIZE);
  const count = await sys.wait.recv(fd, request);
  if (count > 0) await sys.wait.send(fd, request.subarray(0, count));
  sys.close(fd);
}

async function inParallel(total: number, one: () => Promise<void>): Promise<number> {
  const began = performance.now();
  let left = total;
  const worker = async (): Promise<void> => {
    while (left-- > 0) await one();
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return (performance.now() - began) / 1000;
}
