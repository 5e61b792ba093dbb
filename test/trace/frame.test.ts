import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toHex } from '../../src/base/hex.ts';
import type { PacketEvent } from '../../src/trace/events.ts';
import { parseFrame } from '../../src/trace/frame.ts';
import { ND_NEIGHBOR_SOLICIT } from '../../src/wire/icmp6.ts';
import { askedIn, fragment, frame6, icmp6, ipv6, mac, nd } from '../net/craft6.ts';
import { ip } from '../net/harness.ts';

function event(bytes: Uint8Array, medium: PacketEvent['medium'] = 'ethernet'): PacketEvent {
  const data = toHex(bytes, 0, bytes.length);
  return {
    type: 'packet',
    atUs: 0,
    host: 'a',
    netif: 'eth0',
    direction: 'in',
    medium,
    length: bytes.length,
    data,
  };
}

const UDP = Uint8Array.of(0, 7, 0, 9, 0, 12, 0, 0, 1, 2, 3, 4);

test('IPv6 and what is in it, on both media', () => {
  const packet = ipv6({ protocol: 17, data: UDP, hopLimit: 61 });
  for (const seen of [parseFrame(event(frame6(packet))), parseFrame(event(packet, 'ip'))]) {
    assert.deepEqual([seen.ip, seen.ip6?.hopLimit, `${seen.ip6?.source}`], [null, 61, 'fd00::2']);
    assert.deepEqual([seen.udp?.sourcePort, seen.udp?.destinationPort, seen.fragment], [7, 9, null]);
    assert.deepEqual([...seen.payload], [1, 2, 3, 4]);
  }
});

test('ICMPv6, and neighbour discovery in words of its own', () => {
  const echo = parseFrame(event(frame6(ipv6({ protocol: 58, data: icmp6(128, 0, 0x70001, UDP) }))));
  assert.deepEqual([echo.icmp, echo.icmp6?.type, echo.icmp6?.rest, echo.ndp], [null, 128, 0x70001, null]);
  assert.deepEqual(echo.payload, UDP);
  const question = {
    type: ND_NEIGHBOR_SOLICIT,
    target: ip('fd00::1'),
    options: { sourceMac: mac(2) },
  } as const;
  const asked = parseFrame(event(nd(question, 'fd00::2', askedIn('fd00::1'))));
  assert.equal(asked.icmp6?.type, 135);
  assert.equal(asked.ndp?.type, 135);
});

test('pieces of a packet: the first has the header of the transport, the others have none', () => {
  const [first, last] = [fragment(17, 0, true, 7, UDP), fragment(17, 16, false, 7, UDP)].map(data =>
    parseFrame(event(frame6(ipv6({ protocol: 44, data })))),
  );
  assert.deepEqual(first?.fragment, { id: 7, offset: 0, more: true });
  assert.equal(first?.udp?.destinationPort, 9);
  assert.deepEqual(last?.fragment, { id: 7, offset: 16, more: false });
  assert.equal(last?.udp, null);
  assert.deepEqual(last?.payload, UDP);
});

test('what is cut short has no headers, and nothing is thrown', () => {
  const whole = frame6(ipv6({ protocol: 17, data: UDP }));
  for (let length = 0; length < whole.length; length++) {
    const { udp, ip6 } = parseFrame(event(whole.subarray(0, length)));
    assert.equal(ip6 === null, length < 54, `${length}`);
    if (length < 62) assert.equal(udp, null);
  }
});
