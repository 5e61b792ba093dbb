import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatMac } from '../../src/wire/address.ts';
import {
  ETHERNET_HEADER_LENGTH,
  emitEthernet,
  formatEthernet,
  isGroupMac,
  macFromParts,
  macHigh,
  macLow,
  parseEthernet,
} from '../../src/wire/ethernet.ts';
import {
  emitVlan,
  formatVlan,
  isVlanType,
  parseVlan,
  VLAN_TYPE,
  VLAN_TYPE_OUTER,
} from '../../src/wire/vlan.ts';

const mac = fc.uint8Array({ minLength: 6, maxLength: 6 });

test('a MAC address survives being split in two parts', () => {
  fc.assert(
    fc.property(mac, bytes => {
      assert.deepEqual(macFromParts(macHigh(bytes), macLow(bytes)), bytes);
    }),
  );
});

test('what is written is read', () => {
  fc.assert(
    fc.property(mac, mac, fc.nat(0xffff), fc.nat(9), (destination, source, type, offset) => {
      const view = new DataView(new ArrayBuffer(64));
      emitEthernet(
        view,
        offset,
        macHigh(destination),
        macLow(destination),
        macHigh(source),
        macLow(source),
        type,
      );
      const end = offset + ETHERNET_HEADER_LENGTH;
      assert.deepEqual(parseEthernet(view, offset, end), { destination, source, type });
      assert.equal(parseEthernet(view, offset, end - 1), null);
    }),
  );
});

test('group addresses have the lowest bit of their first byte set', () => {
  for (const [text, group] of [
    ['ff:ff:ff:ff:ff:ff', true],
    ['01:00:5e:00:00:01', true],
    ['02:00:00:00:00:01', false],
  ] as const) {
    const bytes = Uint8Array.from(text.split(':'), part => Number.parseInt(part, 16));
    assert.equal(formatMac(bytes), text);
    assert.equal(isGroupMac(macHigh(bytes)), group);
  }
});

test('a header in tcpdump’s words', () => {
  const header = {
    destination: Uint8Array.of(255, 255, 255, 255, 255, 255),
    source: Uint8Array.of(2, 0, 0, 0, 0, 1),
  };
  assert.equal(
    formatEthernet({ ...header, type: 0x0806 }),
    '02:00:00:00:00:01 > ff:ff:ff:ff:ff:ff, ethertype ARP (0x0806)',
  );
  assert.match(formatEthernet({ ...header, type: 0x0800 }), /IPv4 \(0x0800\)$/);
  assert.match(formatEthernet({ ...header, type: 0x1234 }), /Unknown \(0x1234\)$/);
});

test('a tag that is written is read', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(VLAN_TYPE, VLAN_TYPE_OUTER),
      fc.nat(4095),
      fc.nat(7),
      fc.boolean(),
      fc.nat(0xffff),
      (type, id, priority, dropEligible, innerType) => {
        const view = new DataView(new ArrayBuffer(10));
        emitVlan(view, 2, type, id, priority, dropEligible, innerType);
        assert.deepEqual(parseVlan(view, 2, 8), { type, id, priority, dropEligible, innerType });
        assert.equal(parseVlan(view, 2, 7), null);
      },
    ),
  );
});

test('what is not a tag is not parsed as one', () => {
  const view = new DataView(new ArrayBuffer(6));
  view.setUint16(0, 0x0800);
  assert.equal(parseVlan(view, 0, 6), null);
  assert.equal(isVlanType(0x0800), false);
});

test('a tag in tcpdump’s words', () => {
  const tag = { type: VLAN_TYPE, id: 5, priority: 3, innerType: 0x0800 };
  assert.equal(formatVlan({ ...tag, dropEligible: false }), 'vlan 5, p 3');
  assert.equal(formatVlan({ ...tag, dropEligible: true }), 'vlan 5, p 3, DEI');
});
