import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { cutTcp, leaveTcpChecksumOpen } from '../../src/core/gso.ts';
import type { Medium } from '../../src/core/link.ts';
import { CHECKSUM_PARTIAL, CHECKSUM_VERIFIED, type Packet } from '../../src/core/packet.ts';
import { completeChecksum } from '../../src/core/partial-checksum.ts';
import { PacketPool } from '../../src/core/pool.ts';
import { Gro } from '../../src/net/gro.ts';
import { ETHERTYPE_IPV4, emitEthernet } from '../../src/wire/ethernet.ts';
import { emitIpv4, fillIpv4Checksum, ipv4ChecksumOk, ipv4TotalLength } from '../../src/wire/ipv4.ts';
import { ACK, CWR, emitTcp, FIN, PSH, RST, SYN, tcpFlags, tcpSeq, URG } from '../../src/wire/tcp.ts';

/** A TCP packet; the defaults make each the like of the others. */
interface Spec {
  readonly seq: number;
  readonly length: number;
  readonly flags?: number;
  readonly ack?: number;
  readonly window?: number;
  readonly port?: number;
  readonly source?: number;
  readonly destination?: number;
  readonly mac?: number;
  readonly ttl?: number;
  readonly tos?: number;
  readonly dontFragment?: boolean;
  readonly protocol?: number;
  readonly option?: number;
  readonly gsoSize?: number;
}

const HEADERS = 20 + 32;
const MEDIA = ['ethernet', 'ip'] as const;

/** Byte `index` of the stream. */
function byteAt(index: number): number {
  return (index * 31 + (index >> 8)) & 0xff;
}

/** The packet as it comes from a wire of this medium: complete, with right checksums, unless it is a super-segment. */
function make(pool: PacketPool, medium: Medium, spec: Spec): Packet {
  const { seq, length, flags = ACK, ack = 77, window = 500, port = 4000, gsoSize = 0 } = spec;
  const { source = 0x0a000001, destination = 0x0a000002, ttl = 64, tos = 0, protocol = 6 } = spec;
  const packet = pool.take(HEADERS + length);
  assert.ok(packet);
  const { view, bytes } = packet;
  const l3 = packet.start;
  const l4 = l3 + 20;
  const total = HEADERS + length;
  emitIpv4(view, l3, tos, total, seq & 0xffff, spec.dontFragment ?? true, ttl, protocol, source, destination);
  emitTcp(view, l4, port, 80, seq, ack, 32, flags, window);
  bytes.fill(1, l4 + 20, l4 + 32);
  bytes[l4 + 25] = spec.option ?? 9;
  for (let i = 0; i < length; i++) bytes[l4 + 32 + i] = byteAt(seq + i);
  packet.l3 = l3;
  packet.l4 = l4;
  packet.end = l3 + total;
  if (medium === 'ethernet') {
    packet.start -= 14;
    emitEthernet(view, packet.start, 0x0200, spec.mac ?? 1, 0x0200, 2, ETHERTYPE_IPV4);
  }
  leaveTcpChecksumOpen(packet);
  packet.gsoSize = gsoSize;
  if (gsoSize === 0) completeChecksum(packet);
  packet.checksumState = gsoSize === 0 ? 0 : CHECKSUM_PARTIAL;
  return packet;
}

/** What comes out for what goes in, as one batch: sequence number and payload length of each. */
function join(specs: readonly Spec[], change: (packet: Packet, index: number) => void = () => {}) {
  const pool = new PacketPool();
  const found: (readonly [seq: number, length: number])[] = [];
  const gro = new Gro('ethernet', packet => {
    found.push([tcpSeq(packet.view, packet.l4), packet.end - packet.l4 - 32]);
    packet.release();
  });
  for (const [index, spec] of specs.entries()) {
    const packet = make(pool, 'ethernet', spec);
    change(packet, index);
    gro.receive(packet);
  }
  gro.flush();
  assert.equal(pool.inUse, 0);
  return found;
}

const FIRST: Spec = { seq: 1000, length: 100 };
const SECOND: Spec = { seq: 1100, length: 100 };
const APART = [
  [1000, 100],
  [1100, 100],
];

for (const medium of MEDIA) {
  test(`what cutting a super-segment makes becomes the super-segment again (${medium})`, () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 101, max: 30_000 }),
        fc.integer({ min: 100, max: 1448 }),
        fc.integer(),
        fc.boolean(),
        (length, gsoSize, seq, pushed) => {
          const pool = new PacketPool();
          const flags = pushed ? ACK | PSH : ACK;
          const whole = make(pool, medium, { seq, length, gsoSize, flags });
          const joined: Packet[] = [];
          const gro = new Gro(medium, packet => joined.push(packet));
          cutTcp(whole, pool, false, { segment: packet => gro.receive(packet) });
          gro.flush();
          const [packet] = joined;
          assert.ok(packet && joined.length === 1);
          if (length > gsoSize) {
            assert.deepEqual([packet.gsoSize, packet.checksumState], [gsoSize, CHECKSUM_PARTIAL]);
            assert.equal(tcpFlags(packet.view, packet.l4), flags);
            assert.ok(ipv4ChecksumOk(packet.view, packet.l3));
            assert.equal(ipv4TotalLength(packet.view, packet.l3), HEADERS + length);
            assert.deepEqual(
              packet.bytes.slice(packet.start, packet.end),
              whole.bytes.slice(whole.start, whole.end),
            );
          }
          packet.release();
          whole.release();
          assert.equal(pool.inUse, 0);
        },
      ),
      { numRuns: 50 },
    );
  });
}

