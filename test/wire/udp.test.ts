import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { IpAddress } from '../../src/wire/address.ts';
import { foldChecksum, sum16 } from '../../src/wire/checksum.ts';
import { pseudoHeaderSum } from '../../src/wire/pseudo-header.ts';
import { checkUdp, emitUdp, formatUdp, parseUdp } from '../../src/wire/udp.ts';

test('what is written is read', () => {
  const u16 = fc.nat(0xffff);
  fc.assert(
    fc.property(
      u16,
      u16,
      fc.integer({ min: 8, max: 0xffff }),
      u16,
      fc.nat(9),
      (sourcePort, destinationPort, length, checksum, offset) => {
        const view = new DataView(new ArrayBuffer(32));
        emitUdp(view, offset, sourcePort, destinationPort, length, checksum);
        assert.deepEqual(parseUdp(view, offset, offset + 8), {
          sourcePort,
          destinationPort,
          length,
          checksum,
        });
        assert.equal(parseUdp(view, offset, offset + 7), null);
      },
    ),
  );
});

test('the length field must hold: at least a header, at most what is there', () => {
  const view = new DataView(new ArrayBuffer(20));
  for (const [length, ok] of [
    [7, false],
    [8, true],
    [20, true],
    [21, false],
  ] as const) {
    emitUdp(view, 0, 1, 2, length, 0);
    assert.equal(checkUdp(view, 0, 20), ok, `${length}`);
  }
  assert.equal(checkUdp(view, 0, 7), false);
});

test('the pseudo-header is what its bytes say (RFC 768, RFC 8200)', () => {
  const v4 = fc.integer().map(word => IpAddress.v4(word));
  const v6 = fc
    .tuple(fc.integer(), fc.integer(), fc.integer(), fc.integer())
    .map(words => IpAddress.v6(...words));
  fc.assert(
    fc.property(
      fc.oneof(fc.tuple(v4, v4), fc.tuple(v6, v6)),
      fc.nat(255),
      fc.nat(70000),
      ([a, b], protocol, length) => {
        const bytes = new Uint8Array(a.byteLength * 2 + 8);
        const view = new DataView(bytes.buffer);
        a.write(view, 0);
        b.write(view, a.byteLength);
        view.setUint32(a.byteLength * 2, length);
        view.setUint32(a.byteLength * 2 + 4, protocol);
        assert.equal(foldChecksum(pseudoHeaderSum(a, b, protocol, length)), sum16(bytes, 0, bytes.length, 0));
      },
    ),
  );
});

test('in tcpdump’s words', () => {
  assert.equal(formatUdp({ sourcePort: 1, destinationPort: 2, length: 13, checksum: 0 }), 'UDP, length 5');
});
