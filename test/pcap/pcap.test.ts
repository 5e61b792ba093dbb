import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fromHex, toHex } from '../../src/base/hex.ts';
import {
  LINKTYPE_ETHERNET,
  LINKTYPE_RAW,
  MAX_SNAPLEN,
  type PcapOptions,
  type PcapPacket,
  PcapWriter,
  pcapHeader,
  pcapRecord,
  readPcap,
} from '../../src/pcap/pcap.ts';

function concat(chunks: Uint8Array[]): Uint8Array {
  return Uint8Array.from(chunks.flatMap(chunk => Array.from(chunk)));
}

function write(packets: PcapPacket[], options: PcapOptions = {}): Uint8Array {
  const chunks: Uint8Array[] = [];
  const writer = new PcapWriter(chunk => chunks.push(chunk), options);
  for (const { atUs, bytes, originalLength } of packets) writer.packet(atUs, bytes, originalLength);
  return concat(chunks);
}

function packetsOf(file: Uint8Array): PcapPacket[] {
  const read = readPcap(file);
  assert.ok(read !== null);
  return Array.from(read.packets, packet => ({ ...packet, bytes: Uint8Array.from(packet.bytes) }));
}

const packet = fc
  .record({
    atUs: fc.nat({ max: 4_000_000_000_000_000 }),
    bytes: fc.uint8Array({ maxLength: 100 }),
    cut: fc.nat({ max: 2000 }),
  })
  .map(({ atUs, bytes, cut }) => ({ atUs, bytes, originalLength: bytes.length + cut }));

test('the header and a record, byte by byte', () => {
  assert.equal(
    toHex(pcapHeader({ linkType: LINKTYPE_ETHERNET, snaplen: 65535 })),
    'd4c3b2a1020004000000000000000000ffff000001000000',
  );
  assert.equal(
    toHex(pcapRecord(1_700_000_000_123_456, Uint8Array.of(0xaa, 0xbb), 60)),
    '00f1536540e20100020000003c000000aabb',
  );
});

test('what was written is read again', () => {
  fc.assert(
    fc.property(fc.array(packet), fc.constantFrom(LINKTYPE_ETHERNET, LINKTYPE_RAW), (packets, linkType) => {
      const file = write(packets, { linkType });
      assert.equal(readPcap(file)?.linkType, linkType);
      assert.equal(readPcap(file)?.snaplen, MAX_SNAPLEN);
      assert.deepEqual(packetsOf(file), packets);
    }),
  );
});

test('the packets can be gone through twice', () => {
  const read = readPcap(write([{ atUs: 1, bytes: Uint8Array.of(1), originalLength: 1 }]));
  assert.equal(Array.from(read?.packets ?? []).length, 1);
  assert.equal(Array.from(read?.packets ?? []).length, 1);
});

test('a packet is cut to the snapshot length, its length on the wire kept', () => {
  const file = write([{ atUs: 5, bytes: Uint8Array.of(1, 2, 3, 4, 5), originalLength: 5 }], { snaplen: 3 });
  assert.deepEqual(packetsOf(file), [{ atUs: 5, bytes: Uint8Array.of(1, 2, 3), originalLength: 5 }]);
});

test('big-endian files and files with nanoseconds', () => {
  const header = (magic: string): string => `${magic}00020004000000000000000000040000000000`;
  const record = '0000000a000f423f0000000200000009beef';
  const bigEndian = fromHex(`${header('a1b2c3d4')}65${record}`);
  assert.equal(readPcap(bigEndian)?.linkType, LINKTYPE_RAW);
  assert.deepEqual(packetsOf(bigEndian), [
    { atUs: 10_999_999, bytes: Uint8Array.of(0xbe, 0xef), originalLength: 9 },
  ]);
  const nanoseconds = fromHex(`${header('a1b23c4d')}65${record}`);
  assert.deepEqual(packetsOf(nanoseconds)[0]?.atUs, 10_000_999);
  const little = fromHex(
    '4d3cb2a1020004000000000000000000000004000100000001000000d204000000000000 01000000'.replace(' ', ''),
  );
  assert.deepEqual(packetsOf(little), [{ atUs: 1_000_001, bytes: new Uint8Array(0), originalLength: 1 }]);
});

test('a file cut off anywhere gives the packets that are whole', () => {
  const packets = [10, 20, 30].map(length => ({
    atUs: length,
    bytes: new Uint8Array(length),
    originalLength: length,
  }));
  const file = write(packets);
  const ends = [24, 50, 86, 132];
  for (let length = 0; length <= file.length; length++) {
    const cut = file.subarray(0, length);
    if (length < 24) assert.equal(readPcap(cut), null);
    else assert.equal(packetsOf(cut).length, ends.filter(end => end <= length).length - 1);
  }
});

test('what is no capture file is null, and no bytes whatever make it throw', () => {
  assert.equal(readPcap(new Uint8Array(100)), null);
  const version1 = pcapHeader();
  version1[4] = 1;
  assert.equal(readPcap(version1), null);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), bytes => {
      const read = readPcap(concat([pcapHeader(), bytes]));
      assert.ok(Array.from(read?.packets ?? []).every(({ bytes: kept }) => kept.length <= bytes.length));
      readPcap(bytes);
    }),
  );
});
