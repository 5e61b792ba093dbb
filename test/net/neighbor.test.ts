import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EHOSTUNREACH, ENOBUFS } from '../../src/base/errno.ts';
import { advance, introduce, ip, ManualEnv, pair, settle, TestHost, TestLink } from './harness.ts';

const SECOND = 1_000_000;

function neighborOf(host: TestHost, address: string) {
  const netif = host.ip.netif('eth0');
  assert.ok(netif !== null);
  return host.ip.neighbors.find(netif, ip(address));
}

/** A host alone on its link: nobody answers. */
function alone(sysctl = {}): { host: TestHost; link: TestLink } {
  const host = new TestHost(new ManualEnv(), 'a', sysctl);
  const link = new TestLink();
  host.attach(link, '10.0.0.1/24');
  return { host, link };
}

test('the first packet waits for the answer to one broadcast question', () => {
  const { a, b, linkA } = pair();
  assert.equal(a.send('10.0.0.2', 'one'), 0);
  assert.equal(a.send('10.0.0.2', 'two'), 0);
  assert.equal(linkA.packets().length, 0);
  assert.equal(neighborOf(a, '10.0.0.2')?.state, 'INCOMPLETE');
  assert.equal(neighborOf(a, '10.0.0.2')?.queued, 2);
  settle(a, b);
  assert.deepEqual(
    b.transport.received.map(({ data }) => data),
    ['one', 'two'],
  );
  assert.equal(linkA.arps().length, 1);
  assert.equal(neighborOf(a, '10.0.0.2')?.state, 'REACHABLE');
  assert.equal(neighborOf(a, '10.0.0.2')?.mac, '02:00:00:00:00:02');
  assert.deepEqual(a.neighborChanges(), ['NONE>INCOMPLETE', 'INCOMPLETE>REACHABLE']);
});

test('who asks is learned as STALE', () => {
  const { a, b } = pair();
  a.send('10.0.0.2', 'one');
  settle(a, b);
  assert.equal(neighborOf(b, '10.0.0.1')?.state, 'STALE');
  assert.equal(neighborOf(b, '10.0.0.1')?.mac, '02:00:00:00:00:01');
});

test('nobody answers: three questions a second apart, then FAILED and EHOSTUNREACH for each packet', () => {
  const { host, link } = alone();
  host.send('10.0.0.9', 'lost one');
  host.send('10.0.0.9', 'lost two');
  advance(2.9 * SECOND, host);
  assert.equal(link.arps().length, 3);
  assert.equal(host.transport.errors.length, 0);
  advance(0.2 * SECOND, host);
  assert.equal(neighborOf(host, '10.0.0.9')?.state, 'FAILED');
  assert.equal(link.arps().length, 3);
  const error = { errno: EHOSTUNREACH, fatal: false, mtu: 0, src: '10.0.0.1', dst: '10.0.0.9' };
  assert.deepEqual(host.transport.errors, [
    { ...error, quoted: 'lost one' },
    { ...error, quoted: 'lost two' },
  ]);
  assert.equal(host.host.pool.inUse, 0);
  assert.equal(host.host.timers.size, 0);
});

test('a FAILED neighbour is asked again when the next packet comes', () => {
  const { host, link } = alone();
  host.send('10.0.0.9', 'one');
  advance(10 * SECOND, host);
  host.send('10.0.0.9', 'two');
  assert.equal(neighborOf(host, '10.0.0.9')?.state, 'INCOMPLETE');
  assert.equal(link.arps().length, 4);
  host.ip.close();
});

test('a sender that tries again when told of the failure starts a new resolution, not an endless loop', () => {
  const { host } = alone();
  host.transport.error = () => {
    host.send('10.0.0.9', 'again');
  };
  host.send('10.0.0.9', 'first');
  advance(3.5 * SECOND, host);
  assert.equal(neighborOf(host, '10.0.0.9')?.state, 'INCOMPLETE');
  assert.equal(neighborOf(host, '10.0.0.9')?.queued, 1);
  host.ip.close();
  assert.equal(host.host.pool.inUse, 0);
});

test('the queue of a neighbour is bounded: the oldest packet goes', () => {
  const { a, b } = pair({ unres_qlen: 3 });
  for (const data of ['one', 'two', 'three', 'four', 'five']) a.send('10.0.0.2', data);
  assert.equal(neighborOf(a, '10.0.0.2')?.queued, 3);
  assert.deepEqual(a.drops(), ['NEIGH_QUEUEFULL', 'NEIGH_QUEUEFULL']);
  settle(a, b);
  assert.deepEqual(
    b.transport.received.map(({ data }) => data),
    ['three', 'four', 'five'],
  );
});

test('REACHABLE ends after 0.5 to 1.5 of base_reachable_time without confirmation', () => {
  const endings = new Set<number>();
  for (let seed = 0; seed < 8; seed++) {
    const world = pair();
    world.a.host.randomBytes(4 * seed);
    introduce(world);
    const neighbor = neighborOf(world.a, '10.0.0.2');
    assert.ok(neighbor);
    const seconds = (world.a.host.timers.dueOf(neighbor) - world.env.timeUs) / SECOND;
    assert.ok(seconds >= 15 && seconds <= 45, `${seconds} s`);
    endings.add(Math.round(seconds));
    advance(46 * SECOND, world.a, world.b);
    assert.equal(neighbor.state, 'STALE');
    world.a.ip.close();
  }
  assert.ok(endings.size > 2, 'the time is random');
});

