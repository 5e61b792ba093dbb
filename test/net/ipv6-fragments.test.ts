import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatIcmp6, parseIcmp6 } from '../../src/wire/icmp6.ts';
import { fragmentId, fragmentMore, fragmentOffset } from '../../src/wire/ipv6-extension.ts';
import { fragment, frame6, ipv6 } from './craft6.ts';
import {
  advance,
  introduce6,
  ip,
  ManualEnv,
  OPTIONS,
  packets6,
  pair6,
  QUIET,
  settle,
  TEST_PROTOCOL,
  TestHost,
  TestLink,
  viewOf,
} from './harness.ts';

const SECOND = 1_000_000;
const WHOLE = Uint8Array.from({ length: 40 }, (_, i) => 65 + i);
const TEXT = String.fromCharCode(...WHOLE);

function receiver(sysctl = {}): { host: TestHost; link: TestLink } {
  const host = new TestHost(new ManualEnv(), 'a', { ...QUIET, ...sysctl });
  const link = new TestLink({ mac: 1 });
  const netif = host.attach(link, 'fd00::1/64');
  const neighbor = host.ip.ipv6.neighbors.get(netif, ip('fd00::2'));
  if (typeof neighbor !== 'number') neighbor.pin(0x0200, 2);
  advance(2 * SECOND, host);
  link.frames.length = 0;
  host.log.events.length = 0;
  return { host, link };
}

/** The fragment with bytes [from, to) of WHOLE. */
function part(from: number, to: number, id = 1, more = to < WHOLE.length): Uint8Array {
  const data = fragment(TEST_PROTOCOL, from, more, id, WHOLE.slice(from, to));
  return frame6(ipv6({ protocol: 44, data }));
}

function feed(frames: Uint8Array[], sysctl = {}) {
  const { host, link } = receiver(sysctl);
  for (const bytes of frames) link.inject(bytes);
  host.run();
  return { host, link, received: host.transport.received.map(({ data }) => data), errors: errors(link) };
}

function errors(link: TestLink): string[] {
  return packets6(link).flatMap(({ header, data }) => {
    const message = header.nextHeader === 58 ? parseIcmp6(viewOf(data), 0, data.length) : null;
    return message === null ? [] : [`${formatIcmp6(message)}`];
  });
}

test('fragments are put together in any order', () => {
  const pieces: [number, number][] = [
    [0, 8],
    [8, 24],
    [24, 32],
    [32, 40],
  ];
  fc.assert(
    fc.property(fc.shuffledSubarray(pieces, { minLength: 4 }), order => {
      const { host, received } = feed(order.map(([from, to]) => part(from, to)));
      assert.deepEqual(received, [TEXT]);
      assert.equal(host.host.mib.Ip6.ReasmOKs, 1);
      host.ip.close();
      assert.equal(host.host.pool.inUse, 0);
    }),
  );
});

test('headers in front of the fragment header stay, those behind it are looked at once all is there', () => {
  const rest = Uint8Array.of(TEST_PROTOCOL, 0, 1, 4, 0, 0, 0, 0, 0x78, 0x79);
  const split = (from: number, to: number): Uint8Array => {
    const data = fragment(60, from, to < rest.length, 5, rest.slice(from, to));
    return frame6(ipv6({ protocol: 0, data: Uint8Array.of(44, 0, 1, 4, 0, 0, 0, 0, ...data) }));
  };
  // RFC 7112: the first fragment would not hold all headers.
  assert.deepEqual(feed([split(0, 8), split(8, 10)]).errors, ['parameter problem, code 3, octet 0']);
  const long = Uint8Array.of(...rest, 0, 0, 0, 0, 0, 0, 0, 0x7a);
  const piece = (from: number, to: number): Uint8Array => {
    const data = fragment(60, from, to < long.length, 5, long.slice(from, to));
    return frame6(ipv6({ protocol: 0, data: Uint8Array.of(44, 0, 1, 4, 0, 0, 0, 0, ...data) }));
  };
  assert.equal(feed([piece(16, 18), piece(0, 16)]).received[0]?.length, 10);
});

