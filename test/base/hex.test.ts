import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fromHex, toHex } from '../../src/base/hex.ts';

test('bytes become two lower-case digits each, and come back', () => {
  assert.equal(toHex(Uint8Array.of(0, 1, 0xab, 0xff)), '0001abff');
  assert.equal(toHex(Uint8Array.of(0, 1, 0xab, 0xff), 1, 3), '01ab');
  fc.assert(fc.property(fc.uint8Array(), bytes => assert.deepEqual(fromHex(toHex(bytes)), bytes)));
});

test('capital digits are read too; what is no digit counts as 0', () => {
  assert.deepEqual(fromHex('ABcd'), Uint8Array.of(0xab, 0xcd));
  assert.deepEqual(fromHex('g1:f'), Uint8Array.of(0x01, 0x0f));
  assert.deepEqual(fromHex('123'), Uint8Array.of(0x12));
});
