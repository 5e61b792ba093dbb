import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, before, describe, it } from 'node:test';
import { nodeEnv } from '../../../src/node/env.ts';
import { setDown, setUp } from '../../../src/node/linux/netdev.ts';
import { type Capture, type CaptureOptions, openCapture } from '../../../src/node/linux/packet-capture.ts';
import { openPacketSocket, type PacketSocketLink } from '../../../src/node/linux/packet-socket.ts';
import { Inbox, packetOf, udpFrame, udpPortFilter, until } from './frames.ts';
import { enterNetns } from './kernel.ts';
import { skipReason, Wire } from './netns.ts';

const FOREIGN_MAC = Uint8Array.of(2, 0, 0, 0, 0, 7);
const env = nodeEnv();

interface Seen {
  readonly bytes: number[];
  readonly wireLength: number;
  readonly atNs: bigint;
  readonly direction: 'in' | 'out';
}

let wire: Wire | null = null;
const open: { close(): void }[] = [];

/** A capture at our end of a new wire, and what it has seen. */
function capture(options: Partial<CaptureOptions> = {}): [Capture, Seen[]] {
  const seen: Seen[] = [];
  wire ??= new Wire();
  const made = wire.ours.run(() =>
    openCapture({
      device: 'veth1',
      retireMs: 1,
      onFrame: frame =>
        seen.push({
          bytes: [...frame.bytes.subarray(frame.start, frame.end)],
          wireLength: frame.wireLength,
          atNs: BigInt(frame.seconds) * 1_000_000_000n + BigInt(frame.nanoseconds),
          direction: frame.direction,
        }),
      ...options,
    }),
  );
  open.push(made);
  return [made, seen];
}

/** Sends frames from the kernel's end. */
function send(frames: readonly Uint8Array[]): void {
  const link: PacketSocketLink = openPacketSocket({ device: 'veth0', env });
  link.attach(new Inbox());
  for (const frame of frames) assert.equal(link.send(packetOf(link.pool, frame)), true);
  link.close();
}

/** Datagrams to a host that there is not, every third of them to port 9. */
function mixed(count: number): Uint8Array[] {
  return Array.from({ length: count }, (_, n) => udpFrame(FOREIGN_MAC, n % 3 === 0 ? 9 : 10, n));
}

const skip = skipReason('ping');

