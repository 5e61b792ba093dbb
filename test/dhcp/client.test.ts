import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Netif } from '../../src/net/netif.ts';
import { DHCP_ACK, DHCP_NAK, DHCP_OFFER, type DhcpMessage } from '../../src/wire/dhcp.ts';
import { clientAndServer, endClean, ip, SECOND, typeOf } from './fixture.ts';

const LEASE = { leaseTime: 3600, subnetMask: ip('255.255.255.0') };

describe('INIT, SELECTING, REQUESTING, BOUND (RFC 2131 section 4.4.1)', () => {
  test('from nothing to an address that nobody else has', () => {
    const { world, pc, other, server, run, addresses, states, client } = clientAndServer({ hostName: 'pc7' });
    server.grant('10.0.0.7');
    run(1);
    assert.equal(states(), 'INIT SELECTING REQUESTING CHECKING');
    const [discover, request] = server.heard;
    assert.ok(discover !== undefined && request !== undefined);
    for (const { from, to, message } of [discover, request]) {
      assert.deepEqual([from, to], ['0.0.0.0', '255.255.255.255']);
      const { broadcast, ciaddr, options } = message;
      assert.deepEqual([broadcast, String(ciaddr)], [false, '0.0.0.0']);
      assert.equal(options.hostName, 'pc7');
      assert.deepEqual([...(options.clientId ?? [])], [1, 2, 0, 0, 0, 1, 0]);
      // RFC 3442: classless routes before routers.
      const parameters = [...(options.parameters ?? [])];
      assert.ok(parameters.indexOf(121) < parameters.indexOf(3));
      for (const code of [1, 3, 6, 15, 26, 119]) assert.ok(parameters.includes(code), String(code));
    }
    assert.equal(discover.message.options.requestedAddress, undefined);
    assert.equal(request.message.xid, discover.message.xid);
    assert.deepEqual(
      [request.message.options.requestedAddress, request.message.options.serverId].map(String),
      ['10.0.0.7', '10.0.0.1'],
    );
    assert.deepEqual(addresses(), [], 'not before it is known that nobody has it');
    run(7);
    assert.equal(states(), 'BOUND');
    assert.deepEqual(addresses(), ['10.0.0.7/24']);
    assert.equal(client.lease?.leaseSeconds, 3600);
    endClean(world, pc, other);
  });

  test('what came with the lease is used, and given back with it', () => {
    const { world, pc, other, netif, server, run } = clientAndServer();
    server.grant('10.0.0.7', {
      routers: [ip('10.0.0.1'), ip('10.0.0.2')],
      nameServers: [ip('10.0.0.3'), ip('10.0.0.4')],
      domainName: 'example.test',
      searchList: ['a.test', 'b.test'],
      mtu: 1400,
    });
    run(8);
    const routes = (): string[] =>
      pc.ip.routes
        .list()
        .filter(({ protocol }) => protocol === 'dhcp')
        .map(({ destination, prefixLength, gateway }) => `${destination}/${prefixLength} via ${gateway}`);
    assert.deepEqual(routes(), ['0.0.0.0/0 via 10.0.0.1']);
    assert.deepEqual(pc.nameServers.map(String), ['10.0.0.3', '10.0.0.4']);
    assert.deepEqual(pc.searchDomains, ['a.test', 'b.test']);
    assert.equal(netif.mtu, 1400);
    pc.autoconfiguration.stop(netif);
    assert.deepEqual([routes(), pc.nameServers, pc.searchDomains, netif.mtu], [[], [], [], 1500]);
    assert.deepEqual(netif.addresses, []);
    endClean(world, pc, other);
  });

  test('classless routes take the place of routers (RFC 3442); without a search list the domain counts', () => {
    const { world, pc, other, server, run } = clientAndServer();
    server.grant('10.0.0.7', {
      routers: [ip('10.0.0.1')],
      domainName: 'example.test other.test',
      mtu: 500,
      classlessRoutes: [
        { destination: ip('192.0.2.0'), prefixLength: 24, router: ip('10.0.0.9') },
        { destination: ip('198.51.100.0'), prefixLength: 24, router: ip('0.0.0.0') },
      ],
    });
    run(8);
    const routes = pc.ip.routes.list().filter(({ protocol }) => protocol === 'dhcp');
    assert.deepEqual(
      routes.map(({ destination, prefixLength, gateway }) => [
        `${destination}/${prefixLength}`,
        gateway?.toString(),
      ]),
      [
        ['192.0.2.0/24', '10.0.0.9'],
        ['198.51.100.0/24', undefined],
      ],
    );
    assert.deepEqual(pc.searchDomains, ['example.test', 'other.test']);
    assert.equal(pc.ip.netif(2)?.mtu, 1500, 'less than 576 is not believed');
    endClean(world, pc, other);
  });

  test('without an answer it asks again after 4, 8, 16, 32, 64, 64 seconds, each up to one more or less', () => {
    const { world, pc, other, server, run } = clientAndServer();
    run(300);
    const times = server.heard.map(({ at }) => at);
    const gaps = times.slice(1).map((at, i) => at - (times[i] as number));
    assert.equal(times[0], 0);
    for (const [i, wanted] of [4, 8, 16, 32, 64, 64].entries()) {
      assert.ok(Math.abs((gaps[i] as number) - wanted) <= 1, `gap ${i}: ${gaps[i]}`);
      assert.notEqual(gaps[i], wanted);
    }
    const messages = server.heard.map(({ message }) => message);
    assert.equal(new Set(messages.map(({ xid }) => xid)).size, 1);
    assert.deepEqual(
      messages.map(({ secs }) => secs),
      times.map(Math.floor),
    );
    endClean(world, pc, other);
  });

  test('offers that are not for it, or make no sense, are not taken', () => {
    const { world, pc, other, server, run, client } = clientAndServer();
    const wrong = { chaddr: Uint8Array.of(2, 0, 0, 0, 0, 9) };
    server.answer = message => {
      server.reply(message, DHCP_OFFER, '10.0.0.7', LEASE, { xid: (message.xid + 1) >>> 0 });
      server.reply(message, DHCP_OFFER, '10.0.0.7', LEASE, wrong);
      server.reply(message, DHCP_OFFER, '10.0.0.7', LEASE, { op: 1 });
      server.reply(message, DHCP_OFFER, '10.0.0.7', { ...LEASE, serverId: undefined });
      server.reply(message, DHCP_OFFER, '10.0.0.7', { ...LEASE, serverId: ip('224.0.0.1') });
      for (const bad of ['0.0.0.0', '127.0.0.1', '224.0.0.1', '255.255.255.255', '0.1.2.3']) {
        server.reply(message, DHCP_OFFER, bad, LEASE);
      }
      server.reply(message, DHCP_ACK, '10.0.0.7', LEASE);
      server.reply(message, DHCP_NAK, '0.0.0.0');
    };
    run(2);
    assert.equal(client.state, 'SELECTING');
    endClean(world, pc, other);
  });

  test('of two offers it takes the first, and tells both servers which', () => {
    const { world, pc, other, server, run } = clientAndServer();
    server.answer = message => {
      if (typeOf(message) !== 'DISCOVER') return;
      server.reply(message, DHCP_OFFER, '10.0.0.8', { ...LEASE, serverId: ip('10.0.0.2') });
      server.reply(message, DHCP_OFFER, '10.0.0.7', LEASE);
    };
    run(1);
    const request = server.heard[1]?.message.options;
    assert.deepEqual(
      [String(request?.serverId), String(request?.requestedAddress)],
      ['10.0.0.2', '10.0.0.8'],
    );
    endClean(world, pc, other);
  });

  test('in REQUESTING another server has nothing to say, and another address is none', () => {
    const { world, pc, other, server, run, client } = clientAndServer();
    server.answer = message => {
      if (typeOf(message) === 'DISCOVER') server.reply(message, DHCP_OFFER, '10.0.0.7', LEASE);
      server.reply(message, DHCP_ACK, '10.0.0.7', { ...LEASE, serverId: ip('10.0.0.2') });
      server.reply(message, DHCP_NAK, '0.0.0.0', { serverId: ip('10.0.0.2') });
      server.reply(message, DHCP_ACK, '10.0.0.8', LEASE);
      server.reply(message, DHCP_ACK, '10.0.0.7', { ...LEASE, leaseTime: undefined });
      server.reply(message, DHCP_ACK, '10.0.0.7', { ...LEASE, leaseTime: 0 });
    };
    run(2);
    assert.equal(client.state, 'REQUESTING');
    endClean(world, pc, other);
  });

  test('a server that made an offer and falls silent is asked four times; then it begins anew', () => {
    const { world, pc, other, server, run, states } = clientAndServer();
    server.answer = message => {
      if (typeOf(message) === 'DISCOVER') server.reply(message, DHCP_OFFER, '10.0.0.7', LEASE);
    };
    run(65);
    assert.match(server.types(), /^DISCOVER REQUEST REQUEST REQUEST REQUEST DISCOVER REQUEST/);
    assert.equal(states(), 'INIT SELECTING REQUESTING INIT SELECTING REQUESTING');
    endClean(world, pc, other);
  });

  test('refused, it begins anew: at once, and then not so quickly any more', () => {
    const { world, pc, other, server, run } = clientAndServer();
    server.refuse('10.0.0.7');
    run(200);
    const discovers = server.heard
      .filter(({ message }) => typeOf(message) === 'DISCOVER')
      .map(({ at }) => at);
    const gaps = discovers.slice(1).map((at, i) => Math.round(at - (discovers[i] as number)));
    assert.equal(gaps[0], 0);
    for (const [i, wanted] of [4, 8, 16, 32, 64].entries())
      assert.ok(Math.abs((gaps[i + 1] as number) - wanted) <= 1);
    endClean(world, pc, other);
  });

  test('BROADCAST is set when the option says so, and only while it has no address', () => {
    const { world, pc, other, server, run } = clientAndServer({ broadcast: true, probe: false });
    server.grant('10.0.0.7', { leaseTime: 20 });
    run(11);
    assert.deepEqual(
      server.heard.map(({ message }) => [typeOf(message), message.broadcast]),
      [
        ['DISCOVER', true],
        ['REQUEST', true],
        ['REQUEST', false],
      ],
    );
    endClean(world, pc, other);
  });
});

