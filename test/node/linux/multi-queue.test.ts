import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { afterEach, before, describe, it } from 'node:test';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { nodeEnv } from '../../../src/node/env.ts';
import { addAddress, findInterface, setUp } from '../../../src/node/linux/netdev.ts';
import { openTap, type TapOptions } from '../../../src/node/linux/tap.ts';
import { Stack } from '../../../src/stack/stack.ts';
import { enterNetns, KERNEL, OURS } from './kernel.ts';
import { skipReason } from './netns.ts';

/** All queues are one host to the kernel, so they have one hardware address. */
const MAC = Uint8Array.of(2, 0, 0, 0, 0, 9);
const FLOWS = 32;
const workers: Worker[] = [];

type Mode = 'tap' | 'tun';

function queue(mode: Mode): Omit<TapOptions, 'env'> {
  return { name: 'mq0', mode, multiQueue: true, mac: MAC };
}

/** In a worker: a stack of its own on a queue of its own, which echoes datagrams until it is told to close. */
async function serve(mode: Mode): Promise<void> {
  const env = nodeEnv();
  const link = openTap({ ...queue(mode), env });
  const stack = new Stack({ env });
  stack.attach(link, { address: `${OURS}/24` });
  const socket = stack.udp({ port: 7 });
  parentPort?.once('message', () => {
    const held = link.pool.inUse + stack.host.pool.inUse;
    stack.close();
    parentPort?.postMessage({ answered, held });
  });
  parentPort?.postMessage('ready');
  let answered = 0;
  try {
    for (;;) {
      const datagram = await socket.receive();
      answered++;
      await socket.send(datagram.data, datagram);
    }
  } catch {
    // The stack was closed.
  }
}

/** The kernel sends a datagram from a port of its own, until it is answered. */
async function ask(): Promise<void> {
  const socket = createSocket('udp4').bind(0, KERNEL);
  await once(socket, 'listening');
  const answer = once(socket, 'message') as Promise<[Buffer]>;
  socket.send('hello', 7, OURS);
  const [data] = await answer;
  assert.equal(data.toString(), 'hello');
  socket.close();
}

async function start(mode: Mode): Promise<Worker> {
  const worker = new Worker(new URL(import.meta.url), { workerData: mode });
  workers.push(worker);
  await once(worker, 'message');
  return worker;
}

async function stop(worker: Worker): Promise<{ answered: number; held: number }> {
  worker.postMessage('close');
  const [result] = (await once(worker, 'message')) as [{ answered: number; held: number }];
  await once(worker, 'exit');
  return result;
}

if (!isMainThread) {
  void serve(workerData as Mode);
} else {
  describe('queues of one interface', { skip: skipReason(), timeout: 30_000 }, () => {
    before(enterNetns);
    afterEach(async () => {
      for (const worker of workers.splice(0)) await worker.terminate();
    });

    for (const mode of ['tap', 'tun'] as const) {
      it(`${mode}: a stack in each of two threads serves one address`, async () => {
        // The interface is there before the threads are, with an address.
        const env = nodeEnv();
        const keeper = openTap({ ...queue(mode), env });
        addAddress('mq0', `${KERNEL}/24`);
        setUp('mq0');
        const threads = [await start(mode), await start(mode)];
        keeper.close();
        for (let flow = 0; flow < FLOWS; flow++) await ask();
        const results = await Promise.all(threads.map(stop));
        assert.equal(
          results.reduce((sum, { answered }) => sum + answered, 0),
          FLOWS,
        );
        for (const { answered, held } of results) {
          assert.ok(answered > 0, 'each queue has some of the flows');
          assert.equal(held, 0);
        }
        assert.throws(() => findInterface('mq0'), { code: 'ENODEV' });
      });
    }

    it('must be asked for by all', () => {
      const env = nodeEnv();
      const one = openTap({ name: 'mq1', env });
      assert.throws(() => openTap({ name: 'mq1', env, multiQueue: true }), { code: 'EINVAL' });
      one.close();
      const many = openTap({ name: 'mq1', env, multiQueue: true });
      assert.throws(() => openTap({ name: 'mq1', env }), { code: 'EINVAL' });
      const another = openTap({ name: 'mq1', env, multiQueue: true });
      another.close();
      many.close();
    });
  });
}
