import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { LINK_LOCAL_TRANSITIONS } from '../../src/dhcp/link-local.ts';
import type { Netif } from '../../src/net/netif.ts';
import { World } from '../../src/node/index.ts';
import type { Stack } from '../../src/stack/stack.ts';
import { type ConfigEvent, TRACE_CONFIG } from '../../src/trace/events.ts';
import { parseFrame } from '../../src/trace/frame.ts';
import { TraceLog } from '../../src/trace/sink.ts';
import type { IpAddress } from '../../src/wire/address.ts';
import { clientAndServer, endClean, ip, SECOND } from './fixture.ts';

const MINE = /^169\.254\.(?!0\.|255\.)\d+\.\d+\/16$/;

function netifOf(stack: Stack): Netif {
  return stack.ip.netif('eth0') as Netif;
}

function addressesOf(stack: Stack): string[] {
  return netifOf(stack).addresses.map(({ address, prefixLength }) => `${address}/${prefixLength}`);
}

/** Two hosts with link-local addresses; or b with a normal one. */
function twoHosts(options: { linkLocal?: boolean } = {}, seed = 1) {
  const log = new TraceLog(TRACE_CONFIG | 1);
  const world = new World({ seed, trace: log });
  const a = world.host('a', { linkLocal: true });
  const b = world.host('b', options.linkLocal === false ? {} : { linkLocal: true });
  const cable = world.connect(a, b);
  const run = (seconds: number): void => world.clock.runFor(seconds * SECOND);
  const states = (host: string): string => {
    const events = log.events.filter(
      (event): event is ConfigEvent => event.type === 'config' && event.host === host,
    );
    return events.map(({ to }) => to).join(' ');
  };
  return { world, a, b, cable, run, states, log };
}

