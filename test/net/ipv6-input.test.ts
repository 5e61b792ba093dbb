import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ECONNREFUSED, EMSGSIZE } from '../../src/base/errno.ts';
import { formatIcmp6, parseIcmp6 } from '../../src/wire/icmp6.ts';
import { IPV6_MIN_MTU } from '../../src/wire/ipv6.ts';
import { askedIn, frame6, type Ipv6Spec, icmp6, ipv6, mac, nd } from './craft6.ts';
import {
  advance,
  ip,
  linkLocal,
  ManualEnv,
  packets6,
  QUIET,
  TEST_PROTOCOL,
  TestHost,
  TestLink,
  viewOf,
} from './harness.ts';

/** fd00::1/64 on eth0, whose neighbour fd00::2 is known. */
function receiver(sysctl = {}): { host: TestHost; link: TestLink } {
  const host = new TestHost(new ManualEnv(), 'a', { ...QUIET, ...sysctl });
  const link = new TestLink({ mac: 1 });
  const netif = host.attach(link, 'fd00::1/64');
  for (const address of ['fd00::2', `${linkLocal(2)}%2`]) {
    const neighbor = host.ip.ipv6.neighbors.get(netif, ip(address));
    if (typeof neighbor !== 'number') neighbor.pin(0x0200, 2);
  }
  // What it says when it comes up is said after a second.
  advance(2_000_000, host);
  link.frames.length = 0;
  host.log.events.length = 0;
  return { host, link };
}

function feed(spec: Ipv6Spec | Uint8Array, sysctl = {}) {
  const { host, link } = receiver(sysctl);
  link.inject(frame6(spec instanceof Uint8Array ? spec : ipv6(spec)));
  host.run();
  const received = host.transport.received.map(({ src, dst, data }) => `${src} > ${dst}: ${data}`);
  return { host, link, received, drops: host.drops(), errors: errors(link) };
}

/** The ICMPv6 messages sent, with the pointer or the MTU. */
function errors(link: TestLink): string[] {
  return packets6(link).flatMap(({ header, data }) => {
    const message = header.nextHeader === 58 ? parseIcmp6(viewOf(data), 0, data.length) : null;
    return message === null ? [] : [`${header.destination}: ${formatIcmp6(message)}`];
  });
}

test('a packet to us is delivered, with padding cut off', () => {
  const padded = new Uint8Array(60);
  padded.set(ipv6({ data: 'hello' }));
  assert.deepEqual(feed(padded).received, ['fd00::2 > fd00::1: hello']);
});

test('a link-local address has the zone of the interface', () => {
  const { received } = feed({ source: 'fe80::9', destination: linkLocal(1), data: 'x' });
  assert.deepEqual(received, [`fe80::9%2 > ${linkLocal(1)}%2: x`]);
});

test('RFC 8200 section 3: a header that is cut, of another version or longer than the frame is dropped', () => {
  const version = ipv6({ data: 'x' });
  version[0] = 0x50;
  assert.deepEqual(feed(version).drops, ['IP_INHDR']);
  assert.deepEqual(feed(ipv6().slice(0, 39)).drops, ['IP_INHDR']);
  assert.deepEqual(feed({ data: 'x', payloadLength: 2 }).drops, ['PKT_TOO_SMALL']);
});

test('RFC 4291 section 2: addresses that cannot come over a wire are not believed', () => {
  const bad: Ipv6Spec[] = [
    { source: 'ff02::1' },
    { source: '::1' },
    { destination: '::1' },
    { destination: '::' },
    { source: '::ffff:10.0.0.1' },
    { destination: 'ff01::1' },
    { destination: 'ff00::1' },
    { source: '::' },
    { source: 'fd00::1' },
  ];
  for (const spec of bad) {
    const { received, drops } = feed({ data: 'x', ...spec });
    assert.deepEqual([received, drops], [[], ['IP_INVALID_SOURCE']], JSON.stringify(spec));
  }
});

