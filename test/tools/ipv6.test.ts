/**
 * ping and traceroute over IPv6: the same calls, with the words and the numbers of the other family.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Sysctl } from '../../src/core/sysctl.ts';
import { turn } from '../../src/node/turn.ts';
import { World } from '../../src/sim/world.ts';
import type { Stack } from '../../src/stack/stack.ts';
import { formatPingEvent, formatPingHeading } from '../../src/tools/format-ping.ts';
import { formatTracerouteHeading, formatTracerouteHop } from '../../src/tools/format-traceroute.ts';
import { icmp6Annotation, icmp6ErrorText } from '../../src/tools/icmp-text.ts';
import { type PingOptions, ping } from '../../src/tools/ping.ts';
import { type TracerouteOptions, traceroute } from '../../src/tools/traceroute.ts';
import { ip } from '../udp/fixture.ts';
import { collect } from './fixture.ts';

/** a fd00:1::1 -- r1 fd00:1::fe, fd00:2::1 -- r2 fd00:2::2, fd00:3::fe -- b fd00:3::1; a cable takes 500 us. */
function path6(mtu = 1500): { world: World; a: Stack; r1: Stack; r2: Stack } {
  const world = new World({ seed: 1, turn, sysctl: { dad_transmits: 0 } });
  const forwards: Partial<Sysctl> = { forwarding: true };
  const a = world.host('a');
  const r1 = world.host('r1', { sysctl: forwards });
  const r2 = world.host('r2', { sysctl: forwards });
  const b = world.host('b');
  world.connect(a, r1, { addresses6: ['fd00:1::1/64', 'fd00:1::fe/64'], delayUs: 500 });
  world.connect(r1, r2, { addresses6: ['fd00:2::1/64', 'fd00:2::2/64'], delayUs: 500, mtu });
  world.connect(r2, b, { addresses6: ['fd00:3::fe/64', 'fd00:3::1/64'], delayUs: 500 });
  a.ip.routes.addDefault(ip('fd00:1::fe'));
  r1.ip.routes.addDefault(ip('fd00:2::2'));
  r2.ip.routes.add({ destination: ip('fd00:1::'), prefixLength: 64, gateway: ip('fd00:2::1') });
  b.ip.routes.addDefault(ip('fd00:3::fe'));
  return { world, a, r1, r2 };
}

const TARGET = 'fd00:3::1';

describe('ping over IPv6', () => {
  const lines = async (stack: Stack, target: string, options: PingOptions): Promise<string[]> =>
    (await collect(ping(stack, target, options))).map(formatPingEvent);

  it('sends, and tells of the answers', async () => {
    const { world, a } = path6();
    const run = ping(a, TARGET, { count: 1, size: 4000 });
    assert.equal(formatPingHeading(run), 'PING fd00:3::1(fd00:3::1) 4000 data bytes');
    const [event] = await world.run(collect(run));
    assert.match(
      formatPingEvent(event ?? assert.fail()),
      /^4008 bytes from fd00:3::1: icmp_seq=1 ttl=62 time=/,
    );
  });

  it('a hop limit that is too small, nobody there, no way: who says so, and what', async () => {
    const { world, a } = path6();
    assert.deepEqual(await world.run(lines(a, TARGET, { count: 1, ttl: 2 })), [
      'From fd00:2::2 icmp_seq=1 Time exceeded: Hop limit',
    ]);
    assert.deepEqual(await world.run(lines(a, 'fd00:1::77', { count: 1 })), [
      'From fd00:1::1 icmp_seq=1 Destination unreachable: Address unreachable',
    ]);
    assert.deepEqual(await world.run(lines(a, '2001:db8::1', { count: 1 })), [
      'From fd00:2::2 icmp_seq=1 Destination unreachable: No route',
    ]);
  });

  it('a narrow path: a router says so, then this host; unless it may make fragments', async () => {
    const { world, a } = path6(1280);
    const options: PingOptions = { count: 2, size: 1400, dontFragment: 'do' };
    assert.deepEqual(await world.run(lines(a, TARGET, options)), [
      'From fd00:1::fe icmp_seq=1 Packet too big: mtu=1280',
      'ping: local error: message too long, mtu: 1280',
    ]);
    // The first answer is too big, too: the other end learns the path from it.
    const run = ping(a, TARGET, { ...options, dontFragment: 'want' });
    const [whole] = await world.run(collect(run));
    assert.match(formatPingEvent(whole ?? assert.fail()), /^1408 bytes from fd00:3::1: icmp_seq=2 /);
  });

  it('shows the zone of a neighbour by the name of the interface', async () => {
    const { world, a, r1, r2 } = path6();
    const router = r2.ip.netif('eth0')?.ipv6?.linkLocal ?? assert.fail();
    const [line] = await world.run(lines(r1, `${router.withZone(0)}%eth1`, { count: 1 }));
    assert.match(line ?? '', new RegExp(`^64 bytes from ${router.withZone(0)}%eth1: icmp_seq=1 ttl=64 `));
    assert.throws(() => ping(a, 'fe80::1%eth9'), /ENOTFOUND/);
  });

  it('holds 20 bytes more than a packet of IPv4', () => {
    const { a } = path6();
    ping(a, TARGET, { size: 65527 }).stop();
    assert.throws(() => ping(a, TARGET, { size: 65528 }), /size is 65528, not 0 to 65527/);
  });
});

