import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import type { Benchmark } from './benchmark.ts';
import { must, Pair } from './pair.ts';

/** How many are opened at the same time. */
const AT_ONCE = 32;

/** Connections opened, accepted and closed again. */
export const connections: Benchmark = {
  name: 'connections',
  unit: 'connections/s',
  referenceName: 'node:net over 127.0.0.1',
  rounds: 3,
  async ours(scale) {
    const total = Math.round(10_000 * scale);
    const pair = new Pair(1500);
    void acceptAll(pair, pair.listen());
    const { sys } = pair.client;
    const seconds = await inParallel(total, async () => {
      const fd = await pair.connect();
      const byte = new Uint8Array(1);
      must(await sys.wait.recv(fd, byte), 'recv');
      sys.close(fd);
    });
    pair.close();
    return total / seconds;
  },
  async reference(scale) {
    const total = Math.round(10_000 * scale);
    const server = createServer(socket => socket.end()).listen(0, '127.0.0.1', 1024);
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const seconds = await inParallel(total, async () => {
      const socket = connect(port, '127.0.0.1');
      socket.resume();
      await once(socket, 'close');
    });
    server.close();
    return total / seconds;
  },
};

/** The server closes first, as servers of short answers do. */
async function acceptAll(pair: Pair, listener: number): Promise<void> {
  const { sys } = pair.server;
  for (;;) {
    const fd = await sys.wait.accept(listener);
    if (fd < 0) return;
    sys.close(fd);
  }
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
