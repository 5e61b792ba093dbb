import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { frame, type Ipv4Spec, ipv4 } from './craft.ts';
import { advance, ManualEnv, TestHost, TestLink, text } from './harness.ts';

const SECOND = 1_000_000;

function receiver(sysctl = {}): { host: TestHost; link: TestLink } {
  const host = new TestHost(new ManualEnv(), 'a', sysctl);
  const link = new TestLink({ mac: 1 });
  host.attach(link, '10.0.0.1/24');
  return { host, link };
}

/** The fragment with bytes [from, to) of `whole`. */
function part(whole: Uint8Array, from: number, to: number, spec: Ipv4Spec = {}): Uint8Array {
  return frame(ipv4({ ...spec, fragmentOffset: from, mf: to < whole.length, data: whole.slice(from, to) }));
}

const WHOLE = Uint8Array.from({ length: 40 }, (_, i) => 65 + i);

function feed(host: TestHost, link: TestLink, frames: Uint8Array[]): string[] {
  for (const bytes of frames) link.inject(bytes);
  host.run();
  return host.transport.received.map(({ data }) => data);
}

test('in order, in reverse, and in any order', () => {
  const pieces: [number, number][] = [
    [0, 8],
    [8, 24],
    [24, 32],
    [32, 40],
  ];
  fc.assert(
    fc.property(fc.shuffledSubarray(pieces, { minLength: 4 }), order => {
      const { host, link } = receiver();
      const received = feed(
        host,
        link,
        order.map(([from, to]) => part(WHOLE, from, to)),
      );
      assert.deepEqual(received, [text(WHOLE)]);
      assert.equal(host.host.pool.inUse, 0);
      assert.equal(host.host.timers.size, 0);
    }),
    { numRuns: 30 },
  );
});

test('an exact duplicate, or a repetition of what is there, is ignored', () => {
  const { host, link } = receiver();
  const received = feed(host, link, [
    part(WHOLE, 0, 16),
    part(WHOLE, 0, 16),
    part(WHOLE, 16, 24),
    part(WHOLE, 8, 24),
    part(WHOLE, 24, 40),
  ]);
  assert.deepEqual(received, [text(WHOLE)]);
  assert.deepEqual(host.drops(), ['DUP_FRAG', 'DUP_FRAG']);
  assert.equal(host.host.mib.Ip.ReasmFails, 0);
});

test('an overlap costs the whole datagram', () => {
  for (const [from, to] of [
    [8, 24],
    [16, 32],
    [0, 32],
  ] as const) {
    const { host, link } = receiver();
    const received = feed(host, link, [
      part(WHOLE, 0, 8),
      part(WHOLE, 16, 24),
      part(WHOLE, from, to),
      part(WHOLE, 8, 16),
    ]);
    assert.deepEqual(received, []);
    assert.equal(host.host.mib.IpExt.ReasmOverlaps, 1);
    assert.equal(host.host.mib.Ip.ReasmFails, 1);
    host.ip.close();
    assert.equal(host.host.pool.inUse, 0);
  }
});

test('datagrams with other ids, protocols or senders are not mixed', () => {
  const { host, link } = receiver();
  const received = feed(host, link, [
    part(WHOLE, 0, 16, { id: 1 }),
    part(WHOLE, 16, 40, { id: 2 }),
    part(WHOLE, 16, 40, { source: '10.0.0.3' }),
    part(WHOLE, 16, 40, { protocol: 252 }),
  ]);
  assert.deepEqual(received, []);
  assert.deepEqual(feed(host, link, [part(WHOLE, 16, 40)]), [text(WHOLE)]);
  host.ip.close();
  assert.equal(host.host.pool.inUse, 0);
  assert.equal(host.host.timers.size, 0);
});

test('after ipfrag_time the fragments go, and the sender is told when the first had come', () => {
  const { host, link } = receiver();
  feed(host, link, [part(WHOLE, 0, 16, { id: 1 }), part(WHOLE, 16, 40, { id: 2 })]);
  advance(29 * SECOND, host);
  assert.equal(host.host.mib.Ip.ReasmTimeout, 0);
  advance(1.1 * SECOND, host);
  const { Ip, Icmp } = host.host.mib;
  assert.deepEqual([Ip.ReasmTimeout, Ip.ReasmFails, Icmp.OutTimeExcds], [2, 2, 1]);
  const asked = host.ip.neighbors.list().find(({ address }) => address.toString() === '10.0.0.2');
  asked?.learn(0x0200, 2, true);
  const [error] = link.packets();
  assert.deepEqual([...(error?.data.slice(0, 2) ?? [])], [11, 1]);
  host.ip.close();
  assert.equal(host.host.pool.inUse, 0);
});