test('packets to groups are taken by their members', () => {
  const to = (destination: string) => feed({ destination, data: 'x' });
  assert.equal(to('ff02::1').received.length, 1);
  assert.equal(to(askedIn('fd00::1')).received.length, 1);
  assert.deepEqual(to('ff02::2').drops, ['OTHERHOST']);
  assert.equal(feed({ destination: 'ff02::2', data: 'x' }, { forwarding: true }).received.length, 1);
  const { host, link } = receiver();
  const netif = host.ip.netif('eth0');
  assert.ok(netif !== null);
  host.ip.ipv6.join(netif, ip('ff05::99'));
  host.ip.ipv6.join(netif, ip('ff05::99'));
  host.ip.ipv6.leave(netif, ip('ff05::99'));
  link.inject(frame6(ipv6({ destination: 'ff05::99', data: 'x' })));
  host.run();
  host.ip.ipv6.leave(netif, ip('ff05::99'));
  link.inject(frame6(ipv6({ destination: 'ff05::99', data: 'y' })));
  host.run();
  assert.deepEqual(
    host.transport.received.map(({ data }) => data),
    ['x'],
  );
});

test('somebody else’s packet, and one for us in a frame for many, are dropped', () => {
  assert.deepEqual(feed({ destination: 'fd00::9', data: 'x' }).drops, ['OTHERHOST']);
  const { host, link } = receiver();
  const bytes = frame6(ipv6({ data: 'x' }));
  bytes.set([0x33, 0x33, 0, 0, 0, 1], 0);
  link.inject(bytes);
  host.run();
  assert.deepEqual(host.drops(), ['OTHERHOST']);
});

test('an interface without IPv6 takes none', () => {
  const host = new TestHost(new ManualEnv(), 'a');
  const link = new TestLink({ mac: 1 });
  host.attach(link, '10.0.0.1/24');
  link.inject(frame6(ipv6({ data: 'x' })));
  host.run();
  assert.deepEqual(host.drops(), ['IPV6DISABLED']);
});

test('RFC 8200 section 4: headers are skipped in order, whatever the order', () => {
  const options = (next: number): number[] => [next, 0, 1, 4, 0, 0, 0, 0];
  const data = Uint8Array.from([
    ...options(60),
    ...options(43),
    60,
    0,
    9,
    0,
    0,
    0,
    0,
    0,
    ...options(253),
    0x78,
  ]);
  assert.deepEqual(feed({ protocol: 0, data }).received, ['fd00::2 > fd00::1: x']);
});

test('RFC 8200 section 4.1: a hop-by-hop header elsewhere than first is a parameter problem', () => {
  const data = Uint8Array.of(0, 0, 1, 4, 0, 0, 0, 0, 253, 0, 1, 4, 0, 0, 0, 0);
  assert.deepEqual(feed({ protocol: 60, data }).errors, ['fd00::2: parameter problem, code 1, octet 40']);
});

test('RFC 8200 section 4.2: unknown options by their action bits', () => {
  const option = (type: number, destination = 'fd00::1') =>
    feed({ protocol: 60, destination, data: Uint8Array.of(253, 0, type, 4, 0, 0, 0, 0, 0x78) });
  assert.equal(option(0x1e).received.length, 1);
  assert.deepEqual([option(0x5e).received, option(0x5e).errors], [[], []]);
  assert.deepEqual(option(0x9e).errors, ['fd00::2: parameter problem, code 2, octet 42']);
  assert.deepEqual(option(0xde).errors, ['fd00::2: parameter problem, code 2, octet 42']);
  assert.deepEqual(option(0x9e, 'ff02::1').errors, ['fd00::2: parameter problem, code 2, octet 42']);
  assert.deepEqual(option(0xde, 'ff02::1').errors, []);
});

