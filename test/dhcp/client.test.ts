import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Netif } from '../../src/net/netif.ts';
import { DHCP_ACK, DHCP_NAK, DHCP_OFFER, type DhcpMessage } from '../../src/wire/dhcp.ts';
import { clientAndServer, endClean, ip, typeOf } from './fixture.ts';

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
      for (const code of [1, 3, 6, 12, 15, 26, 119]) assert.ok(parameters.includes(code), String(code));
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
    const { world, pc, other, netif, server, run, client } = clientAndServer();
    server.grant('10.0.0.7', {
      routers: [ip('10.0.0.1'), ip('10.0.0.2')],
      nameServers: [ip('10.0.0.3'), ip('10.0.0.4')],
      domainName: 'example.test',
      hostName: 'seven',
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
    assert.deepEqual([client.lease?.hostName, client.lease?.domain], ['seven', 'example.test']);
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

describe('the end', () => {
  test('a stack that is closed gives its lease back', () => {
    const { world, pc, other, server, run, states } = clientAndServer();
    server.grant('10.0.0.7');
    run(10);
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
    const row = pc.interfaces()[1]?.addresses[0];
    assert.deepEqual(row?.flags, ['dynamic']);
    assert.ok(row.validSeconds !== null && row.validSeconds > 3590 && row.validSeconds < 3600);
    assert.deepEqual(await world.run(other.configured()), []);
    await assert.rejects(pc.configured({ signal: AbortSignal.abort(new Error('enough')) }), /enough/);
    endClean(world, pc, other);
  });
});
