import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { fromHex } from '../../src/base/hex.ts';
import { IpAddress } from '../../src/wire/address.ts';
import {
  BOOTREPLY,
  BOOTREQUEST,
  DHCP_ACK,
  DHCP_OFFER,
  DHCP_REQUEST,
  type DhcpMessageSpec,
  emitDhcp,
  formatDhcp,
  parseDhcp,
} from '../../src/wire/dhcp.ts';
import { type DhcpOptions, emitDhcpOptions, parseDhcpOptions } from '../../src/wire/dhcp-options.ts';
import { emitDomainNames, isDomainName, parseDomainNames } from '../../src/wire/domain-name.ts';

const EMPTY = new Uint8Array(0);
const ip = (text: string): IpAddress => IpAddress.parse(text) as IpAddress;
const mac = Uint8Array.of(2, 0, 0, 0, 0, 7);

const address = fc.integer().map(IpAddress.v4);
const addresses = fc.array(address, { minLength: 1, maxLength: 5 });
const text = fc.stringMatching(/^[!-~]{1,40}$/);
const u32 = fc.nat(0xffffffff);
const octets = fc.uint8Array({ minLength: 1, maxLength: 20 });
const label = fc.stringMatching(/^[a-z0-9_-]{1,20}$/);
const name = fc.array(label, { minLength: 1, maxLength: 5 }).map(labels => labels.join('.'));

const routes = fc.array(
  fc.record({ destination: address, prefixLength: fc.nat(32), router: address }).map(route => {
    const mask = route.prefixLength === 0 ? 0 : -1 << (32 - route.prefixLength);
    return { ...route, destination: IpAddress.v4(route.destination.w3 & mask) };
  }),
  { minLength: 1, maxLength: 80 },
);

const options: fc.Arbitrary<DhcpOptions> = fc.record(
  {
    messageType: fc.integer({ min: 1, max: 8 }),
    subnetMask: address,
    routers: addresses,
    nameServers: addresses,
    hostName: text,
    domainName: name,
    mtu: fc.nat(0xffff),
    broadcastAddress: address,
    requestedAddress: address,
    leaseTime: u32,
    serverId: address,
    parameters: octets,
    message: text,
    maxMessageSize: fc.nat(0xffff),
    renewalTime: u32,
    rebindingTime: u32,
    vendorClass: text,
    clientId: octets,
    searchList: fc.array(name, { minLength: 1, maxLength: 12 }),
    classlessRoutes: routes,
  },
  { requiredKeys: ['messageType'], noNullPrototype: true },
);

describe('DHCP messages', () => {
  it('are read as they were written', () => {
    const fields = {
      op: fc.constantFrom(BOOTREQUEST, BOOTREPLY),
      xid: u32,
      secs: fc.nat(0xffff),
      broadcast: fc.boolean(),
      ciaddr: address,
      yiaddr: address,
      siaddr: address,
      giaddr: address,
      chaddr: fc.uint8Array({ minLength: 6, maxLength: 6 }),
      options,
    };
    fc.assert(
      fc.property(fc.record(fields, { noNullPrototype: true }), spec => {
        const bytes = emitDhcp(spec, 4096);
        assert.ok(bytes.length >= 300);
        assert.deepEqual(parseDhcp(bytes), spec);
      }),
    );
  });

  it('leave out the last options when the receiver takes no more', () => {
    fc.assert(
      fc.property(options, all => {
        const bytes = emitDhcp({ op: BOOTREPLY, xid: 1, chaddr: mac, options: all });
        assert.ok(bytes.length <= 576 - 28);
        const read = parseDhcp(bytes)?.options ?? {};
        assert.equal(read.messageType, all.messageType);
        for (const key of Object.keys(read) as (keyof DhcpOptions)[]) assert.deepEqual(read[key], all[key]);
      }),
    );
  });

  it('are laid out as RFC 2131 figure 1 says', () => {
    const spec: DhcpMessageSpec = {
      op: BOOTREQUEST,
      xid: 0x12345678,
      secs: 3,
      broadcast: true,
      ciaddr: ip('10.0.0.5'),
      chaddr: mac,
      options: { messageType: DHCP_REQUEST, requestedAddress: ip('10.0.0.5') },
    };
    const bytes = emitDhcp(spec);
    assert.deepEqual(bytes.subarray(0, 16), fromHex('0101060012345678000380000a000005'));
    assert.deepEqual(bytes.subarray(28, 34), mac);
    assert.deepEqual(bytes.subarray(236, 250), fromHex('6382536335010332040a000005ff'));
    assert.equal(bytes.length, 300);
  });

  it('of other hardware, without the cookie, without a type or too short are none', () => {
    const good = emitDhcp({ op: BOOTREPLY, xid: 1, chaddr: mac, options: { messageType: DHCP_ACK } });
    const changed = (at: number, value: number): Uint8Array => {
      const bytes = good.slice();
      bytes[at] = value;
      return bytes;
    };
    assert.ok(parseDhcp(good) !== null);
    for (const [at, value] of [
      [0, 3],
      [1, 6],
      [2, 16],
      [239, 0],
      [241, 2],
    ] as const) {
      assert.equal(parseDhcp(changed(at, value)), null);
    }
    assert.equal(parseDhcp(good.subarray(0, 239)), null);
  });

  it('are told in a few words', () => {
    const base = { op: BOOTREPLY, xid: 1, chaddr: mac } as const;
    const serverId = ip('10.0.0.1');
    const offer = emitDhcp({
      ...base,
      yiaddr: ip('10.0.0.7'),
      options: { messageType: DHCP_OFFER, serverId },
    });
    const request = emitDhcp({
      ...base,
      options: { messageType: DHCP_REQUEST, serverId, requestedAddress: ip('10.0.0.7') },
    });
    const said = [offer, request].map(bytes =>
      formatDhcp(parseDhcp(bytes) as NonNullable<ReturnType<typeof parseDhcp>>),
    );
    assert.deepEqual(said, ['DHCPOFFER of 10.0.0.7 from 10.0.0.1', 'DHCPREQUEST for 10.0.0.7']);
  });
});

