import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EADDRNOTAVAIL, EEXIST, EINVAL, ENETDOWN, ENETUNREACH } from '../../src/base/errno.ts';
import type { Route } from '../../src/core/network.ts';
import { advance, ip, ManualEnv, TestHost, TestLink } from './harness.ts';

/** lo, eth0 10.0.0.1/24 with the default gateway 10.0.0.254, eth1 192.168.1.1/24. */
function router(sysctl = {}): TestHost {
  const host = new TestHost(new ManualEnv(), 'r', sysctl);
  host.attach(new TestLink({ mac: 1 }), '10.0.0.1/24');
  host.attach(new TestLink({ mac: 2 }), '192.168.1.1/24');
  assert.equal(host.ip.routes.addDefault(ip('10.0.0.254')), 0);
  return host;
}

function show(route: Route | number): string {
  if (typeof route === 'number') return String(route);
  const { kind, source, nextHop, netif } = route;
  return `${kind} from ${source} via ${nextHop} dev ${netif}`;
}

test('where packets go', () => {
  const host = router();
  const to = (destination: string) => show(host.ip.route(ip(destination), null));
  assert.equal(to('10.0.0.7'), 'unicast from 10.0.0.1 via 10.0.0.7 dev 2');
  assert.equal(to('192.168.1.7'), 'unicast from 192.168.1.1 via 192.168.1.7 dev 3');
  assert.equal(to('8.8.8.8'), 'unicast from 10.0.0.1 via 10.0.0.254 dev 2');
  assert.equal(to('10.0.0.255'), 'broadcast from 10.0.0.1 via 10.0.0.255 dev 2');
  assert.equal(to('192.168.1.255'), 'broadcast from 192.168.1.1 via 192.168.1.255 dev 3');
  assert.equal(to('127.0.0.1'), 'local from 127.0.0.1 via 127.0.0.1 dev 1');
  assert.equal(to('127.9.9.9'), 'local from 127.0.0.1 via 127.9.9.9 dev 1');
  assert.equal(to('192.168.1.1'), 'local from 192.168.1.1 via 192.168.1.1 dev 1');
  assert.equal(to('0.0.0.0'), 'local from 127.0.0.1 via 127.0.0.1 dev 1');
  assert.equal(to('224.0.0.251'), 'multicast from 10.0.0.1 via 224.0.0.251 dev 2');
});

test('a source or an interface can be asked for', () => {
  const host = router();
  const route = (destination: string, source: string | null, netif = 0) =>
    show(host.ip.route(ip(destination), source === null ? null : ip(source), netif));
  assert.equal(route('8.8.8.8', '192.168.1.1'), 'unicast from 192.168.1.1 via 10.0.0.254 dev 2');
  assert.equal(route('8.8.8.8', '0.0.0.0'), 'unicast from 10.0.0.1 via 10.0.0.254 dev 2');
  assert.equal(route('8.8.8.8', '10.0.0.99'), String(-EADDRNOTAVAIL));
  assert.equal(route('8.8.8.8', '127.0.0.1'), String(-EINVAL));
  assert.equal(
    route('255.255.255.255', '192.168.1.1'),
    'broadcast from 192.168.1.1 via 255.255.255.255 dev 3',
  );
  assert.equal(route('255.255.255.255', null, 3), 'broadcast from 192.168.1.1 via 255.255.255.255 dev 3');
  assert.equal(route('8.8.8.8', null, 3), 'unicast from 192.168.1.1 via 8.8.8.8 dev 3');
  assert.equal(route('8.8.8.8', null, 9), String(-ENETDOWN));
});

test('without a route a destination is unreachable, and that is counted', () => {
  const host = new TestHost(new ManualEnv(), 'a');
  host.attach(new TestLink(), '10.0.0.1/24');
  assert.equal(host.ip.route(ip('8.8.8.8'), null), -ENETUNREACH);
  assert.equal(host.ip.route(ip('2001:db8::1'), null), -ENETUNREACH);
  assert.deepEqual([host.host.mib.Ip.OutNoRoutes, host.host.mib.Ip6.OutNoRoutes], [1, 1]);
});

test('an interface without an address can send to everyone (as DHCP does)', () => {
  const host = new TestHost(new ManualEnv(), 'a');
  const netif = host.attach(new TestLink());
  assert.equal(
    show(host.ip.route(ip('255.255.255.255'), null, netif.index)),
    'broadcast from 0.0.0.0 via 255.255.255.255 dev 2',
  );
});

