import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EMSGSIZE } from '../../src/base/errno.ts';
import { CHECKSUM_PARTIAL } from '../../src/core/packet.ts';
import { sum16 } from '../../src/wire/checksum.ts';
import { formatIcmp6, parseIcmp6 } from '../../src/wire/icmp6.ts';
import { pseudoHeaderSum } from '../../src/wire/pseudo-header.ts';
import { ACK, emitTcp, PSH, setTcpChecksum, TCP_CHECKSUM, tcpFlags, tcpSeq } from '../../src/wire/tcp.ts';
import { frame6, ipv6 } from './craft6.ts';
import {
  advance,
  discoveries,
  introduce6,
  ip,
  ManualEnv,
  OPTIONS,
  packets6,
  pair6,
  QUIET,
  settle,
  TestHost,
  TestLink,
  viewOf,
} from './harness.ts';

/** A router: fd00::1/64 on eth0 (MTU 1500), fd02::1/64 on eth1 (MTU 1400), all neighbours known. */
function router(sysctl = {}): { host: TestHost; links: [TestLink, TestLink] } {
  const host = new TestHost(new ManualEnv(), 'r', { ...QUIET, forwarding: true, ...sysctl });
  const links: [TestLink, TestLink] = [new TestLink({ mac: 1 }), new TestLink({ mac: 3, mtu: 1400 })];
  const eth0 = host.attach(links[0], 'fd00::1/64');
  const eth1 = host.attach(links[1], 'fd02::1/64');
  for (const [netif, address] of [
    [eth0, 'fd00::2'],
    [eth0, 'fd00::7'],
    [eth0, 'fe80::2%2'],
    [eth1, 'fd02::2'],
  ] as const) {
    const neighbor = host.ip.ipv6.neighbors.get(netif, ip(address));
    if (typeof neighbor !== 'number') neighbor.pin(0x0200, 2);
  }
  advance(2_000_000, host);
  for (const link of links) link.frames.length = 0;
  return { host, links };
}

function pass(spec: Parameters<typeof ipv6>[0], sysctl = {}) {
  const { host, links } = router(sysctl);
  links[0].inject(frame6(ipv6({ destination: 'fd02::2', data: 'x', ...spec })));
  host.run();
  const errors = packets6(links[0]).flatMap(({ header, data }) => {
    const message = header.nextHeader === 58 ? parseIcmp6(viewOf(data), 0, data.length) : null;
    return message === null ? [] : [`${header.destination}: ${formatIcmp6(message)}`];
  });
  return { host, out: packets6(links[1]), errors };
}

test('a router hands packets on with one hop less', () => {
  const { out, errors } = pass({ hopLimit: 9, trafficClass: 0x2e, flowLabel: 0x12345 });
  assert.deepEqual(
    out.map(({ header }) => [
      header.hopLimit,
      header.trafficClass,
      header.flowLabel,
      `${header.destination}`,
    ]),
    [[8, 0x2e, 0x12345, 'fd02::2']],
  );
  assert.deepEqual(errors, []);
});

test('what it cannot hand on it reports: hop limit, no route, too big, beyond the scope', () => {
  assert.deepEqual(pass({ hopLimit: 1 }).errors, ['fd00::2: time exceeded in-transit']);
  for (const hopLimit of [1, 64])
    assert.deepEqual(pass({ destination: '2001:db8::1', hopLimit }).errors, [
      'fd00::2: destination unreachable',
    ]);
  assert.deepEqual(pass({ data: new Uint8Array(1361) }).errors, ['fd00::2: packet too big, mtu 1400']);
  assert.deepEqual(pass({ data: new Uint8Array(1360) }).out.length, 1);
  const scoped = pass({ source: 'fe80::2' });
  assert.deepEqual([scoped.errors, scoped.out.length], [['fe80::2: destination unreachable'], 0]);
});

test('what is not to be handed on is dropped without a word', () => {
  for (const spec of [{ destination: 'fe80::77' }, { source: '::1' }]) {
    const { out, errors } = pass(spec);
    assert.deepEqual([out.length, errors], [0, []], JSON.stringify(spec));
  }
  const host = pass({}, { forwarding: false });
  assert.deepEqual([host.out.length, host.host.host.mib.Ip6.InAddrErrors], [0, 1]);
});

test('who could have taken a shorter way is told so (RFC 4861 section 8.2)', () => {
  const { host, links } = router();
  links[0].inject(frame6(ipv6({ destination: 'fd00::7', data: 'x' })));
  host.run();
  const [redirect] = discoveries(links[0]);
  assert.equal(
    redirect,
    `${host.ip.netif('eth0')?.ipv6?.linkLocal?.withZone(0)} > fd00::2: redirect, fd00::7 to fd00::7`,
  );
  assert.equal(packets6(links[0]).filter(({ header }) => `${header.destination}` === 'fd00::7').length, 1);
});

