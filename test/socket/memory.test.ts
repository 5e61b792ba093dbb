import assert from 'node:assert/strict';
import { it } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { listening, SERVER, stream, tcpPair } from './tcp-fixture.ts';

const COUNT = 1000;
const LIMIT = 3072;

it(`an idle connection costs at most ${LIMIT} bytes, with its socket and descriptor`, async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const pair = tcpPair();
  pair.a.trace = pair.b.trace = null;
  const { world, sysA, sysB } = pair;
  const listener = listening(sysB, SERVER.port, COUNT);
  const open = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) {
      const connected = sysA.wait.connect(stream(sysA), SERVER);
      const accepted = sysB.wait.accept(listener);
      assert.equal((await world.run(Promise.all([connected, accepted])))[0], 0);
    }
    await pair.run(5000);
    collect();
  };
  // What is made once, and code that is compiled on the way, is no connection's.
  await open(1500);
  const before = process.memoryUsage();
  await open(COUNT);
  const after = process.memoryUsage();
  const bytes = after.heapUsed - before.heapUsed + after.arrayBuffers - before.arrayBuffers;
  const perEnd = bytes / COUNT / 2;
  assert.ok(perEnd <= LIMIT, `${Math.round(perEnd)} bytes for each end`);
});
