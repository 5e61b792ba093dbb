import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatTimeOfDay, TcpdumpFormatter } from '../../src/dissect/tcpdump.ts';
import { LINKTYPE_RAW } from '../../src/pcap/pcap.ts';
import {
  A,
  ACK,
  arp,
  B,
  ethernet,
  FIN,
  icmp,
  ipFrame,
  ipv4,
  MAC_A,
  MAC_B,
  PSH,
  RST,
  SYN,
  type TcpFields,
  tcp,
  text,
  u16,
  u32,
  udp,
  zeros,
} from './frames.ts';
import { compareWithTcpdump, START_US, tcpdumpMissing } from './oracle.ts';

const BACK = { from: B, to: A };
const NO_MAC = zeros(6);
const IPV6_LOOPBACK = [...zeros(15), 1];

/** Lines of frames 1 us apart, without the time. */
function format(frames: Uint8Array[], formatter = new TcpdumpFormatter()): string[] {
  return frames.map(frame => formatter.packet('ethernet', frame));
}

function forth(fields: TcpFields): Uint8Array {
  return ipFrame(6, tcp(fields));
}

function back(fields: TcpFields): Uint8Array {
  return ipFrame(6, tcp({ from: 65500, to: 35766, ...fields }), BACK);
}

const SYN_OPTIONS = [2, 4, ...u16(1460), 4, 2, 8, 10, ...u32(579690500, 0), 1, 3, 3, 7];
const REQUEST = text('GET / HTTP/1.1\r\nHost: 10.0.0.2\r\n\r\n');
const RESPONSE = text('HTTP/1.1 200 OK\r\nServer: x\r\n\r\nhello');

const CONVERSATION: [Uint8Array, string][] = [
  [
    forth({ seq: 1616008903, flags: SYN, window: 65495, options: SYN_OPTIONS }),
    'IP 10.0.0.1.35766 > 10.0.0.2.65500: Flags [S], seq 1616008903, win 65495, options [mss 1460,sackOK,TS val 579690500 ecr 0,nop,wscale 7], length 0',
  ],
  [
    back({ seq: 0xffffffff, ack: 1616008904, flags: SYN | ACK, window: 65483 }),
    'IP 10.0.0.2.65500 > 10.0.0.1.35766: Flags [S.], seq 4294967295, ack 1616008904, win 65483, length 0',
  ],
  [
    forth({ seq: 1616008904, ack: 0 }),
    'IP 10.0.0.1.35766 > 10.0.0.2.65500: Flags [.], ack 1, win 512, length 0',
  ],
  [
    forth({ seq: 1616008904, ack: 0, flags: PSH | ACK, payload: REQUEST }),
    'IP 10.0.0.1.35766 > 10.0.0.2.65500: Flags [P.], seq 1:35, ack 1, win 512, length 34',
  ],
  [
    back({ seq: 1460, ack: 1616008938, payload: zeros(1460) }),
    'IP 10.0.0.2.65500 > 10.0.0.1.35766: Flags [.], seq 1461:2921, ack 35, win 512, length 1460',
  ],
  [
    forth({ seq: 1616008938, ack: 0, options: [1, 1, 5, 10, ...u32(1460, 2920)] }),
    'IP 10.0.0.1.35766 > 10.0.0.2.65500: Flags [.], ack 1, win 512, options [nop,nop,sack 1 {1461:2921}], length 0',
  ],
  [
    forth({ seq: 1616008938, ack: 2920, flags: FIN | ACK }),
    'IP 10.0.0.1.35766 > 10.0.0.2.65500: Flags [F.], seq 35, ack 2921, win 512, length 0',
  ],
  [
    back({ seq: 2920, ack: 1616008938, flags: RST, window: 0 }),
    'IP 10.0.0.2.65500 > 10.0.0.1.35766: Flags [R], seq 2920, win 0, length 0',
  ],
];

test('a TCP conversation: absolute numbers in the handshake, relative ones after it, across 2^32', () => {
  assert.deepEqual(
    format(CONVERSATION.map(([frame]) => frame)),
    CONVERSATION.map(([, line]) => line),
  );
});

