/**
 * Paths that are narrower than both ends believe and swallow what is too big without a word (no ICMP): RFC 4821.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ETIMEDOUT } from '../../src/base/errno.ts';
import type { Sysctl } from '../../src/core/sysctl.ts';
import { turn } from '../../src/node/turn.ts';
import { type Connection, World } from '../../src/sim/world.ts';
import { AF_INET, AF_INET6, SOCK_STREAM } from '../../src/socket/constants.ts';
import type { Stack } from '../../src/stack/stack.ts';
import { assertNothingLeft, exchange } from './transfer.ts';

const PORT = 5000;

interface Path {
  readonly world: World;
  readonly a: Stack;
  readonly b: Stack;
  readonly cable: Connection;
}

/** Two hosts with interfaces of `mtu` bytes, and `narrow` bytes in between. */
function path(mtu: number, narrow: number, sysctl: Partial<Sysctl>): Path {
  const world = new World({ seed: 4821, turn, sysctl });
  const a = world.host('a', { address6: 'fd00::1/64' });
  const b = world.host('b', { address6: 'fd00::2/64' });
  const hole = { mtu: narrow };
  return { world, a, b, cable: world.connect(a, b, { delayUs: 5000, mtu, there: hole, back: hole }) };
}

/** A connection from `a` to `b`, of which `a` can send. */
async function open({ world, a, b }: Path, family: number): Promise<{ fd: number; peer: number }> {
  const address = family === AF_INET ? '10.0.0.2' : 'fd00::2';
  // Until the IPv6 addresses are known to be nobody else's.
  await world.runFor(2_000_000);
  const listener = b.sys.socket(family, SOCK_STREAM);
  b.sys.bind(listener, { address, port: PORT });
  b.sys.listen(listener, 1);
  const fd = a.sys.socket(family, SOCK_STREAM);
  const [peer, result] = await world.run(
    Promise.all([b.sys.wait.accept(listener), a.sys.wait.connect(fd, { address, port: PORT })]),
  );
  assert.equal(result, 0);
  b.sys.close(listener);
  return { fd, peer };
}

/** Sends so many bytes and sees them come; the size of a full packet then. */
async function send({ world, a, b }: Path, { fd, peer }: { fd: number; peer: number }, bytes: number) {
  const buffer = new Uint8Array(65536);
  const take = async (): Promise<void> => {
    for (let left = bytes; left > 0; ) left -= await b.sys.wait.recv(peer, buffer);
  };
  await world.run(Promise.all([a.sys.wait.send(fd, new Uint8Array(bytes)), take()]));
  const info = a.sockets().find(row => row.state === 'ESTABLISHED')?.info;
  return (info?.['snd_mss'] ?? 0) + 12 + 20;
}

for (const [name, family, header, address] of [
  ['IPv4', AF_INET, 20, '10.0.0.2'],
  ['IPv6', AF_INET6, 40, 'fd00::2'],
] as const) {
  describe(`a path that swallows large packets, ${name}`, () => {
    test('is noticed when repetitions are in vain: smaller ones get through, and the most it takes is found', async () => {
      const hole = path(1500, 1280, {});
      await hole.world.run(exchange(hole.a, hole.b, address, 2_000_000));
      const { TCPMTUPSuccess, TCPMTUPFail } = hole.a.mib.TcpExt;
      assert.ok(TCPMTUPSuccess > 0 && TCPMTUPFail > 0, `${TCPMTUPSuccess} arrived, ${TCPMTUPFail} did not`);
      await assertNothingLeft(hole.world, hole.a, hole.b);
    });

    test('ends a connection whose host does not look for it, as on Linux', async () => {
      const hole = path(1500, 1280, { tcp_mtu_probing: 0, tcp_retries2: 5 });
      const { fd } = await open(hole, family);
      const { sys } = hole.a;
      await hole.world.run(sys.wait.send(fd, new Uint8Array(5000)));
      assert.equal(await hole.world.run(sys.wait.recv(fd, new Uint8Array(1))), -ETIMEDOUT);
      hole.world.close();
    });

    test('costs no time-out where the search begins at once', async () => {
      const hole = path(9000, 4000, { tcp_mtu_probing: 2 });
      const ends = await open(hole, family);
      const size = header + (await send(hole, ends, 20_000_000));
      assert.ok(size <= 4000 && size > 4000 - 8, `${size}`);
      const { TCPTimeouts, TCPMTUPFail, TCPSackRecovery } = hole.a.mib.TcpExt;
      assert.equal(TCPTimeouts, 0);
      assert.equal(TCPSackRecovery, 0, 'a lost probe is no congestion');
      assert.ok(TCPMTUPFail > 0);
      hole.world.close();
    });

    test('is looked at again after a while: it may have become wider', async () => {
      const hole = path(9000, 4000, { tcp_mtu_probing: 2 });
      const ends = await open(hole, family);
      await send(hole, ends, 20_000_000);
      hole.cable.configure({ there: { mtu: 8000, delayUs: 5000 }, back: { delayUs: 5000 } });
      const before = header + (await send(hole, ends, 20_000_000));
      assert.ok(before <= 4000, `${before}`);
      await hole.world.runFor(600e6);
      const size = header + (await send(hole, ends, 40_000_000));
      assert.ok(size <= 8000 && size > 8000 - 8, `${size}`);
      hole.world.close();
    });
  });
}

test('a path that takes everything is used in full, without a loss', async () => {
  const wide = path(9000, 9000, { tcp_mtu_probing: 2 });
  const ends = await open(wide, AF_INET);
  assert.ok(20 + (await send(wide, ends, 20_000_000)) > 9000 - 8);
  assert.equal(wide.a.mib.Tcp.RetransSegs, 0);
  wide.world.close();
});
