import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { IpAddress } from '../../src/wire/address.ts';
import { sum16 } from '../../src/wire/checksum.ts';
import {
  blankUncopiedIpv4Options,
  checkIpv4,
  checkIpv4Options,
  decrementIpv4Ttl,
  emitIpv4,
  fillIpv4Checksum,
  formatIpv4,
  IPV4_BAD_HEADER,
  IPV4_OK,
  IPV4_OPTIONS_OK,
  IPV4_TRUNCATED,
  ipv4ChecksumOk,
  ipv4HasSourceRoute,
  ipv4IsFragment,
  ipv4Ttl,
  parseIpv4,
  setIpv4Fragment,
} from '../../src/wire/ipv4.ts';

function header(options: number[] = [], length = 20 + options.length): DataView {
  const view = new DataView(new ArrayBuffer(Math.max(length, 20 + options.length)));
  emitIpv4(view, 0, 0, length, 7, false, 64, 6, 0x0a000001, 0x0a000002);
  view.setUint8(0, 0x40 | ((20 + options.length) >> 2));
  options.forEach((byte, i) => {
    view.setUint8(20 + i, byte);
  });
  fillIpv4Checksum(view, 0);
  return view;
}

test('what is written is read, with a right checksum', () => {
  const u16 = fc.nat(0xffff);
  const u8 = fc.nat(255);
  fc.assert(
    fc.property(
      fc.tuple(u8, u8, u8),
      fc.integer({ min: 20, max: 65535 }),
      u16,
      fc.boolean(),
      fc.tuple(fc.integer(), fc.integer()),
      fc.nat(10),
      ([tos, ttl, protocol], totalLength, id, dontFragment, [source, destination], offset) => {
        const bytes = new Uint8Array(40);
        const view = new DataView(bytes.buffer);
        emitIpv4(view, offset, tos, totalLength, id, dontFragment, ttl, protocol, source, destination);
        const { checksum, ...repr } = parseIpv4(view, offset, 40) ?? assert.fail();
        assert.deepEqual(repr, {
          headerLength: 20,
          tos,
          totalLength,
          id,
          dontFragment,
          moreFragments: false,
          fragmentOffset: 0,
          ttl,
          protocol,
          checksumOk: true,
          source: IpAddress.v4(source),
          destination: IpAddress.v4(destination),
        });
        assert.equal(sum16(bytes, offset, offset + 20, 0), 0xffff);
        assert.equal(checksum, view.getUint16(offset + 10));
      },
    ),
  );
});

test('a header as it is on the wire', () => {
  const view = new DataView(new ArrayBuffer(20));
  emitIpv4(view, 0, 0, 0x73, 0, true, 64, 17, 0xc0a80001 | 0, 0xc0a800c7 | 0);
  assert.equal(
    Buffer.from(view.buffer).toString('hex'),
    '4500007300004000' + '4011b861' + 'c0a80001' + 'c0a800c7',
  );
});

test('the check tells a bad header from a packet cut short', () => {
  const check = (edit: (view: DataView) => void, end = 30): number => {
    const view = header([], 30);
    edit(view);
    return checkIpv4(view, 0, end);
  };
  assert.equal(
    check(() => {}),
    IPV4_OK,
  );
  assert.equal(
    check(() => {}, 29),
    IPV4_TRUNCATED,
  );
  assert.equal(
    check(() => {}, 19),
    IPV4_BAD_HEADER,
  );
  assert.equal(
    check(view => view.setUint8(0, 0x65)),
    IPV4_BAD_HEADER,
  );
  assert.equal(
    check(view => view.setUint8(0, 0x44)),
    IPV4_BAD_HEADER,
  );
  assert.equal(
    check(view => view.setUint8(0, 0x4f)),
    IPV4_BAD_HEADER,
  );
  assert.equal(
    check(view => view.setUint16(2, 19)),
    IPV4_BAD_HEADER,
  );
});

test('a capture that is cut short is still parsed', () => {
  assert.equal(parseIpv4(header([], 30), 0, 25)?.totalLength, 30);
  assert.equal(parseIpv4(header([], 30), 0, 19), null);
});