test('RFC 8200 section 4.4: a routing header is not followed; with no segments left it is skipped', () => {
  const routing = (left: number) =>
    feed({ protocol: 43, data: Uint8Array.of(253, 0, 0, left, 0, 0, 0, 0, 0x78) });
  assert.equal(routing(0).received.length, 1);
  assert.deepEqual(routing(1).errors, ['fd00::2: parameter problem, code 0, octet 42']);
});

test('RFC 4443 section 3.4: an unknown next header is pointed at; no next header is the end', () => {
  assert.deepEqual(feed({ protocol: 200, data: 'x' }).errors, [
    'fd00::2: parameter problem, code 1, octet 6',
  ]);
  assert.deepEqual(feed({ protocol: 60, data: Uint8Array.of(200, 0, 1, 4, 0, 0, 0, 0, 1) }).errors, [
    'fd00::2: parameter problem, code 1, octet 40',
  ]);
  assert.deepEqual(feed({ protocol: 59 }).errors, []);
  // ICMP for IPv4 means nothing here.
  assert.deepEqual(feed({ protocol: 1, data: 'xxxxxxxx' }).drops, ['IP_NOPROTO']);
});

test('echo requests are answered, with the same bytes and class; to a group unless that is not wanted', () => {
  const request = icmp6(128, 0, 0x00070003, Uint8Array.of(1, 2, 3));
  const { link } = feed({ protocol: 58, data: request, trafficClass: 0x20 });
  const [answer] = packets6(link);
  assert.equal(answer?.header.trafficClass, 0x20);
  assert.deepEqual([...(answer?.data.subarray(4) ?? [])], [0, 7, 0, 3, 1, 2, 3]);
  assert.deepEqual(errors(link), ['fd00::2: echo reply, id 7, seq 3']);
  const many = icmp6(128, 0, 1, new Uint8Array(0), 'fd00::2', 'ff02::1');
  const spec = { protocol: 58, destination: 'ff02::1', data: many };
  assert.deepEqual(feed(spec).errors, ['fd00::2: echo reply, id 0, seq 1']);
  assert.deepEqual(feed(spec, { echo_ignore_multicast: true }).errors, []);
});

test('a wrong ICMPv6 checksum is counted and nothing is done', () => {
  const request = icmp6(128, 0, 1, new Uint8Array(0), 'fd00::3');
  const { host, errors: sent } = feed({ protocol: 58, data: request });
  assert.deepEqual([sent, host.drops(), host.host.mib.Icmp6.InCsumErrors], [[], ['ICMP_CSUM'], 1]);
});

test('RFC 4443 section 2.4 (e): no error about an error, a redirect, or what was for many or from nobody', () => {
  const about = (spec: Ipv6Spec): string[] => {
    const { host, link } = receiver();
    const packet = host.host.pool.take(2000);
    assert.ok(packet !== null);
    const bytes = ipv6(spec);
    packet.l3 = packet.start;
    packet.netif = 2;
    packet.bytes.set(bytes, packet.start);
    packet.end = packet.start + bytes.length;
    host.ip.ipv6.icmp.sendError(packet, 1, 4, 0);
    packet.release();
    return errors(link);
  };
  assert.equal(about({ data: 'xxxxxxxx' }).length, 1);
  assert.equal(about({ protocol: 58, data: icmp6(128, 0, 0, new Uint8Array(0)) }).length, 1);
  assert.equal(about({ protocol: 58, data: icmp6(1, 0, 0, new Uint8Array(0)) }).length, 0);
  assert.equal(about({ protocol: 58, data: icmp6(137, 0, 0, new Uint8Array(0)) }).length, 0);
  assert.equal(about({ destination: 'ff02::1', data: 'x' }).length, 0);
  assert.equal(about({ source: '::', data: 'x' }).length, 0);
  assert.equal(about({ source: 'ff02::9', data: 'x' }).length, 0);
});

