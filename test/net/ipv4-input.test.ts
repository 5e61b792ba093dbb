import assert from 'node:assert/strict';
import { test } from 'node:test';
import { frame, icmp, ipv4 } from './craft.ts';
import { ip, ManualEnv, TestHost, TestLink } from './harness.ts';

/** 10.0.0.1/24 on an Ethernet link, and what came of these frames there. */
function receiveAll(frames: Uint8Array[], sysctl = {}, cidr = '10.0.0.1/24') {
  const host = new TestHost(new ManualEnv(), 'a', sysctl);
  const link = new TestLink({ mac: 1 });
  host.attach(link, cidr);
  for (const bytes of frames) link.inject(bytes);
  host.run();
  assert.equal(host.host.pool.inUse - host.ip.neighbors.list().reduce((n, { queued }) => n + queued, 0), 0);
  return { host, link, received: host.transport.received.map(({ data }) => data), mib: host.host.mib };
}

test('a packet for us is delivered, without the padding of its frame', () => {
  const padded = new Uint8Array(60);
  padded.set(frame(ipv4({ data: 'hello' })));
  const { host, mib } = receiveAll([padded]);
  assert.deepEqual(host.transport.received, [{ src: '10.0.0.2', dst: '10.0.0.1', data: 'hello', length: 5 }]);
  assert.equal(mib.Ip.InReceives, 1);
  assert.equal(mib.Ip.InDelivers, 1);
  assert.equal(mib.IpExt.InOctets, 46);
  assert.equal(mib.IpExt.InNoECTPkts, 1);
});

test('packets are counted by their ECN field', () => {
  const { mib } = receiveAll([0, 1, 1, 2, 2, 2, 3].map(tos => frame(ipv4({ data: 'x', tos: 0x10 | tos }))));
  const { InNoECTPkts, InECT1Pkts, InECT0Pkts, InCEPkts } = mib.IpExt;
  assert.deepEqual([InNoECTPkts, InECT1Pkts, InECT0Pkts, InCEPkts], [1, 2, 3, 1]);
});

test('frames for other stations, of unknown types, or too short are not looked at', () => {
  const { host, received } = receiveAll([
    frame(ipv4({ data: 'x' }), 0x0200, 7),
    frame(ipv4({ data: 'x' }), 0x0200, 1, 0x88b5),
    frame(ipv4({ data: 'x' })).slice(0, 13),
  ]);
  assert.deepEqual(received, []);
  assert.deepEqual(host.drops(), ['OTHERHOST', 'UNHANDLED_PROTO', 'HDR_TRUNC']);
});

test('broken headers are dropped and counted', () => {
  const change = (edit: (packet: Uint8Array) => void): Uint8Array => {
    const packet = ipv4({ data: 'x' });
    edit(packet);
    return frame(packet);
  };
  const { host, received, mib } = receiveAll([
    change(packet => (packet[0] = 0x55)), // version
    change(packet => (packet[0] = 0x44)), // header length
    change(packet => (packet[0] = 0x4f)), // header beyond the packet
    change(packet => (packet[3] = 19)), // total length
    change(packet => (packet[3] = 99)), // total length
    change(packet => (packet[10] = 0)), // checksum
    frame(ipv4({ data: 'x' }).slice(0, 10)),
  ]);
  assert.deepEqual(received, []);
  assert.deepEqual(host.drops(), [
    'IP_INHDR',
    'IP_INHDR',
    'IP_INHDR',
    'IP_INHDR',
    'PKT_TOO_SMALL',
    'IP_CSUM',
    'IP_INHDR',
  ]);
  assert.equal(mib.Ip.InHdrErrors, 6);
  assert.equal(mib.IpExt.InTruncatedPkts, 1);
  assert.equal(mib.IpExt.InCsumErrors, 1);
});

test('options are skipped', () => {
  const recordRoute = [7, 7, 4, 0, 0, 0, 0, 0];
  const { received } = receiveAll([frame(ipv4({ options: recordRoute, data: 'with options' }))]);
  assert.deepEqual(received, ['with options']);
});

