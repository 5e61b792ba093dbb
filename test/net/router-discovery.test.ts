import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ND_ROUTER_ADVERT } from '../../src/wire/icmp6.ts';
import { parseNdp, type RouterAdvert } from '../../src/wire/ndp.ts';
import type { PrefixInformation } from '../../src/wire/ndp-options.ts';
import { mac, nd } from './craft6.ts';
import {
  advance,
  discoveries,
  ip,
  ManualEnv,
  packets6,
  QUIET,
  settle,
  TestHost,
  TestLink,
  viewOf,
} from './harness.ts';

const SECOND = 1_000_000;
const ROUTER = 'fe80::9';
const SECRET = '000102030405060708090a0b0c0d0e0f';

const LISTENING = { ...QUIET, addr_gen_mode: 3, stable_secret: SECRET } as const;

/** A host with IPv6 and nothing else on a link. */
function listener(sysctl = {}) {
  const host = new TestHost(new ManualEnv(), 'a', { ...LISTENING, ...sysctl });
  const link = new TestLink({ mac: 1 });
  const netif = host.attach(link);
  host.ip.ipv6.enable(netif);
  advance(2 * SECOND, host);
  link.frames.length = 0;
  host.log.events.length = 0;
  const addresses = (): string[] => netif.addresses.map(entry => `${entry.address}/${entry.prefixLength}`);
  const hear = (message: RouterAdvert, source = ROUTER, hopLimit = 255): void => {
    link.inject(nd(message, source, 'ff02::1', hopLimit, 9));
    host.run();
  };
  const routes = (): string[] =>
    host.ip.routes
      .list()
      .filter(({ protocol }) => protocol === 'ra')
      .map(({ destination, prefixLength, gateway, metric }) =>
        [`${destination}/${prefixLength}`, gateway === null ? '' : ` via ${gateway}`, ` ${metric}`].join(''),
      );
  return { host, link, netif, addresses, hear, routes };
}

function prefix(text: string, change: Partial<PrefixInformation> = {}): PrefixInformation {
  return {
    prefix: ip(text),
    prefixLength: 64,
    onLink: true,
    autonomous: true,
    validSeconds: 86400,
    preferredSeconds: 14400,
    ...change,
  };
}

function advert(change: Partial<RouterAdvert> = {}): RouterAdvert {
  return {
    type: 134,
    hopLimit: 64,
    managed: false,
    other: false,
    preference: 0,
    lifetime: 1800,
    reachableMs: 0,
    retransMs: 0,
    options: { sourceMac: mac(9), prefixes: [prefix('fd01::')] },
    ...change,
  };
}

describe('router solicitation (RFC 4861 section 6.3.7)', () => {
  test('three, four seconds apart, and then no more', () => {
    const { host, link } = listener({ router_solicitations: 3 });
    advance(60 * SECOND, host);
    const asked = discoveries(link).filter(line => line.includes('router solicitation'));
    assert.ok(asked.length >= 2 && asked.length <= 3);
    assert.match(asked[0] ?? '', /^fe80::.* > ff02::2: /);
    assert.equal(host.host.timers.size, 0);
  });

  test('an advertisement ends it', () => {
    const { host, link, hear } = listener({ router_solicitations: 3 });
    hear(advert());
    link.frames.length = 0;
    advance(60 * SECOND, host);
    assert.ok(!discoveries(link).some(line => line.includes('router solicitation')));
  });
});

