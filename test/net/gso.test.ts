import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ENOBUFS } from '../../src/base/errno.ts';
import type { Offloads } from '../../src/core/link.ts';
import { CHECKSUM_PARTIAL, type Packet } from '../../src/core/packet.ts';
import { foldChecksum } from '../../src/wire/checksum.ts';
import { pseudoHeaderSum } from '../../src/wire/pseudo-header.ts';
import { ACK, CWR, emitTcp, FIN, PSH, parseTcp, setTcpChecksum, TCP_CHECKSUM } from '../../src/wire/tcp.ts';
import { introduce, ip, type Pair, pair, settle, transportSumOk, viewOf } from './harness.ts';

const OPTIONS = { ttl: 64, tos: 0, dontFragment: true };

interface SuperSpec {
  length: number;
  gsoSize: number;
  seq?: number;
  flags?: number;
  optionWords?: number;
}

/** A TCP super-segment from a to b, as the TCP layer makes them. */
function superSegment(world: Pair, to: string, spec: SuperSpec): Packet {
  const { length, gsoSize, seq = 1000, flags = ACK, optionWords = 3 } = spec;
  const headerLength = 20 + 4 * optionWords;
  const packet = world.a.host.pool.take(headerLength + length);
  assert.ok(packet);
  const l4 = packet.start;
  emitTcp(packet.view, l4, 1234, 80, seq, 55, headerLength, flags, 512);
  packet.bytes.fill(1, l4 + 20, l4 + headerLength);
  for (let i = 0; i < length; i++) packet.bytes[l4 + headerLength + i] = (i * 31 + (i >> 8)) & 0xff;
  packet.l4 = l4;
  packet.payload = l4 + headerLength;
  packet.end = l4 + headerLength + length;
  packet.gsoSize = gsoSize;
  packet.checksumState = CHECKSUM_PARTIAL;
  packet.checksumOffset = TCP_CHECKSUM;
  const source = world.a.ip.route(ip(to), null);
  assert.ok(typeof source !== 'number');
  setTcpChecksum(packet.view, l4, foldChecksum(pseudoHeaderSum(source.source, ip(to), 6, packet.end - l4)));
  return packet;
}

/** The TCP segments that went over the wire for one super-segment. */
function cut(spec: SuperSpec, offloads: Offloads = { checksum: false, gsoMaxSize: 0 }, mtu = 1500) {
  const world = pair({}, { offloads, mtu });
  introduce(world);
  const packet = superSegment(world, '10.0.0.2', spec);
  const result = world.a.ip.send(packet, world.a.route('10.0.0.2'), 6, OPTIONS);
  assert.equal(result, 0);
  const segments = world.linkA.packets().map(sent => {
    const tcp = parseTcp(viewOf(sent.data), 0, sent.data.length);
    assert.ok(tcp);
    return { ...sent, tcp, payload: sent.data.slice(tcp.headerLength) };
  });
  settle(world.a, world.b);
  world.a.ip.close();
  world.b.ip.close();
  assert.equal(world.a.host.pool.inUse, 0);
  return { segments, world };
}

test('a super-segment becomes segments of gsoSize with right numbers and checksums', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 20000 }),
      fc.integer({ min: 100, max: 1448 }),
      fc.integer(),
      fc.constantFrom(0, 3),
      (length, gsoSize, seq, optionWords) => {
        const { segments } = cut({ length, gsoSize, seq, optionWords, flags: ACK | PSH | FIN | CWR });
        const count = Math.ceil(length / gsoSize);
        assert.equal(segments.length, count);
        let at = 0;
        for (const [index, { header, tcp, payload, ...rest }] of segments.entries()) {
          const isLast = index === count - 1;
          assert.equal(tcp.seq, (seq + at) >>> 0);
          assert.equal(tcp.ack, 55);
          assert.equal(tcp.flags, ACK | (index === 0 ? CWR : 0) | (isLast ? PSH | FIN : 0));
          assert.equal(payload.length, isLast ? length - at : gsoSize);
          assert.ok(payload.every((byte, i) => byte === (((at + i) * 31 + ((at + i) >> 8)) & 0xff)));
          assert.equal(header.id, ((segments[0]?.header.id as number) + index) & 0xffff);
          assert.equal(header.totalLength, 20 + tcp.headerLength + payload.length);
          assert.ok(header.checksumOk && header.dontFragment);
          assert.ok(transportSumOk({ header, ...rest }));
          at += payload.length;
        }
      },
    ),
    { numRuns: 40 },
  );
});

