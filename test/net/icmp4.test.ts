import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ECONNREFUSED, EHOSTUNREACH, EMSGSIZE, EPROTO } from '../../src/base/errno.ts';
import { emitIcmp4, ICMP4_ECHO } from '../../src/wire/icmp4.ts';
import { frame, type Ipv4Spec, icmp, ipv4 } from './craft.ts';
import { advance, introduce, ip, ManualEnv, pair, settle, TestHost, TestLink } from './harness.ts';

const SECOND = 1_000_000;

/** 10.0.0.1/24 with the neighbour 10.0.0.2 known for good. */
function station(sysctl = {}): { host: TestHost; link: TestLink } {
  const host = new TestHost(new ManualEnv(), 'a', sysctl);
  const link = new TestLink({ mac: 1 });
  const netif = host.attach(link, '10.0.0.1/24');
  for (const last of [2, 3]) {
    const neighbor = host.ip.neighbors.get(netif, ip(`10.0.0.${last}`));
    if (typeof neighbor !== 'number') neighbor.pin(0x0200, last);
  }
  return { host, link };
}

/** How many ICMP errors a packet of an unknown protocol brings. */
function errorsFor(spec: Ipv4Spec, toGroup = false): number {
  const { host, link } = station();
  const packet = ipv4({ protocol: 99, data: 'some data', ...spec });
  link.inject(toGroup ? frame(packet, 0xffff, -1) : frame(packet));
  host.run();
  host.ip.close();
  return host.host.mib.Icmp.OutMsgs;
}

test('no error about errors, later fragments, or what was for many or from nobody (RFC 1122 section 3.2.2)', () => {
  assert.equal(errorsFor({}), 1);
  assert.equal(errorsFor({ destination: '10.0.0.255' }, true), 0);
  assert.equal(errorsFor({ destination: '255.255.255.255' }, true), 0);
  assert.equal(errorsFor({ destination: '224.0.0.1' }, true), 0);
  assert.equal(errorsFor({ destination: '10.0.0.255', source: '0.0.0.0' }, true), 0);
  const { host } = station();
  const about = (spec: Ipv4Spec): number => {
    const bytes = ipv4(spec);
    const packet = host.host.pool.take(bytes.length);
    assert.ok(packet);
    packet.l3 = packet.start;
    packet.end = packet.start + bytes.length;
    packet.bytes.set(bytes, packet.start);
    const before = host.host.mib.Icmp.OutMsgs;
    host.ip.sendIcmpError(packet, 3, 3);
    packet.release();
    return host.host.mib.Icmp.OutMsgs - before;
  };
  const quoted = ipv4({ source: '10.0.0.1', destination: '10.0.0.2', data: '12345678' });
  assert.equal(about({ protocol: 17, data: 'datagram' }), 1);
  assert.equal(about({ protocol: 17, data: 'datagram', fragmentOffset: 800 }), 0);
  assert.equal(about({ protocol: 17, data: 'datagram', mf: true }), 1);
  for (const type of [3, 4, 5, 11, 12])
    assert.equal(about({ protocol: 1, data: icmp(type, 0, 0, quoted) }), 0);
  assert.equal(about({ protocol: 1, data: icmp(8, 0, 0, quoted) }), 1);
  assert.equal(about({ protocol: 1 }), 0);
});

test('an error quotes no more than fits 576 bytes', () => {
  const { host, link } = station();
  link.inject(frame(ipv4({ protocol: 99, data: new Uint8Array(1400).fill(7) })));
  host.run();
  assert.equal(link.packets()[0]?.header.totalLength, 576);
});

test('errors to one target are limited to one a second after a burst of six', () => {
  const { host, link } = station();
  const errors = (source: string, count: number): number => {
    const before = host.host.mib.Icmp.OutMsgs;
    for (let i = 0; i < count; i++) link.inject(frame(ipv4({ source, protocol: 99 })));
    host.run();
    return host.host.mib.Icmp.OutMsgs - before;
  };
  assert.equal(errors('10.0.0.2', 20), 6);
  assert.equal(errors('10.0.0.3', 2), 2, 'another target is not affected');
  assert.equal(host.host.mib.Icmp.OutRateLimitHost, 14);
  advance(1.5 * SECOND, host);
  assert.equal(errors('10.0.0.2', 20), 1);
  advance(60 * SECOND, host);
  assert.equal(errors('10.0.0.2', 20), 6);
});

test('errors to all targets together are limited', () => {
  const { host, link } = station({ icmp_msgs_per_sec: 10, icmp_msgs_burst: 5, gc_thresh3: 1000 });
  const errors = (count: number): number => {
    const before = host.host.mib.Icmp.OutMsgs;
    for (let i = 0; i < count; i++) link.inject(frame(ipv4({ source: `10.0.0.${i + 50}`, protocol: 99 })));
    host.run();
    return host.host.mib.Icmp.OutMsgs - before;
  };
  assert.equal(errors(20), 5);
  assert.equal(host.host.mib.Icmp.OutRateLimitGlobal, 15);
  advance(0.31 * SECOND, host);
  assert.equal(errors(20), 3);
  host.ip.close();
  assert.equal(host.host.pool.inUse, 0);
});

test('echo replies are not limited', () => {
  const { host, link } = station();
  for (let i = 0; i < 100; i++)
    link.inject(frame(ipv4({ protocol: 1, data: icmp(8, 0, i, new Uint8Array(8)) })));
  host.run();
  assert.equal(host.host.mib.Icmp.OutEchoReps, 100);
});

