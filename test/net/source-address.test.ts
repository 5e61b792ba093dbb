import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ipv6Address } from '../../src/net/ipv6-address.ts';
import { commonPrefix, selectSource, sortDestinations } from '../../src/net/source-address.ts';
import { ip, ManualEnv, TestHost } from './harness.ts';

const { host } = new TestHost(new ManualEnv(), 'a');

function entry(text: string, change: Partial<Ipv6Address> = {}): Ipv6Address {
  const made = new Ipv6Address(ip(text), 64, 'manual');
  return Object.assign(made, { check: 'done' }, change);
}

function source(destination: string, ...candidates: (string | Ipv6Address)[]): string {
  const entries = candidates.map(text => (typeof text === 'string' ? entry(text) : text));
  const forth = String(selectSource(ip(destination), entries, host));
  assert.equal(String(selectSource(ip(destination), entries.reverse(), host)), forth, 'whatever the order');
  return forth;
}

test('RFC 6724 section 5: examples of the rules', () => {
  // Rule 1 and 2: the same address, the scope that fits.
  assert.equal(source('2001:db8:1::1', '2001:db8:3::1', 'fe80::1%2'), '2001:db8:3::1');
  assert.equal(source('ff05::1', '2001:db8:3::1', 'fe80::1%2'), '2001:db8:3::1');
  assert.equal(source('fe80::2%2', '2001:db8:3::1', 'fe80::1%2'), 'fe80::1%2');
  assert.equal(source('2001:db8:1::1', '2001:db8:1::1', '2001:db8:2::1'), '2001:db8:1::1');
  // Rule 3: what is deprecated comes last.
  const deprecated = entry('2001:db8:1::2', { preferredUntilUs: 0 });
  assert.equal(source('2001:db8:1::1', deprecated, '2001:db8:3::2'), '2001:db8:3::2');
  // Rule 6: the label.
  assert.equal(
    source('2002:c633:6401::1', '2002:c633:6401::d5e3:7953', '2001:db8:1::2'),
    '2002:c633:6401::d5e3:7953',
  );
  assert.equal(source('fd00::1', '2001:db8:1::2', 'fd11::2'), 'fd11::2');
  // Rule 8: the longest prefix in common.
  assert.equal(source('2001:db8:1::1', '2001:db8:1::2', '2001:db8:3::2'), '2001:db8:1::2');
});

test('what is tentative, or of another link, is not taken', () => {
  assert.equal(source('2001:db8:1::1', entry('2001:db8:1::2', { check: 'tentative' })), 'null');
  assert.equal(source('2001:db8:1::1', entry('2001:db8:1::2', { check: 'duplicate' })), 'null');
  assert.equal(source('fe80::1%2', 'fe80::2%3'), 'null');
  assert.equal(source('2001:db8:1::1', '::1'), 'null');
  const optimistic = entry('2001:db8:1::2', { check: 'optimistic' });
  assert.equal(source('2001:db8:1::1', optimistic), '2001:db8:1::2');
  assert.equal(source('2001:db8:1::1', optimistic, '2001:db8:9::2'), '2001:db8:9::2');
});

test('RFC 6724 section 6: the order of destinations', () => {
  const order = (...pairs: [string, string | null][]): string[] =>
    sortDestinations(
      pairs.map(([destination, from]) => ({
        destination: ip(destination),
        source: from === null ? null : ip(from),
      })),
    ).map(String);
  // Rule 1: what cannot be reached comes last.
  assert.deepEqual(order(['2001:db8::1', null], ['10.0.0.1', '10.0.0.2']), ['10.0.0.1', '2001:db8::1']);
  // Rule 2: scopes that agree.
  assert.deepEqual(order(['2001:db8:1::1', 'fe80::1%2'], ['198.51.100.121', '198.51.100.117']), [
    '198.51.100.121',
    '2001:db8:1::1',
  ]);
  // Rule 6: IPv6 before IPv4 where both can be reached.
  assert.deepEqual(order(['10.1.2.3', '10.1.2.4'], ['2001:db8:1::1', '2001:db8:1::2']), [
    '2001:db8:1::1',
    '10.1.2.3',
  ]);
  // Rule 8: the smaller scope; rule 9: the longer prefix in common; rule 10: as they came.
  assert.deepEqual(order(['2001:db8:1::1', '2001:db8:1::2'], ['fe80::1%2', 'fe80::2%2']), [
    'fe80::1%2',
    '2001:db8:1::1',
  ]);
  assert.deepEqual(order(['2001:db8:1::1', '2001:db8:3::2'], ['2001:db8:3::1', '2001:db8:3::2']), [
    '2001:db8:3::1',
    '2001:db8:1::1',
  ]);
  assert.deepEqual(order(['10.0.0.1', '10.0.0.9'], ['10.0.0.2', '10.0.0.9']), ['10.0.0.1', '10.0.0.2']);
});

test('prefixes in common', () => {
  assert.equal(commonPrefix(ip('fd00::1'), ip('fd00::1')), 128);
  assert.equal(commonPrefix(ip('fd00::1'), ip('fd00::2')), 126);
  assert.equal(commonPrefix(ip('fd00::1'), ip('fd01::1')), 15);
  assert.equal(commonPrefix(ip('::'), ip('8000::')), 0);
});