test('flow labels: the same for a flow, others for others, none if not wanted', () => {
  const label = (port: number, sysctl = {}): number => {
    const hosts = pair6(sysctl);
    introduce6(hosts);
    hosts.a.send('fd00::2', Uint8Array.of(0, port, 0, 80, 0, 0, 0, 0), OPTIONS, 17);
    return packets6(hosts.linkA)[0]?.header.flowLabel ?? -1;
  };
  assert.notEqual(label(1), 0);
  assert.equal(label(1), label(1));
  assert.notEqual(label(1), label(2));
  assert.equal(label(1, { auto_flowlabels: false }), 0);
});

test('the hop limit is the link’s recommendation unless the sender asks for one', () => {
  const hosts = pair6();
  introduce6(hosts);
  const { a, linkA } = hosts;
  const netif = a.ip.netif('eth0');
  if (netif?.ipv6 != null) netif.ipv6.hopLimit = 33;
  a.send('fd00::2', 'x', { ...OPTIONS, ttl: -1 });
  a.send('fd00::2', 'x', { ...OPTIONS, ttl: 5 });
  assert.deepEqual(
    packets6(linkA).map(({ header }) => header.hopLimit),
    [33, 5],
  );
});

test('a path MTU that was learned holds for its destination, never under 1280, and for mtu_expires', () => {
  const { a, b } = pair6();
  const mtu = (): number => a.route('fd00::2').mtu;
  a.ip.learnPathMtu(ip('fd00::2'), 1400);
  assert.equal(mtu(), 1400);
  a.ip.learnPathMtu(ip('fd00::2'), 1279);
  assert.equal(mtu(), 1400, 'less than every link must take is not believed');
  a.ip.learnPathMtu(ip('fd00::2'), 1280);
  assert.equal(mtu(), 1280);
  assert.equal(a.route('fd00::3').mtu, 1500);
  assert.equal(a.send('fd00::2', new Uint8Array(1300), { ...OPTIONS, dontFragment: true }), -EMSGSIZE);
  advance(601_000_000, a, b);
  assert.equal(mtu(), 1500);
});

test('a super-segment is cut into segments that fit, each with its checksum', () => {
  const hosts = pair6();
  introduce6(hosts);
  const { a, linkA } = hosts;
  const route = a.route('fd00::2');
  const packet = a.host.pool.take(20 + 4000);
  assert.ok(packet !== null);
  packet.l4 = packet.start;
  packet.end = packet.l4 + 4020;
  emitTcp(packet.view, packet.l4, 1, 2, 1000, 1, 20, ACK | PSH, 100);
  for (let i = 20; i < 4020; i++) packet.bytes[packet.l4 + i] = i;
  packet.gsoSize = 1440;
  packet.checksumState = CHECKSUM_PARTIAL;
  packet.checksumOffset = TCP_CHECKSUM;
  setTcpChecksum(packet.view, packet.l4, 0);
  assert.equal(a.ip.send(packet, route, 6, { ...OPTIONS, dontFragment: true }), 0);
  const sent = packets6(linkA);
  assert.deepEqual(
    sent.map(({ header, data }) => [
      header.payloadLength,
      tcpSeq(viewOf(data), 0),
      tcpFlags(viewOf(data), 0),
    ]),
    [
      [1460, 1000, ACK],
      [1460, 2440, ACK],
      [1140, 3880, ACK | PSH],
    ],
  );
  for (const { header, data } of sent) {
    const initial = pseudoHeaderSum(header.source, header.destination, 6, data.length);
    assert.equal(sum16(data, 0, data.length, initial), 0xffff);
  }
});

test('to itself a host talks over lo, by ::1 or any address of its own', () => {
  const { a } = pair6();
  for (const address of ['::1', 'fd00::1']) {
    assert.equal(a.send(address, 'hello'), 0);
    settle(a);
  }
  assert.deepEqual(
    a.transport.received.map(({ src, dst }) => `${src} ${dst}`),
    ['::1 ::1', 'fd00::1 fd00::1'],
  );
  assert.equal(a.ip.route(ip('::'), null) === -1, false);
  const disabled = new TestHost(new ManualEnv(), 'n', { disable_ipv6: true });
  assert.equal(disabled.ip.route(ip('::1'), null), -99);
  assert.equal(disabled.attach(new TestLink()).addAddress(ip('fd00::1'), 64), -13);
});

test('a link-local destination needs its zone (RFC 4007)', () => {
  const { a } = pair6();
  assert.equal(a.ip.route(ip('fe80::2'), null), -22);
  const route = a.ip.route(ip('fe80::2%2'), null);
  assert.ok(typeof route !== 'number');
  assert.deepEqual([`${route.source}`, route.netif], ['fe80::ff:fe00:1%2', 2]);
  const asked = a.ip.route(ip('fe80::2'), null, 2);
  assert.ok(typeof asked !== 'number' && String(asked.destination) === 'fe80::2%2');
});
