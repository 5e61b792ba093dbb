import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EAGAIN, EHOSTUNREACH, EMSGSIZE, ETIMEDOUT } from '../../src/base/errno.ts';
import { calls, drops, faults, packets, retransmits, states } from '../../src/scenes/observe.ts';
import type { NeighborEvent, TraceEvent } from '../../src/trace/events.ts';
import { ND_NEIGHBOR_SOLICIT } from '../../src/wire/icmp6.ts';
import { claim, played } from './played.ts';

claim(
  'cable-pulled: slow is not dead; a pulled cable is found by the heartbeat and by keepalive',
  async play => {
    const { events } = await play();
    const pulledUs = faults(events, 'cable-pulled')[0]?.atUs ?? Number.NaN;
    const beats = calls(events, 'client', 'recv').filter(({ result }) => result > 0);
    assert.ok(Math.max(...beats.map(({ waitedUs }) => waitedUs)) >= 3_000_000);
    assert.ok(retransmits(events, 'client', 'rto').length > 0);
    for (const { atUs, cause } of states(events, 'client')) {
      if (cause === 'timeout') assert.ok(atUs > pulledUs);
    }
    const ends = calls(events, 'client', 'recv').filter(({ result }) => result < 0);
    assert.deepEqual(
      ends.map(({ result }) => result),
      [-EAGAIN, -ETIMEDOUT],
    );
    const [heartbeat, keepalive] = ends.map(({ atUs }) => atUs - pulledUs);
    assert.ok((heartbeat ?? 0) >= 7_000_000 && (heartbeat ?? 0) <= 9_000_000);
    // At most 10 s of silence and three probes two seconds apart, and the last one's time to answer.
    assert.ok((keepalive ?? 0) >= 6_000_000 && (keepalive ?? 0) <= 16_000_000);
  },
);

test('fragmentation: cut twice, whole or not at all, and the path MTU learned', async () => {
  const { events } = await played('fragmentation');
  const far = packets(events, 'router', 'out').filter(({ event }) => event.netif === 'eth1');
  for (const { ip } of far) assert.ok((ip?.totalLength ?? 0) <= 1000);
  const ids = (host: string) =>
    new Set(packets(events, host, 'out').flatMap(({ ip }) => (ip?.moreFragments ? [ip.id] : [])));
  assert.equal(ids('client').size, 3);
  assert.deepEqual(
    calls(events, 'server', 'recv').map(({ result }) => result),
    [2500, 1400],
  );
  assert.equal(faults(events, 'drop').length, 1);
  const [timeOut] = drops(events, 'server', 'FRAG_REASM_TIMEOUT');
  const lostUs = faults(events, 'drop')[0]?.atUs ?? 0;
  assert.ok(Math.abs((timeOut?.atUs ?? 0) - lostUs - 30_000_000) < 10_000);
  const messages = packets(events, 'client', 'in').flatMap(({ icmp }) => (icmp === null ? [] : [icmp]));
  assert.deepEqual(
    messages.map(({ type, code }) => [type, code]),
    [
      [11, 1],
      [3, 4],
    ],
  );
  assert.equal((messages[1]?.rest ?? 0) & 0xffff, 1000);
  assert.deepEqual(
    calls(events, 'client', 'send').map(({ result }) => result),
    [2500, 2500, 1400, -EMSGSIZE, 1400],
  );
});

/** The states that the client's entry for an address went through. */
function neighborStates(events: readonly TraceEvent[], address: string): string[] {
  return events
    .filter((event): event is NeighborEvent => event.type === 'neighbor' && event.host === 'client')
    .filter(event => event.address === address)
    .map(({ to }) => to);
}

const RESOLVED_AND_VERIFIED = ['INCOMPLETE', 'REACHABLE', 'STALE', 'DELAY', 'PROBE', 'REACHABLE'];

