import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ARP_REPLY, ARP_REQUEST, emitArp } from '../../src/wire/arp.ts';
import { ETHERTYPE_ARP, emitEthernet } from '../../src/wire/ethernet.ts';
import { advance, introduce, ip, ManualEnv, pair, settle, TestHost, TestLink, viewOf } from './harness.ts';

const SECOND = 1_000_000;

/** An ARP frame from 02:..:`mac` to us. */
function arp(operation: number, mac: number, sender: string, target: string, to = [0xffff, -1]): Uint8Array {
  const frame = new Uint8Array(60);
  emitEthernet(viewOf(frame), 0, to[0] as number, to[1] as number, 0x0200, mac, ETHERTYPE_ARP);
  emitArp(viewOf(frame), 14, operation, 0x0200, mac, ip(sender).w3, 0, 0, ip(target).w3);
  return frame;
}

const TO_US = [0x0200, 1];

function alone(sysctl = {}): { host: TestHost; link: TestLink } {
  const host = new TestHost(new ManualEnv(), 'a', sysctl);
  const link = new TestLink();
  host.attach(link, '10.0.0.1/24');
  return { host, link };
}

function macOf(host: TestHost, address: string): string | undefined {
  const netif = host.ip.netif('eth0');
  assert.ok(netif);
  return host.ip.neighbors.find(netif, ip(address))?.mac;
}

test('a question about our address is answered by unicast, and only that', () => {
  const { host, link } = alone();
  link.inject(arp(ARP_REQUEST, 5, '10.0.0.5', '10.0.0.1'));
  link.inject(arp(ARP_REQUEST, 6, '10.0.0.6', '10.0.0.77'));
  host.run();
  const [reply, ...others] = link.arps();
  assert.equal(others.length, 0);
  assert.equal(reply?.operation, ARP_REPLY);
  assert.equal(reply?.senderIp.toString(), '10.0.0.1');
  assert.deepEqual([...(reply?.senderMac ?? [])], [2, 0, 0, 0, 0, 1]);
  assert.equal(reply?.targetIp.toString(), '10.0.0.5');
  assert.deepEqual([...(link.frames[0] as Uint8Array).slice(0, 6)], [2, 0, 0, 0, 0, 5]);
  assert.equal(macOf(host, '10.0.0.6'), undefined, 'who asks for somebody else is not learned');
});

test('unasked-for replies and announcements make no entries', () => {
  const { host, link } = alone();
  link.inject(arp(ARP_REPLY, 66, '10.0.0.5', '10.0.0.1', TO_US));
  link.inject(arp(ARP_REQUEST, 66, '10.0.0.5', '10.0.0.5'));
  host.run();
  assert.equal(host.ip.neighbors.size, 0);
});

test('an announcement updates a known neighbour, but not within a second of the last change', () => {
  const world = pair();
  introduce(world);
  const { a, linkA } = world;
  linkA.inject(arp(ARP_REQUEST, 9, '10.0.0.2', '10.0.0.2'));
  settle(a);
  assert.equal(macOf(a, '10.0.0.2'), '02:00:00:00:00:02');
  advance(2 * SECOND, a);
  linkA.inject(arp(ARP_REQUEST, 9, '10.0.0.2', '10.0.0.2'));
  settle(a);
  assert.equal(macOf(a, '10.0.0.2'), '02:00:00:00:00:09');
  assert.deepEqual(a.neighborChanges(), ['REACHABLE>STALE']);
});

test('a probe (sender 0.0.0.0) is answered and teaches nothing', () => {
  const { host, link } = alone();
  link.inject(arp(ARP_REQUEST, 5, '0.0.0.0', '10.0.0.1'));
  host.run();
  assert.equal(link.arps()[0]?.operation, ARP_REPLY);
  assert.equal(host.ip.neighbors.size, 0);
});

