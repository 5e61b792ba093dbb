import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fromHex } from '../../src/base/hex.ts';
import { IpAddress } from '../../src/wire/address.ts';
import {
  DHCP6_INFORMATION_REQUEST,
  duidOf,
  emitDhcp6,
  formatDhcp6,
  parseDhcp6,
} from '../../src/wire/dhcp6.ts';

const duid = fc.uint8Array({ minLength: 3, maxLength: 130 });
const address = fc
  .tuple(fc.integer(), fc.integer(), fc.integer(), fc.integer())
  .map(words => IpAddress.v6(...words));
const name = fc.stringMatching(/^[a-z0-9]{1,20}(\.[a-z0-9]{1,20}){0,3}$/);

test('DHCPv6 messages are read as they were written', () => {
  const message = fc.record(
    {
      type: fc.integer({ min: 1, max: 13 }),
      transactionId: fc.nat(0xffffff),
      clientId: duid,
      serverId: duid,
      optionRequest: fc.array(fc.nat(0xffff), { maxLength: 10 }),
      elapsedTime: fc.nat(0xffff),
      status: fc.nat(0xffff),
      nameServers: fc.array(address, { maxLength: 4 }),
      domains: fc.array(name, { maxLength: 4 }),
      refreshTime: fc.nat(0xffffffff),
    },
    { requiredKeys: ['type', 'transactionId'], noNullPrototype: true },
  );
  fc.assert(fc.property(message, spec => assert.deepEqual(parseDhcp6(emitDhcp6(spec)), spec)));
});

test('an information-request is laid out as RFC 8415 section 8 says', () => {
  const clientId = duidOf(Uint8Array.of(2, 0, 0, 0, 0, 1));
  const message = {
    type: DHCP6_INFORMATION_REQUEST,
    transactionId: 0xabcdef,
    clientId,
    optionRequest: [23, 24],
  };
  assert.deepEqual(
    emitDhcp6(message),
    fromHex('0babcdef 0001000a 00030001020000000001 00060004 00170018'.replaceAll(' ', '')),
  );
  assert.equal(formatDhcp6(message), 'information-request');
});

test('an option over the end makes no message; a malformed or unknown one is skipped', () => {
  assert.equal(parseDhcp6(fromHex('070000')), null);
  assert.equal(parseDhcp6(fromHex('070000010017001000')), null);
  assert.equal(parseDhcp6(fromHex('07000001001700')), null);
  assert.deepEqual(
    parseDhcp6(fromHex('07000001 0017000311223300630001ff 0020000400000258'.replaceAll(' ', ''))),
    {
      type: 7,
      transactionId: 1,
      refreshTime: 600,
    },
  );
});

test('whatever bytes there are: no exception', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), bytes => {
      const message = parseDhcp6(bytes);
      if (message !== null) assert.ok((message.nameServers?.length ?? 0) * 16 <= bytes.length);
    }),
    { numRuns: 1000 },
  );
});
