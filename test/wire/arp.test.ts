import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { IpAddress } from '../../src/wire/address.ts';
import {
  ARP_LENGTH,
  ARP_REPLY,
  ARP_REQUEST,
  type ArpRepr,
  emitArp,
  formatArp,
  parseArp,
} from '../../src/wire/arp.ts';
import { macHigh, macLow } from '../../src/wire/ethernet.ts';

const NOBODY = new Uint8Array(6);
const A = Uint8Array.of(2, 0, 0, 0, 0, 1);

function emit(view: DataView, offset: number, repr: ArpRepr): void {
  const { operation, senderMac, senderIp, targetMac, targetIp } = repr;
  emitArp(
    view,
    offset,
    operation,
    macHigh(senderMac),
    macLow(senderMac),
    senderIp.w3,
    macHigh(targetMac),
    macLow(targetMac),
    targetIp.w3,
  );
}

test('what is written is read', () => {
  const mac = fc.uint8Array({ minLength: 6, maxLength: 6 });
  const address = fc.integer().map(word => IpAddress.v4(word));
  const repr = fc.record({
    operation: fc.constantFrom(ARP_REQUEST, ARP_REPLY),
    senderMac: mac,
    senderIp: address,
    targetMac: mac,
    targetIp: address,
  });
  fc.assert(
    fc.property(repr, fc.nat(20), (written, offset) => {
      const view = new DataView(new ArrayBuffer(64));
      emit(view, offset, written);
      assert.deepEqual(parseArp(view, offset, offset + ARP_LENGTH), { ...written });
      assert.equal(parseArp(view, offset, offset + ARP_LENGTH - 1), null);
    }),
  );
});

test('ARP about anything but IPv4 over Ethernet is not read', () => {
  for (const at of [0, 2, 4, 5, 6]) {
    const view = new DataView(new ArrayBuffer(ARP_LENGTH));
    const address = IpAddress.v4(1);
    emit(view, 0, { operation: 1, senderMac: A, senderIp: address, targetMac: NOBODY, targetIp: address });
    view.setUint8(at, 99);
    assert.equal(parseArp(view, 0, ARP_LENGTH), null, `byte ${at}`);
  }
});

test('bytes as they are on the wire', () => {
  const view = new DataView(new ArrayBuffer(ARP_LENGTH));
  const senderIp = IpAddress.v4(0x0a000001);
  const targetIp = IpAddress.v4(0x0a000002);
  emit(view, 0, { operation: ARP_REQUEST, senderMac: A, senderIp, targetMac: NOBODY, targetIp });
  assert.equal(
    Buffer.from(view.buffer).toString('hex'),
    '0001080006040001' + '020000000001' + '0a000001' + '000000000000' + '0a000002',
  );
});

test('in tcpdump’s words', () => {
  const senderIp = IpAddress.v4(0x0a000001);
  const targetIp = IpAddress.v4(0x0a000002);
  const ask = { operation: ARP_REQUEST, senderMac: A, senderIp, targetMac: NOBODY, targetIp };
  assert.equal(formatArp(ask), 'Request who-has 10.0.0.2 tell 10.0.0.1');
  assert.equal(
    formatArp({ ...ask, targetMac: A }),
    'Request who-has 10.0.0.2 (02:00:00:00:00:01) tell 10.0.0.1',
  );
  assert.equal(formatArp({ ...ask, operation: ARP_REPLY }), 'Reply 10.0.0.1 is-at 02:00:00:00:00:01');
  assert.equal(formatArp({ ...ask, senderIp: IpAddress.v4(0) }), 'Probe 10.0.0.2');
  assert.equal(formatArp({ ...ask, targetIp: senderIp }), 'Announcement 10.0.0.1');
});
