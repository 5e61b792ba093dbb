import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { NdpRepr } from '../../src/wire/ndp.ts';
import type { NdpOptions } from '../../src/wire/ndp-options.ts';
import { askedIn, frame6, ipv6, mac, nd, sign } from './craft6.ts';
import {
  advance,
  discoveries,
  ip,
  linkLocal,
  ManualEnv,
  packets6,
  pair6,
  QUIET,
  settle,
  TestHost,
  TestLink,
} from './harness.ts';

const SECOND = 1_000_000;

function neighborOf(host: TestHost, address: string) {
  const netif = host.ip.netif('eth0');
  assert.ok(netif !== null);
  return host.ip.ipv6.neighbors.find(netif, ip(address));
}

/** fd00::1/64 alone on its link, all quiet. */
function alone(sysctl = {}): { host: TestHost; link: TestLink } {
  const host = new TestHost(new ManualEnv(), 'a', { ...QUIET, ...sysctl });
  const link = new TestLink({ mac: 1 });
  host.attach(link, 'fd00::1/64');
  advance(2 * SECOND, host);
  link.frames.length = 0;
  host.log.events.length = 0;
  return { host, link };
}

function solicit(target: string, options: NdpOptions = {}): NdpRepr {
  return { type: 135, target: ip(target), options };
}

function advert(target: string, flags = '', options: NdpOptions = {}): NdpRepr {
  const [router, solicited, override] = ['R', 'S', 'O'].map(flag => flags.includes(flag));
  return {
    type: 136,
    target: ip(target),
    router: router === true,
    solicited: solicited === true,
    override: override === true,
    options,
  };
}

describe('asking for a neighbour (RFC 4861 section 7.2)', () => {
  test('the first packets wait for the answer to one question in the group of the address', () => {
    const { a, b, linkA, linkB } = pair6();
    assert.equal(a.send('fd00::2', 'one'), 0);
    assert.equal(a.send('fd00::2', 'two'), 0);
    assert.deepEqual(discoveries(linkA), [
      'fd00::1 > ff02::1:ff00:2: neighbor solicitation, who has fd00::2',
    ]);
    const [{ ethernet, header }] = packets6(linkA) as [ReturnType<typeof packets6>[0]];
    assert.deepEqual([...(ethernet?.destination ?? [])], [0x33, 0x33, 0xff, 0, 0, 2]);
    assert.equal(header.hopLimit, 255);
    settle(a, b);
    assert.deepEqual(
      b.transport.received.map(({ data }) => data),
      ['one', 'two'],
    );
    assert.deepEqual(discoveries(linkB), ['fd00::2 > fd00::1: neighbor advertisement, tgt is fd00::2']);
    assert.equal(neighborOf(a, 'fd00::2')?.state, 'REACHABLE');
    assert.equal(neighborOf(a, 'fd00::2')?.mac, '02:00:00:00:00:02');
    assert.equal(neighborOf(b, 'fd00::1')?.mac, '02:00:00:00:00:01', 'who asks is known');
  });

  test('who does not answer three questions is unreachable, and the sender is told', () => {
    const { host, link } = alone();
    host.send('fd00::2', 'transport');
    advance(4 * SECOND, host);
    assert.equal(discoveries(link).length, 3);
    assert.equal(neighborOf(host, 'fd00::2')?.state, 'FAILED');
    assert.deepEqual(
      host.transport.errors.map(({ errno, quoted }) => [errno, quoted]),
      [[113, 'transpor']],
    );
    host.ip.close();
    assert.equal(host.host.pool.inUse, 0);
  });

  test('a neighbour that was reachable is asked at its address before it is used on (NUD)', () => {
    const hosts = pair6({ base_reachable_time_ms: 10_000 });
    const { a, b, linkA } = hosts;
    a.send('fd00::2', 'one');
    settle(a, b);
    advance(20 * SECOND, a, b);
    assert.equal(neighborOf(a, 'fd00::2')?.state, 'STALE');
    linkA.frames.length = 0;
    a.send('fd00::2', 'two');
    assert.equal(neighborOf(a, 'fd00::2')?.state, 'DELAY');
    advance(5 * SECOND, a, b);
    assert.deepEqual(
      discoveries(linkA).filter(line => line.startsWith('fd00::1 > fd00::2: neighbor sol')),
      ['fd00::1 > fd00::2: neighbor solicitation, who has fd00::2'],
    );
    assert.equal(neighborOf(a, 'fd00::2')?.state, 'REACHABLE');
  });
});