test('absoluteSeq prints numbers as they are', () => {
  const lines = format(
    CONVERSATION.map(([frame]) => frame),
    new TcpdumpFormatter({ absoluteSeq: true }),
  );
  assert.match(lines[3] ?? '', /seq 1616008904:1616008938, ack 0,/);
  assert.match(lines[5] ?? '', /sack 1 \{1460:2920\}/);
});

test('a new handshake on the same ports starts counting anew', () => {
  const formatter = new TcpdumpFormatter();
  format([back({ seq: 100, ack: 200, flags: SYN | ACK }), back({ seq: 101, ack: 200 })], formatter);
  const lines = format(
    [back({ seq: 9000, ack: 700, flags: SYN | ACK }), forth({ seq: 700, ack: 9001 })],
    formatter,
  );
  assert.match(lines[0] ?? '', /seq 9000, ack 700/);
  assert.match(lines[1] ?? '', /ack 1,/);
});

test('no more connections are remembered than allowed: the oldest is forgotten', () => {
  const formatter = new TcpdumpFormatter({ conversationsMax: 2 });
  const from = (port: number, seq: number): string =>
    formatter.packet('ethernet', forth({ from: port, seq, ack: 500, payload: [0] }));
  for (const port of [1, 2, 3]) assert.match(from(port, 1000), /seq 1000:1001, ack 500/);
  assert.match(from(3, 1001), /seq 1:2, ack 1/);
  assert.match(from(2, 1001), /seq 1:2, ack 1/);
  assert.match(from(1, 1001), /seq 1001:1002, ack 500/);
});

