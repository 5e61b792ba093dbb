import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { DhcpServer } from '../../src/dhcp/server.ts';
import type { DhcpServerOptions } from '../../src/dhcp/server-plan.ts';
import type { Netif } from '../../src/net/netif.ts';
import { World } from '../../src/node/index.ts';
import { UdpService } from '../../src/udp/udp-service.ts';
import { ANY_V4, BROADCAST_V4 } from '../../src/wire/address.ts';
import {
  BOOTREQUEST,
  DHCP_DECLINE,
  DHCP_DISCOVER,
  DHCP_INFORM,
  DHCP_RELEASE,
  DHCP_REQUEST,
  type DhcpMessage,
  emitDhcp,
  parseDhcp,
} from '../../src/wire/dhcp.ts';
import { type DhcpOptions, dhcpOptionCode } from '../../src/wire/dhcp-options.ts';
import { endClean, ip, SECOND, typeOf } from './fixture.ts';

/** A server (10.0.0.1/24), and a host that plays any number of clients, each with the hardware address 02:...:N. */
function serverAndClients(options: DhcpServerOptions = {}, sysctl = {}) {
  const world = new World({ seed: 1 });
  const host = world.host('server', { address: '10.0.0.1/24', sysctl });
  const clients = world.host('clients', { address: '10.0.0.254/24' });
  world.connect(host, clients);
  const server = host.dhcpServer('eth0', { pool: ['10.0.0.100', '10.0.0.103'], ...options });
  const netif = clients.ip.netif('eth0') as Netif;
  const heard: { to: string; message: DhcpMessage }[] = [];
  const service = new UdpService(clients.udpLayer, (bytes, { destination }) => {
    const message = parseDhcp(bytes);
    if (message !== null) heard.push({ to: String(destination), message });
  });
  service.open(ANY_V4, 68, netif.index);
  netif.claims = () => true;
  const run = (seconds: number): void => world.clock.runFor(seconds * SECOND);
  /** What the server answers to a message of client N: 'ACK 10.0.0.100', '' for nothing. */
  const ask = (n: number, messageType: number, said: DhcpOptions = {}, change: object = {}): string => {
    const chaddr = Uint8Array.of(2, 0, 0, 0, 0, n);
    const message = {
      op: BOOTREQUEST,
      xid: n,
      broadcast: true,
      chaddr,
      options: { messageType, ...said },
      ...change,
    };
    heard.length = 0;
    service.sendBy(clients.ip.ipv4.directRoute(netif, BROADCAST_V4, ANY_V4), emitDhcp(message, 1500), 67);
    run(0.01);
    return heard
      .map(({ message: { yiaddr, ...rest } }) => `${typeOf({ yiaddr, ...rest })} ${yiaddr}`)
      .join(', ');
  };
  return { world, host, clients, server, heard, run, ask };
}

const SERVER = { serverId: ip('10.0.0.1') };
const request = (address: string): DhcpOptions => ({ ...SERVER, requestedAddress: ip(address) });

/** '10.0.0.100 bound 02:00:00:00:00:01' of each lease that holds. */
function leases(server: DhcpServer, nowUs: number): string[] {
  return server.leases
    .filter(({ untilUs }) => untilUs > nowUs)
    .map(({ address, state, mac }) => `${address} ${state} ${mac}`);
}