describe('an idle neighbour', () => {
  test('is not asked for ever: that it was asked is no use of it', () => {
    const { a, b, linkA } = pair6();
    a.host.sysctl.base_reachable_time_ms = 2000;
    a.send('fd00::2', 'one');
    settle(a, b);
    a.send('fd00::2', 'two');
    advance(60 * SECOND, a, b);
    linkA.frames.length = 0;
    advance(600 * SECOND, a, b);
    assert.equal(neighborOf(a, 'fd00::2')?.state, 'STALE');
    assert.deepEqual(discoveries(linkA), []);
  });
});

describe('being asked (RFC 4861 section 7.2.3, 7.2.4)', () => {
  test('a question at our address, or in its group, is answered; about another’s it is not', () => {
    const { host, link } = alone();
    const options = { sourceMac: mac(2) };
    link.inject(nd(solicit('fd00::1', options), 'fd00::2', askedIn('fd00::1')));
    link.inject(nd(solicit('fd00::1', options), 'fd00::2', 'fd00::1'));
    link.inject(nd(solicit('fd00::9', options), 'fd00::2', 'fd00::1'));
    host.run();
    const answer = 'fd00::1 > fd00::2: neighbor advertisement, tgt is fd00::1';
    assert.deepEqual(discoveries(link), [answer, answer]);
    assert.deepEqual(host.drops(), ['IPV6_NDISC_NS_OTHERHOST']);
  });

  test('who checks the address before use is told by all nodes’ group', () => {
    const { host, link } = alone();
    link.inject(nd(solicit('fd00::1'), '::', askedIn('fd00::1')));
    host.run();
    assert.deepEqual(discoveries(link), ['fd00::1 > ff02::1: neighbor advertisement, tgt is fd00::1']);
  });

  test('what RFC 4861 section 7.1 forbids is dropped', () => {
    const bad: [Uint8Array, string][] = [
      [nd(solicit('fd00::1', { sourceMac: mac(2) }), 'fd00::2', 'fd00::1', 254), 'IPV6_NDISC_HOP_LIMIT'],
      [nd(solicit('ff02::1'), 'fd00::2', 'fd00::1'), 'IPV6_NDISC_BAD_OPTIONS'],
      [nd(solicit('fd00::1', { sourceMac: mac(2) }), '::', askedIn('fd00::1')), 'IPV6_NDISC_BAD_OPTIONS'],
      [nd(solicit('fd00::1'), '::', 'ff02::1'), 'IPV6_NDISC_BAD_OPTIONS'],
      [nd(advert('fd00::2', 'SO'), 'fd00::2', 'ff02::1'), 'IPV6_NDISC_BAD_OPTIONS'],
      [nd(advert('ff02::2', 'O'), 'fd00::2', 'fd00::1'), 'IPV6_NDISC_BAD_OPTIONS'],
    ];
    for (const [bytes, reason] of bad) {
      const { host, link } = alone();
      link.inject(bytes);
      host.run();
      assert.deepEqual([host.drops(), discoveries(link)], [[reason], []]);
      assert.equal(host.ip.ipv6.neighbors.size, 0);
    }
  });
});

describe('advertisements (RFC 4861 section 7.2.5)', () => {
  /** What a host knows of fd00::2, whose state is as wanted, after an advertisement. */
  function after(state: 'none' | 'INCOMPLETE' | 'REACHABLE' | 'STALE', message: NdpRepr, to = 'fd00::1') {
    const { host, link } = alone();
    if (state !== 'none') host.send('fd00::2', 'x');
    if (state === 'REACHABLE' || state === 'STALE') {
      link.inject(nd(advert('fd00::2', 'SO', { targetMac: mac(2) }), 'fd00::2', 'fd00::1'));
      host.run();
    }
    if (state === 'STALE') advance(60 * SECOND, host);
    link.inject(nd(message, 'fd00::2', to));
    host.run();
    const neighbor = neighborOf(host, 'fd00::2');
    return neighbor === null ? 'none' : `${neighbor.state} ${neighbor.mac}${neighbor.isRouter ? ' R' : ''}`;
  }
  const two = { targetMac: mac(2) };
  const seven = { targetMac: mac(7) };

  test('unasked for, about a stranger: nothing is learned', () => {
    assert.equal(after('none', advert('fd00::2', 'O', two)), 'none');
  });
  test('the answer makes it reachable; unsolicited ones only known', () => {
    assert.equal(after('INCOMPLETE', advert('fd00::2', 'SR', two)), 'REACHABLE 02:00:00:00:00:02 R');
    // The packet that waited has used it already.
    assert.equal(after('INCOMPLETE', advert('fd00::2', '', two), 'ff02::1'), 'DELAY 02:00:00:00:00:02');
    assert.equal(after('INCOMPLETE', advert('fd00::2', 'S')), 'INCOMPLETE ');
  });
  test('another hardware address is believed only with the override flag', () => {
    assert.equal(after('REACHABLE', advert('fd00::2', 'S', seven)), 'STALE 02:00:00:00:00:02');
    assert.equal(after('STALE', advert('fd00::2', 'S', seven)), 'STALE 02:00:00:00:00:02');
    assert.equal(after('REACHABLE', advert('fd00::2', 'O', seven), 'ff02::1'), 'STALE 02:00:00:00:00:07');
    assert.equal(after('REACHABLE', advert('fd00::2', 'SO', seven)), 'REACHABLE 02:00:00:00:00:07');
  });
  test('the same one confirms', () => {
    assert.equal(after('STALE', advert('fd00::2', 'S', two)), 'REACHABLE 02:00:00:00:00:02');
    assert.equal(after('STALE', advert('fd00::2', 'S')), 'REACHABLE 02:00:00:00:00:02');
    assert.equal(after('STALE', advert('fd00::2', '', two), 'ff02::1'), 'STALE 02:00:00:00:00:02');
  });
  test('a group’s hardware address is nobody’s', () => {
    const group = { targetMac: Uint8Array.of(0x33, 0x33, 0, 0, 0, 1) };
    assert.equal(after('INCOMPLETE', advert('fd00::2', 'SO', group)), 'INCOMPLETE ');
  });
});

