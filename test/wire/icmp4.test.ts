import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  emitIcmp4,
  formatIcmp4,
  icmp4EchoId,
  icmp4EchoSequence,
  icmp4NextHopMtu,
  icmp4Pointer,
  isIcmp4Error,
  parseIcmp4,
} from '../../src/wire/icmp4.ts';

test('what is written is read', () => {
  fc.assert(
    fc.property(fc.nat(255), fc.nat(255), fc.integer(), fc.nat(9), (type, code, rest, offset) => {
      const view = new DataView(new ArrayBuffer(32));
      emitIcmp4(view, offset, type, code, rest);
      assert.deepEqual(parseIcmp4(view, offset, offset + 8), { type, code, checksum: 0, rest: rest >>> 0 });
      assert.equal(parseIcmp4(view, offset, offset + 7), null);
    }),
  );
});

test('the second word, by type', () => {
  const view = new DataView(new ArrayBuffer(8));
  emitIcmp4(view, 0, 8, 0, 0x12345678);
  assert.equal(icmp4EchoId(view, 0), 0x1234);
  assert.equal(icmp4EchoSequence(view, 0), 0x5678);
  assert.equal(icmp4NextHopMtu(view, 0), 0x5678);
  assert.equal(icmp4Pointer(view, 0), 0x12);
});

test('errors and questions', () => {
  for (const type of [3, 4, 5, 11, 12]) assert.equal(isIcmp4Error(type), true);
  for (const type of [0, 8, 13, 14]) assert.equal(isIcmp4Error(type), false);
});

test('in tcpdump’s words', () => {
  const say = (type: number, code: number, rest = 0) => formatIcmp4({ type, code, checksum: 0, rest });
  assert.equal(say(8, 0, 0x00070001), 'echo request, id 7, seq 1');
  assert.equal(say(0, 0, 0x00070001), 'echo reply, id 7, seq 1');
  assert.equal(say(3, 1), 'host unreachable');
  assert.equal(say(3, 3), 'port unreachable');
  assert.equal(say(3, 4, 1280), 'unreachable - need to frag (mtu 1280)');
  assert.equal(say(3, 13), 'unreachable, code 13');
  assert.equal(say(11, 0), 'time exceeded in-transit');
  assert.equal(say(11, 1), 'ip reassembly time exceeded');
  assert.equal(say(12, 0, 0x14000000), 'parameter problem - octet 20');
  assert.equal(say(13, 0), 'type 13, code 0');
});
