/**
 * ping both ways over a TAP device: small, in fragments, and as fast as it goes.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type PingOptions, ping } from '../../src/tools/ping.ts';
import { enterNetns } from '../node/linux/kernel.ts';
import { FAMILIES, IPV4 } from './support/family.ts';
import { Host } from './support/host.ts';
import { run } from './support/programs.ts';
import { skipUnless } from './support/skip.ts';

const skip = skipUnless('ping');
const FLOOD = 2000;
/** Seconds that the answers may take together on a machine that has other things to do. */
const DEADLINE = 30;

for (const family of FAMILIES) {
  describe(`ping over ${family.name}`, { skip, timeout: 60_000 }, () => {
    const { kernel, ours, header } = family;
    /** The largest that one packet holds: IPv6 does not count its own header. */
    const LARGEST = 65535 - 8 - (header === 20 ? 20 : 0);

    let host: Host;

    before(() => {
      enterNetns();
      host = new Host({ family });
    });
    after(() => host?.close());

    /** The kernel's ping to us, until `count` answers came or the deadline is over. */
    async function pingUs(count: number, ...args: string[]): Promise<void> {
      const limits = ['-c', `${count}`, '-w', `${DEADLINE}`];
      const { stdout } = await run('ping', ['-n', '-q', ...limits, ...args, ours]);
      assert.match(stdout, new RegExp(` ${count} received`));
      assert.doesNotMatch(stdout, /error|duplicate|corrupted/);
    }

    /** Ours to the kernel. */
    async function pingKernel(count: number, options: PingOptions): Promise<void> {
      const run = ping(host.stack, kernel, {
        count,
        deadlineUs: DEADLINE * 1e6,
        intervalUs: 10_000,
        ...options,
      });
      for await (const event of run)
        assert.ok(event.type === 'reply' || event.type === 'sent', JSON.stringify(event));
      const { received, errors, duplicates, corrupted } = run.statistics;
      assert.deepEqual(
        { received, errors, duplicates, corrupted },
        { received: count, errors: 0, duplicates: 0, corrupted: 0 },
      );
    }

    const fragmentCounters = () => (family === IPV4 ? host.stack.mib.Ip : host.stack.mib.Ip6);

    for (const [what, size] of [
      ['56 bytes', 56],
      ['no data at all', 0],
      ['what just fits a frame', 1492 - header],
    ] as const) {
      it(`of the kernel's, ${what}`, () => pingUs(5, '-i', '0.01', '-s', `${size}`));
      it(`of ours, ${what}`, () => pingKernel(5, { size }));
    }

    it("of the kernel's, in fragments both ways", async () => {
      const counters = fragmentCounters();
      const before = { ...counters };
      await pingUs(5, '-i', '0.01', '-s', '4000');
      assert.ok(counters.ReasmOKs - before.ReasmOKs >= 5);
      assert.ok(counters.FragOKs - before.FragOKs >= 5);
      await pingUs(5, '-i', '0.01', '-s', `${LARGEST}`);
    });

    it('of ours, in fragments both ways', async () => {
      const counters = fragmentCounters();
      const before = { ...counters };
      await pingKernel(5, { size: 4000, dontFragment: 'dont' });
      assert.ok(counters.ReasmOKs - before.ReasmOKs >= 5);
      assert.ok(counters.FragOKs - before.FragOKs >= 5);
      await pingKernel(5, { size: LARGEST, dontFragment: 'dont' });
    });

    it("of the kernel's, as fast as it goes", () => pingUs(FLOOD, '-f'));
    it("of the kernel's, as fast as it goes, in fragments", () => pingUs(FLOOD, '-f', '-s', '4000'));
    it('of ours, as fast as it goes', () => pingKernel(FLOOD, { flood: true }));

    it('leaves no packet behind', () => host.idle());
  });
}