describe('addresses (RFC 2131 section 4.3.1)', () => {
  test('each client gets one of its own, the same again, until there are no more', () => {
    const { world, host, clients, server, ask } = serverAndClients();
    for (const [n, last] of [
      [1, 100],
      [2, 101],
      [1, 100],
      [3, 102],
      [4, 103],
    ] as const) {
      assert.equal(ask(n, DHCP_DISCOVER), `OFFER 10.0.0.${last}`);
      assert.equal(ask(n, DHCP_REQUEST, request(`10.0.0.${last}`)), `ACK 10.0.0.${last}`);
    }
    assert.equal(ask(5, DHCP_DISCOVER), '');
    assert.equal(leases(server, host.host.nowUs).length, 4);
    endClean(world, host, clients);
  });

  test('what it asks for, when that is free and in the pool', () => {
    const { world, host, clients, ask } = serverAndClients();
    const wish = (address: string): DhcpOptions => ({ requestedAddress: ip(address) });
    assert.equal(ask(1, DHCP_DISCOVER, wish('10.0.0.102')), 'OFFER 10.0.0.102');
    assert.equal(ask(2, DHCP_DISCOVER, wish('10.0.0.102')), 'OFFER 10.0.0.100');
    for (const bad of ['10.0.0.1', '10.0.0.200', '10.0.0.255', '192.0.2.1', '10.0.0.0']) {
      assert.equal(ask(3, DHCP_DISCOVER, wish(bad)), 'OFFER 10.0.0.101');
    }
    endClean(world, host, clients);
  });

  test('an offer is kept for a minute, a lease until its end; after it the client still gets the same if it can', () => {
    const { world, host, clients, ask, run } = serverAndClients({ leaseSeconds: 100 });
    for (const n of [1, 2, 3, 4]) ask(n, DHCP_DISCOVER);
    ask(1, DHCP_REQUEST, request('10.0.0.100'));
    run(59);
    assert.equal(ask(5, DHCP_DISCOVER), '');
    run(2);
    assert.equal(ask(2, DHCP_DISCOVER), 'OFFER 10.0.0.101');
    assert.equal(ask(5, DHCP_DISCOVER), 'OFFER 10.0.0.102');
    run(60);
    assert.equal(ask(1, DHCP_DISCOVER), 'OFFER 10.0.0.100');
    endClean(world, host, clients);
  });

  test("one that is kept for a host is nobody else's, inside the pool or out of it", () => {
    const fixed = { '02:00:00:00:00:07': '10.0.0.100', '02:00:00:00:00:08': '10.0.0.50' };
    const { world, host, clients, ask } = serverAndClients({ fixed });
    assert.equal(ask(1, DHCP_DISCOVER, { requestedAddress: ip('10.0.0.100') }), 'OFFER 10.0.0.101');
    assert.equal(ask(7, DHCP_DISCOVER), 'OFFER 10.0.0.100');
    assert.equal(ask(8, DHCP_DISCOVER, { requestedAddress: ip('10.0.0.103') }), 'OFFER 10.0.0.50');
    assert.equal(ask(8, DHCP_REQUEST, request('10.0.0.103')), 'NAK 0.0.0.0');
    assert.equal(ask(8, DHCP_REQUEST, request('10.0.0.50')), 'ACK 10.0.0.50');
    endClean(world, host, clients);
  });

  test('a client is known by its identifier, whatever its hardware address', () => {
    const { world, host, clients, ask } = serverAndClients();
    const clientId = Uint8Array.of(255, 1, 2, 3);
    assert.equal(ask(1, DHCP_DISCOVER, { clientId }), 'OFFER 10.0.0.100');
    assert.equal(ask(2, DHCP_DISCOVER, { clientId }), 'OFFER 10.0.0.100');
    assert.equal(ask(1, DHCP_DISCOVER), 'OFFER 10.0.0.101');
    endClean(world, host, clients);
  });

  test('no more than leasesMax are remembered, whoever asks', () => {
    const options = { pool: ['10.0.0.2', '10.0.0.250'] as const, leasesMax: 5, leaseSeconds: 100 };
    const { world, host, clients, server, ask, run } = serverAndClients(options);
    for (let n = 1; n <= 20; n++) ask(n, DHCP_DISCOVER);
    assert.equal(server.leases.length, 5);
    run(61);
    for (let n = 21; n <= 40; n++) ask(n, DHCP_DISCOVER);
    assert.equal(server.leases.length, 5);
    assert.equal(ask(41, DHCP_DISCOVER), '');
    endClean(world, host, clients);
  });

  test('by default the pool is the network, without its ends and our own address', () => {
    const world = new World({ seed: 1 });
    const host = world.host('server', { address: '10.0.0.1/29' });
    const hosts = Array.from({ length: 6 }, (_, i) => world.host(`h${i}`, { dhcp: { probe: false } }));
    const lan = world.switch('lan');
    world.connect(host, lan);
    const server = host.dhcpServer('eth0');
    for (const each of hosts) world.connect(each, lan);
    world.clock.runFor(10 * SECOND);
    const given = server.leases.map(({ address }) => String(address)).sort();
    assert.deepEqual(given, ['10.0.0.2', '10.0.0.3', '10.0.0.4', '10.0.0.5', '10.0.0.6']);
    endClean(world, host, ...hosts);
  });
});

