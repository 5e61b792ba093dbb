import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SipHash24 } from '../../src/base/siphash24.ts';

const KEY = Uint8Array.from({ length: 16 }, (_, i) => i);

/** The hash of the bytes 0, 1, 2 ... `length` - 1, as its authors write it: the bytes in their order. */
function digest(length: number, key = KEY): string {
  const view = new DataView(Uint8Array.from({ length }, (_, i) => i).buffer);
  const hash = new SipHash24(key).begin();
  for (let at = 0; at < length; at += 8) hash.add(view.getInt32(at, true), view.getInt32(at + 4, true));
  hash.end();
  const out = new DataView(new ArrayBuffer(8));
  out.setInt32(0, hash.low, true);
  out.setInt32(4, hash.high, true);
  return Array.from({ length: 8 }, (_, i) => out.getUint8(i).toString(16).padStart(2, '0')).join('');
}

describe('SipHash-2-4', () => {
  it('the test vectors of its authors', () => {
    assert.equal(digest(0), '310e0edd47db6f72');
    assert.equal(digest(8), '6224939a79f5f593');
    assert.equal(digest(16), 'db9bc2577fcc2a3f');
  });

  it('one object makes one hash after the other', () => {
    const hash = new SipHash24(KEY);
    const once = (): [number, number] => {
      hash.begin().add(1, 2).end();
      return [hash.low, hash.high];
    };
    const first = once();
    hash.begin().add(3, 4).end();
    assert.deepEqual(once(), first);
  });

  it('depends on every part of the key', () => {
    const seen = new Set([digest(8)]);
    for (let i = 0; i < 16; i++) {
      const key = KEY.slice();
      key[i] = 0xff;
      seen.add(digest(8, key));
    }
    assert.equal(seen.size, 17);
  });
});
