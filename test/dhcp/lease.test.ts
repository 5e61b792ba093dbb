import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { DHCP_ACK, DHCP_NAK, type DhcpMessage } from '../../src/wire/dhcp.ts';
import { clientAndServer, endClean, ip, SECOND } from './fixture.ts';

const LEASE = { leaseTime: 3600, subnetMask: ip('255.255.255.0') };

describe('RENEWING, REBINDING, expiry (RFC 2131 section 4.4.5)', () => {
  test('at half of the time its server is asked for more, at its address', () => {
    const { world, pc, other, server, run, states, client } = clientAndServer({ probe: false });
    server.grant('10.0.0.7', { leaseTime: 100 });
    run(49);
    assert.equal(server.types(), 'DISCOVER REQUEST');
    const before = client.lease?.expiresUs as number;
    run(2);
    const [renew] = server.heard;
    assert.ok(renew !== undefined);
    assert.deepEqual([renew.at, renew.from, renew.to], [50, '10.0.0.7', '10.0.0.1']);
    const { ciaddr, options } = renew.message;
    assert.deepEqual(
      [String(ciaddr), options.serverId, options.requestedAddress],
      ['10.0.0.7', undefined, undefined],
    );
    assert.equal(states(), 'INIT SELECTING REQUESTING CHECKING BOUND RENEWING BOUND');
    assert.equal(client.lease?.expiresUs, before + 50 * SECOND);
    endClean(world, pc, other);
  });

  test("the server's T1 and T2 count, unless they are out of order", () => {
    for (const [renewalTime, rebindingTime, at] of [
      [10, 50, 10],
      [60, 50, 50],
      [0, 50, 50],
      [10, 101, 50],
      [undefined, 60, 50],
    ] as const) {
      const { world, pc, other, server, run } = clientAndServer({ probe: false });
      server.grant('10.0.0.7', { leaseTime: 100, renewalTime, rebindingTime });
      run(55);
      assert.equal(server.heard[2]?.at, at);
      endClean(world, pc, other);
    }
  });

  test('a server that is silent: again after half of what is left, then everyone is asked, then it is over', () => {
    const { world, pc, other, server, run, states, addresses, client } = clientAndServer({ probe: false });
    server.grant('10.0.0.7', { leaseTime: 3600 });
    run(1);
    assert.equal(server.types(), 'DISCOVER REQUEST');
    server.answer = () => {};
    states();
    run(3600 - 1.5);
    assert.deepEqual(addresses(), ['10.0.0.7/24']);
    const sent = server.heard.splice(0).map(({ at, to }) => `${Math.round(at)} ${to}`);
    assert.deepEqual(sent, [
      ...[1800, 2475, 2813, 2981, 3066, 3126].map(at => `${at} 10.0.0.1`),
      ...[3150, 3375, 3488, 3548].map(at => `${at} 255.255.255.255`),
    ]);
    assert.equal(states(), 'RENEWING REBINDING');
    run(1);
    assert.equal(states(), 'INIT SELECTING');
    assert.deepEqual(addresses(), []);
    assert.equal(client.lease, null);
    // It would like to have the same again.
    assert.equal(String(server.heard[0]?.message.options.requestedAddress), '10.0.0.7');
    endClean(world, pc, other);
  });

  test('refused while it asks for more, it gives the address up at once', () => {
    const { world, pc, other, server, run, states, addresses } = clientAndServer({ probe: false });
    server.grant('10.0.0.7', { leaseTime: 100 });
    run(1);
    server.refuse('10.0.0.9');
    run(49.5);
    assert.match(states(), /^INIT SELECTING REQUESTING CHECKING BOUND RENEWING INIT /);
    assert.deepEqual(addresses(), []);
    endClean(world, pc, other);
  });

  test('in REBINDING another server may answer, which is the one to ask from then on', () => {
    const { world, pc, other, server, run, client, states } = clientAndServer({ probe: false });
    other.ip.netif(2)?.addAddress(ip('10.0.0.2'), 24);
    server.grant('10.0.0.7', { leaseTime: 800 });
    run(1);
    server.answer = message => {
      const { to } = server.heard.at(-1) as { to: string };
      const serverId = ip('10.0.0.2');
      if (to !== '10.0.0.1')
        server.reply(message, DHCP_ACK, '10.0.0.7', { ...LEASE, leaseTime: 800, serverId });
    };
    states();
    run(700);
    assert.equal(states(), 'RENEWING REBINDING BOUND');
    assert.equal(String(client.lease?.server), '10.0.0.2');
    server.heard.length = 0;
    run(400);
    assert.deepEqual(
      server.heard.map(({ at, to }) => [at, to]),
      [[1100, '10.0.0.2']],
    );
    endClean(world, pc, other);
  });

  test('a server behind a router is asked by way of the router', () => {
    const { world, pc, other, server, run, states } = clientAndServer({ probe: false });
    other.ip.netif('lo')?.addAddress(ip('192.0.2.1'), 32);
    const [routers, serverId] = [[ip('10.0.0.1')], ip('192.0.2.1')];
    server.grant('10.0.0.7', { leaseTime: 100, routers, serverId });
    run(1);
    server.heard.length = 0;
    states();
    run(50);
    assert.deepEqual([server.heard[0]?.to, states()], ['192.0.2.1', 'RENEWING BOUND']);
    endClean(world, pc, other);
  });

  test('in RENEWING nobody but its server is believed', () => {
    const { world, pc, other, server, run, client } = clientAndServer({ probe: false });
    server.grant('10.0.0.7', { leaseTime: 100 });
    run(1);
    server.answer = message => server.reply(message, DHCP_NAK, '0.0.0.0', { serverId: ip('10.0.0.66') });
    run(51);
    assert.equal(client.state, 'RENEWING');
    endClean(world, pc, other);
  });

  test('a lease for ever is never asked for again', () => {
    const { world, pc, other, server, run } = clientAndServer({ probe: false });
    server.grant('10.0.0.7', { leaseTime: 0xffffffff });
    run(10_000_000);
    assert.equal(server.types(), 'DISCOVER REQUEST');
    endClean(world, pc, other);
  });

  test('new terms take effect without the address being taken away', () => {
    const { world, pc, other, server, run, netif } = clientAndServer({ probe: false });
    server.grant('10.0.0.7', {
      leaseTime: 100,
      nameServers: [ip('10.0.0.3')],
      mtu: 1400,
      routers: [ip('10.0.0.1')],
    });
    run(1);
    const [entry] = netif.addresses;
    server.grant('10.0.0.7', { leaseTime: 100, nameServers: [ip('10.0.0.4')], routers: [ip('10.0.0.2')] });
    run(50);
    assert.equal(netif.addresses[0], entry);
    assert.deepEqual([pc.nameServers.map(String), netif.mtu], [['10.0.0.4'], 1500]);
    const route = pc.ip.route(ip('192.0.2.1'), null);
    assert.equal(typeof route === 'number' ? route : String(route.nextHop), '10.0.0.2');
    endClean(world, pc, other);
  });
});

