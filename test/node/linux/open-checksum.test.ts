import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CHECKSUM_NONE, CHECKSUM_PARTIAL, type Packet } from '../../../src/core/packet.ts';
import { completeChecksum } from '../../../src/core/partial-checksum.ts';
import { PacketPool } from '../../../src/core/pool.ts';
import { recognizeOpenChecksum } from '../../../src/node/linux/open-checksum.ts';

const hex = (text: string): number[] => [...Buffer.from(text.replaceAll(' ', ''), 'hex')];

const MACS = hex('020000000002 020000000001');
/** 10.65.0.1 to 10.65.0.2, UDP, 12 bytes behind the IP header; then ports 1 and 9, length 12, "abcd". */
const IPV4 = hex('4500 0020 0001 0000 4011 0000 0a410001 0a410002');
const IPV6 = hex('60000000 000c 11 40 fd65000000000000 0000000000000001 fd65000000000000 0000000000000002');
const UDP_START = hex('0001 0009 000c');
const PAYLOAD = [...Buffer.from('abcd')];

const pool = new PacketPool();

function frame(type: string, ip: number[], checksum: string, tag: number[] = []): Packet {
  const packet = pool.take(200) as Packet;
  const bytes = [...MACS, ...tag, ...hex(type), ...ip, ...UDP_START, ...hex(checksum), ...PAYLOAD];
  packet.bytes.set(bytes, packet.start);
  packet.end = packet.start + bytes.length;
  return packet;
}

/** The pseudo-header's sums of the two, worked out by hand: addresses, protocol 17 and length 12. */
const OPEN_V4 = '14a2';
const OPEN_V6 = 'faeb';

describe('recognizeOpenChecksum', () => {
  for (const [name, packet, l4] of [
    ['IPv4', frame('0800', IPV4, OPEN_V4), 34],
    ['IPv6', frame('86dd', IPV6, OPEN_V6), 54],
    ['IPv4 in a VLAN', frame('0800', IPV4, OPEN_V4, hex('81000005')), 38],
  ] as const) {
    it(`sees one in ${name}`, () => {
      recognizeOpenChecksum(packet);
      assert.equal(packet.checksumState, CHECKSUM_PARTIAL);
      assert.equal(packet.l4 - packet.start, l4);
      assert.equal(packet.checksumOffset, 6);
      completeChecksum(packet);
      // A finished one is not an open one.
      recognizeOpenChecksum(packet);
      assert.equal(packet.checksumState, CHECKSUM_NONE);
    });
  }

  it('leaves others alone', () => {
    const fragment = [...IPV4];
    fragment[6] = 0x20;
    for (const packet of [
      frame('0800', IPV4, '14a3'),
      frame('0800', IPV4, '0000'),
      frame('0800', fragment, OPEN_V4),
      frame('0806', IPV4, OPEN_V4),
    ]) {
      recognizeOpenChecksum(packet);
      assert.equal(packet.checksumState, CHECKSUM_NONE);
    }
  });

  it('reads nothing behind the end', () => {
    const whole = frame('0800', IPV4, OPEN_V4);
    for (let length = 0; length < whole.length; length++) {
      const packet = frame('0800', IPV4, OPEN_V4);
      packet.end = packet.start + length;
      recognizeOpenChecksum(packet);
      assert.equal(packet.checksumState, CHECKSUM_NONE, `${length} bytes`);
    }
  });
});