describe('duplicate address detection (RFC 4862 section 5.4)', () => {
  const checked = { dad_transmits: 1, optimistic_dad: false };

  /** A host that is about to take fd00::1, and the link it does that on. */
  function starting(sysctl = {}) {
    const host = new TestHost(new ManualEnv(), 'a', { ...QUIET, ...checked, ...sysctl });
    const link = new TestLink({ mac: 1 });
    const netif = host.attach(link, 'fd00::1/64');
    const check = (): string | undefined => netif.ipv6?.find(ip('fd00::1'))?.check;
    return { host, link, netif, check };
  }

  test('the address is asked for from ::, and used when nobody answers', () => {
    const { host, link, check } = starting();
    assert.equal(check(), 'tentative');
    assert.equal(host.ip.isLocal(ip('fd00::1')), false);
    advance(2 * SECOND, host);
    const asked = discoveries(link);
    assert.ok(
      asked.includes(':: > ff02::1:ff00:1: neighbor solicitation, who has fd00::1'),
      asked.join('\n'),
    );
    assert.equal(check(), 'done');
    assert.equal(host.ip.isLocal(ip('fd00::1')), true);
  });

  test('while tentative nobody can send from it, and questions about it are not answered', () => {
    const { host, link } = starting();
    assert.equal(host.ip.route(ip('fd00::2'), null), -99);
    link.inject(nd(solicit('fd00::1', { sourceMac: mac(2) }), 'fd00::2', askedIn('fd00::1')));
    host.run();
    assert.deepEqual(discoveries(link), []);
  });

  test('an advertisement, or somebody else’s check, shows that it is taken', () => {
    for (const message of [
      nd(advert('fd00::1', 'O', { targetMac: mac(2) }), 'fd00::1', 'ff02::1'),
      nd(solicit('fd00::1'), '::', askedIn('fd00::1')),
    ]) {
      const { host, link, check } = starting();
      link.inject(message);
      host.run();
      assert.equal(check(), 'duplicate');
      assert.deepEqual(host.neighborChanges(), ['LOCAL>CONFLICT']);
      advance(5 * SECOND, host);
      assert.equal(host.ip.isLocal(ip('fd00::1')), false);
      host.ip.close();
      assert.equal(host.host.timers.size, 0);
    }
  });

  test('who has the address may talk to our other ones from it', () => {
    const { host, link, netif } = starting();
    netif.addAddress(ip('fd00::3'), 64);
    link.inject(nd(advert('fd00::1', 'O', { targetMac: mac(2) }), 'fd00::1', 'ff02::1'));
    advance(3 * SECOND, host);
    link.frames.length = 0;
    link.inject(nd(solicit('fd00::3', { sourceMac: mac(2) }), 'fd00::1', askedIn('fd00::3')));
    host.run();
    assert.match(discoveries(link)[0] ?? '', /^fd00::3 > fd00::1: neighbor advertisement, tgt is fd00::3/);
  });

  test('our own question, come back, is none (RFC 7527)', () => {
    const { host, link, check } = starting();
    advance(1 * SECOND, host);
    for (const bytes of link.frames.slice()) {
      bytes.set([2, 0, 0, 0, 0, 9], 6);
      link.inject(bytes);
    }
    host.run();
    advance(3 * SECOND, host);
    assert.equal(check(), 'done');
  });

  test('two hosts that take the same address at once both notice', () => {
    const env = new ManualEnv();
    const hosts = ['a', 'b'].map((name, i) => {
      const host = new TestHost(env, name, { ...QUIET, ...checked, optimistic_dad: i === 1 });
      return { host, link: new TestLink({ mac: i + 1 }) };
    });
    const [a, b] = hosts as [(typeof hosts)[0], (typeof hosts)[0]];
    for (const { host, link } of hosts) host.attach(link, 'fd00::1/64');
    a.link.peer = b.link;
    b.link.peer = a.link;
    advance(3 * SECOND, a.host, b.host);
    const checks = hosts.map(({ host }) => host.ip.netif('eth0')?.ipv6?.find(ip('fd00::1'))?.check);
    assert.ok(checks.includes('duplicate'), checks.join());
    assert.ok(!checks.every(check => check === 'done'), checks.join());
  });

  test('an optimistic address can be used at once: packets wait until the check is over (RFC 4429)', () => {
    const env = new ManualEnv();
    const a = new TestHost(env, 'a', { ...QUIET, ...checked, optimistic_dad: true });
    const b = new TestHost(env, 'b', { ...QUIET, ...checked, optimistic_dad: true });
    const [linkA, linkB] = [new TestLink({ mac: 1 }), new TestLink({ mac: 2 })];
    a.attach(linkA, 'fd00::1/64');
    b.attach(linkB, 'fd00::2/64');
    linkA.peer = linkB;
    linkB.peer = linkA;
    assert.equal(a.send('fd00::2', 'early'), 0);
    assert.ok(!discoveries(linkA).some(line => line.includes('who has fd00::2')), 'nobody is asked from it');
    advance(3 * SECOND, a, b);
    assert.deepEqual(
      b.transport.received.map(({ data }) => data),
      ['early'],
    );
  });

  test('a stable link-local address that is taken is replaced by another (RFC 7217 section 6)', () => {
    const { host, link, netif } = starting({ addr_gen_mode: 3, stable_secret: '00'.repeat(16) });
    const first = netif.ipv6?.addresses.find(({ address }) => address.isLinkLocal)?.address;
    assert.ok(first !== undefined);
    const text = first.withZone(0).toString();
    link.inject(nd(solicit(text), '::', askedIn(text)));
    host.run();
    const second = netif.ipv6?.addresses.find(({ address }) => address.isLinkLocal)?.address;
    assert.ok(second !== undefined && !second.equals(first));
    advance(3 * SECOND, host);
    assert.ok(netif.ipv6?.linkLocal?.equals(second));
  });

  test('when the cable is put back the addresses are checked again', () => {
    const { host, netif, check } = starting();
    advance(3 * SECOND, host);
    netif.carrier(false);
    netif.carrier(true);
    assert.equal(check(), 'tentative');
    advance(3 * SECOND, host);
    assert.equal(check(), 'done');
  });
});