test('a malformed option gets a parameter problem that points at it', () => {
  const bad = receiveAll([frame(ipv4({ options: [1, 1, 7, 99], data: 'x' }))]);
  assert.deepEqual(bad.received, []);
  const neighbor = bad.host.ip.neighbors.list()[0];
  assert.equal(neighbor?.address.toString(), '10.0.0.2');
  neighbor?.learn(0x0200, 2, true);
  const [error] = bad.link.packets();
  assert.deepEqual([...(error?.data.slice(0, 2) ?? [])], [12, 0]);
  assert.equal(error?.data[4], 23);
  assert.equal(bad.mib.Icmp.OutParmProbs, 1);
});

test('source routes are not followed', () => {
  const { received, host } = receiveAll([frame(ipv4({ options: [131, 7, 4, 10, 0, 0, 9, 0], data: 'x' }))]);
  assert.deepEqual(received, []);
  assert.deepEqual(host.drops(), ['IP_INHDR']);
});

test('impossible addresses are dropped', () => {
  const { received, host } = receiveAll([
    frame(ipv4({ source: '127.0.0.1', data: 'x' })),
    frame(ipv4({ source: '10.0.0.1', data: 'our own address' })),
    frame(ipv4({ source: '224.0.0.1', data: 'x' })),
    frame(ipv4({ source: '255.255.255.255', data: 'x' })),
    frame(ipv4({ source: '10.0.0.255', data: 'x' })),
    frame(ipv4({ source: '0.0.0.0', data: 'x' })),
    frame(ipv4({ destination: '127.0.0.1', data: 'x' })),
    frame(ipv4({ destination: '0.0.0.0', data: 'x' })),
  ]);
  assert.deepEqual(received, []);
  assert.deepEqual(new Set(host.drops()), new Set(['IP_INVALID_SOURCE']));
});

test('broadcasts are delivered, also from a host that has no address yet', () => {
  const { host, received, mib } = receiveAll([
    frame(ipv4({ destination: '255.255.255.255', source: '0.0.0.0', data: 'dhcp' }), 0xffff, -1),
    frame(ipv4({ destination: '10.0.0.255', data: 'subnet' }), 0xffff, -1),
  ]);
  assert.deepEqual(received, ['dhcp', 'subnet']);
  assert.equal(mib.IpExt.InBcastPkts, 2);
  assert.equal(host.ip.isBroadcast(ip('10.0.0.255')), true);
});

test('a packet for one host in a frame for all is dropped (RFC 1122 section 3.3.6)', () => {
  const { received } = receiveAll([frame(ipv4({ data: 'x' }), 0xffff, -1)]);
  assert.deepEqual(received, []);
});

test('multicast: the all-hosts group always, others once joined', () => {
  const all = frame(ipv4({ destination: '224.0.0.1', data: 'all' }), 0x0100, 0x5e000001);
  const group = frame(ipv4({ destination: '239.1.2.3', data: 'group' }), 0x0100, 0x5e010203);
  const { host, link, received } = receiveAll([all, group]);
  assert.deepEqual(received, ['all']);
  host.ip.netif('eth0')?.groups.set(ip('239.1.2.3').w3, 1);
  link.inject(group);
  host.run();
  assert.equal(host.transport.received[1]?.data, 'group');
});

test('somebody else’s packet is dropped when we do not forward', () => {
  const { host, mib } = receiveAll([frame(ipv4({ destination: '10.0.0.9', data: 'x' }))]);
  assert.deepEqual(host.drops(), ['OTHERHOST']);
  assert.equal(mib.Ip.InAddrErrors, 1);
});