describe('requests (RFC 2131 section 4.3.2)', () => {
  test('SELECTING: an offer of ours is granted; that of another server frees ours', () => {
    const { world, host, clients, server, ask } = serverAndClients();
    ask(1, DHCP_DISCOVER);
    const other = { requestedAddress: ip('10.0.0.9'), serverId: ip('10.0.0.2') };
    assert.equal(ask(1, DHCP_REQUEST, other), '');
    assert.deepEqual(leases(server, host.host.nowUs), []);
    ask(2, DHCP_DISCOVER);
    assert.equal(ask(2, DHCP_REQUEST, request('10.0.0.9')), 'NAK 0.0.0.0');
    endClean(world, host, clients);
  });

  test('INIT-REBOOT: refused in the wrong network and when somebody has it', () => {
    const { world, host, clients, ask } = serverAndClients();
    const reboot = (address: string): DhcpOptions => ({ requestedAddress: ip(address) });
    assert.equal(ask(1, DHCP_REQUEST, reboot('192.168.1.5')), 'NAK 0.0.0.0');
    assert.equal(ask(1, DHCP_REQUEST, reboot('10.0.0.101')), 'ACK 10.0.0.101');
    assert.equal(ask(2, DHCP_REQUEST, reboot('10.0.0.101')), 'NAK 0.0.0.0');
    assert.equal(ask(2, DHCP_REQUEST, reboot('10.0.0.200')), 'NAK 0.0.0.0');
    endClean(world, host, clients);
  });

  test('one of several servers does not answer a client that it does not know', () => {
    const { world, host, clients, ask } = serverAndClients({ authoritative: false });
    const reboot = (address: string): DhcpOptions => ({ requestedAddress: ip(address) });
    assert.equal(ask(1, DHCP_REQUEST, reboot('10.0.0.101')), '');
    assert.equal(ask(1, DHCP_REQUEST, {}, { ciaddr: ip('10.0.0.101') }), '');
    assert.equal(ask(1, DHCP_REQUEST, reboot('192.168.1.5')), 'NAK 0.0.0.0');
    ask(1, DHCP_DISCOVER);
    ask(1, DHCP_REQUEST, request('10.0.0.100'));
    assert.equal(ask(1, DHCP_REQUEST, reboot('10.0.0.101')), 'NAK 0.0.0.0');
    assert.equal(ask(1, DHCP_REQUEST, reboot('10.0.0.100')), 'ACK 10.0.0.100');
    endClean(world, host, clients);
  });

  test('RENEWING: more time, to the address that the client has', () => {
    const { world, host, clients, server, ask, run, heard } = serverAndClients({ leaseSeconds: 100 });
    ask(1, DHCP_DISCOVER);
    ask(1, DHCP_REQUEST, request('10.0.0.100'));
    run(50);
    clients.ip.netif('eth0')?.addAddress(ip('10.0.0.100'), 24);
    assert.equal(ask(1, DHCP_REQUEST, {}, { ciaddr: ip('10.0.0.100') }), 'ACK 10.0.0.100');
    assert.equal(heard[0]?.to, '10.0.0.100');
    run(60);
    assert.equal(leases(server, host.host.nowUs).length, 1);
    assert.equal(ask(2, DHCP_REQUEST, {}, { ciaddr: ip('10.0.0.100') }), 'NAK 0.0.0.0');
    assert.equal(heard[0]?.to, '255.255.255.255');
    endClean(world, host, clients);
  });

  test('DECLINE: nobody gets the address for ten minutes', () => {
    const { world, host, clients, server, ask, run } = serverAndClients({
      pool: ['10.0.0.100', '10.0.0.101'],
    });
    ask(1, DHCP_DISCOVER);
    ask(1, DHCP_REQUEST, request('10.0.0.100'));
    ask(2, DHCP_DECLINE, request('10.0.0.100'));
    ask(1, DHCP_DECLINE, { requestedAddress: ip('10.0.0.100'), serverId: ip('10.0.0.2') });
    assert.deepEqual(leases(server, host.host.nowUs), ['10.0.0.100 bound 02:00:00:00:00:01']);
    assert.equal(ask(1, DHCP_DECLINE, request('10.0.0.100')), '');
    assert.deepEqual(leases(server, host.host.nowUs), ['10.0.0.100 declined 02:00:00:00:00:01']);
    assert.equal(ask(1, DHCP_DISCOVER), 'OFFER 10.0.0.101');
    assert.equal(ask(2, DHCP_DISCOVER), '');
    run(601);
    assert.equal(ask(2, DHCP_DISCOVER), 'OFFER 10.0.0.100');
    endClean(world, host, clients);
  });

  test('RELEASE: the address is free, for its client before others', () => {
    const { world, host, clients, server, ask } = serverAndClients({ pool: ['10.0.0.100', '10.0.0.101'] });
    ask(1, DHCP_DISCOVER);
    ask(1, DHCP_REQUEST, request('10.0.0.100'));
    ask(1, DHCP_RELEASE, SERVER, { ciaddr: ip('10.0.0.101') });
    ask(2, DHCP_RELEASE, SERVER, { ciaddr: ip('10.0.0.100') });
    assert.equal(leases(server, host.host.nowUs).length, 1);
    assert.equal(ask(1, DHCP_RELEASE, SERVER, { ciaddr: ip('10.0.0.100') }), '');
    assert.deepEqual(leases(server, host.host.nowUs), []);
    assert.equal(ask(2, DHCP_DISCOVER), 'OFFER 10.0.0.101');
    assert.equal(ask(1, DHCP_DISCOVER), 'OFFER 10.0.0.100');
    endClean(world, host, clients);
  });

  test('INFORM: the options without an address and a time', () => {
    const { world, host, clients, ask, heard } = serverAndClients({ nameServers: ['10.0.0.1'] });
    assert.equal(ask(1, DHCP_INFORM, {}, { ciaddr: ip('10.0.0.254') }), 'ACK 0.0.0.0');
    const [answer] = heard;
    assert.equal(answer?.to, '10.0.0.254');
    assert.equal(answer?.message.options.leaseTime, undefined);
    assert.deepEqual(answer?.message.options.nameServers?.map(String), ['10.0.0.1']);
    // Nobody elsewhere is sent what they did not ask for.
    ask(1, DHCP_INFORM, {}, { ciaddr: ip('192.0.2.1') });
    assert.equal(heard[0]?.to, '255.255.255.255');
    endClean(world, host, clients);
  });

  test('what comes by a relay, as an answer, or from a group address is not answered', () => {
    const { world, host, clients, ask } = serverAndClients();
    assert.equal(ask(1, DHCP_DISCOVER, {}, { giaddr: ip('10.0.0.254') }), '');
    assert.equal(ask(1, DHCP_DISCOVER, {}, { op: 2 }), '');
    assert.equal(ask(1, DHCP_DISCOVER, {}, { chaddr: Uint8Array.of(3, 0, 0, 0, 0, 1) }), '');
    assert.equal(ask(1, 17), '');
    endClean(world, host, clients);
  });
});

