import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { afterEach, before, describe, it } from 'node:test';
import { nodeEnv } from '../../../src/node/env.ts';
import { setDown, setUp } from '../../../src/node/linux/netdev.ts';
import {
  openPacketSocket,
  type PacketSocketLink,
  type PacketSocketOptions,
} from '../../../src/node/linux/packet-socket.ts';
import { Stack } from '../../../src/stack/stack.ts';
import { Inbox, packetOf, udpFrame, udpPortFilter, until } from './frames.ts';
import { enterNetns, kernelToOurs, OURS, oursToKernel } from './kernel.ts';
import { skipReason, Wire } from './netns.ts';

const BULK = 10_000_000;
const OUR_MAC = Uint8Array.of(2, 0, 0, 0, 0, 2);
const OTHER_MAC = Uint8Array.of(2, 0, 0, 0, 0, 3);
const BROADCAST = new Uint8Array(6).fill(0xff);
const RINGS = ['slots', 'blocks'] as const;
const env = nodeEnv();

let wire: Wire | null = null;
const open: { close(): void }[] = [];

/** A link at our end of a new wire. */
function link(options: Partial<PacketSocketOptions> = {}): PacketSocketLink {
  wire ??= new Wire();
  const made = wire.ours.run(() => openPacketSocket({ device: 'veth1', env, mac: OUR_MAC, ...options }));
  open.push(made);
  return made;
}

/** A link at the kernel's end, to send frames from there. */
function farLink(): PacketSocketLink {
  const made = openPacketSocket({ device: 'veth0', env });
  open.push(made);
  made.attach(new Inbox());
  return made;
}

function host(options?: Partial<PacketSocketOptions>): { link: PacketSocketLink; stack: Stack } {
  const made = link(options);
  const stack = new Stack({ env });
  stack.attach(made, { address: `${OURS}/24` });
  open.push(stack);
  return { link: made, stack };
}

function sendAll(from: PacketSocketLink, frames: readonly Uint8Array[]): void {
  for (const frame of frames) assert.equal(from.send(packetOf(from.pool, frame)), true);
}

const skip = skipReason('ping');