test('tags: VLAN 0 is only a priority, other VLANs are not ours unless configured', () => {
  const tagged = (id: number, data: string): Uint8Array => {
    const inner = frame(ipv4({ data }));
    const out = new Uint8Array(inner.length + 4);
    out.set(inner.slice(0, 12));
    out.set([0x81, 0, 0x60 | (id >> 8), id & 255], 12);
    out.set(inner.slice(12), 16);
    return out;
  };
  const { host, link, received } = receiveAll([
    tagged(0, 'priority'),
    tagged(5, 'vlan 5'),
    tagged(5, '').slice(0, 16),
  ]);
  assert.deepEqual(received, ['priority']);
  assert.deepEqual(host.drops(), ['OTHERHOST', 'HDR_TRUNC']);
  const netif = host.ip.netif('eth0');
  assert.ok(netif);
  netif.vlan = 5;
  link.inject(tagged(5, 'vlan 5'));
  link.inject(frame(ipv4({ data: 'untagged' })));
  host.run();
  assert.equal(host.transport.received.length, 2);
  assert.equal(host.transport.received[1]?.data, 'vlan 5');
  host.send('255.255.255.255', 'out');
  const sent = link.frames.at(-1) as Uint8Array;
  assert.deepEqual([...sent.slice(12, 18)], [0x81, 0, 0, 5, 8, 0]);
});

test('an unknown protocol gets "protocol unreachable"', () => {
  const { host, link, mib } = receiveAll([frame(ipv4({ protocol: 99, data: 'what is this' }))]);
  host.ip.neighbors.list()[0]?.learn(0x0200, 2, true);
  const [error] = link.packets();
  assert.equal(error?.header.protocol, 1);
  assert.equal(error?.header.tos, 0xc0);
  assert.deepEqual([...(error?.data.slice(0, 2) ?? [])], [3, 2]);
  assert.deepEqual(error?.data.slice(8), ipv4({ protocol: 99, data: 'what is this' }));
  assert.equal(mib.Ip.InUnknownProtos, 1);
  assert.deepEqual(host.drops(), ['IP_NOPROTO']);
});

test('the ingress queue is bounded', () => {
  const { host, received } = receiveAll(
    [1, 2, 3, 4].map(n => frame(ipv4({ data: `packet ${n}` }))),
    { netdev_max_backlog: 2 },
  );
  assert.deepEqual(received, ['packet 1', 'packet 2']);
  assert.deepEqual(host.drops(), ['FULL_RING', 'FULL_RING']);
  assert.equal(host.ip.netif('eth0')?.stats.dropped, 2);
});

test('run works off a bounded number of frames, the interfaces in turn', () => {
  const host = new TestHost(new ManualEnv(), 'a');
  const links = [new TestLink({ mac: 1 }), new TestLink({ mac: 1 })];
  host.attach(links[0] as TestLink, '10.0.0.1/24');
  host.attach(links[1] as TestLink, '10.0.1.1/24');
  let woken = 0;
  host.ip.onIngress = () => woken++;
  for (let i = 0; i < 100; i++) links[0]?.inject(frame(ipv4({ data: 'busy' })));
  for (let i = 0; i < 3; i++) links[1]?.inject(frame(ipv4({ destination: '10.0.1.1', data: 'quiet' })));
  assert.equal(woken, 2, 'once for each queue that was empty');
  assert.equal(host.ip.run(50), true);
  assert.equal(host.transport.received.length, 50);
  assert.equal(host.transport.received.filter(({ data }) => data === 'quiet').length, 3);
  assert.equal(host.ip.run(100), false);
  assert.equal(host.transport.received.length, 103);
});

test('hooks see and stop packets', () => {
  const host = new TestHost(new ManualEnv(), 'a');
  const link = new TestLink({ mac: 1 });
  host.attach(link, '10.0.0.1/24');
  const seen: number[] = [];
  const remove = host.host.hooks.ingress.add(packet => {
    seen.push(packet.length);
    return false;
  });
  link.inject(frame(ipv4({ data: 'x' })));
  host.run();
  assert.deepEqual(seen, [35]);
  assert.deepEqual(host.drops(), ['HOOK_DROP']);
  remove();
  host.host.hooks.egress.add(() => false);
  host.send('255.255.255.255', 'out');
  assert.equal(link.frames.length, 0);
  link.inject(frame(ipv4({ data: 'x' })));
  host.run();
  assert.equal(host.transport.received.length, 1);
  host.ip.close();
  assert.equal(host.host.pool.inUse, 0);
});