test('the next id comes after those of the segments', () => {
  const world = pair();
  introduce(world);
  const route = world.a.route('10.0.0.2');
  for (const length of [3000, 1000]) {
    const packet = superSegment(world, '10.0.0.2', { length, gsoSize: 1000 });
    world.a.ip.send(packet, route, 6, OPTIONS);
  }
  const ids = world.linkA.packets().map(({ header }) => header.id);
  assert.deepEqual(
    ids.map(id => (id - (ids[0] as number)) & 0xffff),
    [0, 1, 2, 3],
  );
});

test('a link that takes super-segments gets it whole', () => {
  const { segments, world } = cut({ length: 8000, gsoSize: 1000 }, { checksum: true, gsoMaxSize: 65536 });
  assert.equal(segments.length, 1);
  assert.equal(world.linkA.gsoSizes.at(-1), 1000);
});

test('a link that takes super-segments but no open checksums gets a complete one', () => {
  const { segments } = cut({ length: 8000, gsoSize: 1000 }, { checksum: false, gsoMaxSize: 65536 });
  assert.equal(segments.length, 1);
  assert.ok(segments[0] && transportSumOk(segments[0]));
});

test('a super-segment beyond what the link takes is cut', () => {
  const { segments } = cut({ length: 8000, gsoSize: 1000 }, { checksum: true, gsoMaxSize: 4000 });
  assert.equal(segments.length, 8);
  for (const { header, data } of segments) {
    // The link completes them: the field holds the pseudo-header's sum for this segment.
    const field = ((data[16] as number) << 8) | (data[17] as number);
    assert.equal(field, foldChecksum(pseudoHeaderSum(header.source, header.destination, 6, data.length)));
  }
});

test('over lo it passes whole, and is received as one', () => {
  const world = pair();
  const packet = superSegment(world, '127.0.0.1', { length: 30000, gsoSize: 1000 });
  const lengths: number[] = [];
  world.a.ip.register({
    protocol: 6,
    receive(received) {
      lengths.push(received.end - received.l4);
      received.release();
    },
    error() {},
  });
  world.a.ip.send(packet, world.a.route('127.0.0.1'), 6, OPTIONS);
  settle(world.a);
  assert.deepEqual(lengths, [30032]);
  assert.equal(world.a.host.mib.Ip.InReceives, 1);
});

test('the trace shows an open checksum completed', () => {
  const world = pair({}, { offloads: { checksum: true, gsoMaxSize: 0 } });
  introduce(world);
  const packet = superSegment(world, '10.0.0.2', { length: 100, gsoSize: 0 });
  world.a.ip.send(packet, world.a.route('10.0.0.2'), 6, OPTIONS);
  const event = world.a.log.events.find(({ type }) => type === 'packet');
  assert.ok(event?.type === 'packet');
  const bytes = Uint8Array.from(Buffer.from(event.data, 'hex'));
  world.linkA.frames.splice(0, 1, bytes);
  const [shown] = world.linkA.packets();
  assert.ok(shown && transportSumOk(shown));
});

test('segments beyond the queue are dropped, which is reported as -ENOBUFS when none has room', () => {
  const world = pair({ ethertype_txqueuelen: 3 });
  introduce(world);
  world.linkA.busy = true;
  const packet = superSegment(world, '10.0.0.2', { length: 8000, gsoSize: 1000 });
  assert.equal(world.a.ip.send(packet, world.a.route('10.0.0.2'), 6, OPTIONS), 0);
  assert.equal(world.a.ip.netif('eth0')?.egress.length, 3);
  assert.equal(world.a.ip.netif('eth0')?.egress.stats.dropped, 5);
  const another = superSegment(world, '10.0.0.2', { length: 2000, gsoSize: 1000 });
  assert.equal(world.a.ip.send(another, world.a.route('10.0.0.2'), 6, OPTIONS), -ENOBUFS);
  assert.equal(world.a.ip.netif('eth0')?.egress.stats.dropped, 7);
  world.a.ip.close();
  assert.equal(world.a.host.pool.inUse, 0);
});