describe('openPacketSocket', { skip, timeout: 60_000 }, () => {
  before(enterNetns);
  afterEach(() => {
    for (const one of open.splice(0).reverse()) one.close();
    wire?.close();
    wire = null;
  });

  for (const ring of RINGS) {
    describe(`with a ring of ${ring}`, () => {
      it('answers the kernel’s pings, small and in fragments', async () => {
        const { link, stack } = host({ ring });
        const ping = spawn('ping', ['-c', '20', '-i', '0.01', '-s', '4000', '-q', OURS], { stdio: 'ignore' });
        const [code] = (await once(ping, 'close')) as [number];
        assert.equal(code, 0);
        assert.equal(stack.mib.Icmp.InEchos, 20);
        assert.equal(link.kernelStatistics().drops, 0);
        stack.close();
        assert.equal(link.pool.inUse, 0);
      });

      it('carries 10 MB each way between the kernel’s TCP and ours, in super-segments', async () => {
        const { link, stack } = host({ ring });
        assert.equal(await kernelToOurs({ stack }, BULK), BULK);
        assert.equal(await oursToKernel({ stack }, BULK), BULK);
        assert.ok(link.stats.receivedSuper > 0);
        assert.ok(link.stats.sentSuper > 0);
        assert.equal(stack.mib.Tcp.InCsumErrors, 0);
        assert.equal(link.stats.receivedDropped + link.stats.sentDropped, 0);
        stack.close();
        assert.equal(link.pool.inUse, 0);
      });

      it('receives what is for its address or for all, whole, once and in order', async () => {
        const inbox = new Inbox();
        const near = link({ ring });
        near.attach(inbox);
        const far = farLink();
        const frames = Array.from({ length: 500 }, (_, n) =>
          udpFrame([OUR_MAC, BROADCAST, OTHER_MAC][n % 3] as Uint8Array, 9, n),
        );
        sendAll(far, frames);
        const expected = frames.filter((_, n) => n % 3 !== 2).map(frame => [...frame]);
        await until(() => inbox.frames.length >= expected.length);
        assert.deepEqual(inbox.frames, expected);
        // Nothing of what the other sends comes back to it, and the other way round.
        sendAll(near, [udpFrame(OTHER_MAC, 9, 1)]);
        sendAll(far, [udpFrame(OUR_MAC, 9, 2)]);
        await until(() => inbox.frames.length > expected.length);
        assert.deepEqual(inbox.frames.at(-1), [...udpFrame(OUR_MAC, 9, 2)]);
      });

      it('receives frames with their VLAN tags', async () => {
        const inbox = new Inbox();
        link({ ring }).attach(inbox);
        const frame = udpFrame(OUR_MAC, 9, 1, [0x81, 0x00, 0x20, 0x05]);
        sendAll(farLink(), [frame]);
        await until(() => inbox.frames.length > 0);
        assert.deepEqual(inbox.frames, [[...frame]]);
      });
    });
  }

  it('carries 10 MB each way without offloads', async () => {
    const { link, stack } = host({ offloads: false });
    assert.equal(await kernelToOurs({ stack }, BULK), BULK);
    assert.equal(await oursToKernel({ stack }, BULK), BULK);
    assert.equal(link.stats.sentSuper, 0);
  });

  it('has the kernel run a filter', async () => {
    const inbox = new Inbox();
    const near = link({ filter: udpPortFilter(9) });
    near.attach(inbox);
    const frames = Array.from({ length: 20 }, (_, n) => udpFrame(OTHER_MAC, 9 + (n % 2), n));
    sendAll(farLink(), frames);
    await until(() => inbox.frames.length >= 10);
    assert.deepEqual(
      inbox.frames,
      frames.filter((_, n) => n % 2 === 0).map(frame => [...frame]),
    );
    assert.equal(near.kernelStatistics().packets, 10);
  });

  it('counts what the ring had no room for', async () => {
    const inbox = new Inbox();
    const near = link({ ringBytes: 1 << 19, filter: udpPortFilter(9) });
    sendAll(
      farLink(),
      Array.from({ length: 500 }, (_, n) => udpFrame(OUR_MAC, 9, n)),
    );
    // Its ring has 256 slots, and nobody reads yet.
    assert.deepEqual(near.kernelStatistics(), { packets: 500, drops: 500 - 256 });
    near.attach(inbox);
    await until(() => inbox.frames.length === 256);
    near.close();
    assert.deepEqual(near.kernelStatistics(), { packets: 500, drops: 500 - 256 });
  });

  it('shares the frames of an interface between the links of a group', async () => {
    const inboxes = [new Inbox(), new Inbox()];
    for (const inbox of inboxes) link({ fanout: { group: 7, mode: 'lb' } }).attach(inbox);
    sendAll(
      farLink(),
      Array.from({ length: 10 }, (_, n) => udpFrame(OUR_MAC, 9, n)),
    );
    await until(() => inboxes.reduce((sum, inbox) => sum + inbox.frames.length, 0) >= 10);
    assert.deepEqual(
      inboxes.map(inbox => inbox.frames.length),
      [5, 5],
    );
  });

  it('says when the interface is down, and works again when it is up', async () => {
    const inbox = new Inbox();
    const near = link();
    near.attach(inbox);
    setDown('veth0');
    await until(() => inbox.carriers.length === 1);
    // Nothing that is sent now stays in the way.
    assert.equal(near.send(packetOf(near.pool, udpFrame(OTHER_MAC, 9, 1))), true);
    setUp('veth0');
    await until(() => inbox.carriers.length === 2);
    assert.deepEqual(inbox.carriers, [false, true]);
    wire?.ours.run(() => setDown('veth1'));
    await until(() => inbox.carriers.length === 3);
    assert.equal(near.send(packetOf(near.pool, udpFrame(OTHER_MAC, 9, 1))), true);
    assert.ok(near.stats.sentDropped > 0);
    wire?.ours.run(() => setUp('veth1'));
    await until(() => inbox.carriers.length === 4);
    sendAll(farLink(), [udpFrame(OUR_MAC, 9, 3)]);
    await until(() => inbox.frames.length === 1);
    wire?.close();
    await until(() => inbox.carriers.length === 5);
    assert.deepEqual(inbox.carriers, [false, true, false, true, false]);
  });

  it('drops what is larger than the MTU, and frames without headroom are sent as others', async () => {
    const inbox = new Inbox();
    const near = link();
    near.attach(inbox);
    const large = packetOf(near.pool, udpFrame(OTHER_MAC, 9, 1));
    large.end = large.start + 1515;
    assert.equal(near.send(large), true);
    assert.equal(near.stats.sentDropped, 1);
    const far = openPacketSocket({ device: 'veth0', env, mac: OTHER_MAC });
    open.push(far);
    const farInbox = new Inbox();
    far.attach(farInbox);
    const frame = udpFrame(OTHER_MAC, 9, 2);
    const early = packetOf(near.pool, frame);
    early.bytes.copyWithin(3, early.start, early.end);
    early.start = 3;
    early.end = 3 + frame.length;
    assert.equal(near.send(early), true);
    await until(() => farInbox.frames.length === 1);
    assert.deepEqual(farInbox.frames, [[...frame]]);
    assert.equal(near.pool.inUse, 0);
  });

  it('can be closed by the port that receives', async () => {
    for (const ring of RINGS) {
      const near = link({ ring });
      let frames = 0;
      near.attach({
        receive: packet => {
          frames++;
          packet.release();
          near.close();
        },
        writable: () => {},
        carrier: () => {},
      });
      sendAll(
        farLink(),
        Array.from({ length: 10 }, (_, n) => udpFrame(OUR_MAC, 9, n)),
      );
      await until(() => near.closed);
      assert.equal(frames, 1);
      assert.equal(near.pool.inUse, 0);
    }
  });

  it('gives back descriptors and memory', async () => {
    link().close();
    const before = readdirSync('/proc/self/fd').length;
    for (let n = 0; n < 5; n++) {
      const made = link();
      made.attach(new Inbox());
      made.close();
      made.close();
    }
    assert.equal(readdirSync('/proc/self/fd').length, before);
  });

  it('says what is wrong', () => {
    wire = new Wire();
    const fails = (options: Partial<PacketSocketOptions>, code: string, message: RegExp) =>
      assert.throws(() => link(options), { code, message });
    const descriptors = readdirSync('/proc/self/fd').length;
    fails({ device: 'eth99' }, 'ENODEV', /^ENODEV: .*eth99/);
    fails({ ringBytes: 2 ** 40 }, 'EINVAL', /ringBytes is \d+ to \d+/);
    fails(
      { filter: [{ code: 0xffff, jt: 0, jf: 0, k: 0 }] },
      'EINVAL',
      /a classic BPF filter of 1 instructions/,
    );
    assert.equal(readdirSync('/proc/self/fd').length, descriptors);
  });
});