test('arp: asked once for two datagrams, verified by unicast, given up after three questions', async () => {
  const { events } = await played('arp');
  const asked = packets(events, 'client', 'out').filter(({ arp }) => arp?.operation === 1);
  const targets = asked.map(({ arp, event }) => [
    arp?.targetIp.toString(),
    event.data.startsWith('ffffffffffff'),
  ]);
  assert.deepEqual(targets, [
    ['10.0.0.2', true],
    ['10.0.0.2', false],
    ['10.0.0.99', true],
    ['10.0.0.99', true],
    ['10.0.0.99', true],
  ]);
  assert.deepEqual(neighborStates(events, '10.0.0.2').slice(0, 6), RESOLVED_AND_VERIFIED);
  assert.deepEqual(neighborStates(events, '10.0.0.99'), ['INCOMPLETE', 'FAILED']);
  assert.equal(calls(events, 'client', 'connect').at(-1)?.result, -EHOSTUNREACH);
  const received = packets(events, 'server', 'in').filter(({ udp }) => udp !== null);
  assert.equal(received.length, 3);
});

test('arp over IPv6: the group is asked, the answer verified by unicast, given up after three questions', async () => {
  const { events } = await played('arp', 1, true);
  const asked = packets(events, 'client', 'out').flatMap(({ ip6, ndp }) =>
    ndp?.type === ND_NEIGHBOR_SOLICIT ? [[`${ip6?.destination}`, `${ndp.target}`]] : [],
  );
  assert.deepEqual(asked, [
    ['ff02::1:ff00:2', 'fd00::2'],
    ['fd00::2', 'fd00::2'],
    ['ff02::1:ff00:99', 'fd00::99'],
    ['ff02::1:ff00:99', 'fd00::99'],
    ['ff02::1:ff00:99', 'fd00::99'],
  ]);
  assert.deepEqual(neighborStates(events, 'fd00::2').slice(0, 6), RESOLVED_AND_VERIFIED);
  assert.deepEqual(neighborStates(events, 'fd00::99'), ['INCOMPLETE', 'FAILED']);
  assert.equal(calls(events, 'client', 'connect').at(-1)?.result, -EHOSTUNREACH);
  assert.equal(packets(events, 'server', 'in').filter(({ udp }) => udp !== null).length, 3);
  assert.ok(packets(events, 'client', 'out').every(({ arp, ip }) => arp === null && ip === null));
});

test('fragmentation over IPv6: cut by the sender alone, too big for the router, given up after 60 s', async () => {
  const { events } = await played('fragmentation', 1, true);
  const lengths = (host: string, netif: string) =>
    packets(events, host, 'out')
      .filter(({ event, fragment }) => event.netif === netif && fragment !== null)
      .map(({ ip6 }) => 40 + (ip6?.payloadLength ?? 0));
  const cut = [1280, 1280, 92];
  assert.deepEqual(lengths('client', 'eth0'), [1496, 1108, ...cut, ...cut]);
  assert.deepEqual(lengths('router', 'eth1'), [1108, ...cut, ...cut]);
  assert.deepEqual(
    calls(events, 'client', 'send').map(({ result }) => result),
    [2500, -EMSGSIZE, 2500, 2500],
  );
  assert.deepEqual(
    calls(events, 'server', 'recv').map(({ result }) => result),
    [2500],
  );
  const messages = packets(events, 'client', 'in').flatMap(({ icmp6, ndp }) =>
    icmp6 === null || ndp !== null ? [] : [[icmp6.type, icmp6.code, icmp6.rest]],
  );
  assert.deepEqual(messages, [
    [2, 0, 1280],
    [3, 1, 0],
  ]);
  const lostUs = faults(events, 'drop')[0]?.atUs ?? 0;
  const gaveUp = drops(events, 'server', 'FRAG_REASM_TIMEOUT').map(({ atUs }) => atUs);
  assert.equal(gaveUp.length, 2);
  assert.ok(Math.abs((gaveUp[1] ?? 0) - lostUs - 60_000_000) < 10_000);
});
