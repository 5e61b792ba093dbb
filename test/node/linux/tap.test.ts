import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { afterEach, before, describe, it } from 'node:test';
import type { Packet } from '../../../src/core/packet.ts';
import { PacketPool } from '../../../src/core/pool.ts';
import { nodeEnv } from '../../../src/node/env.ts';
import { libc } from '../../../src/node/linux/libc.ts';
import {
  deleteInterface,
  findInterface,
  listInterfaces,
  setDown,
  setUp,
} from '../../../src/node/linux/netdev.ts';
import { openTap, type TapOptions } from '../../../src/node/linux/tap.ts';
import { turn } from '../../../src/node/turn.ts';
import { emitIpv4 } from '../../../src/wire/ipv4.ts';
import { emitUdp } from '../../../src/wire/udp.ts';
import { enterNetns, KERNEL, kernelToOurs, OURS, oursToKernel, Tapped } from './kernel.ts';
import { skipReason } from './netns.ts';

const MODES = ['tap', 'tun'] as const;
const BULK = 50_000_000;
const skip = skipReason('ping');

/** Runs a command and returns its exit code. */
async function run(command: string, ...args: string[]): Promise<number | null> {
  const [code] = (await once(spawn(command, args, { stdio: 'ignore' }), 'close')) as [number | null];
  return code;
}

/** Lets the event loop turn until `done` says so; the test's own time limit ends what never comes. */
async function until(done: () => boolean): Promise<void> {
  while (!done()) await turn();
}

/** The hosts of the test that runs. */
const hosts: Tapped[] = [];

function open(options?: Partial<TapOptions>): Tapped {
  const host = new Tapped(options);
  hosts.push(host);
  return host;
}

function openDescriptors(): number {
  return readdirSync('/proc/self/fd').length;
}

/** Sends one datagram of our host's to the kernel and returns the answer. */
async function ask(host: Tapped, port: number): Promise<string> {
  const socket = host.stack.udp();
  const answer = socket.receive();
  await socket.send(new TextEncoder().encode('hello'), { hostname: KERNEL, port });
  const { data } = await answer;
  await socket.close();
  return new TextDecoder().decode(data);
}

/** A kernel socket that echoes. */
async function kernelEcho() {
  const socket = createSocket('udp4').bind(0, KERNEL);
  socket.on('message', (data, from) => socket.send(data, from.port, from.address));
  await once(socket, 'listening');
  return socket;
}