test('an error is at most 1280 bytes long and never more than some a second to one network', () => {
  const { host, link } = receiver({ icmp_msgs_burst: 1000 });
  for (let i = 0; i < 20; i++) link.inject(frame6(ipv6({ protocol: 200, data: new Uint8Array(1400) })));
  host.run();
  const sent = packets6(link);
  assert.ok(sent.length > 0 && sent.length <= 6, `${sent.length} were sent`);
  assert.ok(sent.every(({ header }) => header.payloadLength + 40 === IPV6_MIN_MTU));
  assert.equal(host.host.mib.Icmp6.OutRateLimitHost, 20 - sent.length);
});

test('“packet too big” about an echo reply is believed if the reply was', () => {
  const { host, link } = receiver();
  const tooBig = (quotedType: number, length: number): void => {
    const quoted = icmp6(quotedType, 0, 0, new Uint8Array(length));
    const mine = ipv6({ source: 'fd00::1', destination: 'fd00::2', protocol: 58, data: quoted });
    link.inject(frame6(ipv6({ protocol: 58, data: icmp6(2, 0, 1300, mine) })));
    host.run();
  };
  const mtu = (): number => host.route('fd00::2').mtu;
  tooBig(128, 1400);
  tooBig(129, 1000);
  assert.equal(mtu(), 1500);
  tooBig(129, 1400);
  assert.equal(mtu(), 1300);
});

test('errors about our packets reach the transport that sent them; about others’ they do not', () => {
  const { host, link } = receiver();
  const mine = ipv6({ source: 'fd00::1', destination: 'fd00::2', data: 'transport' });
  const inject = (type: number, code: number, rest: number, quoted: Uint8Array): void => {
    link.inject(frame6(ipv6({ protocol: 58, data: icmp6(type, code, rest, quoted) })));
  };
  inject(1, 4, 0, mine);
  inject(2, 0, 1400, mine);
  inject(2, 0, 600, mine);
  inject(1, 4, 0, ipv6({ source: 'fd00::8', destination: 'fd00::2', data: 'transport' }));
  inject(1, 4, 0, mine.slice(0, 44));
  host.run();
  assert.deepEqual(
    host.transport.errors.map(({ errno, fatal, mtu, src, dst, quoted }) => [
      errno,
      fatal,
      mtu,
      src,
      dst,
      quoted,
    ]),
    [
      [ECONNREFUSED, true, 0, 'fd00::1', 'fd00::2', 'transpor'],
      [EMSGSIZE, false, 1400, 'fd00::1', 'fd00::2', 'transpor'],
      [EMSGSIZE, false, 600, 'fd00::1', 'fd00::2', 'transpor'],
    ],
  );
  assert.deepEqual(host.drops(), ['NOT_SPECIFIED', 'HDR_TRUNC']);
});

test('everything is given back', () => {
  const { host, link } = receiver();
  link.inject(frame6(ipv6({ protocol: 58, data: icmp6(128, 0, 1, new Uint8Array(10)) })));
  link.inject(nd({ type: 135, target: ip('fd00::1'), options: { sourceMac: mac(7) } }, 'fd00::7', 'fd00::1'));
  link.inject(frame6(ipv6({ protocol: TEST_PROTOCOL, destination: 'fd00::99', data: 'x' })));
  host.run();
  host.ip.close();
  assert.equal(host.host.pool.inUse, 0);
  assert.equal(host.host.timers.size, 0);
});

test('packets are counted by the ECN field of their traffic class', () => {
  for (const [ecn, counter] of [
    [0, 'InNoECTPkts'],
    [1, 'InECT1Pkts'],
    [2, 'InECT0Pkts'],
    [3, 'InCEPkts'],
  ] as const) {
    const { host } = feed({ data: 'x', trafficClass: 0x10 | ecn });
    assert.equal(host.host.mib.Ip6[counter], 1, counter);
    assert.deepEqual(host.transport.tos, [0x10 | ecn]);
  }
});
