import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EMSGSIZE, ENOBUFS } from '../../src/base/errno.ts';
import { CHECKSUM_PARTIAL } from '../../src/core/packet.ts';
import { introduce, ip, ManualEnv, OPTIONS, pair, settle, TestHost, TestLink, text } from './harness.ts';

/** `length` bytes, each different from its neighbours. */
function pattern(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 7 + (i >> 8)) & 0xff);
}

test('what is sent has a right header', () => {
  const world = pair();
  introduce(world);
  world.a.send('10.0.0.2', 'hello', { ttl: 7, tos: 0x28, dontFragment: true });
  const [sent] = world.linkA.packets();
  const { checksum: _, id: __, source, destination, ...header } = sent?.header ?? assert.fail();
  assert.equal(`${source} > ${destination}`, '10.0.0.1 > 10.0.0.2');
  assert.deepEqual(header, {
    headerLength: 20,
    tos: 0x28,
    totalLength: 25,
    dontFragment: true,
    moreFragments: false,
    fragmentOffset: 0,
    ttl: 7,
    protocol: 253,
    checksumOk: true,
  });
  assert.deepEqual([...(sent?.ethernet?.destination ?? [])], [2, 0, 0, 0, 0, 2]);
  assert.deepEqual([...(sent?.ethernet?.source ?? [])], [2, 0, 0, 0, 0, 1]);
});

test('ids to one destination count up', () => {
  const world = pair();
  introduce(world);
  for (let i = 0; i < 3; i++) world.a.send('10.0.0.2', 'x');
  const ids = world.linkA.packets().map(({ header }) => header.id);
  assert.equal(((ids[1] as number) - (ids[0] as number)) & 0xffff, 1);
  assert.equal(((ids[2] as number) - (ids[1] as number)) & 0xffff, 1);
});

test('a packet to ourselves goes by lo and comes back', () => {
  const { a } = pair();
  a.send('10.0.0.1', 'me');
  a.send('127.0.0.1', 'myself');
  settle(a);
  assert.deepEqual(
    a.transport.received.map(({ src, dst, data }) => `${src} ${dst} ${data}`),
    ['10.0.0.1 10.0.0.1 me', '127.0.0.1 127.0.0.1 myself'],
  );
  assert.equal(a.lo.frames.length, 2);
  assert.equal(a.host.pool.inUse, 0);
});

test('a broadcast goes to all, ourselves included', () => {
  const { a, b, linkA } = pair();
  a.send('10.0.0.255', 'everyone');
  settle(a, b);
  assert.equal(a.transport.received[0]?.data, 'everyone');
  assert.equal(b.transport.received[0]?.data, 'everyone');
  assert.deepEqual([...(linkA.frames[0] as Uint8Array).slice(0, 6)], [255, 255, 255, 255, 255, 255]);
  assert.equal(a.host.mib.IpExt.OutBcastPkts, 1);
  assert.equal(a.host.pool.inUse, 0);
});

test('a multicast goes to the group’s MAC address', () => {
  const { a, linkA } = pair();
  a.send('239.129.2.3', 'group');
  assert.deepEqual([...(linkA.frames[0] as Uint8Array).slice(0, 6)], [1, 0, 0x5e, 1, 2, 3]);
  assert.equal(a.transport.received.length, 0);
});

test('a datagram too big for the link is cut into fragments and put together again', () => {
  const world = pair();
  introduce(world);
  const { a, b, linkA } = world;
  const data = pattern(4000);
  assert.equal(a.send('10.0.0.2', data), 0);
  settle(a, b);
  const packets = linkA.packets();
  assert.deepEqual(
    packets.map(({ header }) => [header.fragmentOffset, header.moreFragments, header.totalLength]),
    [
      [0, true, 1500],
      [1480, true, 1500],
      [2960, false, 1060],
    ],
  );
  assert.ok(packets.every(({ header }) => header.checksumOk && header.id === packets[0]?.header.id));
  assert.equal(b.transport.received[0]?.data, text(data));
  const { Ip } = a.host.mib;
  assert.deepEqual([Ip.OutRequests, Ip.FragOKs, Ip.FragCreates, Ip.FragFails], [2, 1, 3, 0]);
  const theirs = b.host.mib.Ip;
  assert.deepEqual([theirs.ReasmReqds, theirs.ReasmOKs, theirs.ReasmFails], [3, 1, 0]);
  assert.equal(a.host.pool.inUse + b.host.pool.inUse, 0);
});

test('the largest datagram there is survives fragmentation', () => {
  const world = pair();
  introduce(world);
  const data = pattern(65515);
  assert.equal(world.a.send('10.0.0.2', data), 0);
  settle(world.a, world.b);
  assert.equal(world.b.transport.received[0]?.data, text(data));
  assert.equal(world.a.send('10.0.0.2', pattern(65516)), -EMSGSIZE);
});

test('with DF a datagram that is too big is refused', () => {
  const world = pair();
  introduce(world);
  assert.equal(world.a.send('10.0.0.2', pattern(1481), { ...OPTIONS, dontFragment: true }), -EMSGSIZE);
  assert.equal(world.a.send('10.0.0.2', pattern(1480), { ...OPTIONS, dontFragment: true }), 0);
  assert.equal(world.linkA.frames.length, 1);
  assert.equal(world.a.host.pool.inUse, 0);
});