describe('what clients are told', () => {
  const ALL: DhcpServerOptions = {
    routers: ['10.0.0.1'],
    nameServers: ['10.0.0.2', '10.0.0.3'],
    domain: 'example.test',
    searchDomains: ['a.test', 'b.test'],
    mtu: 1400,
    routes: [['10.1.0.0/16', '10.0.0.9']],
    leaseSeconds: 1000,
    rebindSeconds: 900,
  };

  test('everything, or what they ask for', () => {
    const { world, host, clients, ask, heard } = serverAndClients(ALL);
    ask(1, DHCP_DISCOVER);
    const { classlessRoutes, routers, nameServers, ...rest } = heard[0]?.message.options ?? {};
    assert.deepEqual(
      classlessRoutes?.map(route => `${route.destination}/${route.prefixLength} ${route.router}`),
      ['10.1.0.0/16 10.0.0.9', '0.0.0.0/0 10.0.0.1'],
    );
    assert.deepEqual(
      [routers?.map(String), nameServers?.map(String)],
      [['10.0.0.1'], ['10.0.0.2', '10.0.0.3']],
    );
    assert.deepEqual(rest, {
      messageType: 2,
      serverId: ip('10.0.0.1'),
      leaseTime: 1000,
      renewalTime: 500,
      rebindingTime: 900,
      subnetMask: ip('255.255.255.0'),
      broadcastAddress: ip('10.0.0.255'),
      mtu: 1400,
      domainName: 'example.test',
      searchList: ['a.test', 'b.test'],
    });
    ask(1, DHCP_DISCOVER, { parameters: Uint8Array.of(dhcpOptionCode('mtu'), 250) });
    assert.deepEqual(Object.keys(heard[0]?.message.options ?? {}).sort(), [
      'leaseTime',
      'messageType',
      'mtu',
      'rebindingTime',
      'renewalTime',
      'serverId',
    ]);
    endClean(world, host, clients);
  });

  test('a host that forwards is the default router, unless the option says otherwise', () => {
    for (const [options, routers] of [
      [{}, ['10.0.0.1']],
      [{ routers: [] }, undefined],
      [{ routers: ['10.0.0.9'] }, ['10.0.0.9']],
    ] as const) {
      const { world, host, clients, ask, heard } = serverAndClients(options, { ip_forward: true });
      ask(1, DHCP_DISCOVER);
      assert.deepEqual(heard[0]?.message.options.routers?.map(String), routers);
      endClean(world, host, clients);
    }
  });

  test('answers go to everyone when the client wants that, else to the address it is given', () => {
    const { world, host, clients, ask, heard } = serverAndClients();
    ask(1, DHCP_DISCOVER);
    assert.deepEqual([heard[0]?.to, heard[0]?.message.broadcast], ['255.255.255.255', true]);
    const chaddr = clients.ip.netif('eth0')?.link.mac as Uint8Array;
    ask(1, DHCP_DISCOVER, {}, { chaddr, broadcast: false });
    assert.match(heard[0]?.to ?? '', /^10\.0\.0\.10\d$/);
    endClean(world, host, clients);
  });

  test('options that make no sense are refused in one line', () => {
    const world = new World({ seed: 1 });
    const host = world.host('server', { address: '10.0.0.1/24', address6: 'fd00::1/64' });
    world.connect(host, world.switch('lan'));
    const bad: [DhcpServerOptions, RegExp][] = [
      [{ pool: ['10.0.0.9', '10.0.0.5'] }, /ends before it begins: 10.0.0.9 to 10.0.0.5/],
      [{ pool: ['10.0.0.9', '10.0.1.5'] }, /10.0.1.5 is not in 10.0.0.0\/24/],
      [{ pool: ['10.9.0.9', '10.9.1.5'] }, /eth0 has no address in the network of 10.9.0.9/],
      [{ pool: ['ten', '10.0.0.5'] }, /not an IPv4 address: 'ten'/],
      [{ nameServers: ['fd00::1'] }, /not an IPv4 address: 'fd00::1'/],
      [{ domain: 'a b' }, /not a domain name: 'a b'/],
      [{ routes: [['10.1.0.0/33', '10.0.0.1']] }, /not a network: '10.1.0.0\/33'/],
      [{ fixed: { '02:0': '10.0.0.5' } }, /not a hardware address: '02:0'/],
      [{ fixed: { '02:00:00:00:00:01': '10.0.1.5' } }, /10.0.1.5 is not in/],
      [{ fixed: { '02:00:00:00:00:01': '10.0.0.1' } }, /10.0.0.1 is no client's/],
      [{ leaseSeconds: 1 }, /a lease of 1 seconds/],
    ];
    for (const [options, message] of bad) assert.throws(() => host.dhcpServer('eth0', options), message);
    assert.throws(() => host.dhcpServer('eth1'), /there is no interface eth1/);
    assert.throws(() => host.dhcp6Server('eth0', { nameServers: ['10.0.0.1'] }), /not an IPv6 address/);
    assert.throws(() => host.advertise('eth0', { prefixes: ['10.0.0.0/8'] }), /not an IPv6 prefix/);
    const server = host.dhcpServer('eth0');
    assert.throws(() => host.dhcpServer('eth0'), { code: 'EADDRINUSE' });
    server.close();
    host.dhcpServer('eth0');
    endClean(world, host);
  });
});