describe('traceroute over IPv6', () => {
  const route = async (stack: Stack, target: string, options: TracerouteOptions = {}): Promise<string[]> => {
    const hops = await collect(traceroute(stack, target, options));
    return hops.map(hop => formatTracerouteHop(hop, true).replace(/ {2}\d+\.\d{3} ms/g, ' t'));
  };

  it('finds every router and the destination, with 80 bytes a packet', async () => {
    const { world, a } = path6();
    assert.equal(
      formatTracerouteHeading(traceroute(a, TARGET)),
      'traceroute to fd00:3::1 (fd00:3::1), 30 hops max, 80 byte packets',
    );
    assert.deepEqual(await world.run(route(a, TARGET)), [
      ' 1  fd00:1::fe t t t',
      ' 2  fd00:2::2 t t t',
      ' 3  fd00:3::1 t t t',
    ]);
  });

  it('no route, a narrow path', async () => {
    const { world, a } = path6(1300);
    assert.equal((await world.run(route(a, '2001:db8::1'))).at(-1), ' 2  fd00:2::2 t !N t !N t !N');
    assert.deepEqual(await world.run(route(a, TARGET, { dontFragment: true, size: 1400 })), [
      ' 1  fd00:1::fe t t t',
      ' 2  fd00:1::fe t !F-1300 t !F-1300 t !F-1300',
    ]);
    assert.throws(() => traceroute(a, TARGET, { size: 47 }), /size is 47, not 48 to 65535/);
  });
});

describe('ICMPv6 errors in words and signs', () => {
  it('of every kind', () => {
    const said = [
      [1, 0, 'Destination unreachable: No route', '!N'],
      [1, 1, 'Destination unreachable: Administratively prohibited', '!X'],
      [1, 3, 'Destination unreachable: Address unreachable', '!H'],
      [1, 4, 'Destination unreachable: Port unreachable', ''],
      [1, 9, 'Destination unreachable: Unknown code 9', '!<9>'],
      [2, 0, 'Packet too big: mtu=1300', '!F-1300'],
      [3, 0, 'Time exceeded: Hop limit', ''],
      [3, 1, 'Time exceeded: Defragmentation failure', '!<3-1>'],
      [4, 1, 'Parameter problem: code 1, at 1300', '!P'],
      [4, 0, 'Parameter problem: code 0, at 1300', '!<4-0>'],
    ] as const;
    for (const [type, code, text, sign] of said)
      assert.deepEqual([icmp6ErrorText(type, code, 1300), icmp6Annotation(type, code, 1300)], [text, sign]);
  });
});
