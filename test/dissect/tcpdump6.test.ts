import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { TcpdumpFormatter } from '../../src/dissect/tcpdump.ts';
import { ACK, ethernet, tcp, u16, u32, udp, zeros } from './frames.ts';
import { compareWithTcpdump, tcpdumpMissing } from './oracle.ts';

const ONE = [0xfd, ...zeros(14), 1];
const TWO = [0xfd, ...zeros(14), 2];
const LINK_LOCAL = [0xfe, 0x80, ...zeros(13), 1];
const ALL_NODES = [0xff, 2, ...zeros(13), 1];

interface Ipv6Fields {
  from?: number[];
  to?: number[];
  length?: number;
  first?: number;
}

function ipv6(next: number, payload: number[], fields: Ipv6Fields = {}): number[] {
  const { from = ONE, to = TWO, length = payload.length, first = 0x60 } = fields;
  return [first, 0, 0, 0, ...u16(length), next, 64, ...from, ...to, ...payload];
}

function frame(next: number, payload: number[], fields: Ipv6Fields = {}): Uint8Array {
  return ethernet(0x86dd, ipv6(next, payload, fields));
}

function icmp6(type: number, code: number, rest: number[], payload: number[] = []): Uint8Array {
  return frame(58, [type, code, 0, 0, ...rest, ...payload], { from: LINK_LOCAL, to: ALL_NODES });
}

/** The beginning of a datagram, as an error quotes it. */
const quoted = ipv6(17, udp(1000, 53, zeros(20)));

const ND: [Uint8Array, string][] = [
  [
    icmp6(135, 0, u32(0), [...TWO, 1, 1, 2, 0, 0, 0, 0, 1]),
    'IP6 fe80::1 > ff02::1: ICMP6, neighbor solicitation, who has fd00::2, length 32',
  ],
  [
    icmp6(136, 0, u32(0x60000000), [...TWO, 2, 1, 2, 0, 0, 0, 0, 2]),
    'IP6 fe80::1 > ff02::1: ICMP6, neighbor advertisement, tgt is fd00::2, length 32',
  ],
  [icmp6(133, 0, u32(0)), 'IP6 fe80::1 > ff02::1: ICMP6, router solicitation, length 8'],
  [icmp6(134, 0, u32(0x40000708), zeros(8)), 'IP6 fe80::1 > ff02::1: ICMP6, router advertisement, length 16'],
  [
    icmp6(137, 0, u32(0), [...LINK_LOCAL, ...TWO]),
    'IP6 fe80::1 > ff02::1: ICMP6, redirect, fd00::2 to fe80::1, length 40',
  ],
];

test('neighbour discovery in tcpdump words', () => {
  const formatter = new TcpdumpFormatter();
  assert.deepEqual(
    ND.map(([bytes]) => formatter.packet('ethernet', bytes)),
    ND.map(([, line]) => line),
  );
});

test('errors, echo, fragments and extension headers in tcpdump words', () => {
  const lines = (...frames: Uint8Array[]): string[] =>
    frames.map(bytes => new TcpdumpFormatter().packet('ethernet', bytes));
  assert.deepEqual(
    lines(
      frame(58, [128, 0, 0, 0, ...u16(7, 3), ...zeros(56)]),
      frame(58, [1, 4, 0, 0, ...u32(0), ...quoted]),
      frame(58, [2, 0, 0, 0, ...u32(1280), ...quoted]),
      frame(58, [3, 0, 0, 0, ...u32(0), ...quoted]),
      frame(44, [17, 0, ...u16(1), ...u32(99), ...udp(1000, 2000, zeros(1000), 3000)]),
      frame(44, [17, 0, ...u16(1448), ...u32(99), ...zeros(100)]),
      frame(0, [58, 0, 5, 2, 0, 0, 1, 0, 143, 0, 0, 0, 0, 0, 0, 1, ...zeros(20)]),
    ),
    [
      'IP6 fd00::1 > fd00::2: ICMP6, echo request, id 7, seq 3, length 64',
      'IP6 fd00::1 > fd00::2: ICMP6, destination unreachable, unreachable port, fd00::2 udp port 53, length 76',
      'IP6 fd00::1 > fd00::2: ICMP6, packet too big, mtu 1280, length 76',
      'IP6 fd00::1 > fd00::2: ICMP6, time exceeded in-transit for fd00::2, length 76',
      'IP6 fd00::1 > fd00::2: frag (0|1008) 1000 > 2000: UDP, length 2992',
      'IP6 fd00::1 > fd00::2: frag (1448|100)',
      'IP6 fd00::1 > fd00::2: HBH ICMP6, multicast listener report v2, 1 group record(s), length 28',
    ],
  );
});

