import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { IpAddress } from '../../src/wire/address.ts';
import type { GroupRecord } from '../../src/wire/group-record.ts';
import { formatIcmp6, isIcmp6Error, parseIcmp6 } from '../../src/wire/icmp6.ts';
import {
  emitMldQuery,
  emitMldReport,
  mldReportLength,
  parseMldQuery,
  parseMldReport,
} from '../../src/wire/mld.ts';
import { emitNdp, type NdpRepr, ndpLength, parseNdp } from '../../src/wire/ndp.ts';
import { ipv6Address } from './generators.ts';

/** Records with a prototype, as parsed messages have. */
function plain<T>(fields: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> {
  return fc.record(fields, { noNullPrototype: true }) as fc.Arbitrary<T>;
}

const mac = fc.uint8Array({ minLength: 6, maxLength: 6 });
const u32 = fc.nat(0xffffffff);

const options = fc.record(
  {
    sourceMac: mac,
    targetMac: mac,
    mtu: u32,
    nonce: mac,
    redirected: fc.nat(20).map(units => new Uint8Array(units * 8).fill(7)),
    prefixes: fc.array(
      plain({
        prefix: ipv6Address,
        prefixLength: fc.nat(255),
        onLink: fc.boolean(),
        autonomous: fc.boolean(),
        validSeconds: u32,
        preferredSeconds: u32,
      }),
      { minLength: 1, maxLength: 3 },
    ),
    nameServers: fc.array(
      plain({ lifetime: u32, addresses: fc.array(ipv6Address, { minLength: 1, maxLength: 3 }) }),
      { minLength: 1, maxLength: 2 },
    ),
  },
  { requiredKeys: [], noNullPrototype: true },
);

const message: fc.Arbitrary<NdpRepr> = fc.oneof(
  plain({ type: fc.constant(133 as const), options }),
  plain({
    type: fc.constant(134 as const),
    hopLimit: fc.nat(255),
    managed: fc.boolean(),
    other: fc.boolean(),
    preference: fc.constantFrom(-1 as const, 0 as const, 1 as const),
    lifetime: fc.nat(65535),
    reachableMs: u32,
    retransMs: u32,
    options,
  }),
  plain({ type: fc.constant(135 as const), target: ipv6Address, options }),
  plain({
    type: fc.constant(136 as const),
    target: ipv6Address,
    router: fc.boolean(),
    solicited: fc.boolean(),
    override: fc.boolean(),
    options,
  }),
  plain({
    type: fc.constant(137 as const),
    target: ipv6Address,
    destination: ipv6Address,
    options,
  }),
);

test('a message of neighbour discovery is read as it was written (property)', () => {
  fc.assert(
    fc.property(message, fc.nat(8), (repr, offset) => {
      const length = ndpLength(repr);
      const bytes = new Uint8Array(offset + length + 8).fill(0xee);
      const view = new DataView(bytes.buffer);
      emitNdp(repr, view, offset);
      assert.deepEqual({ ...parseNdp(view, offset, offset + length) }, { ...repr });
      assert.deepEqual([...bytes.subarray(offset + length)], new Array(8).fill(0xee), 'nothing behind it');
    }),
  );
});

test('a message that is cut anywhere is null or another whole one, and no bytes make it throw (property)', () => {
  fc.assert(
    fc.property(message, fc.nat(), (repr, cut) => {
      const length = ndpLength(repr);
      const view = new DataView(new ArrayBuffer(length));
      emitNdp(repr, view, 0);
      const found = parseNdp(view, 0, cut % length);
      if (found !== null) assert.ok(ndpLength(found) <= cut % length);
    }),
  );
  fc.assert(
    fc.property(fc.constantFrom(133, 134, 135, 136, 137), fc.uint8Array({ maxLength: 100 }), (type, rest) => {
      const bytes = Uint8Array.of(type, 0, 0, 0, ...rest);
      parseNdp(new DataView(bytes.buffer), 0, bytes.length);
    }),
  );
});

test('an option of length 0 spoils the message (RFC 4861 section 4.6)', () => {
  const bytes = Uint8Array.of(133, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0);
  assert.equal(parseNdp(new DataView(bytes.buffer), 0, 16), null);
});

test('a report of listeners is read as it was written (property)', () => {
  const record = plain({ type: fc.nat(6), group: ipv6Address });
  fc.assert(
    fc.property(fc.array(record, { maxLength: 5 }), (records: GroupRecord[]) => {
      const length = mldReportLength(records.length);
      const view = new DataView(new ArrayBuffer(length));
      emitMldReport(view, 0, records);
      assert.deepEqual(parseMldReport(view, 0, length), records);
      if (records.length > 0) assert.equal(parseMldReport(view, 0, length - 1), null);
    }),
  );
});

test('a query of either version, with long response times as floating-point numbers', () => {
  const view = new DataView(new ArrayBuffer(28));
  const group = IpAddress.parse('ff02::1:ff00:1') as IpAddress;
  assert.equal(emitMldQuery(view, 0, 1000, group), 28);
  assert.deepEqual(parseMldQuery(view, 0, 28), { version: 2, maxResponseMs: 1000, group });
  assert.deepEqual(parseMldQuery(view, 0, 24), { version: 1, maxResponseMs: 1000, group });
  view.setUint16(4, 0x8000);
  assert.equal(parseMldQuery(view, 0, 28)?.maxResponseMs, 32768);
  assert.equal(parseMldQuery(view, 0, 23), null);
});

test('ICMPv6 headers and their words', () => {
  const bytes = Uint8Array.of(2, 0, 0xab, 0xcd, 0, 0, 5, 0);
  const repr = parseIcmp6(new DataView(bytes.buffer), 0, 8);
  assert.deepEqual(repr, { type: 2, code: 0, checksum: 0xabcd, rest: 1280 });
  assert.equal(repr === null ? '' : formatIcmp6(repr), 'packet too big, mtu 1280');
  assert.deepEqual([1, 4, 127, 128, 137].map(isIcmp6Error), [true, true, true, false, false]);
  assert.equal(parseIcmp6(new DataView(bytes.buffer), 1, 8), null);
});