test('a route is remembered until something changes', () => {
  const host = router();
  const first = host.ip.route(ip('8.8.8.8'), null);
  const before = host.ip.generation;
  assert.equal(host.ip.route(ip('8.8.8.8'), null), first);
  for (const change of [
    () => host.ip.netif('eth1')?.addAddress(ip('172.16.0.1'), 16),
    () => host.ip.netif('eth1')?.removeAddress(ip('172.16.0.1')),
    () => host.ip.routes.add({ destination: ip('8.0.0.0'), prefixLength: 8, gateway: ip('192.168.1.9') }),
    () => Object.assign(host.ip.netif('eth0') as object, { mtu: 1400 }),
    () => Object.assign(host.ip.netif('eth0') as object, { up: false }),
  ]) {
    const { generation } = host.ip;
    change();
    assert.notEqual(host.ip.generation, generation, String(change));
  }
  assert.notEqual(host.ip.generation, before);
  assert.equal(show(host.ip.route(ip('8.8.8.8'), null)), 'unicast from 192.168.1.1 via 192.168.1.9 dev 3');
});

test('addresses come with their routes and go with them', () => {
  const host = router();
  const netif = host.ip.netif('eth1');
  assert.ok(netif);
  assert.equal(netif.addAddress(ip('192.168.1.2'), 24), 0);
  assert.equal(netif.addAddress(ip('192.168.1.2'), 24), -EEXIST);
  assert.equal(netif.addAddress(ip('224.0.0.1'), 24), -EINVAL);
  assert.equal(netif.addAddress(ip('10.1.1.1'), 33), -EINVAL);
  assert.equal(host.ip.isLocal(ip('192.168.1.2')), true);
  assert.equal(netif.removeAddress(ip('192.168.1.1')), 0);
  assert.equal(netif.removeAddress(ip('192.168.1.1')), -EADDRNOTAVAIL);
  assert.equal(host.ip.isLocal(ip('192.168.1.1')), false);
  assert.equal(
    show(host.ip.route(ip('192.168.1.9'), null)),
    'unicast from 192.168.1.2 via 192.168.1.9 dev 3',
  );
  netif.removeAddress(ip('192.168.1.2'));
  assert.equal(show(host.ip.route(ip('192.168.1.9'), null)), 'unicast from 10.0.0.1 via 10.0.0.254 dev 2');
});

test('an interface that is down has no addresses and no routes', () => {
  const host = router();
  const netif = host.ip.netif('eth0');
  assert.ok(netif);
  netif.up = false;
  assert.equal(host.ip.isLocal(ip('10.0.0.1')), false);
  assert.equal(host.ip.route(ip('10.0.0.7'), null), -ENETUNREACH);
  netif.up = true;
  assert.equal(show(host.ip.route(ip('10.0.0.7'), null)), 'unicast from 10.0.0.1 via 10.0.0.7 dev 2');
});

test('a path MTU is believed for mtu_expires seconds, and not below min_pmtu', () => {
  const host = router({ mtu_expires: 10 });
  const mtuTo = (destination: string) => (host.ip.route(ip(destination), null) as Route).mtu;
  const { generation } = host.ip;
  host.ip.learnPathMtu(ip('8.8.8.8'), 1280);
  assert.notEqual(host.ip.generation, generation);
  assert.equal(mtuTo('8.8.8.8'), 1280);
  assert.equal(mtuTo('8.8.4.4'), 1500);
  host.ip.learnPathMtu(ip('8.8.8.8'), 1400);
  assert.equal(mtuTo('8.8.8.8'), 1280, 'it is never raised');
  host.ip.learnPathMtu(ip('8.8.4.4'), 100);
  assert.equal(mtuTo('8.8.4.4'), 552);
  advance(11_000_000, host);
  assert.equal(mtuTo('8.8.8.8'), 1500);
  assert.equal(host.host.timers.size, 0);
});

test('isLocal and isBroadcast', () => {
  const host = router();
  const local = ['10.0.0.1', '192.168.1.1', '127.0.0.1', '127.1.2.3'];
  const broadcast = ['255.255.255.255', '10.0.0.255', '192.168.1.255'];
  const neither = ['10.0.0.2', '8.8.8.8', '224.0.0.1', '127.255.255.255', '0.0.0.0'];
  for (const address of local) assert.equal(host.ip.isLocal(ip(address)), true, address);
  for (const address of broadcast) assert.equal(host.ip.isBroadcast(ip(address)), true, address);
  for (const address of [...neither, ...local])
    assert.equal(host.ip.isBroadcast(ip(address)), false, address);
  for (const address of [...broadcast, '10.0.0.2'])
    assert.equal(host.ip.isLocal(ip(address)), false, address);
});

test('a /31 and a /32 have no broadcast address', () => {
  const host = new TestHost(new ManualEnv(), 'a');
  const netif = host.attach(new TestLink(), '10.0.0.0/31');
  assert.equal(host.ip.isBroadcast(ip('10.0.0.1')), false);
  assert.equal(netif.addAddress(ip('10.9.9.9'), 32), 0);
  assert.equal(netif.addresses[1]?.broadcast, null);
});
