import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { DatagramInfo } from '../../src/datagram/received.ts';
import type { Dhcp6ServerOptions } from '../../src/dhcp/services.ts';
import { World } from '../../src/node/index.ts';
import type { RouterOptions } from '../../src/stack/router-options.ts';
import type { ConfigEvent } from '../../src/trace/events.ts';
import { TRACE_CONFIG } from '../../src/trace/events.ts';
import { TraceLog } from '../../src/trace/sink.ts';
import { UdpService } from '../../src/udp/udp-service.ts';
import { ANY_V6 } from '../../src/wire/address.ts';
import { ALL_DHCP6_SERVERS, type Dhcp6Message, emitDhcp6, parseDhcp6 } from '../../src/wire/dhcp6.ts';
import { endClean, ip, SECOND } from './fixture.ts';

const FORWARDS = { forwarding: true };

/** A router that advertises, and a host that listens. */
function routerAndHost(advert: RouterOptions, server: Dhcp6ServerOptions | null = null) {
  const log = new TraceLog(TRACE_CONFIG);
  const world = new World({ seed: 1, trace: log });
  const router = world.host('router', { address6: 'fd00:1::1/64', sysctl: FORWARDS });
  const host = world.host('host', { address: null, ipv6: true });
  const cable = world.connect(router, host);
  router.advertise('eth0', advert);
  if (server !== null) router.dhcp6Server('eth0', server);
  const run = (seconds: number): void => world.clock.runFor(seconds * SECOND);
  const states = (): string => {
    const events = log.events.splice(0) as ConfigEvent[];
    return events.map(({ to }) => to).join(' ');
  };
  return { world, router, host, cable, run, states };
}

const SERVER: Dhcp6ServerOptions = { nameServers: ['fd00:1::53'], searchDomains: ['example.test'] };

describe('stateless DHCPv6 (RFC 8415 section 18.2.6)', () => {
  test('is asked when the router says that there is other configuration, and not else', () => {
    for (const [advert, asked] of [
      [{}, ''],
      [{ other: true }, 'WAITING REQUESTING INFORMED'],
      [{ managed: true }, 'WAITING REQUESTING INFORMED'],
    ] as const) {
      const { world, router, host, run, states } = routerAndHost(advert, SERVER);
      run(10);
      assert.equal(states(), asked);
      assert.deepEqual(host.nameServers.map(String), asked === '' ? [] : ['fd00:1::53']);
      assert.deepEqual(host.searchDomains, asked === '' ? [] : ['example.test']);
      endClean(world, router, host);
    }
  });

  test('asks again after the time that the server said', () => {
    const { world, router, host, run, states } = routerAndHost(
      { other: true },
      { ...SERVER, refreshSeconds: 700 },
    );
    run(650);
    assert.equal(states(), 'WAITING REQUESTING INFORMED');
    run(60);
    assert.equal(states(), 'WAITING REQUESTING INFORMED');
    endClean(world, router, host);
  });

  test('without an answer again after 1, 2, 4 ... seconds up to an hour, a tenth more or less', () => {
    const { world, router, host, run } = routerAndHost({ other: true });
    const times: number[] = [];
    const asked: Dhcp6Message[] = [];
    const service = new UdpService(router.udpLayer, bytes => {
      times.push(world.nowUs / SECOND);
      const message = parseDhcp6(bytes);
      if (message !== null) asked.push(message);
    });
    service.open(ANY_V6, 547, 2);
    router.ip.ipv6.join(router.ip.netif(2) as never, ALL_DHCP6_SERVERS.withZone(2));
    run(40_000);
    const gaps = times.slice(1).map((at, i) => at - (times[i] as number));
    let last = 0.5;
    for (const [i, gap] of gaps.entries()) {
      const wanted = Math.min(2 * last, 3600);
      assert.ok(Math.abs(gap - wanted) <= wanted / 10 + 0.001, `gap ${i}: ${gap}, not ${wanted}`);
      last = gap;
    }
    assert.ok(gaps.length > 15);
    const [first, second] = asked;
    assert.deepEqual(first?.optionRequest, [23, 24, 32]);
    assert.equal(first?.elapsedTime, 0);
    assert.ok((second?.elapsedTime ?? 0) >= 90);
    assert.equal(second?.transactionId, first?.transactionId);
    endClean(world, router, host);
  });

  test('an answer that is not for it is not believed', () => {
    const { world, router, host, run } = routerAndHost({ other: true });
    const serverId = Uint8Array.of(0, 3, 0, 1, 9, 9, 9, 9, 9, 9);
    const answer = (request: Dhcp6Message, to: DatagramInfo, change: Partial<Dhcp6Message>): void => {
      const { transactionId, clientId } = request;
      const reply = { type: 7, transactionId, clientId, serverId, nameServers: [ip('fd00::66')], ...change };
      service.send(emitDhcp6(reply), to.address, to.port);
    };
    const service = new UdpService(router.udpLayer, (bytes, from) => {
      const request = parseDhcp6(bytes) as Dhcp6Message;
      answer(request, from, { transactionId: (request.transactionId + 1) & 0xffffff });
      answer(request, from, { type: 2 });
      answer(request, from, { serverId: undefined });
      answer(request, from, { clientId: serverId });
      answer(request, from, { status: 1 });
    });
    service.open(ANY_V6, 547, 2);
    router.ip.ipv6.join(router.ip.netif(2) as never, ALL_DHCP6_SERVERS.withZone(2));
    run(100);
    assert.deepEqual(host.nameServers, []);
    endClean(world, router, host);
  });

  test('what was learned is forgotten with the link; DHCP comes before advertisements (RFC 8106 section 5.3.1)', () => {
    const advert = { other: true, nameServers: ['fd00:1::54'], searchDomains: ['ra.test'] };
    const { world, router, host, run, cable } = routerAndHost(advert, SERVER);
    run(10);
    assert.deepEqual(host.nameServers.map(String), ['fd00:1::53', 'fd00:1::54']);
    assert.deepEqual(host.searchDomains, ['example.test', 'ra.test']);
    cable.pull();
    run(1);
    assert.deepEqual(host.nameServers.map(String), ['fd00:1::54']);
    cable.plug();
    run(20);
    assert.deepEqual(host.nameServers.map(String), ['fd00:1::53', 'fd00:1::54']);
    endClean(world, router, host);
  });
});