test('an echo request is answered', () => {
  const request = icmp(8, 0, 0x1234_0001, Uint8Array.from([1, 2, 3, 4, 5]));
  const { host, link, mib } = receiveAll([frame(ipv4({ protocol: 1, tos: 0x10, data: request }))]);
  host.ip.neighbors.list()[0]?.learn(0x0200, 2, true);
  const [reply] = link.packets();
  assert.equal(reply?.header.source.toString(), '10.0.0.1');
  assert.equal(reply?.header.destination.toString(), '10.0.0.2');
  assert.equal(reply?.header.tos, 0x10);
  assert.deepEqual(reply?.data, icmp(0, 0, 0x1234_0001, Uint8Array.from([1, 2, 3, 4, 5])));
  assert.equal(mib.Icmp.InEchos, 1);
  assert.equal(mib.Icmp.OutEchoReps, 1);
});

test('an echo request to everyone is answered only when told so', () => {
  const data = icmp(8, 0, 1, new Uint8Array(8));
  const request = frame(ipv4({ protocol: 1, destination: '10.0.0.255', data }), 0xffff, -1);
  assert.equal(receiveAll([request]).mib.Icmp.OutMsgs, 0);
  const { host, mib } = receiveAll([request], { icmp_echo_ignore_broadcasts: false });
  assert.equal(mib.Icmp.OutEchoReps, 1);
  host.ip.close();
  assert.equal(
    receiveAll([frame(ipv4({ protocol: 1, data }))], { icmp_echo_ignore_all: true }).mib.Icmp.OutMsgs,
    0,
  );
});

test('ICMP with a wrong checksum or too short is counted', () => {
  const wrong = icmp(8, 0, 1, new Uint8Array(8));
  wrong[3] = (wrong[3] as number) ^ 1;
  const short = icmp(8, 0, 1, new Uint8Array(8)).slice(0, 6);
  short.set([8, 0, 0xf7, 0xff, 0, 0]);
  const { mib, host } = receiveAll([wrong, short].map(data => frame(ipv4({ protocol: 1, data }))));
  assert.equal(mib.Icmp.InMsgs, 2);
  assert.equal(mib.Icmp.InCsumErrors, 1);
  assert.equal(mib.Icmp.InErrors, 2);
  assert.deepEqual(host.drops(), ['ICMP_CSUM', 'HDR_TRUNC']);
});

test('run is never nested, and a hook that throws does not block the next run', () => {
  const host = new TestHost(new ManualEnv(), 'a');
  const link = new TestLink({ mac: 1 });
  host.attach(link, '10.0.0.1/24');
  const remove = host.host.hooks.ingress.add(() => {
    host.ip.run(1);
    return true;
  });
  link.inject(frame(ipv4({ data: 'x' })));
  assert.throws(() => host.ip.run(10), /not nested/);
  remove();
  link.inject(frame(ipv4({ data: 'x' })));
  host.run();
  assert.equal(host.transport.received.length, 1);
});

test('what is sent to lo is processed by the next run, not inside send', () => {
  const host = new TestHost(new ManualEnv(), 'a');
  host.send('127.0.0.1', 'to myself');
  assert.equal(host.transport.received.length, 0);
  host.run();
  assert.equal(host.transport.received.length, 1);
});

test('a member of a group hears its own multicasts', () => {
  const host = new TestHost(new ManualEnv(), 'a');
  const netif = host.attach(new TestLink({ mac: 1 }), '10.0.0.1/24');
  host.send('239.1.2.3', 'not yet');
  netif.groups.set(ip('239.1.2.3').w3, 1);
  host.send('239.1.2.3', 'joined');
  host.run();
  assert.deepEqual(
    host.transport.received.map(({ data }) => data),
    ['joined'],
  );
});