test('HTTP shows its first line on ports 80 and 8080 only', () => {
  const line = (port: number, payload: string): string =>
    format([forth({ to: port, flags: PSH | ACK, payload: text(payload) })])[0]?.replace(/.*length \d+/, '') ??
    '';
  assert.equal(line(80, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'), ': HTTP: GET / HTTP/1.1');
  assert.equal(line(8080, 'HTTP/1.1 404 Not Found\r\n\r\n'), ': HTTP: HTTP/1.1 404 Not Found');
  assert.equal(line(80, 'the middle of a body'), ': HTTP');
  assert.equal(line(80, 'POST /cut'), ': HTTP: POST /cut [|http]');
  assert.equal(line(65500, 'GET / HTTP/1.1\r\n\r\n'), '');
});

test('ARP, ICMP and UDP', () => {
  const quoted = ipv4(17, udp(1111, 2222, zeros(4)), BACK);
  assert.deepEqual(
    format([
      ethernet(0x0806, arp(1, MAC_A, A, NO_MAC, B)),
      ethernet(0x0806, arp(2, MAC_B, B, MAC_A, A)),
      ipFrame(1, icmp(8, 0, u16(1, 1), zeros(56))),
      ipFrame(1, icmp(3, 3, zeros(4), quoted)),
      ipFrame(1, icmp(3, 4, u16(0, 1280), quoted)),
      ipFrame(1, icmp(11, 0, zeros(4), quoted)),
      ipFrame(17, udp(1000, 2000, text('hello'))),
      ipFrame(17, zeros(100), { fragment: 185 }),
    ]),
    [
      'ARP, Request who-has 10.0.0.2 tell 10.0.0.1, length 28',
      'ARP, Reply 10.0.0.2 is-at 02:00:00:00:00:02, length 28',
      'IP 10.0.0.1 > 10.0.0.2: ICMP echo request, id 1, seq 1, length 64',
      'IP 10.0.0.1 > 10.0.0.2: ICMP 10.0.0.1 udp port 2222 unreachable, length 40',
      'IP 10.0.0.1 > 10.0.0.2: ICMP 10.0.0.1 unreachable - need to frag (mtu 1280), length 40',
      'IP 10.0.0.1 > 10.0.0.2: ICMP time exceeded in-transit, length 40',
      'IP 10.0.0.1.1000 > 10.0.0.2.2000: UDP, length 5',
      'IP 10.0.0.1 > 10.0.0.2: ip-proto-17',
    ],
  );
});

test('an unknown EtherType is dumped, in lines of their own', () => {
  assert.deepEqual(
    new TcpdumpFormatter().line(START_US, 'ethernet', ethernet(0x88b5, text('hello world, hello'))),
    [
      '21:16:04.737246 02:00:00:00:00:01 > 02:00:00:00:00:02, ethertype Unknown (0x88b5), length 32: ',
      '\t0x0000:  6865 6c6c 6f20 776f 726c 642c 2068 656c  hello.world,.hel',
      '\t0x0010:  6c6f                                     lo',
    ],
  );
});

test('the time of day follows the offset from UTC and wraps at midnight', () => {
  assert.equal(formatTimeOfDay(0), '00:00:00.000000');
  assert.equal(formatTimeOfDay(START_US, 120), '23:16:04.737246');
  assert.equal(formatTimeOfDay(START_US, 180), '00:16:04.737246');
  assert.equal(formatTimeOfDay(0, -90), '22:30:00.000000');
});

test('no bytes whatever make it throw, and it always gives one line to begin with', () => {
  const formatter = new TcpdumpFormatter();
  const seeds = ORACLE_FRAMES;
  const mutated = fc
    .record({
      frame: fc.constantFrom(...seeds),
      changes: fc.array(fc.tuple(fc.nat({ max: 120 }), fc.nat({ max: 255 })), { maxLength: 5 }),
      keep: fc.nat({ max: 120 }),
    })
    .map(({ frame, changes, keep }) => {
      const bytes = frame.slice(0, Math.max(14, keep));
      for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
      return bytes;
    });
  fc.assert(
    fc.property(
      fc.oneof(fc.uint8Array({ maxLength: 200 }), mutated),
      fc.constantFrom('ethernet' as const, 'ip' as const),
      fc.nat({ max: 3000 }),
      (bytes, medium, originalLength) => {
        const lines = formatter.line(START_US, medium, bytes, originalLength);
        assert.match(lines[0] ?? '', /^21:16:04\.737246 /);
        assert.ok(lines.slice(1).every(line => line.startsWith('\t0x')));
        assert.ok(!lines.some(line => line.includes('undefined') || line.includes('NaN')));
      },
    ),
    { numRuns: 2000 },
  );
});

test('IP in IP without end is looked into only so far', () => {
  let packet: number[] = ipv4(17, udp(1, 2, []));
  for (let i = 0; i < 50; i++) packet = ipv4(4, packet);
  const line = new TcpdumpFormatter().packet('ip', Uint8Array.from(packet));
  assert.equal(line.match(/IP 10/g)?.length, 17);
});

/** Every kind of frame that tcpdump and we agree on, whole and broken. */
const ORACLE_FRAMES: Uint8Array[] = [
  ...CONVERSATION.map(([frame]) => frame),
  ...arpFrames(),
  ...tcpFrames(),
  ...icmpFrames(),
  ...ipFrames(),
];

function arpFrames(): Uint8Array[] {
  const request = arp(1, MAC_A, A, NO_MAC, B);
  return [
    ethernet(0x0806, request),
    ethernet(0x0806, [...request, ...zeros(18)]),
    ethernet(0x0806, arp(1, MAC_A, A, [255, 255, 255, 255, 255, 255], A)),
    ethernet(0x0806, arp(1, MAC_A, zeros(4), NO_MAC, B)),
    ...[2, 3, 4, 8, 9, 10, 99].map(operation => ethernet(0x0806, arp(operation, MAC_B, B, MAC_A, A))),
    ethernet(0x0806, request.slice(0, 20)),
    ethernet(0x0806, [...u16(1, 0x0801), ...request.slice(4)]),
    ethernet(0x8100, [...u16(100, 0x0806), ...request]),
    ethernet(0x88a8, [...u16(100, 0x8100, 200, 0x0806), ...request]),
    ethernet(0x8100, u16(100)),
    ethernet(0x88b5, text('some experiment or other')),
    ethernet(0x88b5, []),
    Uint8Array.of(1, 2, 3),
  ];
}

function tcpFrames(): Uint8Array[] {
  const options = [
    [2, 4, 5, 0xb4],
    [1, 1, 1, 1],
    [0, 9, 9, 9],
    [3, 3, 14, 0],
    [4, 2, 1, 1],
    [5, 18, ...u32(7, 8, 9, 10), 1, 1],
    [1, 1, 8, 10, ...u32(1, 2)],
    [34, 6, 1, 2, 3, 4, 1, 1],
    [34, 2, 1, 1],
    [34, 4, 1, 2],
    [34, 5, 1, 2, 3, 1, 1, 1],
    [34, 20, ...zeros(18)],
    [254, 4, 0xf9, 0x89],
    [254, 8, 0xf9, 0x89, 1, 2, 3, 4],
    [254, 6, 0xf9, 0x89, 1, 2, 1, 1],
    [254, 4, 0xf9, 0x88],
    [254, 6, 0xf9, 0x88, 1, 2, 1, 1],
    [254, 3, 0xf9, 1],
    [253, 4, 0xf9, 0x89],
    [27, 4, 1, 2],
    [2, 0, 1, 1],
    [99, 40, 1, 1],
  ];
  const payloads = [
    'GET / HTTP/1.1\r\n',
    'PUT /x',
    'hello',
    'HTTP/1.1 200 OK\n',
    'HTTP/1.1 2000\r\n',
    'GET /\x01\r\n',
  ];
  const segment = tcp({ seq: 5, ack: 6, payload: zeros(9) });
  return [
    ...Array.from({ length: 256 }, (_, flags) => forth({ from: 7, flags, seq: 5, ack: 6, urgent: 9 })),
    ...options.map(bytes => forth({ options: bytes, seq: 1, ack: 2, payload: [0] })),
    ...payloads.map(payload => forth({ to: 80, payload: text(payload) })),
    forth({ from: 80, flags: FIN | ACK, payload: RESPONSE }),
    forth({ from: 7000, to: 7000, seq: 1000, ack: 77, payload: zeros(3) }),
    ipFrame(6, tcp({ from: 7000, to: 7000, seq: 77, ack: 1003, payload: zeros(3) }), BACK),
    ...[0, 4, 6, 15].map(offset => forth({ offset })),
    ...[0, 3, 4, 19, 20].map(length => ipFrame(6, segment.slice(0, length))),
    ...[0, 4, 19, 20, 25].map(length => ipFrame(6, segment).slice(0, 34 + length)),
  ];
}

function icmpFrames(): Uint8Array[] {
  const rest = u16(0, 1500);
  const quotes = [
    ipv4(17, udp(1111, 2222, zeros(4)), BACK),
    ipv4(6, tcp({ from: 1111, to: 80 }), BACK),
    ipv4(47, zeros(8), BACK),
    [],
  ];
  const errors = quotes.flatMap(quote => [
    ...Array.from({ length: 18 }, (_, code) => icmp(3, code, rest, quote)),
    ...[0, 1, 2].map(code => icmp(11, code, rest, quote)),
    ...[0, 1, 2, 3, 4].map(code => icmp(5, code, [10, 0, 0, 254], quote)),
    ...[0, 1].map(code => icmp(12, code, [20, 0, 0, 0], quote)),
  ]);
  const others = [0, 1, 2, 4, 6, 7, 8, 10, 13, 14, 15, 16, 17, 18, 19, 40, 255];
  return [
    ...errors,
    icmp(3, 4, zeros(4), quotes[0]),
    ...others.flatMap(type => [
      icmp(type, 0, u16(1, 2)),
      icmp(type, 0, u16(1, 2), u32(1000, 2000, 86399999)),
    ]),
    ...[0, 1, 4, 7].map(length => icmp(8, 0, u16(1, 2)).slice(0, length)),
  ].map(message => ipFrame(1, message));
}

function ipFrames(): Uint8Array[] {
  const datagram = udp(1000, 2000, zeros(5));
  return [
    ipFrame(17, datagram),
    ipFrame(17, [...datagram, 0, 0, 0]),
    ipFrame(17, datagram, { options: [148, 4, 0, 0] }),
    ...[0, 4, 8, 100].map(length => ipFrame(17, udp(1000, 2000, zeros(5), length))),
    ...[0, 3, 4, 7].map(length => ipFrame(17, datagram.slice(0, length))),
    ...[0, 10, 20, 30, 100].map(totalLength => ipFrame(17, datagram, { totalLength })),
    ...[0x43, 0x55, 0x65].map(first => ipFrame(17, datagram, { first })),
    ipFrame(17, udp(1000, 2000, zeros(1472), 3000), { fragment: 0x2000 }),
    ...[6, 17, 1, 99].map(protocol => ipFrame(protocol, zeros(80), { fragment: 0x2000 | 185 })),
    ipFrame(99, zeros(8)),
    ipFrame(4, ipv4(6, tcp({ from: 8 }))),
    ethernet(0x8100, [...u16(5, 0x0800), ...ipv4(17, datagram)]),
    ...Array.from({ length: 33 }, (_, length) => ipFrame(17, datagram).slice(0, 14 + length)),
    ethernet(0x86dd, [
      0x60,
      0,
      0,
      0,
      ...u16(8, 0x1140),
      ...IPV6_LOOPBACK,
      ...IPV6_LOOPBACK,
      ...udp(1000, 2000, []),
    ]),
  ];
}

/** Messages of IGMP, of all versions, and broken ones. */
const IGMP_MESSAGES: readonly number[][] = [
  [0x11, 100, ...zeros(6)],
  [0x11, 0, ...zeros(6)],
  [0x11, 20, 0, 0, 239, 1, 2, 3],
  [0x11, 100, ...zeros(10)],
  [0x11, 10, 0, 0, 239, 1, 2, 3, 0, 0, 0, 0],
  [0x11, 200, 0, 0, 239, 1, 2, 3, 0, 0, 0, 0],
  [0x11, 255, 0, 0, 239, 1, 2, 3, 0, 0, 0, 0],
  [0x12, 0, 0, 0, 239, 1, 2, 3],
  [0x16, 0, 0, 0, 239, 1, 2, 3],
  [0x17, 0, 0, 0, 239, 1, 2, 3, 0],
  [0x22, 0, 0, 0, 0, 0, 0, 1, 4, 0, 0, 0, 239, 1, 2, 3],
  [0x22, 0, 0, 0, 0, 0, 0, 1],
  [0x99, 0, 0, 0, 0, 0, 0, 1],
];

const skip = tcpdumpMissing();

test('the real tcpdump prints the same lines of IGMP', { skip }, () => {
  compareWithTcpdump(
    IGMP_MESSAGES.map(message => ipFrame(2, message, { options: [0x94, 4, 0, 0] })),
    'ethernet',
    {},
  );
});

test('the real tcpdump prints the same lines', { skip }, () => {
  compareWithTcpdump(ORACLE_FRAMES, 'ethernet', {});
});

test('the real tcpdump prints the same lines of frames cut off at 64 and 96 bytes', { skip }, () => {
  compareWithTcpdump(ORACLE_FRAMES, 'ethernet', { snaplen: 64 });
  compareWithTcpdump(ORACLE_FRAMES, 'ethernet', { snaplen: 96 });
});

test('the real tcpdump prints the same lines of bare IP packets', { skip }, () => {
  const packets = [ipv4(17, udp(1, 2, [0])), ipv4(6, tcp({})), [0x45], [0x10, 1, 2], [0x60, 0, 0]];
  compareWithTcpdump(
    packets.map(packet => Uint8Array.from(packet)),
    'ip',
    { linkType: LINKTYPE_RAW },
  );
});
