/** What somebody on the link, or far away, can do to the IPv6 of a host. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { RouterAdvert } from '../../src/wire/ndp.ts';
import { askedIn, fragment, frame6, icmp6, ipv6, mac, nd } from '../net/craft6.ts';
import { advance, ip, ManualEnv, QUIET, TEST_PROTOCOL, TestHost, TestLink } from '../net/harness.ts';

const SECOND = 1_000_000;

/** fd00::1/64, which talks with fd00::2. */
function victim(sysctl = {}): { host: TestHost; link: TestLink } {
  const host = new TestHost(new ManualEnv(), 'victim', { ...QUIET, ...sysctl });
  const link = new TestLink({ mac: 1 });
  host.attach(link, 'fd00::1/64');
  host.send('fd00::2', 'hello');
  link.inject(
    nd(
      {
        type: 136,
        target: ip('fd00::2'),
        router: false,
        solicited: true,
        override: true,
        options: { targetMac: mac(2) },
      },
      'fd00::2',
      'fd00::1',
    ),
  );
  host.run();
  return { host, link };
}

function macOf(host: TestHost, address: string): string | undefined {
  const netif = host.ip.netif('eth0');
  assert.ok(netif !== null);
  return host.ip.ipv6.neighbors.find(netif, ip(address))?.mac;
}

function advert(change: Partial<RouterAdvert> = {}): RouterAdvert {
  return {
    type: 134,
    hopLimit: 1,
    managed: false,
    other: false,
    preference: 1,
    lifetime: 9000,
    reachableMs: 0,
    retransMs: 0,
    options: {
      mtu: 1280,
      prefixes: [
        {
          prefix: ip('2001:db8:bad::'),
          prefixLength: 64,
          onLink: true,
          autonomous: true,
          validSeconds: 9000,
          preferredSeconds: 9000,
        },
      ],
    },
    ...change,
  };
}

describe('from beyond the link', () => {
  test('nothing of neighbour discovery is believed: its hop limit is below 255', () => {
    const { host, link } = victim();
    const stolen = { targetMac: mac(66), sourceMac: mac(66) };
    const forged = [
      nd(advert(), 'fe80::66', 'fd00::1', 254),
      nd({ type: 135, target: ip('fd00::1'), options: stolen }, 'fd00::2', 'fd00::1', 254),
      nd(
        { type: 136, target: ip('fd00::2'), router: true, solicited: true, override: true, options: stolen },
        'fd00::2',
        'fd00::1',
        254,
      ),
      nd(
        { type: 137, target: ip('fe80::66'), destination: ip('fd00::2'), options: stolen },
        'fe80::66',
        'fd00::1',
        254,
      ),
      nd({ type: 133, options: stolen }, 'fd00::2', 'ff02::2', 254),
    ];
    for (const bytes of forged) link.inject(bytes);
    host.run();
    assert.equal(macOf(host, 'fd00::2'), '02:00:00:00:00:02');
    assert.deepEqual(host.ip.ipv6.defaultRouters, []);
    assert.equal(host.ip.route(ip('2001:db8::1'), null), -101);
    assert.equal(host.ip.ipv6.neighbors.size, 1);
  });

  test('a packet too big about a packet that was never sent changes nothing by itself', () => {
    const { host, link } = victim();
    const mine = ipv6({ source: 'fd00::1', destination: 'fd00::2', protocol: 6, data: new Uint8Array(20) });
    link.inject(frame6(ipv6({ protocol: 58, data: icmp6(2, 0, 1280, mine, 'fd00::2', 'fd00::1') })));
    host.run();
    assert.equal(host.route('fd00::2').mtu, 1500, 'only who sent it, and remembers, may believe it');
  });

  test('about an echo reply, of which nobody remembers anything, it costs no more than 1280 bytes allow', () => {
    const { host, link } = victim();
    const reply = icmp6(129, 0, 0, new Uint8Array(1300), 'fd00::1', 'fd00::2');
    const mine = ipv6({ source: 'fd00::1', destination: 'fd00::2', protocol: 58, data: reply });
    link.inject(frame6(ipv6({ protocol: 58, data: icmp6(2, 0, 1280, mine, 'fd00::2', 'fd00::1') })));
    host.run();
    assert.equal(host.route('fd00::2').mtu, 1280);
    // And for as long as any path MTU is remembered.
    advance(601_000_000, host);
    assert.equal(host.route('fd00::2').mtu, 1500);
  });
});

