import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EHOSTUNREACH, EMSGSIZE, ENETUNREACH } from '../../src/base/errno.ts';
import {
  advance,
  ip,
  ManualEnv,
  OPTIONS,
  settle,
  TestHost,
  TestLink,
  type TestLinkOptions,
  text,
} from './harness.ts';

/** a 10.0.1.1 -- 10.0.1.254 r 10.0.2.254 -- 10.0.2.2 b */
function world(second: TestLinkOptions = {}, sysctl = {}) {
  const env = new ManualEnv();
  const a = new TestHost(env, 'a');
  const r = new TestHost(env, 'r', { ip_forward: true, ...sysctl });
  const b = new TestHost(env, 'b');
  const links = [1, 2, 3, 4].map(mac => new TestLink(mac > 2 ? { ...second, mac } : { mac })) as [
    TestLink,
    TestLink,
    TestLink,
    TestLink,
  ];
  for (const [i, j] of [
    [0, 1],
    [2, 3],
  ] as const) {
    links[i].peer = links[j];
    links[j].peer = links[i];
  }
  a.attach(links[0], '10.0.1.1/24');
  r.attach(links[1], '10.0.1.254/24');
  r.attach(links[2], '10.0.2.254/24');
  b.attach(links[3], '10.0.2.2/24');
  a.ip.routes.addDefault(ip('10.0.1.254'));
  b.ip.routes.addDefault(ip('10.0.2.254'));
  return { a, r, b, links, settle: () => settle(a, r, b), advance: (us: number) => advance(us, a, r, b) };
}

test('a router hands packets on with one hop less and a right checksum', () => {
  const { a, r, b, links, settle: run } = world();
  a.send('10.0.2.2', 'through');
  run();
  assert.deepEqual(b.transport.received, [{ src: '10.0.1.1', dst: '10.0.2.2', data: 'through', length: 7 }]);
  const [sent] = links[2].packets();
  assert.equal(sent?.header.ttl, 63);
  assert.ok(sent?.header.checksumOk);
  assert.equal(r.host.mib.Ip.ForwDatagrams, 1);
  assert.equal(r.host.mib.Ip.OutRequests, 0);
  assert.equal(a.host.pool.inUse + r.host.pool.inUse + b.host.pool.inUse, 0);
});

test('at the last hop the sender is told that the time is exceeded', () => {
  const { a, r, b, settle: run } = world();
  a.send('10.0.2.2', 'too far!', { ...OPTIONS, ttl: 1 });
  run();
  assert.equal(b.transport.received.length, 0);
  assert.equal(a.transport.errors[0]?.errno, EHOSTUNREACH);
  assert.equal(a.transport.errors[0]?.quoted, 'too far!');
  assert.equal(r.host.mib.Icmp.OutTimeExcds, 1);
  assert.deepEqual(r.drops(), ['TTL_EXPIRED']);
});

test('without a route the sender is told, also at the last hop', () => {
  const { a, r, settle: run } = world();
  a.send('192.0.2.1', 'nowhere to go');
  a.send('192.0.2.1', 'nor farther', { ...OPTIONS, ttl: 1 });
  run();
  assert.deepEqual(
    a.transport.errors.map(({ errno }) => errno),
    [ENETUNREACH, ENETUNREACH],
  );
  assert.equal(r.host.mib.IpExt.InNoRoutes, 2);
});

test('when the next hop does not answer the sender is told', () => {
  const { a, r, settle: run, advance: wait } = world();
  a.send('10.0.2.77', 'nobody there');
  run();
  wait(5_000_000);
  assert.equal(a.transport.errors[0]?.errno, EHOSTUNREACH);
  assert.equal(a.transport.errors[0]?.quoted, 'nobody t');
  assert.equal(r.host.pool.inUse, 0);
});

test('a packet too big for the next link: DF brings its MTU, else it is cut', () => {
  const { a, b, r, links, settle: run } = world({ mtu: 600 });
  const data = Uint8Array.from({ length: 1400 }, (_, i) => i & 0xff);
  a.send('10.0.2.2', data, { ...OPTIONS, dontFragment: true });
  run();
  assert.equal(a.transport.errors[0]?.errno, EMSGSIZE);
  assert.equal(a.transport.errors[0]?.mtu, 600);
  assert.equal(r.host.mib.Ip.FragFails, 1);
  a.send('10.0.2.2', data);
  run();
  assert.equal(links[2].packets().length, 3);
  assert.equal(b.transport.received[0]?.data, text(data));
});

test('a fragment that must be cut again keeps its place in the whole', () => {
  const { a, b, links, settle: run } = world({ mtu: 600 });
  const data = Uint8Array.from({ length: 5000 }, (_, i) => (i * 13) & 0xff);
  a.send('10.0.2.2', data);
  run();
  assert.ok(links[2].packets().length > links[0].packets().length);
  assert.equal(b.transport.received[0]?.data, text(data));
});

test('path MTU discovery: the error, believed, makes the next packet fit', () => {
  const { a, b, settle: run } = world({ mtu: 600 });
  a.send('10.0.2.2', new Uint8Array(1400), { ...OPTIONS, dontFragment: true });
  run();
  a.ip.learnPathMtu(ip('10.0.2.2'), a.transport.errors[0]?.mtu as number);
  assert.equal(a.route('10.0.2.2').mtu, 600);
  assert.equal(a.send('10.0.2.2', new Uint8Array(581), { ...OPTIONS, dontFragment: true }), -EMSGSIZE);
  assert.equal(a.send('10.0.2.2', new Uint8Array(580), { ...OPTIONS, dontFragment: true }), 0);
  run();
  assert.equal(b.transport.received.length, 1);
});

test('a packet without room in front is forwarded all the same', () => {
  const { a, r, b, links, settle: run } = world();
  a.send('10.0.2.2', 'first');
  run();
  const frame = links[0].frames.at(-1) as Uint8Array;
  const packet = r.host.pool.take(frame.length);
  assert.ok(packet);
  packet.start = 0;
  packet.end = frame.length;
  packet.bytes.set(frame, 0);
  r.ip.netif('eth0')?.receive(packet);
  r.ip.netif('eth1')!.vlan = 9;
  run();
  assert.equal(r.host.mib.Ip.ForwDatagrams, 2);
  assert.deepEqual([...(links[2].frames.at(-1) as Uint8Array).slice(12, 18)], [0x81, 0, 0, 9, 8, 0]);
  assert.equal(b.transport.received.length, 1);
  assert.equal(r.host.pool.inUse, 0);
});

test('broadcasts of a subnet are not forwarded', () => {
  const { a, r, b, settle: run } = world();
  a.send('10.0.2.255', 'to the other subnet');
  run();
  assert.equal(b.transport.received.length, 0);
  assert.equal(r.transport.received.length, 1, 'a router is in that subnet itself');
});