describe('conflicts (RFC 2131 section 3.1, RFC 5227)', () => {
  test('an address that somebody has is declined; after ten seconds it begins anew', () => {
    const { world, pc, other, server, run, states, addresses } = clientAndServer();
    server.grant('10.0.0.1');
    run(5);
    assert.equal(states(), 'INIT SELECTING REQUESTING CHECKING INIT');
    const decline = server.heard[2];
    assert.ok(decline !== undefined);
    assert.equal(typeOf(decline.message), 'DECLINE');
    assert.deepEqual([decline.from, decline.to], ['0.0.0.0', '255.255.255.255']);
    const { serverId, requestedAddress, clientId, parameters } = decline.message.options;
    assert.deepEqual([serverId, requestedAddress].map(String), ['10.0.0.1', '10.0.0.1']);
    assert.equal(clientId?.length, 7);
    assert.equal(parameters, undefined);
    assert.equal(String(decline.message.ciaddr), '0.0.0.0');
    server.grant('10.0.0.8');
    run(10 + 7);
    assert.equal(states(), 'SELECTING REQUESTING CHECKING BOUND');
    const again = server.heard[3];
    assert.ok(again !== undefined && again.at - decline.at >= 10);
    assert.equal(again.message.options.requestedAddress, undefined);
    assert.deepEqual(addresses(), ['10.0.0.8/24']);
    endClean(world, pc, other);
  });

  test('in use it is defended once in ten seconds; whoever insists has it', () => {
    const { world, pc, other, server, run, states, addresses, client } = clientAndServer();
    server.grant('10.0.0.7');
    run(10);
    assert.equal(states(), 'INIT SELECTING REQUESTING CHECKING BOUND');
    const insist = (): void => {
      other.ip.ipv4.arp.announce(other.ip.netif(2) as Netif, ip('10.0.0.7'));
      run(1);
    };
    insist();
    assert.equal(client.state, 'BOUND');
    run(10);
    insist();
    assert.equal(client.state, 'BOUND');
    insist();
    assert.equal(states(), 'INIT');
    assert.deepEqual(addresses(), []);
    assert.equal(typeOf((server.heard.at(-1) as { message: DhcpMessage }).message), 'DECLINE');
    endClean(world, pc, other);
  });

  test('with probe: false an address is used at once', () => {
    const { world, pc, other, server, run, states } = clientAndServer({ probe: false });
    server.grant('10.0.0.7');
    run(0.1);
    assert.equal(states(), 'INIT SELECTING REQUESTING CHECKING BOUND');
    endClean(world, pc, other);
  });
});

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