describe('router advertisements (RFC 4861 section 6.3.4, RFC 4862 section 5.5)', () => {
  test('give a default router, a prefix on the link, and an address in it', () => {
    const { host, hear, addresses, routes } = listener();
    hear(advert());
    assert.deepEqual(routes(), ['fd01::/64 256', '::/0 via fe80::9%2 1024']);
    assert.equal(addresses().length, 2);
    assert.match(addresses()[1] ?? '', /^fd01::.*\/64$/);
    const route = host.ip.route(ip('2001:db8::1'), null);
    assert.ok(typeof route !== 'number');
    assert.equal(`${route.source} ${route.nextHop}`, `${addresses()[1]?.split('/')[0]} fe80::9%2`);
    const neighbor = host.ip.ipv6.neighbors.list()[0];
    assert.deepEqual(
      [neighbor?.mac, neighbor?.state, neighbor?.isRouter],
      ['02:00:00:00:00:09', 'STALE', true],
    );
  });

  test('the address is the same for the same secret, interface and prefix, and for no other (RFC 7217)', () => {
    const first = (text: string, sysctl = {}): string => {
      const { hear, addresses } = listener(sysctl);
      hear(advert({ options: { prefixes: [prefix(text)] } }));
      return (addresses()[1] as string).replace(/^.*?::/, '');
    };
    assert.equal(first('fd01::'), first('fd01::'));
    assert.notEqual(first('fd01::'), first('fd02::'));
    assert.notEqual(first('fd01::'), first('fd01::', { stable_secret: 'ff'.repeat(16) }));
  });

  test('forged ones are dropped: hop limit, source, length', () => {
    const { host, hear, routes, addresses } = listener();
    hear(advert(), ROUTER, 254);
    hear(advert(), 'fd00::9');
    hear(advert(), '::');
    assert.deepEqual([routes(), addresses().length], [[], 1]);
    assert.deepEqual(host.drops(), ['IPV6_NDISC_HOP_LIMIT', 'IP_INVALID_SOURCE', 'IP_INVALID_SOURCE']);
  });

  test('a router, and a host with accept_ra off, does not listen', () => {
    for (const sysctl of [{ forwarding: true }, { accept_ra: false }]) {
      const { hear, routes } = listener(sysctl);
      hear(advert());
      assert.deepEqual(routes(), []);
    }
  });

  test('lifetime 0 takes the router back; lifetimes end', () => {
    const { host, hear, routes, addresses } = listener();
    hear(advert());
    hear(advert({ lifetime: 0 }));
    assert.deepEqual(routes(), ['fd01::/64 256']);
    hear(advert());
    advance(1801 * SECOND, host);
    assert.deepEqual(routes(), ['fd01::/64 256']);
    advance(86400 * SECOND, host);
    assert.deepEqual([routes(), addresses().length], [[], 1]);
    host.ip.close();
    assert.equal(host.host.timers.size, 0);
  });

  test('a deprecated address is not used for new conversations while there is another', () => {
    const { host, hear, addresses } = listener();
    hear(advert({ options: { prefixes: [prefix('fd01::', { preferredSeconds: 100 }), prefix('fd02::')] } }));
    const source = (): string => {
      const route = host.ip.route(ip('fd01::1'), null);
      return typeof route === 'number' ? '' : `${route.source}/64`;
    };
    assert.equal(source(), addresses()[1]);
    advance(101 * SECOND, host);
    assert.equal(source(), addresses()[2]);
  });

  test('RFC 4862 section 5.5.3 (e): a valid lifetime is not cut below two hours', () => {
    const { host, hear, addresses } = listener();
    hear(advert());
    const short = { validSeconds: 10, preferredSeconds: 10 };
    hear(advert({ options: { prefixes: [prefix('fd01::', short)] } }));
    advance(7190 * SECOND, host);
    assert.equal(addresses().length, 2);
    advance(20 * SECOND, host);
    assert.equal(addresses().length, 1);
  });

  test('prefixes that are not for addresses make none', () => {
    const { hear, addresses, routes } = listener();
    const bad = [
      prefix('fd01::', { autonomous: false }),
      prefix('fd02::', { prefixLength: 56 }),
      prefix('fe80::'),
      prefix('fd03::', { preferredSeconds: 100_000 }),
      prefix('fd04::', { onLink: false, validSeconds: 0, preferredSeconds: 0 }),
    ];
    hear(advert({ lifetime: 0, options: { prefixes: bad } }));
    assert.equal(addresses().length, 1);
    assert.deepEqual(routes(), ['fd01::/64 256', 'fd03::/64 256', 'fd02::/56 256']);
  });

  test('MTU, hop limit and timers of the link are taken on', () => {
    const { netif, hear } = listener();
    hear(advert({ hopLimit: 17, retransMs: 500, reachableMs: 9000, options: { mtu: 1400 } }));
    const { ipv6 } = netif;
    assert.deepEqual([ipv6?.hopLimit, ipv6?.retransMs, ipv6?.reachableMs, ipv6?.mtu], [17, 500, 9000, 1400]);
    hear(advert({ options: { mtu: 1200 } }));
    hear(advert({ options: { mtu: 9000 } }));
    assert.equal(ipv6?.mtu, 1400);
  });

  test('name servers are kept for as long as they are told to be (RFC 8106)', () => {
    const { host, hear } = listener();
    const servers = (lifetime: number) => [{ lifetime, addresses: [ip('fd01::53'), ip('fe80::53')] }];
    hear(advert({ options: { nameServers: servers(100) } }));
    assert.deepEqual(host.ip.ipv6.nameServers.map(String), ['fd01::53', 'fe80::53%2']);
    advance(101 * SECOND, host);
    assert.deepEqual(host.ip.ipv6.nameServers, []);
    hear(advert({ options: { nameServers: servers(100) } }));
    hear(advert({ options: { nameServers: servers(0) } }));
    assert.deepEqual(host.ip.ipv6.nameServers, []);
  });

  test('preferences order routers (RFC 4191), and one that does not answer goes behind (section 6.3.6)', () => {
    const { host, hear, routes } = listener();
    hear(advert({ options: {} }));
    hear(advert({ preference: 1, options: {} }), 'fe80::8');
    assert.deepEqual(routes(), ['::/0 via fe80::8%2 1023', '::/0 via fe80::9%2 1024']);
    host.send('2001:db8::1', 'x');
    advance(5 * SECOND, host);
    assert.deepEqual(routes(), ['::/0 via fe80::9%2 1024', '::/0 via fe80::8%2 2047']);
  });

  test('who makes up routers, prefixes and name servers fills no more than max_addresses places', () => {
    const { host, netif, hear, routes } = listener();
    for (let i = 0; i < 100; i++) {
      const net = `fd01:${i}::`;
      const nameServers = [{ lifetime: 1000, addresses: [ip(`fd01:${i}::53`)] }];
      hear(advert({ options: { prefixes: [prefix(net)], nameServers } }), `fe80::1:${i}`);
    }
    assert.equal(routes().length, 32);
    assert.equal(netif.addresses.length, 16);
    assert.equal(host.ip.ipv6.nameServers.length, 16);
  });
});