describe('from the link', () => {
  test('a router that asks to wait for weeks between questions is not listened to', () => {
    const { host, link } = victim();
    const netif = host.ip.netif('eth0')?.ipv6;
    link.inject(nd(advert({ retransMs: 0xffffffff, reachableMs: 0xffffffff }), 'fe80::66', 'ff02::1'));
    link.inject(nd(advert({ retransMs: 1 }), 'fe80::66', 'ff02::1'));
    host.run();
    assert.deepEqual([netif?.retransMs, netif?.reachableMs], [0, 0]);
  });

  test('who does not say that he overrides takes nobody’s place', () => {
    const { host, link } = victim();
    const options = { targetMac: mac(66) };
    const message = { type: 136, target: ip('fd00::2'), router: false, override: false, options } as const;
    link.inject(nd({ ...message, solicited: true }, 'fd00::2', 'fd00::1'));
    link.inject(nd({ ...message, solicited: false }, 'fd00::2', 'ff02::1'));
    host.run();
    assert.equal(macOf(host, 'fd00::2'), '02:00:00:00:00:02');
  });

  test('unasked-for advertisements make no neighbours', () => {
    const { host, link } = victim();
    for (let i = 16; i < 255; i++) {
      const target = ip(`fd00::${i.toString(16)}`);
      const options = { targetMac: mac(i) };
      link.inject(
        nd(
          { type: 136, target, router: false, solicited: false, override: true, options },
          `${target}`,
          'ff02::1',
        ),
      );
    }
    host.run();
    assert.equal(host.ip.ipv6.neighbors.size, 1);
  });

  test('questions from made-up neighbours fill no more than the table, and push out none in use', () => {
    const { host, link } = victim({ gc_thresh3: 32 });
    for (let i = 0; i < 500; i++) {
      const options = { sourceMac: mac(i & 255) };
      const source = `fd00::1:${i.toString(16)}`;
      link.inject(nd({ type: 135, target: ip('fd00::1'), options }, source, askedIn('fd00::1')));
      host.run();
    }
    assert.ok(host.ip.ipv6.neighbors.size <= 32);
    assert.equal(macOf(host, 'fd00::2'), '02:00:00:00:00:02');
  });

  test('a flood of router advertisements holds bounded memory, and forged MTUs do not break the link', () => {
    const { host, link } = victim();
    for (let i = 1; i < 300; i++) {
      const prefix = { prefix: ip(`2001:db8:${i.toString(16)}::`), prefixLength: 64 };
      const prefixes = [
        { ...prefix, onLink: true, autonomous: true, validSeconds: 9000, preferredSeconds: 9000 },
      ];
      link.inject(nd(advert({ options: { prefixes, mtu: 100 } }), `fe80::1:${i.toString(16)}`, 'ff02::1'));
      host.run();
    }
    assert.ok((host.ip.netif('eth0')?.addresses.length ?? 99) <= 16);
    assert.ok(host.ip.routes.list().length < 50);
    assert.equal(host.route('fd00::2').mtu, 1500);
    host.ip.close();
    assert.equal(host.host.timers.size, 0);
  });

  test('who is never answered for a whole minute can keep a host from an address, but not stop it (RFC 4862)', () => {
    const host = new TestHost(new ManualEnv(), 'h', { dad_transmits: 1, router_solicitations: 0 });
    const link = new TestLink({ mac: 1 });
    const netif = host.attach(link, 'fd00::1/64');
    // Every address it tries is claimed.
    for (let i = 0; i < 20; i++) {
      for (const { address } of netif.ipv6?.addresses ?? []) {
        const text = address.withZone(0).toString();
        link.inject(nd({ type: 135, target: address.withZone(0), options: {} }, '::', askedIn(text)));
      }
      host.run();
    }
    assert.equal(netif.ipv6?.linkLocal, null);
    advance(60 * SECOND, host);
    assert.ok(netif.addresses.length <= 2);
    assert.equal(host.host.timers.size, 0);
  });
});

describe('fragments', () => {
  test('overlaps deliver nothing, not one of several truths (RFC 5722)', () => {
    const part = (from: number, text: string, more: boolean): Uint8Array => {
      const data = Uint8Array.from(text, character => character.charCodeAt(0));
      return frame6(ipv6({ protocol: 44, data: fragment(TEST_PROTOCOL, from, more, 9, data) }));
    };
    const { host, link } = victim();
    for (const bytes of [
      part(0, 'aaaaaaaabbbbbbbb', true),
      part(8, 'XXXXXXXX', true),
      part(16, 'cc', false),
    ]) {
      link.inject(bytes);
    }
    host.run();
    assert.deepEqual(host.transport.received, []);
  });

  test('tiny first fragments, ends beyond 65535 and hundreds of headers come to nothing', () => {
    const { host, link } = victim();
    const headers = Array.from({ length: 200 }, () => [60, 0, 1, 4, 0, 0, 0, 0]).flat();
    link.inject(frame6(ipv6({ protocol: 60, data: Uint8Array.from(headers) })));
    link.inject(frame6(ipv6({ protocol: 44, data: fragment(6, 0, true, 1, new Uint8Array(8)) })));
    link.inject(frame6(ipv6({ protocol: 44, data: fragment(6, 65528, false, 2, new Uint8Array(100)) })));
    host.run();
    assert.deepEqual(host.transport.received, []);
    assert.equal(host.host.pool.inUse, 0);
  });
});