/** What the transport hears of an ICMP message about the packet `quoted`. */
function heard(type: number, code: number, rest: number, spec: Ipv4Spec = {}, cut = 1000) {
  const { host, link } = station();
  const quoted = ipv4({ source: '10.0.0.1', destination: '192.0.2.9', data: 'abcdefgh12345', ...spec });
  const data = icmp(type, code, rest, quoted.slice(0, cut));
  link.inject(frame(ipv4({ source: '10.0.0.3', protocol: 1, data })));
  host.run();
  assert.equal(host.host.pool.inUse, 0);
  return { errors: host.transport.errors, mib: host.host.mib };
}

test('errors about our packets reach the transport with their errno', () => {
  const base = { src: '10.0.0.1', dst: '192.0.2.9', quoted: 'abcdefgh', mtu: 0 };
  assert.deepEqual(heard(3, 3, 0).errors, [{ ...base, errno: ECONNREFUSED, fatal: true }]);
  assert.deepEqual(heard(3, 1, 0).errors, [{ ...base, errno: EHOSTUNREACH, fatal: false }]);
  assert.deepEqual(heard(3, 13, 0).errors, [{ ...base, errno: EHOSTUNREACH, fatal: true }]);
  assert.deepEqual(heard(11, 0, 0).errors, [{ ...base, errno: EHOSTUNREACH, fatal: false }]);
  assert.deepEqual(heard(12, 0, 0).errors, [{ ...base, errno: EPROTO, fatal: true }]);
  assert.deepEqual(heard(3, 4, 1280).errors, [{ ...base, errno: EMSGSIZE, fatal: false, mtu: 1280 }]);
  assert.deepEqual(heard(3, 16, 0).errors, []);
  assert.deepEqual(heard(4, 0, 0).errors, []);
  assert.deepEqual(heard(5, 0, 0).errors, []);
});

test('an old router’s "too big" without a number means the next plateau of RFC 1191', () => {
  assert.equal(heard(3, 4, 0, { data: new Uint8Array(1480) }, 28).errors[0]?.mtu, 1492);
  assert.equal(heard(3, 4, 0, { data: new Uint8Array(1400) }, 28).errors[0]?.mtu, 1006);
});

test('errors that quote too little, somebody else’s packet, or a later fragment are not believed', () => {
  assert.deepEqual(heard(3, 3, 0, { source: '10.0.0.77' }).errors, []);
  assert.deepEqual(heard(3, 3, 0, { destination: '10.0.0.255' }).errors, []);
  assert.deepEqual(heard(3, 3, 0, { fragmentOffset: 8 }).errors, []);
  const short = heard(3, 3, 0, {}, 27);
  assert.deepEqual(short.errors, []);
  assert.equal(short.mib.Icmp.InErrors, 1);
  assert.equal(heard(3, 3, 0, {}, 28).errors.length, 1);
  assert.equal(heard(3, 3, 0, {}, 10).mib.Icmp.InErrors, 1);
});

/** Sends an echo request with this many bytes of data, as a ping socket does. */
function echo(host: TestHost, destination: string, dataLength: number): number {
  const packet = host.host.pool.take(8 + dataLength);
  assert.ok(packet);
  packet.l4 = packet.start;
  packet.end = packet.l4 + 8 + dataLength;
  packet.bytes.fill(0, packet.l4, packet.end);
  emitIcmp4(packet.view, packet.l4, ICMP4_ECHO, 0, 7 << 16);
  return host.ip.sendIcmp(packet, host.route(destination), { ttl: 64, tos: 0, dontFragment: false });
}

test('whoever pings hears replies and errors', () => {
  const world = pair();
  introduce(world);
  const { a, b } = world;
  const replies: string[] = [];
  const errors: { errno: number; type: number; code: number; offender: string }[] = [];
  a.ip.ping = {
    reply: packet => {
      replies.push(`${packet.src} ${packet.end - packet.l4}`);
      packet.release();
    },
    error: ({ errno, type, code, offender }) =>
      errors.push({ errno, type, code, offender: String(offender) }),
  };
  assert.equal(echo(a, '10.0.0.2', 56), 0);
  settle(a, b);
  assert.deepEqual(replies, ['10.0.0.2 64']);
  world.linkA.lose = () => true;
  echo(a, '10.0.0.9', 56);
  advance(4 * SECOND, a, b);
  assert.deepEqual(errors, [{ errno: EHOSTUNREACH, type: 3, code: 1, offender: '10.0.0.1' }]);
  assert.equal(a.host.mib.Icmp.OutEchos, 2);
});

test('a reply that nobody waits for is dropped', () => {
  const world = pair();
  introduce(world);
  const { a, b } = world;
  echo(a, '10.0.0.2', 56);
  settle(a, b);
  assert.equal(a.host.mib.Icmp.InEchoReps, 1);
  assert.equal(a.host.pool.inUse, 0);
});

test('a ping larger than the MTU goes and comes in fragments', () => {
  const world = pair();
  introduce(world);
  const { a, b } = world;
  let length = 0;
  a.ip.ping = {
    reply: packet => {
      length = packet.end - packet.l4;
      packet.release();
    },
    error: () => assert.fail(),
  };
  assert.equal(echo(a, '10.0.0.2', 9000), 0);
  settle(a, b);
  assert.equal(length, 9008);
});
