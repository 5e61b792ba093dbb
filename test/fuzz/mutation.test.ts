import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Rng } from '../../src/base/rng.ts';
import { PacketPool } from '../../src/core/pool.ts';
import { Arena, touchesInnocent } from '../../src/sim/fuzz/arena.ts';
import { fuzz } from '../../src/sim/fuzz/fuzz.ts';
import { MUTANT_MAX, Mutator } from '../../src/sim/fuzz/mutator.ts';
import { Stack } from '../../src/stack/stack.ts';
import { TcpEndpoint } from '../../src/transport/tcp-layer.ts';
import { IpAddress } from '../../src/wire/address.ts';

test('100,000 mutated frames: no exception, no growth, nobody harmed', () => {
  const result = fuzz({ frames: 100_000, seed: 20260801 });
  assert.deepEqual(result.violations, []);
  assert.equal(result.frames, 100_000);
  assert.ok(result.conversations > 20, 'the innocent kept talking meanwhile');
});

test('the same seed does the same', () => {
  const [first, second] = [1, 2].map(() => fuzz({ frames: 3000, seed: 9 }));
  assert.deepEqual(first, second);
  assert.notEqual(fuzz({ frames: 3000, seed: 10 }).conversations, 0);
});

/** Runs an arena for a moment and lets `frames` mutants into the target. */
function attackedArena(frames: number): Arena {
  const rng = new Rng(4);
  const arena = new Arena(rng.fork());
  const mutator = new Mutator(arena.tape, rng.fork());
  for (let turn = 0; turn < 2000; turn++) arena.turn(300, true);
  for (let i = 0; i < frames; i++) {
    const packet = arena.newPacket(MUTANT_MAX);
    assert.ok(packet !== null);
    mutator.fill(packet);
    if (touchesInnocent(packet)) packet.release();
    else arena.inject(packet);
    if (i % 32 === 0) arena.turn(300, true);
  }
  return arena;
}

/** How many leases are in a state. */
function countLeases({ server }: Arena, state: string): number {
  return server.leases.filter(lease => lease.state === state).length;
}

test('the mutants reach the deeper code', () => {
  const arena = attackedArena(20_000);
  const { Ip, Icmp, Ip6, Icmp6, Tcp, TcpExt, Udp } = arena.target.mib;
  // Each of these is counted behind every check of lengths and checksums.
  const reached = {
    'fragments came': Ip.ReasmReqds,
    'fragments failed': Ip.ReasmFails,
    'ICMP errors arrived': Icmp.InDestUnreachs,
    'and some quoted what was not in flight': TcpExt.OutOfWindowIcmps,
    'IPv6 fragments came': Ip6.ReasmReqds,
    'IPv6 fragments failed': Ip6.ReasmFails,
    'IPv6 headers were wrong': Ip6.InHdrErrors,
    'parameter problems were told': Icmp6.OutParmProblems,
    'ICMPv6 errors arrived': Icmp6.InDestUnreachs,
    'packets were too big': Icmp6.InPktTooBigs,
    'routers spoke': Icmp6.InRouterAdvertisements,
    'neighbours spoke': Icmp6.InNeighborAdvertisements,
    'redirects came': Icmp6.InRedirects,
    'listeners were asked for': Icmp6.InGroupMembQueries,
    'datagrams arrived': Udp.InDatagrams,
    'resets went out': Tcp.OutRsts,
    'challenge ACKs went out': TcpExt.TCPChallengeACK,
    'data waited behind gaps': TcpExt.TCPOFOQueue,
    'old timestamps were seen': TcpExt.PAWSEstab,
    'SACK lies were seen': TcpExt.TCPSACKDiscard,
    'recovery began by SACK': TcpExt.TCPSackRecovery,
    'half-open requests were reset': TcpExt.EmbryonicRsts,
    'addresses were given': countLeases(arena, 'bound'),
    'addresses were declined': countLeases(arena, 'declined'),
  };
  for (const [what, count] of Object.entries(reached)) assert.ok(count > 0, `${what}: ${count}`);
  arena.close();
});

test('a leak is found', () => {
  const arena = attackedArena(0);
  const kept = arena.newPacket(100);
  arena.drain();
  assert.equal(arena.leftOver(), '1 packets are still in use');
  kept?.release();
  assert.equal(arena.leftOver(), null);
  arena.close();
});

test('a harmed connection and a contradiction are found', () => {
  const arena = attackedArena(0);
  const find = (innocent: boolean): TcpEndpoint | undefined =>
    [...arena.target.tcp.flows]
      .filter(flow => flow instanceof TcpEndpoint)
      .find(flow => (flow.localPort === 7777) === innocent && flow.stateName === 'ESTABLISHED');
  // Short turns: the innocent conversation is to be met in its middle.
  for (let turn = 0; turn < 100_000 && !(find(true) && find(false)); turn++) arena.turn(200, true);
  const [innocent, other] = [find(true), find(false)];
  assert.ok(innocent !== undefined && other !== undefined);
  assert.equal(arena.contradiction(), null);
  other.connection.cwnd = 0;
  assert.match(arena.contradiction() ?? '', /not so that the window is at least one segment/);
  other.connection.cwnd = 1;
  assert.deepEqual(arena.innocent.harms, []);
  innocent.abort();
  for (let turn = 0; turn < 1000; turn++) arena.turn(1000, false);
  assert.equal(arena.innocent.harms.length, 1);
  arena.close();
});

test('an exception is reported with the frame that caused it', t => {
  // A target that falls over the first reset it sees.
  const original = Stack.prototype.hook;
  t.mock.method(Stack.prototype, 'hook', function (this: Stack, ...args: Parameters<Stack['hook']>) {
    original.apply(this, args);
    return original.call(this, 'ingress', packet => {
      const isReset = packet.length > 47 && packet.bytes[packet.start + 47] === 4;
      if (packet.mark > 0 && isReset) throw new Error('fell over');
      return true;
    });
  });
  const result = fuzz({ frames: 20_000, seed: 3 });
  const [violation] = result.violations;
  assert.equal(result.exceptions, 1);
  assert.match(violation?.message ?? '', /fell over/);
  assert.equal(violation?.frame?.[47], 4);
  assert.equal(violation?.frames, result.frames);
});

test('frames that name the innocent host are told from others', () => {
  const pool = new PacketPool({ smallSlots: 2, largeSlots: 0 });
  const packet = pool.take(100);
  assert.ok(packet !== null);
  packet.end = packet.start + 60;
  packet.bytes.fill(0, packet.start, packet.end);
  assert.equal(touchesInnocent(packet), false);
  packet.bytes.set([10, 77, 201, 166], packet.start + 26);
  assert.equal(touchesInnocent(packet), true);
  packet.bytes.fill(0, packet.start, packet.end);
  IpAddress.parse('fd77::a4d:c9a6')?.write(packet.view, packet.start + 38);
  assert.equal(touchesInnocent(packet), true);
  packet.bytes[packet.start + 53] = 167;
  assert.equal(touchesInnocent(packet), false);
});
