import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import {
  type ChecksumKind,
  createChecksum,
  finishChecksum,
  foldChecksum,
  sum16,
  updateChecksum16,
} from '../../src/wire/checksum.ts';

/** The definition, in exact arithmetic: network-order words, an odd byte padded with zero, carries added back in. */
function reference(bytes: Uint8Array, start: number, end: number, initial: number): number {
  let sum = BigInt(initial);
  for (let i = start; i < end; i += 2) {
    sum += BigInt((bytes[i] as number) * 256 + (i + 1 < end ? (bytes[i + 1] as number) : 0));
  }
  while (sum > 0xffffn) sum = (sum & 0xffffn) + (sum >> 16n);
  return Number(sum);
}

function randomBytes(length: number, seed: number): Uint8Array {
  let state = seed | 1;
  return Uint8Array.from({ length }, () => (state = (Math.imul(state, 1103515245) + 12345) | 0) >>> 16);
}

test('sum16 gives the example of RFC 1071 section 3', () => {
  const bytes = Uint8Array.of(0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7);
  assert.equal(sum16(bytes, 0, 8, 0), 0xddf2);
  assert.equal(finishChecksum(sum16(bytes, 0, 8, 0)), 0x220d);
});

test('an IPv4 header with its checksum in place sums to 0xffff', () => {
  const header = Uint8Array.from(
    [
      0x45, 0x00, 0x00, 0x73, 0x00, 0x00, 0x40, 0x00, 0x40, 0x11, 0xb8, 0x61, 0xc0, 0xa8, 0x00, 0x01, 0xc0,
      0xa8,
    ].concat([0x00, 0xc7]),
  );
  assert.equal(sum16(header, 0, 20, 0), 0xffff);
  header.fill(0, 10, 12);
  assert.equal(finishChecksum(sum16(header, 0, 20, 0)), 0xb861);
});

test('a sum carries over from one even part to the next', () => {
  const bytes = randomBytes(1000, 7);
  const whole = sum16(bytes, 0, 1000, 0);
  assert.equal(sum16(bytes, 400, 1000, sum16(bytes, 0, 400, 0)), whole);
});

const KINDS: ChecksumKind[] = ['simd', 'scalar', 'js'];

for (const kind of KINDS) {
  test(`${kind}: any data, offset, length and initial sum give the defined result, in place and from elsewhere`, () => {
    const checksum = createChecksum(4096, [kind]);
    assert.equal(checksum.memory.length, 4096);
    const slot = checksum.memory.subarray(1024, 4096);
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 2000 }),
        fc.nat({ max: 64 }),
        fc.integer({ min: 0, max: 2 ** 31 }),
        (data, offset, initial) => {
          slot.fill(0xa5);
          slot.set(data, offset);
          const elsewhere = slot.slice();
          const end = offset + data.length;
          const expected = reference(slot, offset, end, initial);
          assert.equal(checksum.sum(slot, offset, end, initial), expected);
          assert.equal(checksum.sumInPlace(slot, 1024, offset, end, initial), expected);
          assert.equal(checksum.sum(elsewhere, offset, end, initial), expected);
          assert.equal(sum16(elsewhere, offset, end, initial), expected);
        },
      ),
    );
  });

  test(`${kind}: every length around the kernel's strides, all bytes 0xff`, () => {
    const checksum = createChecksum(1024, [kind]);
    checksum.memory.fill(0xff);
    for (let start = 0; start < 3; start++) {
      for (let length = 0; length < 300; length++) {
        const expected = reference(checksum.memory, start, start + length, 1);
        assert.equal(checksum.sum(checksum.memory, start, start + length, 1), expected, `${start}+${length}`);
      }
    }
  });

  test(`${kind}: more data than 32 bits of sum can hold`, () => {
    for (const length of [131072, 131073, 500001]) {
      const checksum = createChecksum(length, [kind]);
      const elsewhere = new Uint8Array(length).fill(0xff);
      checksum.memory.fill(0xff);
      const expected = reference(elsewhere, 0, length, 0xfffffff0);
      assert.equal(checksum.sum(checksum.memory, 0, length, 0xfffffff0), expected);
      assert.equal(checksum.sum(elsewhere, 0, length, 0xfffffff0), expected);
      assert.equal(sum16(elsewhere, 0, length, 0xfffffff0), expected);
    }
  });

  test(`${kind}: bytes from elsewhere do not change the memory`, () => {
    const checksum = createChecksum(65536, [kind]);
    checksum.memory.fill(0x11);
    checksum.sum(new Uint8Array(60000).fill(0x22), 0, 60000, 0);
    assert.ok(checksum.memory.every(byte => byte === 0x11));
  });
}

test('by default sums are made in WebAssembly, and the memory can be as small as nothing', () => {
  assert.notEqual(createChecksum(0).sum, sum16);
  assert.equal(createChecksum(0).memory.length, 0);
  assert.equal(createChecksum(0, ['js']).sum, sum16);
});

test('the committed WebAssembly is what its source assembles to', () => {
  const script = fileURLToPath(new URL('../../../scripts/build-wasm.js', import.meta.url));
  const result = spawnSync(process.execPath, [script, '--check'], { encoding: 'utf8' });
  assert.equal(result.status, 0, result.stderr);
});

test('foldChecksum adds the carries back in, for signed and unsigned sums', () => {
  assert.equal(foldChecksum(0), 0);
  assert.equal(foldChecksum(0xffff), 0xffff);
  assert.equal(foldChecksum(0x10000), 1);
  assert.equal(foldChecksum(0xffffffff), 0xffff);
  assert.equal(foldChecksum(-1), 0xffff);
  assert.equal(foldChecksum(0x1fffe), 0xffff);
});

test('updateChecksum16 gives what summing afresh gives, and the example of RFC 1624 section 4', () => {
  assert.equal(updateChecksum16(0xdd2f, 0x5555, 0x3285), 0x0000);
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 20, maxLength: 40 }),
      fc.nat({ max: 9 }),
      fc.nat({ max: 0xffff }),
      (bytes, position, newWord) => {
        bytes[0] = 0x45; // a header is never all zero, which is what makes the incremental form exact
        if (position === 0) return;
        const before = finishChecksum(sum16(bytes, 0, bytes.length, 0));
        const at = 2 * position;
        const oldWord = ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
        bytes[at] = newWord >>> 8;
        bytes[at + 1] = newWord & 0xff;
        assert.equal(
          updateChecksum16(before, oldWord, newWord),
          finishChecksum(sum16(bytes, 0, bytes.length, 0)),
        );
      },
    ),
  );
});