describe('the end', () => {
  test('a stack that is closed gives its lease back', () => {
    const { world, pc, other, server, run, states } = clientAndServer();
    server.grant('10.0.0.7');
    run(10);
    // The server is a neighbour already: the last word needs no ARP.
    pc.udp().send(new Uint8Array(1), { hostname: '10.0.0.1', port: 9 });
    run(1);
    server.heard.length = 0;
    states();
    pc.close();
    run(1);
    assert.equal(states(), 'STOPPED');
    const [release] = server.heard;
    assert.ok(release !== undefined);
    assert.deepEqual(
      [typeOf(release.message), release.from, release.to],
      ['RELEASE', '10.0.0.7', '10.0.0.1'],
    );
    const { ciaddr, options } = release.message;
    assert.deepEqual([ciaddr, options.serverId].map(String), ['10.0.0.7', '10.0.0.1']);
    assert.deepEqual(
      [options.requestedAddress, options.leaseTime, options.parameters],
      [undefined, undefined, undefined],
    );
    endClean(world, pc, other);
  });

  test('without a lease there is nothing to give back; an option that is no address is refused', async () => {
    const { world, pc, other, server, run } = clientAndServer();
    run(5);
    server.heard.length = 0;
    const waiting = pc.configured();
    pc.close();
    run(5);
    assert.equal(server.types(), '');
    await assert.rejects(waiting, /closed before/);
    endClean(world, pc, other);
    assert.throws(() => clientAndServer({ lastAddress: '10.0.0' }), /Invalid argument/);
  });

  test('configured() resolves to what the interface got', async () => {
    const { world, pc, other, server } = clientAndServer();
    server.grant('10.0.0.7');
    const [settings] = await world.run(pc.configured());
    assert.equal(settings?.source, 'dhcp');
    assert.equal(`${settings?.netif} ${settings?.address}/${settings?.prefixLength}`, 'eth0 10.0.0.7/24');
    assert.deepEqual(await world.run(other.configured()), []);
    await assert.rejects(pc.configured({ signal: AbortSignal.abort(new Error('enough')) }), /enough/);
    endClean(world, pc, other);
  });
});