describe('openCapture', { skip, timeout: 60_000 }, () => {
  before(enterNetns);
  afterEach(() => {
    for (const one of open.splice(0).reverse()) one.close();
    wire?.close();
    wire = null;
  });

  it('shows exactly the frames that pass the filter, in order, with the kernel’s time', async () => {
    const [running, seen] = capture({ filter: udpPortFilter(9) });
    const fromNs = BigInt(Date.now() - 1) * 1_000_000n;
    const frames = mixed(3000);
    send(frames);
    await until(() => seen.length >= 1000);
    running.close();
    assert.deepEqual(
      seen.map(({ bytes }) => bytes),
      frames.filter((_, n) => n % 3 === 0).map(frame => [...frame]),
    );
    assert.deepEqual(running.statistics(), { packets: 1000, drops: 0 });
    for (const [index, { atNs, direction }] of seen.entries()) {
      assert.ok(atNs >= (seen[index - 1]?.atNs ?? fromNs));
      assert.equal(direction, 'in');
    }
  });

  it('cuts frames to the snaplen, with and without a filter', async () => {
    const [, all] = capture({ snaplen: 20 });
    const [, filtered] = capture({ snaplen: 60, filter: udpPortFilter(9) });
    const [frame] = mixed(1) as [Uint8Array];
    send([frame]);
    await until(() => all.length === 1 && filtered.length === 1);
    assert.deepEqual(all[0]?.bytes, [...frame.subarray(0, 20)]);
    assert.deepEqual(filtered[0]?.bytes, [...frame]);
    assert.equal(all[0]?.wireLength, 60);
  });

  it('shows tags that the kernel had taken out', async () => {
    const [, seen] = capture();
    const frame = udpFrame(FOREIGN_MAC, 9, 1, [0x88, 0xa8, 0x00, 0x05]);
    send([frame]);
    await until(() => seen.length === 1);
    assert.deepEqual(seen[0]?.bytes, [...frame]);
    assert.equal(seen[0]?.wireLength, frame.length);
  });

  it('tells what this host sends from what it receives', async () => {
    wire = new Wire();
    const seen: Record<'in' | 'out' | 'both', ('in' | 'out')[]> = { in: [], out: [], both: [] };
    for (const direction of ['in', 'out', 'both'] as const) {
      const onFrame: CaptureOptions['onFrame'] = frame => seen[direction].push(frame.direction);
      open.push(openCapture({ device: 'lo', retireMs: 1, direction, onFrame }));
    }
    const ping = spawn('ping', ['-c', '1', '127.0.0.1'], { stdio: 'ignore' });
    await once(ping, 'close');
    await until(() => seen.both.length === 4 && seen.in.length === 2 && seen.out.length === 2);
    assert.deepEqual(seen.both, ['out', 'in', 'out', 'in']);
    assert.deepEqual(seen.in, ['in', 'in']);
    assert.deepEqual(seen.out, ['out', 'out']);
  });

  it('counts what the ring had no room for while nobody read, and goes on', async () => {
    const [running, seen] = capture({ ringBytes: 1 << 19 });
    running.pause();
    const frames = Array.from({ length: 6000 }, (_, n) => udpFrame(FOREIGN_MAC, 9, n));
    send(frames);
    const { packets, drops } = running.statistics();
    assert.equal(packets, frames.length);
    assert.ok(drops > 0 && drops < frames.length, `${drops}`);
    assert.equal(seen.length, 0);
    running.resume();
    await until(() => seen.length === frames.length - drops);
    // What was lost may be missing anywhere; the rest is whole and in order.
    const numbers = seen.map(({ bytes }) => Buffer.from(bytes).readUInt32BE(42));
    assert.ok(numbers.every((number, index) => number > (numbers[index - 1] ?? -1)));
    assert.ok(
      seen.every(
        ({ bytes }, index) =>
          Buffer.compare(Buffer.from(bytes), frames[numbers[index] as number] as Uint8Array) === 0,
      ),
    );
    send(frames.slice(0, 1));
    await until(() => seen.length === frames.length - drops + 1);
  });

  it('ends inside its own listener, and memory that is kept for too long reads as zeros', async () => {
    let kept: Uint8Array | null = null;
    let calls = 0;
    wire = new Wire();
    const running = wire.ours.run(() =>
      openCapture({
        device: 'veth1',
        retireMs: 1,
        onFrame: ({ bytes, start, end }) => {
          calls++;
          kept = bytes.subarray(start, end);
          running.close();
        },
      }),
    );
    open.push(running);
    send(mixed(5));
    await until(() => calls > 0);
    assert.equal(calls, 1);
    assert.deepEqual([...(kept ?? [1])], new Array(60).fill(0));
    assert.equal(running.statistics().packets, 5);
  });

  it('says when the interface goes down, and goes on when it comes back', async () => {
    const errors: number[] = [];
    const [, seen] = capture({ onError: errno => errors.push(errno) });
    const { ours } = wire as Wire;
    ours.run(() => setDown('veth1'));
    await until(() => errors.length === 1);
    assert.deepEqual(errors, [-100]);
    ours.run(() => setUp('veth1'));
    send(mixed(2));
    await until(() => seen.length === 2);
  });

  it('says what is wrong', () => {
    assert.throws(() => capture({ device: 'eth99' }), { code: 'ENODEV', message: /^ENODEV: .*eth99/ });
    assert.throws(() => capture({ snaplen: 0 }), { code: 'EINVAL' });
  });
});