describe('IPv4 link-local addresses (RFC 3927)', () => {
  test('two hosts without a server find each other', async () => {
    const { world, a, b, run } = twoHosts();
    run(8);
    for (const host of [a, b]) assert.match(addressesOf(host)[0] ?? '', MINE);
    const [theirs] = await world.run(b.configured());
    assert.equal(theirs?.source, 'link-local');
    const listener = b.listen({ port: 80 });
    const [, { remoteAddress }] = await world.run(
      Promise.all([listener.accept(), a.connect({ hostname: String(theirs?.address), port: 80 }).opened]),
    );
    assert.equal(remoteAddress, `${theirs?.address}:80`);
    endClean(world, a, b);
  });

  test('the address follows from the hardware address, and others are not used before they are probed for', () => {
    const first = twoHosts();
    const second = twoHosts({}, 2);
    first.run(3);
    assert.deepEqual(addressesOf(first.a), []);
    for (const each of [first, second]) each.run(8);
    assert.deepEqual(addressesOf(first.a), addressesOf(second.a));
    assert.notDeepEqual(addressesOf(first.a), addressesOf(first.b));
    for (const { world, a, b } of [first, second]) endClean(world, a, b);
  });

  test('three probes, two announcements, all to everyone, as is every ARP about it (section 2.5)', () => {
    const { world, a, b, run, log } = twoHosts();
    run(12);
    const [own] = netifOf(a).addresses;
    b.udp().send(new Uint8Array(1), { hostname: String(own?.address), port: 9 });
    run(1);
    const said: string[] = [];
    for (const event of log.events) {
      if (event.type !== 'packet' || event.host !== 'a' || event.direction !== 'out') continue;
      const { arp } = parseFrame(event);
      if (arp === null) continue;
      assert.equal(event.data.slice(0, 12), 'ffffffffffff');
      const kind = arp.operation === 2 ? 'reply' : arp.senderIp.isUnspecified ? 'probe' : 'announce';
      said.push(kind);
    }
    assert.deepEqual(said, ['probe', 'probe', 'probe', 'announce', 'announce', 'reply']);
    endClean(world, a, b);
  });

  test('somebody has it: it takes another; after ten conflicts it waits for a minute between attempts', () => {
    const { world, a, b, run, states } = twoHosts({ linkLocal: false });
    const claim = (address: IpAddress): number => netifOf(b).addAddress(address, 16);
    let times = 0;
    a.ip.onConflict(() => times++);
    // b takes whatever a probes for.
    b.hook('ingress', packet => {
      const { view, start } = packet;
      const isProbe = view.getUint16(start + 12) === 0x0806 && view.getUint32(start + 28) === 0;
      if (isProbe && times < 12)
        claim(ip(`169.254.${view.getUint8(start + 40)}.${view.getUint8(start + 41)}`));
      return true;
    });
    run(60);
    assert.equal(states('a'), `${'PROBING '.repeat(10)}WAITING`);
    assert.equal(times, 10);
    run(200);
    assert.match(states('a'), /WAITING PROBING WAITING PROBING WAITING PROBING CLAIMED$/);
    endClean(world, a, b);
  });

  test('defended once in ten seconds, then given up for another (section 2.5 b)', () => {
    const { world, a, b, run, states } = twoHosts({ linkLocal: false });
    run(8);
    const before = addressesOf(a)[0] as string;
    const insist = (): void => {
      b.ip.ipv4.arp.announce(netifOf(b), ip(before.replace('/16', '')));
      run(0.1);
    };
    insist();
    assert.deepEqual(addressesOf(a), [before]);
    insist();
    assert.deepEqual(addressesOf(a), []);
    run(8);
    assert.equal(states('a'), 'PROBING CLAIMED PROBING CLAIMED');
    assert.notEqual(addressesOf(a)[0], before);
    endClean(world, a, b);
  });

  test('when the cable comes back it is probed for again', () => {
    const { world, a, b, run, states, cable } = twoHosts({ linkLocal: false });
    run(8);
    const before = addressesOf(a);
    cable.pull();
    run(1);
    cable.plug();
    run(8);
    assert.equal(states('a'), 'PROBING CLAIMED PROBING CLAIMED');
    assert.deepEqual(addressesOf(a), before);
    endClean(world, a, b);
  });

  test('no router passes it on (section 7)', async () => {
    const world = new World({ seed: 1 });
    const a = world.host('a', { linkLocal: true });
    const router = world.host('router', { address: '169.254.7.7/16', sysctl: { ip_forward: true } });
    const c = world.host('c', { address: '10.0.0.3/24' });
    world.connect(a, router);
    world.connect(router, c, { addresses: ['10.0.0.2/24', undefined] });
    world.clock.runFor(8 * SECOND);
    a.ip.routes.addDefault(ip('169.254.7.7'));
    c.ip.routes.addDefault(ip('10.0.0.2'));
    const socket = c.udp({ port: 5 });
    await world.run(a.udp().send(new Uint8Array(1), { hostname: '10.0.0.3', port: 5 }));
    world.clock.runFor(8 * SECOND);
    assert.equal(router.mib.Ip.ForwDatagrams, 0);
    socket.close();
    endClean(world, a, router, c);
  });

  test('every state can be reached and left', () => {
    const reached = new Set(Object.values(LINK_LOCAL_TRANSITIONS).flatMap(row => Object.values(row)));
    assert.deepEqual([...reached].sort(), Object.keys(LINK_LOCAL_TRANSITIONS).sort());
  });
});

describe('link-local beside DHCP', () => {
  test('after a minute without a server, and gone when one answers', async () => {
    const { world, pc, other, server, run, addresses } = clientAndServer({ linkLocalAfter: 60 });
    run(59);
    assert.deepEqual(addresses(), []);
    const [settings] = await world.run(pc.configured());
    assert.equal(settings?.source, 'link-local');
    run(8);
    assert.match(addresses().join(), MINE);
    server.grant('10.0.0.7');
    run(70);
    assert.deepEqual(addresses(), ['10.0.0.7/24']);
    server.refuse('10.0.0.9');
    run(1800);
    assert.deepEqual(addresses(), []);
    run(68);
    assert.match(addresses().join(), MINE);
    endClean(world, pc, other);
  });

  test('never, when the option says Infinity', () => {
    const { world, pc, other, run, addresses } = clientAndServer();
    run(10_000);
    assert.deepEqual(addresses(), []);
    endClean(world, pc, other);
  });
});