test('malformed ARP is dropped', () => {
  const { host, link } = alone();
  const odd = arp(ARP_REQUEST, 5, '10.0.0.5', '10.0.0.1');
  odd[18] = 8; // eight bytes of hardware address
  link.inject(odd);
  link.inject(arp(ARP_REQUEST, 5, '10.0.0.5', '10.0.0.1').slice(0, 30));
  link.inject(arp(7, 5, '10.0.0.5', '10.0.0.1'));
  const groupMac = arp(ARP_REQUEST, 5, '10.0.0.5', '10.0.0.1');
  groupMac[22] = 0x01;
  link.inject(groupMac);
  host.run();
  assert.equal(link.frames.length, 0);
  assert.equal(host.ip.neighbors.size, 0);
  assert.deepEqual(host.drops(), ['UNHANDLED_PROTO', 'HDR_TRUNC', 'UNHANDLED_PROTO']);
  assert.equal(host.host.pool.inUse, 0);
});

test('a new address is announced when arp_notify is on', () => {
  const { link } = alone({ arp_notify: true });
  const [announcement] = link.arps();
  assert.equal(announcement?.operation, ARP_REQUEST);
  assert.equal(announcement?.senderIp.toString(), '10.0.0.1');
  assert.equal(announcement?.targetIp.toString(), '10.0.0.1');
  assert.deepEqual([...(link.frames[0] as Uint8Array).slice(0, 6)], [255, 255, 255, 255, 255, 255]);
});

test('somebody else with our address is reported each time and answered once in ten seconds', () => {
  const { host, link } = alone();
  const conflicts: { mac: string; defended: boolean }[] = [];
  host.ip.onConflict(({ mac, defended, address }) => {
    assert.equal(address.toString(), '10.0.0.1');
    conflicts.push({ mac, defended });
  });
  for (const wait of [0, 3, 8]) {
    advance(wait * SECOND, host);
    link.inject(arp(ARP_REQUEST, 66, '10.0.0.1', '10.0.0.9'));
    host.run();
  }
  const mac = '02:00:00:00:00:42';
  assert.deepEqual(conflicts, [
    { mac, defended: true },
    { mac, defended: false },
    { mac, defended: true },
  ]);
  assert.equal(link.arps().length, 2);
  assert.deepEqual(host.neighborChanges(), ['LOCAL>CONFLICT', 'LOCAL>CONFLICT', 'LOCAL>CONFLICT']);
});

test('our own frames coming back are no conflict', () => {
  const { host, link } = alone();
  link.inject(arp(ARP_REQUEST, 1, '10.0.0.1', '10.0.0.9'));
  host.run();
  assert.deepEqual(host.neighborChanges(), []);
});

test('an address that nobody answers for is free after three probes', () => {
  const { host, link } = alone();
  const netif = host.ip.netif('eth0');
  assert.ok(netif);
  let free: boolean | null = null;
  host.ip.probeAddress(netif, ip('10.0.0.50'), result => {
    free = result;
  });
  advance(4 * SECOND, host);
  assert.equal(free, null);
  advance(4 * SECOND, host);
  assert.equal(free, true);
  const probes = link.arps();
  assert.equal(probes.length, 3);
  for (const probe of probes) {
    assert.equal(probe.senderIp.toString(), '0.0.0.0');
    assert.equal(probe.targetIp.toString(), '10.0.0.50');
  }
  assert.equal(host.host.timers.size, 0);
});

test('an address that a neighbour uses, or probes for as well, is not free', () => {
  for (const answer of [
    arp(ARP_REPLY, 5, '10.0.0.50', '0.0.0.0', TO_US),
    arp(ARP_REQUEST, 5, '0.0.0.0', '10.0.0.50'),
  ]) {
    const { host, link } = alone();
    const netif = host.ip.netif('eth0');
    assert.ok(netif);
    let free: boolean | null = null;
    host.ip.probeAddress(netif, ip('10.0.0.50'), result => {
      free = result;
    });
    advance(1.5 * SECOND, host);
    link.inject(answer);
    host.run();
    assert.equal(free, false);
    assert.equal(host.host.timers.size, 0);
  }
});

test('a probe can be given up', () => {
  const { host } = alone();
  const netif = host.ip.netif('eth0');
  assert.ok(netif);
  const giveUp = host.ip.probeAddress(netif, ip('10.0.0.50'), () => assert.fail('given up'));
  giveUp();
  advance(20 * SECOND, host);
});
