import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { IpAddress } from '../../src/wire/address.ts';
import { CE, ECT_0, ECT_1, ecnField, markCe, NOT_ECT } from '../../src/wire/ecn.ts';
import { emitIpv4, ipv4ChecksumOk, ipv4Tos } from '../../src/wire/ipv4.ts';
import { emitIpv6, ipv6FlowLabel, ipv6TrafficClass } from '../../src/wire/ipv6.ts';

const byte = fc.integer({ min: 0, max: 255 });
const word = fc.integer({ min: 0, max: 0xffff });
const OFFSET = 4;

function ipv4(tos: number, id: number, ttl: number): DataView {
  const view = new DataView(new ArrayBuffer(OFFSET + 20));
  emitIpv4(view, OFFSET, tos, 40, id, true, ttl, 6, 0x0a000001, 0x0a000002);
  return view;
}

test('a mark on an IPv4 packet keeps the rest of the type of service, and the checksum right', () => {
  fc.assert(
    fc.property(byte, word, byte, (tos, id, ttl) => {
      const view = ipv4(tos, id, ttl);
      const capable = (tos & 3) !== NOT_ECT;
      assert.equal(ecnField(view, OFFSET), tos & 3);
      assert.equal(markCe(view, OFFSET), capable);
      assert.equal(ipv4Tos(view, OFFSET), capable ? tos | CE : tos);
      assert.ok(ipv4ChecksumOk(view, OFFSET));
    }),
  );
});

test('a mark on an IPv6 packet keeps the rest of the traffic class, and the flow label', () => {
  const a = IpAddress.parse('fd00::1') as IpAddress;
  fc.assert(
    fc.property(byte, fc.integer({ min: 0, max: 0xfffff }), (trafficClass, label) => {
      const view = new DataView(new ArrayBuffer(OFFSET + 40));
      emitIpv6(view, OFFSET, trafficClass, label, 20, 6, 64, a, a);
      const capable = (trafficClass & 3) !== NOT_ECT;
      assert.equal(ecnField(view, OFFSET), trafficClass & 3);
      assert.equal(markCe(view, OFFSET), capable);
      assert.equal(ipv6TrafficClass(view, OFFSET), capable ? trafficClass | CE : trafficClass);
      assert.equal(ipv6FlowLabel(view, OFFSET), label);
    }),
  );
});

test('the codepoints are those of RFC 3168 figure 1', () => {
  assert.deepEqual([NOT_ECT, ECT_1, ECT_0, CE], [0b00, 0b01, 0b10, 0b11]);
});