describe('a link to the kernel', { skip, timeout: 120_000 }, () => {
  before(enterNetns);
  afterEach(() => {
    for (const host of hosts.splice(0)) host.close();
  });

  for (const mode of MODES) {
    for (const vnetHdr of [true, false]) {
      const with_ = vnetHdr ? 'with' : 'without';
      it(`${mode}, ${with_} the virtio-net header: ping, small and in fragments`, async () => {
        const host = open({ mode, vnetHdr });
        assert.equal(await run('ping', '-c', '3', '-i', '0.01', '-W', '2', OURS), 0);
        assert.equal(await run('ping', '-c', '3', '-i', '0.01', '-W', '2', '-s', '4000', OURS), 0);
        host.close();
      });

      it(`${mode}, ${with_} the virtio-net header: datagrams to and from a program of the kernel's`, async () => {
        const host = open({ mode, vnetHdr });
        const echo = await kernelEcho();
        assert.equal(await ask(host, echo.address().port), 'hello');
        echo.close();
        host.close();
      });

      it(`${mode}, ${with_} the virtio-net header: 50 MB each way, every byte right`, async () => {
        const host = open({ mode, vnetHdr });
        assert.equal(await kernelToOurs(host, BULK), BULK);
        assert.equal(await oursToKernel(host, BULK), BULK);
        const { stats } = host.link;
        assert.equal(stats.receivedSuper > 100, vnetHdr, `${stats.receivedSuper} super-segments received`);
        assert.equal(stats.sentSuper > 100, vnetHdr, `${stats.sentSuper} super-segments sent`);
        // Each way with super-segments takes a fraction of the 34,000 frames that it takes without.
        assert.equal(stats.received < 20_000 && stats.sent < 20_000, vnetHdr);
        assert.equal(stats.receivedDropped + stats.sentDropped, 0);
        assert.equal(host.stack.mib.Tcp.InErrs, 0);
        host.close();
        assert.equal(host.packetsInUse, 0);
      });
    }
  }

  it('joins the segments of a stream, unless it is told not to', async () => {
    for (const gro of [true, false]) {
      const host = open({ vnetHdr: false, gro });
      assert.equal(await kernelToOurs(host, 5_000_000), 5_000_000);
      const frames = host.link.stats.received;
      const segments = host.stack.mib.Tcp.InSegs;
      assert.ok(gro ? segments < frames * 0.9 : segments > frames - 20, `${segments} of ${frames}`);
      host.close();
      assert.equal(host.packetsInUse, 0);
    }
  });

  it('cuts what the kernel hands over as one frame of many datagrams', async () => {
    const host = open();
    const socket = host.stack.udp({ port: 7 });
    const payload = Uint8Array.from({ length: 10_500 }, (_, i) => i % 251);
    sendSegmented(payload, 1000, 7);
    const got: number[] = [];
    for (let at = 0; at < payload.length; ) {
      const { data } = await socket.receive();
      assert.deepEqual(data, payload.subarray(at, at + data.length));
      got.push(data.length);
      at += data.length;
    }
    assert.deepEqual(got, [...new Array<number>(10).fill(1000), 500]);
    const { receivedSuper } = host.link.stats;
    assert.equal(receivedSuper, host.link.receiveOffloads.uso ? 1 : 0);
    assert.equal(host.stack.mib.Udp.InCsumErrors, 0);
    await socket.close();
    host.close();
    assert.equal(host.packetsInUse, 0);
  });

  it('loses what the pool has no room for, and goes on', async () => {
    for (const vnetHdr of [true, false]) {
      const pool = new PacketPool({ smallSlots: 4, largeSlots: 1, overflowPackets: 0 });
      const host = open({ pool, vnetHdr, mode: 'tun' });
      const socket = host.stack.udp({ port: 7 });
      const kernel = createSocket('udp4').bind(0, KERNEL);
      await once(kernel, 'listening');
      const { stats } = host.link;
      // What is received stays in the socket's queue, and keeps its packets.
      let sent = 0;
      await until(() => {
        kernel.send(`${sent++}`, 7, OURS);
        return stats.receivedDropped > 20;
      });
      assert.ok(pool.inUse <= 5);
      for (let n = 0; n < 4; n++) {
        const { data } = await socket.receive();
        assert.equal(new TextDecoder().decode(data), `${n}`);
      }
      const answer = socket.receive();
      kernel.send('again', 7, OURS);
      assert.ok((await answer).data.length > 0);
      kernel.close();
      host.close();
      assert.equal(host.packetsInUse, 0);
    }
  });

  it('sends a frame that has no room in front for a header', async () => {
    const host = open({ mode: 'tun' });
    const kernel = createSocket('udp4').bind(0, KERNEL);
    await once(kernel, 'listening');
    const message = once(kernel, 'message') as Promise<[Buffer]>;
    const packet = host.link.pool.take(0) as Packet;
    packet.start = packet.l3 = 0;
    packet.end = 33;
    emitIpv4(packet.view, 0, 0, 33, 1, true, 64, 17, 0x0a410002, 0x0a410001);
    emitUdp(packet.view, 20, 9, kernel.address().port, 13, 0);
    new TextEncoder().encodeInto('hello', packet.bytes.subarray(28));
    assert.equal(host.link.send(packet), true);
    const [data] = await message;
    assert.equal(data.toString(), 'hello');
    kernel.close();
    host.close();
    assert.equal(host.packetsInUse, 0);
  });

  it('carries packets of the MTU that was asked for', async () => {
    for (const vnetHdr of [true, false]) {
      const host = open({ mtu: 9000, vnetHdr });
      assert.equal(host.link.mtu, 9000);
      assert.equal(findInterface('et0').mtu, 9000);
      // 28 bytes of headers: the largest that goes in one piece.
      assert.equal(await run('ping', '-c', '1', '-W', '2', '-M', 'do', '-s', '8972', OURS), 0);
      assert.equal(host.stack.mib.Ip.ReasmReqds, 0);
      host.close();
    }
  });

  it('gives back everything: the interface, descriptors, packets', async () => {
    // The first link loads and opens what stays.
    open().close();
    await turn();
    const descriptors = openDescriptors();
    const two = [open({ name: 'et%d' }), open({ name: 'et%d', mode: 'tun' })];
    const names = two.map(({ link }) => link.name);
    assert.deepEqual(names, ['et0', 'et1']);
    assert.equal(openDescriptors(), descriptors + 2);
    for (const host of two) host.close();
    for (const host of two) host.link.close();
    await turn();
    assert.equal(openDescriptors(), descriptors);
    assert.deepEqual(
      listInterfaces().map(({ name }) => name),
      ['lo'],
    );
    assert.equal(
      two.reduce((sum, host) => sum + host.packetsInUse, 0),
      0,
    );
  });

  it('has no carrier while the interface of the kernel is down', async () => {
    const host = open();
    const echo = await kernelEcho();
    const { port } = echo.address();
    assert.equal(await ask(host, port), 'hello');
    setDown('et0');
    const socket = host.stack.udp();
    await socket.send(new Uint8Array(1), { hostname: KERNEL, port });
    await until(() => !host.link.carrier);
    assert.ok(host.link.stats.sentDropped > 0);
    setUp('et0');
    await until(() => host.link.carrier);
    assert.equal(await ask(host, port), 'hello');
    await socket.close();
    echo.close();
    host.close();
    assert.equal(host.packetsInUse, 0);
  });

  it('shows the kernel that the cable is pulled', () => {
    const host = open();
    assert.equal(findInterface('et0').running, true);
    assert.equal(host.link.setCarrier(false), 0);
    assert.equal(findInterface('et0').running, false);
    assert.equal(host.link.carrier, false);
    assert.equal(host.link.setCarrier(true), 0);
    assert.equal(findInterface('et0').running, true);
    host.close();
  });

  it('survives that the interface is deleted', async () => {
    const host = open();
    deleteInterface('et0');
    await until(() => !host.link.carrier);
    const socket = host.stack.udp();
    await socket.send(new Uint8Array(1), { hostname: KERNEL, port: 9 });
    await socket.close();
    host.close();
    assert.equal(host.packetsInUse, 0);
  });

  it('has another hardware address than the kernel has, or the one that was asked for', () => {
    const host = open();
    const { mac } = host.link;
    assert.ok(mac !== null && ((mac[0] as number) & 3) === 2);
    assert.notDeepEqual(mac, findInterface('et0').mac);
    host.close();
    const chosen = Uint8Array.of(2, 1, 2, 3, 4, 5);
    const other = open({ mac: chosen });
    assert.deepEqual(other.link.mac, chosen);
    other.close();
  });

  it('outlives its process only when it is told to', () => {
    const link = openTap({ name: 'et7', env: nodeEnv() });
    assert.equal(link.setPersistent(true), 0);
    link.close();
    assert.ok(findInterface('et7').index > 0);
    const again = openTap({ name: 'et7', env: nodeEnv() });
    assert.equal(again.setPersistent(false), 0);
    again.close();
    assert.throws(() => findInterface('et7'), { code: 'ENODEV' });
  });

  it('says what is wrong in one line', () => {
    const env = nodeEnv();
    const link = openTap({ name: 'et0', env });
    const cases: [() => unknown, string, RegExp][] = [
      [() => openTap({ name: 'et0', env }), 'EBUSY', /another program has it open/],
      [() => openTap({ name: 'lo', env }), 'EINVAL', /of another kind/],
      [() => openTap({ name: '', env }), 'EINVAL', /no name for an interface/],
      [() => openTap({ name: 'a/b', env }), 'EINVAL', /no name for an interface/],
      [() => openTap({ name: 'sixteen-letters-', env }), 'EINVAL', /no name for an interface/],
      [() => openTap({ name: 'et1', env, mtu: 20 }), 'EINVAL', /set the MTU of et1 to 20/],
    ];
    for (const [open, code, message] of cases) assert.throws(open, { code, message });
    assert.doesNotMatch(String(new Error(messageOf(() => openTap({ name: 'et0', env })))), /\n/);
    // A link that could not be opened leaves nothing behind.
    assert.throws(() => findInterface('et1'), { code: 'ENODEV' });
    link.close();
  });
});

function messageOf(open: () => unknown): string {
  try {
    open();
  } catch (error) {
    return (error as Error).message;
  }
  return '';
}

/** The kernel sends `payload` to our host in datagrams of `size`, in one system call (UDP_SEGMENT). */
function sendSegmented(payload: Uint8Array, size: number, port: number): void {
  const [AF_INET, SOCK_DGRAM, SOL_UDP, UDP_SEGMENT] = [2, 2, 17, 103];
  const system = libc();
  const fd = system.socket(AF_INET, SOCK_DGRAM, 0);
  assert.equal(system.setsockopt(fd, SOL_UDP, UDP_SEGMENT, Uint8Array.of(size & 0xff, size >> 8, 0, 0)), 0);
  const address = Uint8Array.of(AF_INET, 0, port >> 8, port & 0xff, 10, 65, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0);
  assert.equal(system.connect(fd, address), 0);
  assert.equal(system.send(fd, payload, 0), payload.length);
  system.close(fd);
}