test('a segment alone goes on as it came, its checksum verified', () => {
  const pool = new PacketPool();
  const found: Packet[] = [];
  const gro = new Gro('ethernet', packet => found.push(packet));
  const packet = make(pool, 'ethernet', FIRST);
  gro.receive(packet);
  assert.equal(found.length, 0);
  gro.flush();
  gro.flush();
  assert.deepEqual(found, [packet]);
  assert.deepEqual([packet.gsoSize, packet.checksumState], [0, CHECKSUM_VERIFIED]);
  packet.release();
});

test('two segments are joined', () => {
  assert.deepEqual(join([FIRST, SECOND]), [[1000, 200]]);
});

const DIFFERENCES: { readonly [name: string]: Partial<Spec> } = {
  'another acknowledgement': { ack: 78 },
  'another window': { window: 501 },
  'another port': { port: 4001 },
  'another sender': { source: 0x0a000003 },
  'another receiver': { destination: 0x0a000004 },
  'another hardware address': { mac: 3 },
  'another hop limit': { ttl: 63 },
  'another class of service': { tos: 2 },
  'another option': { option: 10 },
  'a gap before it': { seq: 1101 },
  'what came already': { seq: 1000 },
  'more than the first': { length: 101 },
  'no payload': { length: 0 },
  'leave to fragment it': { dontFragment: false },
  'another protocol': { protocol: 17 },
  'a FIN': { flags: ACK | FIN },
  'a RST': { flags: ACK | RST },
  'a SYN': { flags: ACK | SYN },
  'urgent data': { flags: ACK | URG },
  'a reduced window': { flags: ACK | CWR },
  'no ACK': { flags: 0 },
};

for (const [name, difference] of Object.entries(DIFFERENCES)) {
  test(`a segment with ${name} is not joined`, () => {
    const second = { ...SECOND, ...difference };
    assert.deepEqual(join([FIRST, second]), [
      [1000, 100],
      [second.seq, second.length],
    ]);
  });
}

test('damaged segments are left to the stack', () => {
  const damages: ((packet: Packet) => void)[] = [
    packet => packet.view.setUint8(packet.end - 1, 0x55),
    packet => packet.view.setUint16(packet.l3 + 10, 0),
    packet => packet.view.setUint16(packet.l3 + 2, 5000),
    packet => packet.view.setUint8(packet.l4 + 12, 0x10),
  ];
  for (const damage of damages) {
    assert.equal(join([FIRST, SECOND], (packet, index) => index === 1 && damage(packet)).length, 2);
    assert.equal(join([FIRST, SECOND], (packet, index) => index === 0 && damage(packet)).length, 2);
  }
});

test('packets with IP options and frames of other protocols are left alone', () => {
  const asOther = (packet: Packet): void => packet.view.setUint16(packet.start + 12, 0x86dd);
  assert.deepEqual(join([FIRST, SECOND], asOther), APART);
  const withOptions = (packet: Packet): void => {
    packet.view.setUint8(packet.l3, 0x46);
    fillIpv4Checksum(packet.view, packet.l3);
  };
  assert.deepEqual(join([FIRST, SECOND], withOptions), APART);
});

test('what comes between keeps its place', () => {
  const other: Spec = { seq: 5, length: 10, port: 9 };
  assert.deepEqual(join([FIRST, other, SECOND]), [
    [1000, 100],
    [5, 10],
    [1100, 100],
  ]);
});

test('PSH and a shorter segment end a super-segment', () => {
  const third: Spec = { seq: 1200, length: 100 };
  const pushed = { ...SECOND, flags: ACK | PSH };
  assert.deepEqual(join([FIRST, pushed, third]), [
    [1000, 200],
    [1200, 100],
  ]);
  assert.deepEqual(join([{ ...FIRST, flags: ACK | PSH }, SECOND]), APART);
  assert.deepEqual(join([FIRST, { seq: 1100, length: 99 }, { seq: 1199, length: 99 }]), [
    [1000, 199],
    [1199, 99],
  ]);
});

test('padding behind a packet is not taken for data', () => {
  const pad = (packet: Packet): void => {
    packet.end += 6;
  };
  assert.deepEqual(join([FIRST, SECOND], pad), [[1000, 200]]);
});

test('a super-segment is no larger than an IP packet can be', () => {
  const specs = Array.from({ length: 50 }, (_, index) => ({ seq: 1448 * index, length: 1448 }));
  assert.deepEqual(join(specs), [
    [0, 45 * 1448],
    [45 * 1448, 5 * 1448],
  ]);
});

test('nothing is lost when the pool is at its limit', () => {
  const pool = new PacketPool({ smallSlots: 2, largeSlots: 0, overflowPackets: 0 });
  const found: number[] = [];
  const gro = new Gro('ethernet', packet => {
    found.push(tcpSeq(packet.view, packet.l4));
    packet.release();
  });
  const packets = [FIRST, SECOND].map(spec => make(pool, 'ethernet', spec));
  for (const packet of packets) gro.receive(packet);
  gro.flush();
  assert.deepEqual(found, [1000, 1100]);
});