test('a used STALE neighbour gets packets at once, is DELAYed, probed by unicast, and REACHABLE again', () => {
  const world = pair();
  introduce(world);
  const { a, b, linkA } = world;
  advance(60 * SECOND, a, b);
  const neighbor = neighborOf(a, '10.0.0.2');
  assert.equal(neighbor?.state, 'STALE');
  a.send('10.0.0.2', 'data');
  assert.equal(neighbor?.state, 'DELAY');
  assert.equal(linkA.packets().length, 1);
  advance(4.9 * SECOND, a, b);
  assert.equal(linkA.arps().length, 0);
  advance(0.2 * SECOND, a, b);
  assert.deepEqual(a.neighborChanges(), ['REACHABLE>STALE', 'STALE>DELAY', 'DELAY>PROBE', 'PROBE>REACHABLE']);
  const probe = linkA.frames.find(frame => frame[12] === 8 && frame[13] === 6);
  assert.deepEqual([...(probe as Uint8Array).slice(0, 6)], [2, 0, 0, 0, 0, 2]);
});

test('a neighbour that went away is probed three times while packets still go out, then FAILED', () => {
  const world = pair();
  introduce(world);
  const { a, b, linkA } = world;
  advance(60 * SECOND, a, b);
  linkA.lose = () => true;
  a.send('10.0.0.2', 'one');
  advance(5.5 * SECOND, a, b);
  assert.equal(neighborOf(a, '10.0.0.2')?.state, 'PROBE');
  a.send('10.0.0.2', 'two');
  assert.equal(linkA.packets().length, 2);
  advance(3 * SECOND, a, b);
  assert.equal(neighborOf(a, '10.0.0.2')?.state, 'FAILED');
  assert.equal(linkA.arps().length, 3);
});

test("a transport's confirmation replaces the probe", () => {
  const world = pair();
  introduce(world);
  const { a, b, linkA } = world;
  const route = a.route('10.0.0.2');
  advance(60 * SECOND, a, b);
  a.send('10.0.0.2', 'data');
  assert.equal(neighborOf(a, '10.0.0.2')?.state, 'DELAY');
  a.ip.neighborConfirm(route);
  assert.equal(neighborOf(a, '10.0.0.2')?.state, 'REACHABLE');
  for (let i = 0; i < 20; i++) {
    advance(10 * SECOND, a, b);
    a.send('10.0.0.2', 'data');
    a.ip.neighborConfirm(route);
  }
  assert.equal(linkA.arps().length, 0, 'confirmed all the time, never asked');
});

test('a neighbour in use when its time is over goes to DELAY, an unused one to STALE', () => {
  const world = pair();
  introduce(world);
  const { a, b } = world;
  const neighbor = neighborOf(a, '10.0.0.2');
  assert.ok(neighbor);
  advance(a.host.timers.dueOf(neighbor) - world.env.timeUs - SECOND, a, b);
  a.send('10.0.0.2', 'just before');
  advance(1.5 * SECOND, a, b);
  assert.equal(neighbor.state, 'DELAY');
});

test('a permanent entry needs no question and is not overwritten', () => {
  const { host, link } = alone();
  const netif = host.ip.netif('eth0');
  assert.ok(netif);
  const neighbor = host.ip.neighbors.get(netif, ip('10.0.0.9'));
  assert.ok(typeof neighbor !== 'number');
  neighbor.pin(0x0200, 9);
  host.send('10.0.0.9', 'data');
  assert.equal(link.arps().length, 0);
  assert.equal(link.packets().length, 1);
  neighbor.learn(0x0200, 7, true);
  assert.equal(neighbor.mac, '02:00:00:00:00:09');
});

test('above gc_thresh3 the entry unused for longest goes; entries being resolved stay', () => {
  const { host } = alone({ gc_thresh3: 3, mcast_solicit: 1 });
  for (const last of [11, 12, 13]) host.send(`10.0.0.${last}`, 'x');
  assert.equal(host.send('10.0.0.14', 'x'), -ENOBUFS);
  assert.equal(host.host.mib.Ip.OutDiscards, 1);
  advance(2 * SECOND, host);
  host.send('10.0.0.11', 'x');
  assert.equal(host.send('10.0.0.14', 'x'), 0);
  const addresses = host.ip.neighbors.list().map(({ address }) => address.toString());
  assert.deepEqual(addresses.sort(), ['10.0.0.11', '10.0.0.13', '10.0.0.14']);
  host.ip.close();
  assert.equal(host.host.pool.inUse, 0);
});

test('a route keeps working after its neighbour was collected', () => {
  const world = pair({ gc_thresh3: 1 });
  const { a, b } = world;
  const route = a.route('10.0.0.2');
  introduce(world);
  const netif = a.ip.netif('eth0');
  assert.ok(netif);
  assert.equal(a.ip.neighbors.get(netif, ip('10.0.0.77')), -ENOBUFS, 'it is in use');
  advance(6 * SECOND, a, b);
  a.ip.neighbors.get(netif, ip('10.0.0.77'));
  assert.equal(neighborOf(a, '10.0.0.2'), null);
  assert.equal(a.route('10.0.0.2'), route);
  a.ip.neighbors.flush(netif, true);
  a.send('10.0.0.2', 'again');
  settle(a, b);
  assert.deepEqual(
    b.transport.received.map(({ data }) => data),
    ['again'],
  );
});

test('pulling the cable forgets the neighbours and drops what waits for them', () => {
  const { host, link } = alone();
  host.send('10.0.0.9', 'waiting');
  link.port?.carrier(false);
  assert.equal(host.ip.neighbors.size, 0);
  assert.equal(host.host.pool.inUse, 0);
  assert.equal(host.host.timers.size, 0);
  assert.equal(host.send('10.0.0.9', 'more'), 0, 'a host does not notice by sending');
  host.ip.close();
});
