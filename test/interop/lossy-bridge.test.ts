/**
 * A bridge of ours that loses 1 % of the frames and puts others out of order, between two kernel hosts and between a
 * kernel host and ours: what arrives is what was sent.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fdStream } from '../../src/http/fd-stream.ts';
import type { FaultyLink } from '../../src/link/faulty.ts';
import { SOCK_STREAM } from '../../src/socket/constants.ts';
import { FaultyBridge } from './support/bridge.ts';
import { FAMILIES } from './support/family.ts';
import { readAll } from './support/host.ts';
import { bytesOf, digestOf, writePattern } from './support/pattern.ts';
import type { Place } from './support/place.ts';
import { type Program, startShell } from './support/programs.ts';
import { skipUnless } from './support/skip.ts';

const skip = skipUnless('nc', 'b2sum');
const PORT = 7001;
const FAULTS = { loss: 0.01, reorder: 0.01, delayUs: 2_000 };
const SEED = 1;
const SIZE = 8_000_000;

for (const family of FAMILIES) {
  describe(`over ${family.name} and a bridge with 1 % loss, and reordering`, {
    skip,
    timeout: 120_000,
  }, () => {
    const { ours: FIRST, kernel: SECOND, domain } = family;
    let folder: string;
    let file: string;

    before(() => {
      folder = mkdtempSync(join(tmpdir(), 'ethertype-'));
      file = join(folder, 'bulk');
      writePattern(file, SIZE);
    });
    after(() => rmSync(folder, { recursive: true }));

    /** Makes a bridge, runs `body`, and sees that something went wrong on the way both there and back. */
    async function over(body: (bridge: FaultyBridge) => Promise<FaultyLink>): Promise<void> {
      const bridge = new FaultyBridge(family, { up: FAULTS, down: FAULTS }, SEED);
      try {
        const { up, down } = (await body(bridge)).counters;
        for (const { loss, reorder } of [up, down]) assert.ok(loss > 0 && reorder > 0);
      } finally {
        bridge.close();
      }
    }

    /** netcat at the second host, which receives. */
    async function receiver(second: Place): Promise<Program> {
      const nc = second.run(() => startShell(`nc -n -v -l ${SECOND} ${PORT} | b2sum`));
      await nc.says(/Listening/);
      return nc;
    }

    async function assertReceived(nc: Program): Promise<void> {
      assert.equal(await nc.ended, 0, nc.report);
      assert.equal(nc.stdout.split(' ')[0], digestOf(SIZE));
    }

    it('from kernel to kernel', async test => {
      await over(async bridge => {
        const second = await bridge.kernel();
        const [first, port] = await bridge.faultyKernel();
        const nc = await receiver(second);
        const beganMs = performance.now();
        first.run(() => startShell(`nc -n -N ${SECOND} ${PORT} <${file}`));
        await assertReceived(nc);
        test.diagnostic(`kernel: ${rate(beganMs)}`);
        return port;
      });
    });

    it('from our host to the kernel', async test => {
      await over(async bridge => {
        const second = await bridge.kernel();
        const [{ sys }, port] = bridge.faultyStack();
        const nc = await receiver(second);
        const beganMs = performance.now();
        const fd = sys.socket(domain, SOCK_STREAM, 0);
        assert.equal(await sys.wait.connect(fd, { address: SECOND, port: PORT }), 0);
        assert.equal(await sys.wait.send(fd, bytesOf(0, SIZE)), SIZE);
        sys.close(fd);
        await assertReceived(nc);
        test.diagnostic(`ours: ${rate(beganMs)}`);
        return port;
      });
    });

    it('from the kernel to our host', async () => {
      await over(async bridge => {
        const second = await bridge.kernel();
        const [{ sys }, port] = bridge.faultyStack();
        const listener = sys.socket(domain, SOCK_STREAM, 0);
        sys.bind(listener, { address: FIRST, port: PORT });
        sys.listen(listener, 1);
        const nc = second.run(() => startShell(`nc -n -N ${FIRST} ${PORT} <${file}`));
        const stream = fdStream(sys, await sys.wait.accept(listener));
        assert.deepEqual(await readAll(stream), bytesOf(0, SIZE));
        stream.close();
        assert.equal(await nc.ended, 0, nc.report);
        return port;
      });
    });
  });
}

function rate(beganMs: number): string {
  const seconds = (performance.now() - beganMs) / 1000;
  return `${SIZE} bytes in ${seconds.toFixed(2)} s, ${((SIZE * 8) / seconds / 1e6).toFixed(1)} Mbit/s`;
}
