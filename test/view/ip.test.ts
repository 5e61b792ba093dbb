import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AddressRow } from '../../src/trace/ip-rows.ts';
import { formatInterfaces, formatNeighbors, formatRoutes } from '../../src/view/ip.ts';

const ADDRESS: AddressRow = {
  family: 4,
  address: '10.0.0.2',
  prefixLength: 24,
  broadcast: '10.0.0.255',
  scope: 'global',
  flags: [],
  validSeconds: null,
  preferredSeconds: null,
};
const IPV6 = { ...ADDRESS, family: 6, prefixLength: 64, broadcast: '' } as const;

test('interfaces with their addresses, as ip addr prints them', () => {
  const ether = { index: 2, name: 'eth0', mtu: 1500, kind: 'ether' as const, mac: '02:00:00:00:00:01' };
  const addresses: AddressRow[] = [
    ADDRESS,
    {
      ...IPV6,
      address: 'fd00::2',
      flags: ['dynamic', 'stable-privacy'],
      validSeconds: 300,
      preferredSeconds: 0,
    },
    { ...IPV6, address: 'fe80::2', scope: 'link', flags: ['dadfailed', 'tentative'] },
  ];
  assert.deepEqual(formatInterfaces([{ ...ether, flags: ['MULTICAST', 'UP'], state: 'UP', addresses }]), [
    '2: eth0: <MULTICAST,UP> mtu 1500 state UP',
    '    link/ether 02:00:00:00:00:01 brd ff:ff:ff:ff:ff:ff',
    '    inet 10.0.0.2/24 brd 10.0.0.255 scope global eth0',
    '       valid_lft forever preferred_lft forever',
    '    inet6 fd00::2/64 scope global dynamic stable-privacy',
    '       valid_lft 300sec preferred_lft 0sec',
    '    inet6 fe80::2/64 scope link dadfailed tentative',
    '       valid_lft forever preferred_lft forever',
  ]);
  const none = {
    index: 3,
    name: 'tun0',
    mtu: 1400,
    kind: 'none' as const,
    mac: '',
    flags: ['NOARP'],
    addresses: [],
  };
  const lo = { ...none, index: 1, name: 'lo', kind: 'loopback' as const };
  assert.deepEqual(
    formatInterfaces([
      { ...none, state: 'DOWN' },
      { ...lo, state: 'UNKNOWN' },
    ]),
    [
      '3: tun0: <NOARP> mtu 1400 state DOWN',
      '    link/none',
      '1: lo: <NOARP> mtu 1400 state UNKNOWN',
      '    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00',
    ],
  );
});

test('routes, as ip route prints them', () => {
  const route = {
    family: 4,
    destination: 'default',
    gateway: '',
    netif: 'eth0',
    protocol: 'static',
    source: '',
    metric: 0,
    expiresSeconds: null,
  } as const;
  assert.deepEqual(
    formatRoutes([
      { ...route, gateway: '10.0.0.1' },
      { ...route, destination: '10.0.0.0/24', protocol: 'kernel', source: '10.0.0.2' },
      { ...route, family: 6, destination: 'fd00::/64', protocol: 'kernel' },
      { ...route, family: 6, gateway: 'fe80::1', protocol: 'ra', metric: 1024, expiresSeconds: 1795 },
    ]),
    [
      'default via 10.0.0.1 dev eth0',
      '10.0.0.0/24 dev eth0 proto kernel scope link src 10.0.0.2',
      'fd00::/64 dev eth0 proto kernel',
      'default via fe80::1 dev eth0 proto ra metric 1024 expires 1795sec',
    ],
  );
});

test('neighbours, as ip neigh prints them', () => {
  const neighbor = { family: 6, address: 'fe80::1', netif: 'eth0', mac: '02:00:00:00:00:09' } as const;
  assert.deepEqual(
    formatNeighbors([
      { ...neighbor, router: true, state: 'REACHABLE' },
      { ...neighbor, mac: '', router: false, state: 'FAILED' },
    ]),
    ['fe80::1 dev eth0 lladdr 02:00:00:00:00:09 router REACHABLE', 'fe80::1 dev eth0 FAILED'],
  );
});
