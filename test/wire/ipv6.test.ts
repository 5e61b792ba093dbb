import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { IpAddress, parseCidr, solicitedNode } from '../../src/wire/address.ts';
import {
  checkIpv6,
  emitIpv6,
  formatIpv6,
  IPV6_BAD_HEADER,
  IPV6_OK,
  IPV6_TRUNCATED,
  ipv6AddressSum,
  parseIpv6,
  setIpv6TrafficClass,
} from '../../src/wire/ipv6.ts';
import {
  checkIpv6Options,
  emitFragmentHeader,
  emitRouterAlert,
  fragmentId,
  fragmentMore,
  fragmentOffset,
  hasRouterAlert,
  IPV6_OPTIONS_BAD,
  IPV6_OPTIONS_OK,
  upperLayer,
} from '../../src/wire/ipv6-extension.ts';
import { IPV6_PACKET, ipv6Address } from './generators.ts';

test('what is written is read (property)', () => {
  fc.assert(
    fc.property(IPV6_PACKET, fc.nat(10), (repr, offset) => {
      const view = new DataView(new ArrayBuffer(60));
      const { trafficClass, flowLabel, payloadLength, nextHeader, hopLimit, source, destination } = repr;
      emitIpv6(
        view,
        offset,
        trafficClass,
        flowLabel,
        payloadLength,
        nextHeader,
        hopLimit,
        source,
        destination,
      );
      assert.deepEqual(parseIpv6(view, offset, 60), repr);
      const sum = source.checksumPart() + destination.checksumPart();
      assert.equal(ipv6AddressSum(view, offset), sum);
      setIpv6TrafficClass(view, offset, trafficClass ^ 0xff);
      assert.deepEqual(parseIpv6(view, offset, 60), { ...repr, trafficClass: trafficClass ^ 0xff });
    }),
  );
});

test('a header is bad when it is short or not version 6, truncated when the payload is', () => {
  const view = new DataView(new ArrayBuffer(60));
  const one = IpAddress.v6(0, 0, 0, 1);
  emitIpv6(view, 0, 0, 0, 20, 6, 64, one, one);
  assert.equal(checkIpv6(view, 0, 60), IPV6_OK);
  assert.equal(checkIpv6(view, 0, 59), IPV6_TRUNCATED);
  assert.equal(checkIpv6(view, 0, 39), IPV6_BAD_HEADER);
  view.setUint8(0, 0x50);
  assert.equal(checkIpv6(view, 0, 60), IPV6_BAD_HEADER);
  assert.equal(parseIpv6(view, 0, 60), null);
});

test('a header in tcpdump words', () => {
  const view = new DataView(new ArrayBuffer(40));
  const one = IpAddress.v6(0, 0, 0, 1);
  emitIpv6(view, 0, 2, 0x12345, 20, 6, 64, one, one);
  const repr = parseIpv6(view, 0, 40);
  assert.ok(repr !== null);
  assert.equal(
    formatIpv6(repr),
    '(class 0x02, flowlabel 0x12345, hlim 64, next-header 6 payload length: 20)',
  );
});

test('the text of an address gives the address again, with its zone (property)', () => {
  fc.assert(
    fc.property(ipv6Address, fc.nat(1000), (address, zone) => {
      const scoped = address.withZone(zone);
      assert.ok(IpAddress.parse(String(scoped))?.equals(scoped));
      assert.equal(scoped.zone, address.needsZone ? zone : 0);
    }),
  );
});

test('a zone has a number or a name that is known, and sets two link-local addresses apart', () => {
  const zoneOf = (name: string): number => (name === 'eth0' ? 2 : 0);
  assert.equal(String(IpAddress.parse('fe80::1%eth0', zoneOf)), 'fe80::1%2');
  assert.equal(IpAddress.parse('fe80::1%eth1', zoneOf), null);
  assert.equal(IpAddress.parse('fe80::1%'), null);
  assert.equal(IpAddress.parse('10.0.0.1%2'), null);
  const [a, b] = [IpAddress.parse('fe80::1%2'), IpAddress.parse('fe80::1%3')];
  assert.equal(a?.equals(b as IpAddress), false);
  assert.equal(parseCidr('fd00::1/64')?.prefixLength, 64);
});