test('a fragment beyond 64 KiB (the ping of death) costs the datagram', () => {
  const { host, link } = receiver();
  const data = new Uint8Array(32);
  feed(host, link, [
    frame(ipv4({ mf: true, data })),
    frame(ipv4({ mf: false, fragmentOffset: 65528, data })),
    frame(ipv4({ mf: false, fragmentOffset: 65504, data })), // ends within 65535, but not with the header
  ]);
  assert.equal(host.host.mib.Ip.ReasmFails, 2);
  assert.equal(host.host.pool.inUse, 0);
});

test('a second end, data beyond the end, and empty fragments cost the datagram', () => {
  const data = new Uint8Array(16);
  for (const bad of [
    [frame(ipv4({ fragmentOffset: 32, data })), frame(ipv4({ fragmentOffset: 48, data }))],
    [frame(ipv4({ fragmentOffset: 32, data })), frame(ipv4({ fragmentOffset: 16, data: new Uint8Array(8) }))],
    [frame(ipv4({ fragmentOffset: 32, data })), frame(ipv4({ fragmentOffset: 48, mf: true, data }))],
    [frame(ipv4({ fragmentOffset: 32, mf: true, data: new Uint8Array(0) }))],
    [frame(ipv4({ fragmentOffset: 32, mf: true, data: new Uint8Array(7) }))],
  ]) {
    const { host, link } = receiver();
    feed(host, link, bad);
    assert.equal(host.host.mib.Ip.ReasmFails, 1);
    assert.equal(host.host.pool.inUse, 0);
    assert.equal(host.host.timers.size, 0);
  }
});

test('incomplete datagrams hold no more than ipfrag_high_thresh', () => {
  const { host, link } = receiver({ ipfrag_high_thresh: 20_000 });
  for (let id = 0; id < 100; id++) link.inject(part(WHOLE, 0, 16, { id }));
  host.run();
  assert.ok(host.host.pool.inUse <= 11, `${host.host.pool.inUse} packets`);
  assert.ok(host.drops().includes('NOMEM'));
  advance(31 * SECOND, host);
  assert.equal(host.host.timers.size, 1, 'only the neighbour that is asked for');
  assert.deepEqual(feed(host, link, [part(WHOLE, 0, 16), part(WHOLE, 16, 40)]), [text(WHOLE)]);
  host.ip.close();
  assert.equal(host.host.pool.inUse, 0);
});

test('a fragment that comes ipfrag_max_dist fragments too late does not join an old datagram', () => {
  const { host, link } = receiver({ ipfrag_max_dist: 10 });
  feed(host, link, [part(WHOLE, 0, 16, { id: 7 })]);
  for (let id = 100; id < 110; id++)
    feed(host, link, [part(WHOLE, 0, 16, { id }), part(WHOLE, 16, 40, { id })]);
  const before = host.transport.received.length;
  assert.equal(before, 10);
  assert.equal(feed(host, link, [part(WHOLE, 16, 40, { id: 7 })]).length, before);
  assert.ok(host.drops().includes('FRAG_TOO_FAR'));
  host.ip.close();
  assert.equal(host.host.pool.inUse, 0);
});

test('the whole has the first header with its options, and congestion that any part met', () => {
  const { host, link } = receiver();
  let tos = -1;
  let headerLength = -1;
  host.transport.receive = packet => {
    tos = packet.bytes[packet.l3 + 1] as number;
    headerLength = packet.l4 - packet.l3;
    packet.release();
  };
  const options = [1, 1, 1, 0];
  feed(host, link, [part(WHOLE, 16, 40, { tos: 3 }), part(WHOLE, 0, 16, { tos: 2, options })]);
  assert.equal(tos, 3);
  assert.equal(headerLength, 24);
});

test('ECN of the whole: a mark on any part counts, and what is not all ECN-capable or all not is no datagram', () => {
  const NOT_ECT = 0;
  const [ECT_1, ECT_0, CE] = [1, 2, 3];
  const whole = (...ecn: [number, number, number]): number | null => {
    const { host, link } = receiver();
    const bounds = [0, 16, 24, 40] as const;
    feed(
      host,
      link,
      ecn.map((tos, i) => part(WHOLE, bounds[i] as number, bounds[i + 1] as number, { tos: 0x48 | tos })),
    );
    host.ip.close();
    assert.equal(host.host.pool.inUse, 0);
    assert.equal(host.host.mib.Ip.ReasmFails, host.transport.received.length === 0 ? 1 : 0);
    return host.transport.tos[0] ?? null;
  };
  assert.equal(whole(NOT_ECT, NOT_ECT, NOT_ECT), 0x48);
  assert.equal(whole(ECT_0, ECT_0, ECT_0), 0x48 | ECT_0);
  assert.equal(whole(ECT_1, ECT_0, ECT_0), 0x48 | ECT_1);
  assert.equal(whole(ECT_0, CE, ECT_0), 0x48 | CE);
  assert.equal(whole(CE, ECT_0, ECT_1), 0x48 | CE);
  assert.equal(whole(ECT_0, ECT_0, NOT_ECT), null);
  assert.equal(whole(NOT_ECT, ECT_0, NOT_ECT), null);
  assert.equal(whole(CE, NOT_ECT, CE), null);
});
