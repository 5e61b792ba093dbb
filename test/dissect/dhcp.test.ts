import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { TcpdumpFormatter } from '../../src/dissect/tcpdump.ts';
import { IpAddress } from '../../src/wire/address.ts';
import { BOOTREPLY, BOOTREQUEST, emitDhcp } from '../../src/wire/dhcp.ts';
import { ethernet, ipv4, u16, udp, zeros } from './frames.ts';
import { compareWithTcpdump, tcpdumpMissing } from './oracle.ts';

const LINK_LOCAL = [0xfe, 0x80, ...zeros(13), 1];
const SERVERS = [0xff, 2, ...zeros(11), 1, 0, 2];
const chaddr = Uint8Array.of(2, 0, 0, 0, 0, 7);
const yiaddr = IpAddress.v4(0x0a000007);
const request = [...emitDhcp({ op: BOOTREQUEST, xid: 1, chaddr, options: { messageType: 1 } })];
const reply = [...emitDhcp({ op: BOOTREPLY, xid: 1, chaddr, yiaddr, options: { messageType: 2 } })];

function over4(source: number, destination: number, message: number[], length?: number): Uint8Array {
  return ethernet(0x0800, ipv4(17, udp(source, destination, message, length)));
}

function over6(source: number, destination: number, message: number[]): Uint8Array {
  const datagram = udp(source, destination, message);
  const header = [0x60, 0, 0, 0, ...u16(datagram.length), 17, 64];
  return ethernet(0x86dd, [...header, ...LINK_LOCAL, ...SERVERS, ...datagram]);
}

const FRAMES: Uint8Array[] = [
  over4(68, 67, request),
  over4(67, 68, reply),
  over4(67, 67, request),
  over4(1000, 68, request),
  over4(68, 67, request, 400),
  over4(68, 67, request, 48),
  ...[0, 3, 255].map(op => over4(68, 67, [op, ...request.slice(1)])),
  ...[request, reply].map(message => over4(68, 67, [message[0] as number, 6, ...message.slice(2)])),
  over4(68, 67, [1, 1, 7, ...request.slice(3)]),
  ...[0, 1, 2, 3, 28, 33, 34, 100, 243].map(length => over4(68, 67, request.slice(0, length))),
  ...[1, 2, 3, 28].map(length => over4(67, 68, reply.slice(0, length))),
  over6(68, 67, request),
  ...Array.from({ length: 20 }, (_, type) => over6(546, 547, [type, 1, 2, 3, 0, 8, 0, 2, 0, 0])),
  ...[0, 1, 3, 4].map(length => over6(547, 546, [7, 1, 2, 3].slice(0, length))),
  over6(547, 1000, [7, 1, 2, 3]),
  over4(546, 547, [11, 1, 2, 3]),
];

describe('DHCP as tcpdump prints it', () => {
  it('with who asks, and which message of DHCPv6', () => {
    const line = (frame: Uint8Array): string => new TcpdumpFormatter().packet('ethernet', frame);
    assert.deepEqual(
      [over4(68, 67, request), over4(67, 68, reply), over6(546, 547, [11, 0, 0, 1])].map(line),
      [
        'IP 10.0.0.1.68 > 10.0.0.2.67: BOOTP/DHCP, Request from 02:00:00:00:00:07, length 300',
        'IP 10.0.0.1.67 > 10.0.0.2.68: BOOTP/DHCP, Reply, length 300',
        'IP6 fe80::1.546 > ff02::1:2.547: dhcp6 inf-req',
      ],
    );
  });

  it('letter for letter', { skip: tcpdumpMissing() }, () => {
    for (const snaplen of [65536, 44, 60, 75, 76, 90]) compareWithTcpdump(FRAMES, 'ethernet', { snaplen });
  });
});