describe('temporary addresses (RFC 8981)', () => {
  test('are preferred as source, and renewed before they are deprecated', () => {
    const { host, hear, netif } = listener({
      use_tempaddr: 2,
      temp_prefered_lft: 1000,
      temp_valid_lft: 2000,
    });
    hear(advert({ options: { prefixes: [prefix('fd01::')] } }));
    const temporary = (): string[] =>
      (netif.ipv6?.addresses ?? [])
        .filter(({ origin }) => origin === 'temporary')
        .map(({ address }) => `${address}`);
    const [first] = temporary();
    assert.equal(temporary().length, 1);
    const route = host.ip.route(ip('fd01::1'), null);
    assert.equal(typeof route === 'number' ? '' : String(route.source), first);
    advance(1001 * SECOND, host);
    assert.ok(temporary().length >= 2);
    advance(1001 * SECOND, host);
    assert.ok(!temporary().includes(first as string));
  });
});

describe('redirects (RFC 4861 section 8)', () => {
  function redirected(change: { source?: string; target?: string; hopLimit?: number }, sysctl = {}): string {
    const { host, link, hear } = listener(sysctl);
    hear(advert());
    const { source = ROUTER, target = 'fe80::7', hopLimit = 255 } = change;
    const message = {
      type: 137,
      target: ip(target),
      destination: ip('2001:db8::1'),
      options: { targetMac: mac(7) },
    } as const;
    link.inject(nd(message, source, 'ff02::1', hopLimit, 9));
    host.run();
    const route = host.ip.route(ip('2001:db8::1'), null);
    return typeof route === 'number' ? '' : String(route.nextHop);
  }
  test('the router in use can say that there is a better one, or that the destination is a neighbour', () => {
    assert.equal(redirected({}), 'fe80::7%2');
    assert.equal(redirected({ target: '2001:db8::1' }), '2001:db8::1');
  });
  test('nobody else can, nor from afar, nor to somewhere odd, nor if we do not want it', () => {
    assert.equal(redirected({ source: 'fe80::66' }), 'fe80::9%2');
    assert.equal(redirected({ hopLimit: 64 }), 'fe80::9%2');
    assert.equal(redirected({ target: 'fd01::77' }), 'fe80::9%2');
    assert.equal(redirected({}, { accept_redirects: false }), 'fe80::9%2');
  });
});

test('a router that advertises configures the hosts of its link', () => {
  const env = new ManualEnv();
  const router = new TestHost(env, 'r', { ...LISTENING, forwarding: true });
  const host = new TestHost(env, 'h', { ...LISTENING, router_solicitations: 3 });
  const [linkR, linkH] = [new TestLink({ mac: 9 }), new TestLink({ mac: 1 })];
  const inside = router.attach(linkR, 'fd01::1/64');
  const eth0 = host.attach(linkH);
  linkR.peer = linkH;
  linkH.peer = linkR;
  router.ip.ipv6.advertise(inside, { nameServers: [ip('fd01::1')], mtu: 1400 });
  advance(20 * SECOND, router, host);
  host.ip.ipv6.enable(eth0);
  advance(5 * SECOND, router, host);
  const own = eth0.addresses.find(({ address }) => String(address).startsWith('fd01::'));
  assert.ok(own !== undefined, 'it asked and was answered');
  assert.deepEqual(host.ip.ipv6.nameServers.map(String), ['fd01::1']);
  assert.equal(host.route('2001:db8::1').nextHop.toString(), `${inside.ipv6?.linkLocal}`);
  assert.equal(host.route('fd01::1').mtu, 1400);
  host.send('fd01::1', 'hello');
  settle(router, host);
  assert.equal(router.transport.received[0]?.data, 'hello');
  router.ip.ipv6.advertise(inside, null);
  settle(router, host);
  assert.deepEqual(host.ip.ipv6.defaultRouters, []);
});

test('a router tells prefixes, not its addresses, and each once', () => {
  const router = new TestHost(new ManualEnv(), 'r', { ...LISTENING, forwarding: true });
  const link = new TestLink({ mac: 9 });
  const netif = router.attach(link, 'fd01::1/64');
  netif.addAddress(ip('fd01::7'), 64);
  netif.addAddress(ip('fd02::1'), 56);
  router.ip.ipv6.advertise(netif, {});
  advance(2 * SECOND, router);
  const [told] = packets6(link).flatMap(({ data }) => {
    const message = parseNdp(viewOf(data), 0, data.length);
    return message?.type === ND_ROUTER_ADVERT ? [message] : [];
  });
  const prefixes = told?.options.prefixes?.map(each => `${each.prefix}/${each.prefixLength}`);
  assert.deepEqual(prefixes, ['fd01::/64', 'fd02::/56']);
});