describe('multicast listener discovery (RFC 3810)', () => {
  const reports = (link: TestLink): number =>
    packets6(link).filter(({ header, data }) => header.nextHeader === 0 && data[8] === 143).length;

  test('the groups of new addresses are reported behind a router alert, twice', () => {
    const host = new TestHost(new ManualEnv(), 'a', QUIET);
    const link = new TestLink({ mac: 1 });
    host.attach(link, 'fd00::1/64');
    advance(2 * SECOND, host);
    assert.ok(reports(link) >= 2);
    const [first] = packets6(link);
    assert.equal(String(first?.header.destination), 'ff02::16');
    assert.equal(first?.header.hopLimit, 1);
    assert.deepEqual([...(first?.data.subarray(0, 8) ?? [])], [58, 0, 5, 2, 0, 0, 1, 0]);
  });

  test('a querier is answered within the time it gives; a forged query is not', () => {
    const { host, link } = alone();
    const query = new Uint8Array(28);
    query.set([130, 0, 0, 0, 0x03, 0xe8]);
    const ask = (source: string, hopLimit: number): void => {
      link.inject(mldQuery(query, source, hopLimit));
      host.run();
      advance(1 * SECOND, host);
    };
    ask('fd00::9', 1);
    ask('fe80::9', 64);
    assert.equal(reports(link), 0);
    ask('fe80::9', 1);
    assert.equal(reports(link), 1);
    assert.equal(packets6(link)[0]?.data[8 + 7], 1, 'both addresses end alike: one group');
  });
});

function mldQuery(query: Uint8Array, source: string, hopLimit: number): Uint8Array {
  const bytes = query.slice();
  sign(bytes, source, 'ff02::1');
  return frame6(ipv6({ source, destination: 'ff02::1', protocol: 58, hopLimit, data: bytes }));
}

test('what is taken from an interface that goes down is gone, its own address is back when it comes up', () => {
  const { host } = alone();
  const netif = host.ip.netif('eth0');
  assert.ok(netif !== null);
  netif.up = false;
  assert.equal(netif.ipv6?.linkLocal, null);
  netif.up = true;
  advance(2 * SECOND, host);
  assert.equal(String(netif.ipv6?.linkLocal), `${linkLocal(1)}%2`);
});