describe('INIT-REBOOT (RFC 2131 sections 3.2 and 3.7)', () => {
  test('with the address it had it asks for that, from any server', () => {
    const { world, pc, other, server, run, states, addresses } = clientAndServer({ lastAddress: '10.0.0.7' });
    server.grant('10.0.0.7');
    run(8);
    assert.equal(states(), 'INIT_REBOOT REBOOTING CHECKING BOUND');
    const { options, ciaddr } = (server.heard[0] as { message: DhcpMessage }).message;
    assert.deepEqual([String(options.requestedAddress), options.serverId], ['10.0.0.7', undefined]);
    assert.equal(String(ciaddr), '0.0.0.0');
    assert.deepEqual(addresses(), ['10.0.0.7/24']);
    endClean(world, pc, other);
  });

  test('refused it begins from nothing; without an answer, too, after four questions', () => {
    const refused = clientAndServer({ lastAddress: '10.0.0.7' });
    refused.server.refuse('10.0.0.9');
    refused.run(1);
    assert.match(refused.states(), /^INIT_REBOOT REBOOTING INIT SELECTING/);
    assert.equal(refused.server.heard[1]?.message.options.requestedAddress, undefined);
    endClean(refused.world, refused.pc, refused.other);
    const silent = clientAndServer({ lastAddress: '10.0.0.7' });
    silent.run(65);
    assert.equal(silent.states(), 'INIT_REBOOT REBOOTING INIT SELECTING');
    assert.match(silent.server.types(), /^REQUEST REQUEST REQUEST REQUEST DISCOVER/);
    endClean(silent.world, silent.pc, silent.other);
  });

  test('when the cable comes back it asks whether it may keep what it has, and goes on using it', () => {
    const { world, pc, other, server, run, states, addresses, cable } = clientAndServer();
    server.grant('10.0.0.7');
    run(10);
    states();
    cable.pull();
    run(5);
    assert.deepEqual([states(), addresses()], ['', ['10.0.0.7/24']]);
    cable.plug();
    run(0.1);
    assert.equal(states(), 'INIT_REBOOT REBOOTING CHECKING');
    assert.deepEqual(addresses(), ['10.0.0.7/24']);
    run(8);
    assert.equal(states(), 'BOUND');
    endClean(world, pc, other);
  });

  test('in another network it is refused, and starts from nothing', () => {
    const { world, pc, other, server, run, states, addresses, cable } = clientAndServer();
    server.grant('10.0.0.7');
    run(10);
    states();
    cable.pull();
    run(1);
    server.refuse('10.9.0.9');
    cable.plug();
    run(0.1);
    assert.match(states(), /^INIT_REBOOT REBOOTING INIT SELECTING/);
    assert.deepEqual(addresses(), []);
    endClean(world, pc, other);
  });

  test('if nobody answers then, the lease holds until its end', () => {
    const { world, pc, other, server, run, states, addresses, cable } = clientAndServer({ probe: false });
    server.grant('10.0.0.7', { leaseTime: 1000 });
    run(10);
    states();
    server.answer = () => {};
    cable.pull();
    run(1);
    cable.plug();
    run(70);
    assert.equal(states(), 'INIT_REBOOT REBOOTING BOUND');
    assert.deepEqual(addresses(), ['10.0.0.7/24']);
    run(917);
    assert.equal(states(), 'RENEWING REBINDING');
    run(3);
    assert.equal(states(), 'INIT SELECTING');
    assert.deepEqual(addresses(), []);
    endClean(world, pc, other);
  });

  test('a lease that ends before anybody answers is over', () => {
    const { world, pc, other, server, run, states, addresses, cable } = clientAndServer({ probe: false });
    server.grant('10.0.0.7', { leaseTime: 100 });
    run(48);
    server.answer = () => {};
    cable.pull();
    run(40);
    cable.plug();
    states();
    run(11);
    assert.deepEqual([states(), addresses()], ['INIT_REBOOT REBOOTING', ['10.0.0.7/24']]);
    run(2);
    assert.deepEqual([states(), addresses()], ['INIT SELECTING', []]);
    endClean(world, pc, other);
  });

  test('what was granted and not checked when the cable went is not used unasked', () => {
    const { world, pc, other, server, run, states, addresses, cable, client } = clientAndServer();
    server.grant('10.0.0.7', { leaseTime: 1000, nameServers: [ip('10.0.0.3')] });
    run(10);
    cable.pull();
    run(1);
    server.grant('10.0.0.7', { leaseTime: 5000, nameServers: [ip('10.0.0.4')] });
    cable.plug();
    run(1);
    assert.equal(client.state, 'CHECKING');
    cable.pull();
    server.answer = () => {};
    run(1);
    cable.plug();
    states();
    run(70);
    assert.equal(states(), 'INIT_REBOOT REBOOTING BOUND');
    assert.equal(client.lease?.leaseSeconds, 1000);
    assert.deepEqual([addresses(), pc.nameServers.map(String)], [['10.0.0.7/24'], ['10.0.0.3']]);
    endClean(world, pc, other);
  });

  test('if somebody took the address meanwhile, it is given up', () => {
    const { world, pc, other, server, run, states, addresses, cable } = clientAndServer();
    server.grant('10.0.0.7');
    run(10);
    states();
    cable.pull();
    run(1);
    other.ip.netif(2)?.addAddress(ip('10.0.0.7'), 24);
    cable.plug();
    run(5);
    assert.match(states(), /^INIT_REBOOT REBOOTING (CHECKING )?INIT$/);
    assert.deepEqual(addresses(), []);
    endClean(world, pc, other);
  });
});
