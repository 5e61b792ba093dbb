import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toHex } from '../../src/base/hex.ts';
import type { PacketEvent, TraceEvent } from '../../src/trace/events.ts';
import { tcpdumpView } from '../../src/view/tcpdump.ts';
import { A, ACK, B, ipFrame, ipv4, SYN, tcp, udp } from '../dissect/frames.ts';

const SYN_ACK = ipFrame(6, tcp({ from: 80, to: 5000, seq: 100, ack: 1, flags: SYN | ACK }), {
  from: B,
  to: A,
});
const LAST_ACK = ipFrame(6, tcp({ from: 5000, to: 80, seq: 1, ack: 101 }));

function packet(host: string, direction: 'in' | 'out', bytes: Uint8Array, netif = 'eth0'): PacketEvent {
  const event = { host, direction, netif, length: bytes.length, data: toHex(bytes) };
  return { type: 'packet', atUs: 3_723_000_004, medium: 'ethernet', ...event };
}

const EVENTS: TraceEvent[] = [
  packet('server', 'out', SYN_ACK),
  packet('client', 'in', SYN_ACK),
  { type: 'drop', atUs: 0, host: 'client', layer: 'ip', reason: 'IP_CSUM' },
  packet('client', 'out', LAST_ACK),
  packet('server', 'in', LAST_ACK),
];

test('each host is a capture of its own: both see the handshake with absolute numbers', () => {
  const synAck =
    '01:02:03.000004 IP 10.0.0.2.80 > 10.0.0.1.5000: Flags [S.], seq 100, ack 1, win 512, length 0';
  const lastAck = '01:02:03.000004 IP 10.0.0.1.5000 > 10.0.0.2.80: Flags [.], ack 1, win 512, length 0';
  assert.deepEqual(EVENTS.flatMap(tcpdumpView()), [synAck, synAck, lastAck, lastAck]);
  assert.deepEqual(EVENTS.flatMap(tcpdumpView({ host: 'client' })), [synAck, lastAck]);
});

test('interfaces and directions are shown as with -i any, and one interface can be picked', () => {
  const datagram = ipFrame(17, udp(1, 2, []));
  const events = [packet('h', 'in', datagram, 'lo'), packet('h', 'out', datagram)];
  assert.deepEqual(events.flatMap(tcpdumpView({ interfaces: true })), [
    '01:02:03.000004 lo    In  IP 10.0.0.1.1 > 10.0.0.2.2: UDP, length 0',
    '01:02:03.000004 eth0  Out IP 10.0.0.1.1 > 10.0.0.2.2: UDP, length 0',
  ]);
  assert.equal(events.flatMap(tcpdumpView({ netif: 'lo' })).length, 1);
});

test("the formatter's options pass through, and so does what was cut off", () => {
  const bytes = Uint8Array.from(ipv4(17, udp(1, 2, [])));
  const event: PacketEvent = {
    ...packet('h', 'in', bytes),
    medium: 'ip',
    data: toHex(bytes.subarray(0, 22)),
  };
  assert.deepEqual(tcpdumpView({ utcOffsetMinutes: 60 })(event), [
    '02:02:03.000004 IP 10.0.0.1 > 10.0.0.2:  [|udp]',
  ]);
  assert.match(EVENTS.flatMap(tcpdumpView({ absoluteSeq: true }))[3] ?? '', /ack 101,/);
});