test('RFC 5722: an overlap costs the whole packet; the very same fragment again costs nothing', () => {
  assert.deepEqual(feed([part(0, 16), part(8, 24), part(16, 40)]).received, []);
  assert.deepEqual(feed([part(0, 24), part(8, 16), part(24, 40)]).received, []);
  assert.deepEqual(feed([part(0, 16), part(0, 16), part(16, 40)]).received, [TEXT]);
});

test('RFC 6946: an atomic fragment has nothing to do with others of the same id', () => {
  const { received } = feed([part(0, 16), part(0, 40, 1, false), part(16, 40)]);
  assert.deepEqual(received, [TEXT, TEXT]);
});

test('RFC 8200 section 4.5: a length that is no multiple of 8, or a place beyond 65535, is a parameter problem', () => {
  assert.deepEqual(feed([part(0, 12)]).errors, ['parameter problem, code 0, octet 4']);
  const far = fragment(TEST_PROTOCOL, 65528, false, 1, new Uint8Array(20));
  assert.deepEqual(feed([frame6(ipv6({ protocol: 44, data: far }))]).errors, [
    'parameter problem, code 0, octet 42',
  ]);
});

test('after 60 seconds what is incomplete is dropped, and reported when its beginning came', () => {
  const { host, link } = feed([part(0, 16), part(16, 24, 2)]);
  advance(61 * SECOND, host);
  assert.deepEqual(errors(link), ['time exceeded, reassembly']);
  assert.equal(host.host.mib.Ip6.ReasmFails, 2);
  assert.equal(host.host.pool.inUse, 0);
});

test('incomplete packets hold no more memory than ip6frag_high_thresh', () => {
  const frames = Array.from({ length: 200 }, (_, id) => part(0, 16, id));
  const { host } = feed(frames, { ip6frag_high_thresh: 65536 });
  assert.ok(host.host.pool.inUse * 2048 <= 65536 + 2048, `${host.host.pool.inUse} packets`);
});

test('RFC 6980: neighbour discovery in fragments is not listened to', () => {
  const message = new Uint8Array(24);
  message[0] = 135;
  const pieces = [
    fragment(58, 0, true, 1, message.slice(0, 16)),
    fragment(58, 16, false, 1, message.slice(16)),
    fragment(58, 0, false, 1, message),
  ].map(data => frame6(ipv6({ protocol: 44, hopLimit: 255, data })));
  const { host } = feed(pieces);
  assert.deepEqual(host.drops(), ['IPV6_NDISC_FRAG', 'IPV6_NDISC_FRAG']);
});

test('what is too large is cut at the source, and put together at the other end', () => {
  const hosts = pair6();
  introduce6(hosts);
  const { a, b, linkA } = hosts;
  const bytes = new Uint8Array(4000).map((_, i) => i * 7);
  assert.equal(a.send('fd00::2', bytes), 0);
  const sent = packets6(linkA).map(({ data }) => viewOf(data));
  assert.deepEqual(
    sent.map(view => [fragmentOffset(view, 0), fragmentMore(view, 0), view.byteLength - 8]),
    [
      [0, true, 1448],
      [1448, true, 1448],
      [2896, false, 1104],
    ],
  );
  assert.equal(new Set(sent.map(view => fragmentId(view, 0))).size, 1);
  settle(a, b);
  assert.equal(b.transport.received[0]?.data, String.fromCharCode(...bytes));
  assert.deepEqual([a.host.mib.Ip6.FragOKs, a.host.mib.Ip6.FragCreates, b.host.mib.Ip6.ReasmOKs], [1, 3, 1]);
});

test('what may not be cut fails with EMSGSIZE', () => {
  const { a } = pair6();
  assert.equal(a.send('fd00::2', new Uint8Array(1461), { ...OPTIONS, dontFragment: true }), -90);
  assert.equal(a.send('fd00::2', new Uint8Array(65536)), -90);
});