test('mapped addresses stand for IPv4 ones', () => {
  const four = IpAddress.v4(0x0a000001);
  assert.equal(String(four.toMapped()), '::ffff:10.0.0.1');
  assert.ok(four.toMapped().isMapped);
  assert.ok(four.toMapped().toUnmapped().equals(four));
  assert.equal(four.toMapped().equals(four), false);
});

test('scopes and groups of addresses', () => {
  const scope = (text: string): number | undefined => IpAddress.parse(text)?.scope;
  assert.deepEqual(
    ['fe80::1', '::1', 'fec0::1', 'fd00::1', 'ff02::1', 'ff05::2', 'ff0e::1'].map(scope),
    [2, 2, 5, 14, 2, 5, 14],
  );
  const address = IpAddress.parse('fd00::1:2:3456:789a') as IpAddress;
  assert.equal(String(solicitedNode(address, 2)), 'ff02::1:ff56:789a%2');
});

/** A destination options header of these bytes of options. */
function options(...bytes: number[]): DataView {
  const view = new DataView(new ArrayBuffer(2 + bytes.length));
  bytes.forEach((byte, i) => {
    view.setUint8(2 + i, byte);
  });
  return view;
}

test('options: padding and what may be skipped pass, others are pointed at, nonsense is found', () => {
  const check = (...bytes: number[]): number => checkIpv6Options(options(...bytes), 0, bytes.length + 2, 8);
  assert.equal(check(1, 4, 0, 0, 0, 0), IPV6_OPTIONS_OK);
  assert.equal(check(0, 0, 0, 0, 0, 0), IPV6_OPTIONS_OK);
  assert.equal(check(0x1e, 4, 1, 2, 3, 4), IPV6_OPTIONS_OK);
  assert.equal(check(5, 2, 0, 0, 1, 0), IPV6_OPTIONS_OK);
  assert.equal(check(1, 0, 0x5e, 1, 0, 0), 4);
  assert.equal(check(0xde, 4, 1, 2, 3, 4), 2);
  assert.equal(check(0x1e, 5, 1, 2, 3, 4), IPV6_OPTIONS_BAD);
  assert.equal(check(0, 0, 0, 0, 0, 0x1e), IPV6_OPTIONS_BAD);
  assert.equal(check(...new Array<number>(14).fill(0)), IPV6_OPTIONS_BAD);
  assert.equal(check(...new Array<number>(18).fill(0x1e).flatMap(() => [0x1e, 0])), IPV6_OPTIONS_BAD);
});

test('any bytes can be walked as options (property)', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 6, maxLength: 64 }), bytes => {
      const view = options(...bytes);
      const found = checkIpv6Options(view, 0, view.byteLength, 8);
      assert.ok(found === IPV6_OPTIONS_OK || found === IPV6_OPTIONS_BAD || found < view.byteLength);
      hasRouterAlert(view, 0, view.byteLength);
    }),
  );
});

test('a fragment header and a router alert are read as they were written', () => {
  const view = new DataView(new ArrayBuffer(64));
  emitFragmentHeader(view, 8, 17, 1448, true, 0xdeadbeef);
  assert.deepEqual(
    [fragmentOffset(view, 8), fragmentMore(view, 8), fragmentId(view, 8)],
    [1448, true, 0xdeadbeef],
  );
  emitRouterAlert(view, 0, 58);
  assert.equal(hasRouterAlert(view, 0, 8), true);
  assert.equal(checkIpv6Options(view, 0, 8, 8), IPV6_OPTIONS_OK);
});

test('the transport is found behind extension headers, or not at all', () => {
  const one = IpAddress.v6(0, 0, 0, 1);
  const view = new DataView(new ArrayBuffer(100));
  emitIpv6(view, 0, 0, 0, 60, 0, 64, one, one);
  emitRouterAlert(view, 40, 44);
  emitFragmentHeader(view, 48, 17, 0, true, 1);
  assert.deepEqual(upperLayer(view, 0, 100), {
    protocol: 17,
    offset: 56,
    fragmentOffset: 0,
    nextHeaderAt: 48,
  });
  assert.equal(upperLayer(view, 0, 55), null);
  emitFragmentHeader(view, 48, 60, 80, true, 1);
  assert.equal(upperLayer(view, 0, 100)?.fragmentOffset, 80);
  assert.deepEqual(upperLayer(view, 0, 100, 44), {
    protocol: 44,
    offset: 48,
    fragmentOffset: 0,
    nextHeaderAt: 40,
  });
});
