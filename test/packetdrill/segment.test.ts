import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  decodeSegment,
  encodeIcmpError,
  encodeSegment,
  type Segment,
} from '../../src/packetdrill/segment.ts';
import { IpAddress } from '../../src/wire/address.ts';
import { ACK, PSH } from '../../src/wire/tcp.ts';

const SEGMENT: Segment = {
  source: 8080,
  destination: 50001,
  seq: 0xfffffff0,
  ack: 7,
  flags: ACK | PSH | 0x100,
  window: 1000,
  urgent: 3,
  options: [
    { kind: 'mss', value: 1460 },
    { kind: 'sack', blocks: [[1, 2]] },
    { kind: 'nop' },
    { kind: 'fastopen', cookie: Uint8Array.of(1, 2, 3), experimental: true },
    { kind: 'md5', bytes: new Uint8Array(2) },
    { kind: 'eol' },
    { kind: 'eol' },
  ],
  payload: Uint8Array.of(9, 8, 7),
  tos: 0x2a,
  ttl: 63,
};

const ENDS = [
  ['10.0.0.1', '10.0.0.2'],
  ['fd00::1', '2001:db8::2'],
].map(([source, destination]) => ({
  source: IpAddress.parse(source as string) as IpAddress,
  destination: IpAddress.parse(destination as string) as IpAddress,
}));

describe("packetdrill: the script's side of the wire", () => {
  for (const ends of ENDS) {
    const name = `${ends.source}`;

    it(`a segment comes back as it was (${name})`, () => {
      const packet = encodeSegment(SEGMENT, ends, false);
      assert.deepEqual(decodeSegment(packet, ends), SEGMENT);
    });

    it(`wrong checksums and lengths are told (${name})`, () => {
      assert.equal(decodeSegment(encodeSegment(SEGMENT, ends, true), ends), 'bad outbound TCP checksum');
      const packet = encodeSegment(SEGMENT, ends, false);
      assert.match(String(decodeSegment(packet.subarray(0, packet.length - 1), ends)), /IP says/);
    });

    it(`what goes elsewhere is none (${name})`, () => {
      const packet = encodeSegment(SEGMENT, ends, false);
      assert.equal(decodeSegment(packet, { source: ends.destination, destination: ends.source }), null);
      assert.equal(decodeSegment(encodeIcmpError(3, 1, 0, packet, ends), ends), null);
    });
  }
});