test('one hop less keeps the checksum right', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 255 }), fc.nat(0xffff), fc.nat(255), (ttl, id, protocol) => {
      const view = new DataView(new ArrayBuffer(20));
      emitIpv4(view, 0, 0, 20, id, false, ttl, protocol, 0x0a000001, id << 8);
      decrementIpv4Ttl(view, 0);
      assert.equal(ipv4Ttl(view, 0), ttl - 1);
      assert.ok(ipv4ChecksumOk(view, 0));
    }),
  );
});

test('a changed header has a wrong checksum', () => {
  for (let at = 0; at < 20; at++) {
    const view = header();
    view.setUint8(at, view.getUint8(at) ^ (at === 0 ? 0x10 : 0x40));
    assert.equal(ipv4ChecksumOk(view, 0), false, `byte ${at}`);
  }
});

test('the fragment field', () => {
  fc.assert(
    fc.property(fc.nat(8191), fc.boolean(), fc.boolean(), (units, moreFragments, dontFragment) => {
      const view = header();
      setIpv4Fragment(view, 0, units * 8, moreFragments, dontFragment);
      const repr = parseIpv4(view, 0, 20);
      assert.equal(repr?.fragmentOffset, units * 8);
      assert.equal(repr?.moreFragments, moreFragments);
      assert.equal(repr?.dontFragment, dontFragment);
      assert.equal(ipv4IsFragment(view, 0), units > 0 || moreFragments);
    }),
  );
});

test('options: well formed, or where they are wrong', () => {
  const cases: [number[], number][] = [
    [[], IPV4_OPTIONS_OK],
    [[1, 1, 1, 0], IPV4_OPTIONS_OK],
    [[7, 4, 4, 0], IPV4_OPTIONS_OK],
    [[0, 99, 99, 99], IPV4_OPTIONS_OK], // nothing counts behind the end
    [[7, 5, 4, 0], 21], // longer than the header
    [[7, 1, 4, 0], 21],
    [[7, 0, 4, 0], 21],
    [[1, 1, 1, 7], 23], // no room for a length
  ];
  for (const [options, expected] of cases)
    assert.equal(checkIpv4Options(header(options), 0), expected, `${options}`);
});

test('the walk through options ends, whatever they are', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 40, maxLength: 40 }), options => {
      const view = header([...options]);
      const wrongAt = checkIpv4Options(view, 0);
      assert.ok(wrongAt === IPV4_OPTIONS_OK || (wrongAt >= 20 && wrongAt < 60));
      ipv4HasSourceRoute(view, 0);
      blankUncopiedIpv4Options(view, 0);
      assert.equal(view.byteLength, 60);
    }),
  );
});

test('source routes are found among other options', () => {
  assert.equal(ipv4HasSourceRoute(header([1, 131, 3, 4]), 0), true);
  assert.equal(ipv4HasSourceRoute(header([7, 3, 4, 137, 3, 4, 0, 0]), 0), true);
  assert.equal(ipv4HasSourceRoute(header([7, 3, 131, 0]), 0), false);
});

test('later fragments keep only the options that are copied', () => {
  const view = header([7, 3, 4, 0x94, 4, 0, 0, 0]); // record route, router alert
  blankUncopiedIpv4Options(view, 0);
  assert.deepEqual([...new Uint8Array(view.buffer, 20)], [1, 1, 1, 0x94, 4, 0, 0, 0]);
});

test('in tcpdump’s words', () => {
  const view = new DataView(new ArrayBuffer(60));
  emitIpv4(view, 0, 0x10, 60, 4242, true, 64, 6, 1, 2);
  const repr = parseIpv4(view, 0, 60);
  assert.ok(repr);
  assert.equal(formatIpv4(repr), '(tos 0x10, ttl 64, id 4242, offset 0, flags [DF], proto 6, length 60)');
  assert.match(formatIpv4({ ...repr, dontFragment: false, moreFragments: true }), /flags \[\+\]/);
  assert.match(formatIpv4({ ...repr, dontFragment: false }), /flags \[none\]/);
});
