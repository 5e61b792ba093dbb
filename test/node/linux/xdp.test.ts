import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { afterEach, before, describe, it } from 'node:test';
import { nodeEnv } from '../../../src/node/env.ts';
import { addAddress } from '../../../src/node/linux/netdev.ts';
import { openPacketSocket } from '../../../src/node/linux/packet-socket.ts';
import { openXdp, type XdpLink, type XdpOptions } from '../../../src/node/linux/xdp.ts';
import { Stack } from '../../../src/stack/stack.ts';
import { Inbox, packetOf, udpFrame, until } from './frames.ts';
import { enterNetns, kernelToOurs, OURS, oursToKernel } from './kernel.ts';
import { KERNEL_MAC, skipReason, Wire } from './netns.ts';

const BULK = 10_000_000;
const env = nodeEnv();

let wire: Wire | null = null;
const open: { close(): void }[] = [];

/** A link at our end of a new wire. */
function link(options: Partial<XdpOptions> = {}): XdpLink {
  wire ??= new Wire();
  const made = wire.ours.run(() => openXdp({ device: 'veth1', env, ...options }));
  open.push(made);
  return made;
}

function host(): { link: XdpLink; stack: Stack } {
  const made = link();
  const stack = new Stack({ env });
  stack.attach(made, { address: `${OURS}/24` });
  open.push(stack);
  return { link: made, stack };
}

async function ping(count: number, ...args: string[]): Promise<number> {
  const child = spawn('ping', ['-c', `${count}`, '-i', '0.01', '-q', ...args], {
    stdio: 'ignore',
  });
  const [code] = (await once(child, 'close')) as [number];
  return code;
}

const skip = skipReason('ping');

describe('openXdp', { skip, timeout: 60_000 }, () => {
  before(enterNetns);
  afterEach(() => {
    for (const one of open.splice(0).reverse()) one.close();
    wire?.close();
    wire = null;
  });

  it('answers the kernel’s pings, small and in fragments', async () => {
    const { link, stack } = host();
    assert.equal(await ping(20, '-s', '4000', OURS), 0);
    assert.equal(stack.mib.Icmp.InEchos, 20);
    stack.close();
    assert.equal(link.pool.inUse, 0);
    assert.deepEqual(link.kernelStatistics(), { drops: 0 });
  });

  it('carries 10 MB each way between the kernel’s TCP and ours', async () => {
    const { link, stack } = host();
    assert.equal(await kernelToOurs({ stack }, BULK), BULK);
    assert.equal(await oursToKernel({ stack }, BULK), BULK);
    assert.equal(stack.mib.Tcp.InCsumErrors, 0);
    stack.close();
    assert.equal(link.pool.inUse, 0);
    assert.equal(link.stats.sentDropped, 0);
  });

  it('sends and receives frames whole, once and in order, more of them than it has buffers', async () => {
    const inbox = new Inbox();
    const near = link();
    near.attach(inbox);
    const far = openPacketSocket({ device: 'veth0', env, mac: KERNEL_MAC });
    open.push(far);
    const farInbox = new Inbox();
    far.attach(farInbox);
    const count = 6000;
    const inward = Array.from({ length: count }, (_, n) => udpFrame(near.mac, 9, n));
    const outward = Array.from({ length: count }, (_, n) => udpFrame(KERNEL_MAC, 9, n));
    for (let n = 0; n < count; n++) {
      far.send(packetOf(far.pool, inward[n] as Uint8Array));
      if (n % 500 === 499) await until(() => inbox.frames.length === n + 1);
    }
    let refused = 0;
    for (const frame of outward) {
      const packet = packetOf(near.pool, frame);
      const { writables } = inbox;
      if (near.send(packet)) continue;
      refused++;
      await until(() => inbox.writables > writables);
      assert.equal(near.send(packet), true);
    }
    await until(() => farInbox.frames.length === count);
    assert.ok(refused > 0);
    assert.deepEqual(
      inbox.frames,
      inward.map(frame => [...frame]),
    );
    assert.deepEqual(
      farInbox.frames,
      outward.map(frame => [...frame]),
    );
    assert.equal(near.pool.inUse, 0);
  });

  it('gives the interface back to the kernel when it is closed', async () => {
    const near = link();
    wire?.ours.run(() => addAddress('veth1', '10.65.0.3/24'));
    near.attach(new Inbox());
    assert.notEqual(await ping(1, '-W', '0.2', '10.65.0.3'), 0);
    const descriptors = readdirSync('/proc/self/fd').length;
    near.close();
    near.close();
    // The kernel asks for the address only once a second.
    assert.equal(await ping(1, '-W', '5', '10.65.0.3'), 0);
    for (let n = 0; n < 3; n++) link().close();
    assert.ok(readdirSync('/proc/self/fd').length < descriptors);
  });

  it('says when there is no carrier, and what is sent then is not waited for', async () => {
    const inbox = new Inbox();
    const near = link();
    near.attach(inbox);
    wire?.close();
    await until(() => inbox.carriers.length === 1);
    assert.deepEqual(inbox.carriers, [false]);
    assert.equal(near.send(packetOf(near.pool, udpFrame(KERNEL_MAC, 9, 1))), true);
    near.close();
    assert.equal(near.pool.inUse, 0);
  });

  it('says what is wrong', () => {
    link();
    const descriptors = readdirSync('/proc/self/fd').length;
    const fails = (options: Partial<XdpOptions>, code: string, message: RegExp) =>
      assert.throws(() => link(options), { code, message });
    fails({ device: 'eth99' }, 'ENODEV', /^ENODEV: .*eth99/);
    fails({}, 'EBUSY', /it has an XDP program already/);
    open.pop()?.close();
    fails({ queue: 999 }, 'EINVAL', /queue 999 of veth1/);
    assert.ok(readdirSync('/proc/self/fd').length <= descriptors);
  });
});