test('no bytes whatever make the IPv6 formatter throw', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 120 }),
      fc.constantFrom(0, 6, 17, 43, 44, 58, 60),
      (bytes, next) => {
        const text = new TcpdumpFormatter().packet('ethernet', frame(next, [...bytes]));
        assert.match(text, /^IP6/);
      },
    ),
  );
});

function oracleFrames(): Uint8Array[] {
  const datagram = udp(1000, 2000, zeros(4));
  const routing = (type: number): number[] => [17, 2, type, 1, 0, 0, 0, 0, ...TWO, ...datagram];
  return [
    ...ND.map(([bytes]) => bytes),
    ...[128, 129].map(type => icmp6(type, 0, u16(7, 3), zeros(56))),
    ...[0, 1, 2, 3, 4, 9].map(code => icmp6(1, code, u32(0), quoted)),
    icmp6(1, 4, u32(0), ipv6(6, tcp({}))),
    icmp6(1, 4, u32(0), ipv6(99, zeros(30))),
    icmp6(1, 4, u32(0), ipv6(44, [17, 0, ...u16(1), ...u32(9), ...datagram])),
    icmp6(2, 0, u32(1280), quoted),
    ...[0, 1, 2].map(code => icmp6(3, code, u32(0), quoted)),
    ...[0, 1, 2, 3, 4].map(code => icmp6(4, code, u32(40), quoted)),
    ...[130, 131, 132].map(type => icmp6(type, 0, u16(1000, 0), ALL_NODES)),
    icmp6(130, 0, u16(1000, 0), [...zeros(16), 2, 125, 0, 0]),
    icmp6(130, 0, u16(1000, 0), [...ALL_NODES, 2, 125, 0, 0]),
    icmp6(143, 0, u16(0, 1), [4, 0, 0, 0, ...ALL_NODES]),
    ...[5, 99, 210].map(type => icmp6(type, 0, u32(0), zeros(12))),
    frame(6, tcp({ flags: ACK })),
    frame(17, datagram),
    frame(17, udp(1000, 2000, zeros(4), 100)),
    frame(59, []),
    frame(99, zeros(10)),
    frame(60, [17, 0, 1, 4, 0, 0, 0, 0, ...datagram]),
    frame(0, [60, 0, 1, 4, 0, 0, 0, 0, 6, 0, 1, 4, 0, 0, 0, 0, ...tcp({})]),
    frame(0, [58, 0, 5, 2, 0, 0, 1, 0, 143, 0, 0, 0, 0, 0, 0, 1, ...zeros(20)]),
    frame(43, routing(0)),
    frame(43, routing(3)),
    frame(44, [17, 0, ...u16(1), ...u32(99), ...udp(1000, 2000, zeros(1000), 3000)]),
    frame(44, [6, 0, ...u16(1), ...u32(99), ...tcp({ payload: zeros(100) })]),
    frame(44, [58, 0, ...u16(1), ...u32(99), 128, 0, 0, 0, 0, 1, 0, 2, ...zeros(40)]),
    ...[6, 17, 58].map(next => frame(44, [next, 0, ...u16(1448), ...u32(99), ...zeros(100)])),
    frame(17, datagram, { length: 500 }),
    frame(17, datagram, { first: 0x50 }),
  ];
}

const skip = tcpdumpMissing();

test('the real tcpdump prints the same lines of IPv6', { skip }, () => {
  compareWithTcpdump(oracleFrames(), 'ethernet', {});
});
