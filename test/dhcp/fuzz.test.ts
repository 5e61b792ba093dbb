import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Rng } from '../../src/base/rng.ts';
import { DHCP_STATES } from '../../src/dhcp/state.ts';
import type { Netif } from '../../src/net/netif.ts';
import { World } from '../../src/node/index.ts';
import type { Stack } from '../../src/stack/stack.ts';
import { TRACE_CONFIG } from '../../src/trace/events.ts';
import { traceTo } from '../../src/trace/sink.ts';
import { SECOND } from './fixture.ts';

/** The last frames that a host received with UDP for the ports of DHCP in them. */
class Recorder {
  readonly frames: Uint8Array[] = [];
  private count = 0;

  constructor(stack: Stack) {
    stack.hook('ingress', packet => {
      const { view, bytes, start, end } = packet;
      const port = end - start > 300 ? view.getUint16(start + 36) : 0;
      if (packet.mark === 0 && port === 68) this.frames[this.count++ % 16] = bytes.slice(start, end);
      return true;
    });
  }
}

/** Changes a few bytes, mostly of the options; the checksum is left out, which UDP allows. */
function mutate(frame: Uint8Array, rng: Rng): Uint8Array {
  const copy = rng.chance(0.1) ? frame.slice(0, 42 + rng.below(frame.length - 42)) : frame.slice();
  copy[40] = copy[41] = 0;
  for (let changes = rng.below(5); changes > 0; changes--) {
    const at = 42 + (rng.chance(0.7) ? 240 + rng.below(40) : rng.below(240));
    if (at < copy.length)
      copy[at] = rng.chance(0.5) ? rng.below(256) : rng.pick([0, 1, 2, 5, 6, 54, 51, 121, 119, 255]);
  }
  return copy;
}

test('30,000 mutated answers: the client neither falls over nor grows, and gets its address in the end', () => {
  const rng = new Rng(7);
  const states = new Set<string>();
  const trace = traceTo(event => states.add(event.type === 'config' ? event.to : ''), TRACE_CONFIG);
  const world = new World({ seed: 7, trace });
  const server = world.host('server', { address: '10.0.0.1/24' });
  const pc = world.host('pc', { dhcp: { probe: false } });
  const cable = world.connect(pc, server, { loss: 0.5 });
  server.dhcpServer('eth0', {
    leaseSeconds: 20,
    nameServers: ['10.0.0.1'],
    searchDomains: ['example.test'],
    routes: [['10.1.0.0/16', '10.0.0.9']],
    mtu: 1400,
  });
  const netif = pc.ip.netif('eth0') as Netif;
  const client = pc.autoconfiguration.of(netif)?.client;
  const recorder = new Recorder(pc);
  for (let i = 0; i < 30_000; i++) {
    world.clock.runFor(rng.chance(0.1) ? rng.below(8) * SECOND : 1000);
    if (recorder.frames.length === 0) continue;
    const frame = mutate(rng.pick(recorder.frames), rng);
    const packet = world.pool.take(frame.length);
    assert.ok(packet !== null);
    packet.bytes.set(frame, packet.start);
    packet.end = packet.start + frame.length;
    packet.mark = 1;
    netif.receive(packet);
    if (rng.chance(0.001)) pc.autoconfiguration.of(netif)?.linkUp();
    assert.ok(netif.addresses.length <= 2);
    assert.ok(pc.ip.routes.list().length < 300);
    assert.ok(pc.host.timers.size < 50);
  }
  for (const state of DHCP_STATES.slice(1)) assert.ok(states.has(state), state);
  cable.configure({ there: { loss: 0 }, back: { loss: 0 } });
  world.clock.runFor(200 * SECOND);
  assert.equal(client?.state, 'BOUND');
  world.close();
  assert.equal(world.pool.inUse, 0);
});

test('over a network that loses, doubles and reorders everyone gets an address, and no two the same', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const world = new World({ seed });
    const lan = world.switch('lan');
    const server = world.host('server', { address: '10.0.0.1/24' });
    world.connect(server, lan);
    const table = server.dhcpServer('eth0', { leaseSeconds: 120 });
    const faults = { loss: 0.3, duplicate: 0.1, reorder: 0.1, corrupt: 0.05, delayUs: 1000, jitterUs: 5000 };
    const hosts = Array.from({ length: 5 }, (_, i) =>
      world.host(`h${i}`, { dhcp: { linkLocalAfter: Number.POSITIVE_INFINITY } }),
    );
    for (const host of hosts) world.connect(host, lan, faults);
    const served = new Set<Stack>();
    for (let at = 0; at < 600; at += 5) {
      world.clock.runFor(5 * SECOND);
      const having = hosts.filter(host => host.ip.netif('eth0')?.addresses.length === 1);
      const addresses = having.map(host => String(host.ip.netif('eth0')?.addresses[0]?.address));
      assert.equal(new Set(addresses).size, addresses.length, `seed ${seed}: ${addresses}`);
      const bound = table.leases
        .filter(({ state }) => state === 'bound')
        .map(({ address }) => String(address));
      for (const address of addresses) assert.ok(bound.includes(address), `seed ${seed}: ${address}`);
      for (const host of having) served.add(host);
    }
    assert.equal(served.size, 5);
    world.close();
    assert.equal(world.pool.inUse, 0);
  }
});