test('fragments follow a smaller path MTU', () => {
  const world = pair();
  introduce(world);
  world.a.ip.learnPathMtu(ip('10.0.0.2'), 600);
  world.a.send('10.0.0.2', pattern(1000));
  assert.deepEqual(
    world.linkA.packets().map(({ header }) => header.totalLength),
    [596, 444],
  );
});

test('an open checksum is completed before the cut', () => {
  const world = pair();
  introduce(world);
  const { a, linkA } = world;
  const packet = a.host.pool.take(2000);
  assert.ok(packet);
  packet.l4 = packet.start;
  packet.end = packet.l4 + 2000;
  packet.bytes.fill(0, packet.l4, packet.end);
  packet.bytes[packet.end - 1] = 5;
  packet.checksumState = CHECKSUM_PARTIAL;
  packet.checksumOffset = 6;
  packet.view.setUint16(packet.l4 + 6, 0x1111);
  a.ip.send(packet, a.route('10.0.0.2'), 253, OPTIONS);
  const [first] = linkA.packets();
  assert.equal(((first?.data[6] as number) << 8) | (first?.data[7] as number), ~(0x1111 + 5) & 0xffff);
});

test('while the link is busy packets queue, up to ethertype_txqueuelen', () => {
  const world = pair({ ethertype_txqueuelen: 2 });
  introduce(world);
  const { a, linkA } = world;
  linkA.busy = true;
  assert.equal(a.send('10.0.0.2', 'one'), 0);
  assert.equal(a.send('10.0.0.2', 'two'), 0);
  assert.equal(a.send('10.0.0.2', 'three'), -ENOBUFS);
  assert.deepEqual(a.drops(), ['FULL_RING']);
  assert.equal(a.ip.netif('eth0')?.egress.length, 2);
  linkA.free();
  assert.deepEqual(
    linkA.packets().map(({ data }) => text(data)),
    ['one', 'two'],
  );
  assert.equal(a.host.pool.inUse, 0);
  const outgoing = a.log.events.filter(event => event.type === 'packet' && event.direction === 'out');
  assert.equal(outgoing.length, 2, 'each packet is seen once');
  const queue = a.log.events.flatMap(event =>
    event.type === 'queue' && event.queue === 'egress' ? [event.length] : [],
  );
  assert.deepEqual(queue, [1, 2, 0]);
});

test('a link that is busy again in the middle keeps the order', () => {
  const world = pair();
  introduce(world);
  const { a, linkA } = world;
  linkA.busy = true;
  for (const data of ['one', 'two', 'three']) a.send('10.0.0.2', data);
  const send = linkA.send.bind(linkA);
  let room = 2;
  linkA.send = packet => (room-- > 0 ? send(packet) : false);
  linkA.free();
  assert.equal(linkA.packets().length, 2);
  room = 9;
  a.send('10.0.0.2', 'four');
  linkA.free();
  assert.deepEqual(
    linkA.packets().map(({ data }) => text(data)),
    ['one', 'two', 'three', 'four'],
  );
});

test('an interface that is down refuses', () => {
  const world = pair();
  introduce(world);
  const route = world.a.route('10.0.0.2');
  const netif = world.a.ip.netif('eth0');
  assert.ok(netif);
  netif.up = false;
  const packet = world.a.host.pool.take(10);
  assert.ok(packet);
  packet.l4 = packet.start;
  packet.end = packet.l4 + 10;
  world.a.ip.send(packet, route, 253, OPTIONS);
  world.linkA.inject(new Uint8Array(60));
  world.a.run();
  assert.equal(world.linkA.frames.length, 0);
  world.a.ip.close();
  assert.equal(world.a.host.pool.inUse, 0);
});

test('on a bare IP link there are no neighbours and no link headers', () => {
  const env = new ManualEnv();
  const a = new TestHost(env, 'a');
  const b = new TestHost(env, 'b');
  const linkA = new TestLink({ medium: 'ip' });
  const linkB = new TestLink({ medium: 'ip' });
  linkA.peer = linkB;
  linkB.peer = linkA;
  a.attach(linkA, '10.0.0.1/24');
  b.attach(linkB, '10.0.0.2/24');
  a.send('10.0.0.2', 'tunnel');
  settle(a, b);
  assert.equal(b.transport.received[0]?.data, 'tunnel');
  assert.equal(linkA.frames[0]?.[0], 0x45);
  assert.equal(a.ip.neighbors.size, 0);
});

test('packets in and out are traced with their interface', () => {
  const world = pair();
  introduce(world);
  world.a.send('10.0.0.2', 'x');
  settle(world.a, world.b);
  const packets = [...world.a.log.events, ...world.b.log.events].filter(event => event.type === 'packet');
  assert.deepEqual(
    packets.map(({ host, netif, direction, medium, length }) => ({ host, netif, direction, medium, length })),
    [
      { host: 'a', netif: 'eth0', direction: 'out', medium: 'ethernet', length: 35 },
      { host: 'b', netif: 'eth0', direction: 'in', medium: 'ethernet', length: 35 },
    ],
  );
  assert.equal(packets[0]?.data, packets[1]?.data);
});