describe('DHCP options', () => {
  it('of an unknown code or a wrong length are skipped, those behind them are read', () => {
    const bytes = fromHex(
      '00 350105 e0021122 01020aff 0000 33040000000a 03050a00000101 ff 0604080808 08'.replaceAll(' ', ''),
    );
    assert.deepEqual(parseDhcpOptions(bytes, EMPTY, EMPTY), { messageType: 5, leaseTime: 10 });
  });

  it('in file and sname are read when option 52 says so', () => {
    const said = (overload: number): DhcpOptions =>
      parseDhcpOptions(
        fromHex(`3501023401${overload.toString(16).padStart(2, '0')}ff`),
        fromHex('0304c0000201ff'),
        fromHex('0604c0000202ff'),
      );
    const routers = [ip('192.0.2.1')];
    const nameServers = [ip('192.0.2.2')];
    assert.deepEqual(said(0), { messageType: 2 });
    assert.deepEqual(said(1), { messageType: 2, routers });
    assert.deepEqual(said(2), { messageType: 2, nameServers });
    assert.deepEqual(said(3), { messageType: 2, routers, nameServers });
  });

  it('longer than 255 bytes come in pieces (RFC 3396)', () => {
    const searchList = Array.from({ length: 40 }, (_, i) => `d${i}.example.test`);
    const bytes = emitDhcpOptions({ messageType: 5, searchList }, 2000);
    assert.deepEqual(parseDhcpOptions(bytes, EMPTY, EMPTY).searchList, searchList);
  });

  it('121: as in the examples of RFC 3442', () => {
    const content = '00 0a000001 08 0a 0a000002 11 0a1180 0a000003 20 0a811b07 0a000004'.replaceAll(' ', '');
    const length = (content.length / 2).toString(16);
    const { classlessRoutes } = parseDhcpOptions(fromHex(`79${length}${content}`), EMPTY, EMPTY);
    assert.deepEqual(
      classlessRoutes?.map(route => `${route.destination}/${route.prefixLength} via ${route.router}`),
      [
        '0.0.0.0/0 via 10.0.0.1',
        '10.0.0.0/8 via 10.0.0.2',
        '10.17.128.0/17 via 10.0.0.3',
        '10.129.27.7/32 via 10.0.0.4',
      ],
    );
  });

  it('whatever bytes there are: no exception, and nothing longer than what was given', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), fc.uint8Array({ maxLength: 128 }), (a, b) => {
        const found = parseDhcpOptions(a, b, b);
        assert.ok((found.clientId?.length ?? 0) <= a.length + 2 * b.length);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('lists of domain names', () => {
  it('119: as in the example of RFC 3397, with compression', () => {
    const first = '03656e67 056170706c65 03636f6d 00'.replaceAll(' ', '');
    const second = '096d61726b6574696e67 c004'.replaceAll(' ', '');
    assert.deepEqual(parseDomainNames(fromHex(first + second)), ['eng.apple.com', 'marketing.apple.com']);
  });

  it('are read as they were written', () => {
    fc.assert(
      fc.property(fc.array(name, { maxLength: 64 }), names => {
        assert.deepEqual(parseDomainNames(emitDomainNames(names)), names);
      }),
    );
  });

  it('with a pointer that does not lead back, a label over the end or odd letters are none', () => {
    for (const hex of ['c000', '0161c000', '0161c005', '3f61', '0161', '016100c0', '012000', '4061']) {
      assert.equal(parseDomainNames(fromHex(hex)), null, hex);
    }
  });

  it('whatever bytes there are: an answer, and names of a host only', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), bytes => {
        for (const found of parseDomainNames(bytes) ?? []) assert.ok(isDomainName(found));
      }),
      { numRuns: 1000 },
    );
  });

  it('a name has labels of 63 letters at most, and 253 in all', () => {
    const long = 'a'.repeat(63);
    const names = ['a', 'a.b.', `${long}.b`, `${long}.${long}.${long}.${'a'.repeat(61)}`];
    for (const good of names)
      assert.deepEqual(parseDomainNames(emitDomainNames([good])), [good.replace(/\.$/, '')]);
    for (const bad of [
      '',
      '.',
      'a..b',
      'a b',
      `a${long}`,
      `${long}.${long}.${long}.${'a'.repeat(62)}`,
      'ä',
    ]) {
      assert.equal(isDomainName(bad), false, bad);
      assert.throws(() => emitDomainNames([bad]), RangeError);
    }
  });
});
