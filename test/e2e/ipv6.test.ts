/**
 * Whole programs over IPv6: bytes arrive, whatever the network does; routers, fragments and path MTUs.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { turn } from '../../src/node/turn.ts';
import { TraceHash } from '../../src/sim/trace-hash.ts';
import { type ConnectOptions, World } from '../../src/sim/world.ts';
import type { Stack } from '../../src/stack/stack.ts';
import { TraceLog } from '../../src/trace/sink.ts';
import { formatInterfaces, formatNeighbors, formatRoutes } from '../../src/view/ip.ts';
import { tcpdumpView } from '../../src/view/tcpdump.ts';
import { assertNothingLeft, exchange, ip } from './transfer.ts';

const MB = 1_000_000;
const SIX = { ipv6: true } as const;

async function play(seed: number, bytes: number, cable: ConnectOptions, trace: TraceHash | null = null) {
  const world = new World({ seed, turn, trace });
  const a = world.host('a', { address6: 'fd00::1/64' });
  const b = world.host('b', { address6: 'fd00::2/64' });
  world.connect(a, b, cable);
  await world.run(exchange(a, b, 'fd00::2', bytes));
  await assertNothingLeft(world, a, b);
  return trace?.digest;
}

test('10 MB each way at once over a link that loses, reorders and doubles packets', async () => {
  await play(1, 10 * MB, { loss: 0.02, reorder: 0.02, duplicate: 0.02, delayUs: 1000 });
});

test('the same seed gives the same events, another seed others', async () => {
  const cable = { loss: 0.02, reorder: 0.02, delayUs: 1000, jitterUs: 300 };
  const first = await play(7, MB, cable, new TraceHash());
  assert.equal(await play(7, MB, cable, new TraceHash()), first);
  assert.notEqual(await play(8, MB, cable, new TraceHash()), first);
});

const NETWORKS: Record<string, ConnectOptions> = {
  'a long fat pipe': { delayUs: 100_000, rate: 100e6 },
  'corrupted packets': { delayUs: 1000, corrupt: 0.02 },
  'an MTU of 1280': { delayUs: 1000, loss: 0.01, mtu: 1280 },
  'links that cut super-segments themselves': {
    delayUs: 1000,
    offloads: { checksum: true, gsoMaxSize: 65535 },
  },
};

for (const [name, cable] of Object.entries(NETWORKS)) {
  test(`TCP over IPv6 and ${name}`, () => play(3, 2 * MB, cable).then(() => {}));
}

/** Host and server with a router between them that advertises itself; the host's link comes last. */
async function routed(serverMtu: number | undefined) {
  const log = new TraceLog();
  const world = new World({ seed: 5, turn, trace: log });
  const host = world.host('host', SIX);
  const router = world.host('router', { address6: 'fd01::1/64', sysctl: { forwarding: true } });
  const server = world.host('server', { address6: 'fd02::2/64' });
  const cable: ConnectOptions = { delayUs: 1000, addresses6: ['fd02::1/64', undefined] };
  world.connect(router, host, { delayUs: 1000 });
  world.connect(router, server, serverMtu === undefined ? cable : { ...cable, mtu: serverMtu });
  server.ip.routes.addDefault(ip('fd02::1'));
  const inside = router.ip.netif('eth0');
  assert.ok(inside !== null);
  router.ip.ipv6.advertise(inside, { nameServers: [ip('fd01::1')] });
  await world.runFor(10_000_000);
  return { world, host, router, server, log };
}

describe('a router that advertises', () => {
  test('gives a host its address, its default route and name servers; it talks to a server beyond', async () => {
    const { world, host, router, server } = await routed(undefined);
    const eth0 = host.ip.netif('eth0');
    const own = eth0?.ipv6?.addresses.filter(({ origin }) => origin === 'slaac') ?? [];
    assert.equal(own.length, 1);
    assert.match(String(own[0]?.address), /^fd01::/);
    assert.deepEqual(host.ip.ipv6.nameServers.map(String), ['fd01::1']);
    await world.run(exchange(host, server, 'fd02::2', MB));
    assert.equal(router.mib.Ip6.OutForwDatagrams > 1000, true);
    world.close();
  });

  test('is seen in addresses, routes, neighbours and sockets, as ip and ss show them', async () => {
    const { world, host, router } = await routed(undefined);
    const linkLocal = router.ip.netif('eth0')?.ipv6?.linkLocal?.withZone(0);
    const server = router.listen({ hostname: '::', port: 80 });
    const socket = host.connect({ hostname: `${linkLocal}%eth0`, port: 80 });
    await world.run(socket.opened);
    const eth0 = formatInterfaces(host.interfaces()).join('\n');
    assert.match(
      eth0,
      /\n {4}inet6 fd01::\S+\/64 scope global dynamic stable-privacy\n {7}valid_lft 25919\d\dsec/,
    );
    assert.match(eth0, /\n {4}inet6 fe80::\S+\/64 scope link stable-privacy\n {7}valid_lft forever/);
    const routes = formatRoutes(host.routes()).filter(line => line.includes('proto ra'));
    assert.match(routes[0] ?? '', /^fd01::\/64 dev eth0 proto ra metric 256 expires 25919\d\dsec$/);
    const [fallback = ''] = routes.slice(1);
    assert.match(
      fallback,
      new RegExp(`^default via ${linkLocal} dev eth0 proto ra metric 1024 expires 17\\d\\dsec$`),
    );
    const [neighbor = ''] = formatNeighbors(host.neighbors()).filter(line =>
      line.startsWith(`${linkLocal} `),
    );
    assert.match(neighbor, / dev eth0 lladdr \S+ router REACHABLE$/);
    assert.equal(
      formatNeighbors(router.neighbors()).some(line => line.includes(' router ')),
      false,
    );
    const [row] = host.sockets();
    assert.match(row?.local ?? '', /^\[fe80::[0-9a-f:]+\]%eth0:\d+$/);
    assert.equal(row?.peer, `[${linkLocal}]:80`);
    assert.deepEqual(
      router
        .sockets()
        .filter(({ state }) => state === 'LISTEN')
        .map(each => each.local),
      ['*:80'],
    );
    socket.abort();
    server.close();
    world.close();
  });

  test('packets that are too big for the link behind it: the sender learns of it (RFC 8201)', async () => {
    const { world, host, router, server } = await routed(1300);
    await world.run(exchange(host, server, 'fd02::2', MB));
    assert.equal(host.mib.Ip6.FragCreates, 0, 'TCP adapts, nothing is cut');
    const socket = host.udp({ hostname: '::' });
    const receiver = server.udp({ hostname: '::', port: 7000 });
    // The first is lost on the way, and tells of the MTU; the second is cut to it.
    for (let i = 0; i < 2; i++) {
      await world.run(socket.send(new Uint8Array(1400).fill(i), { hostname: 'fd02::2', port: 7000 }));
      await world.runFor(1_000_000);
    }
    const datagram = await world.run(receiver.receive());
    assert.deepEqual([datagram.data.length, datagram.data[0]], [1400, 1]);
    assert.equal(router.mib.Icmp6.OutPktTooBigs, 1);
    assert.equal(host.mib.Ip6.FragCreates, 2);
    world.close();
  });

  test('when it is gone its addresses end, and hosts on the link still reach each other', async () => {
    const { world, host, router } = await routed(undefined);
    router.ip.ipv6.advertise(router.ip.netif('eth0') as never, null);
    await world.runFor(1_000_000);
    assert.equal(host.ip.route(ip('fd02::2'), null), -101);
    const linkLocal = String(router.ip.netif('eth0')?.ipv6?.linkLocal?.withZone(2));
    await world.run(exchange(host, router, linkLocal, 10_000));
    world.close();
  });
});

test('both families side by side, from one server socket', async () => {
  const world = new World({ seed: 9, turn });
  const server = world.host('server', { address6: 'fd00::1/64' });
  const old = world.host('old');
  const modern = world.host('new', { address: '10.0.0.3/24', address6: 'fd00::3/64' });
  const lan = world.switch('lan');
  for (const host of [server, old, modern]) world.connect(host, lan, { delayUs: 100 });
  const listener = server.listen({ hostname: '::', port: 80 });
  const greet = async (): Promise<string[]> => {
    const peers: string[] = [];
    for await (const socket of listener) {
      peers.push((await socket.opened).remoteAddress.replace(/:\d+$/, ''));
      await socket.close();
      if (peers.length === 2) break;
    }
    return peers;
  };
  const ask = async (host: Stack, address: string): Promise<void> => {
    const socket = host.connect(address);
    await socket.opened;
    const reader = socket.readable.getReader();
    while (!(await reader.read()).done);
    reader.releaseLock();
    await socket.close();
  };
  const both = async (): Promise<void> => {
    await ask(old, '10.0.0.1:80');
    await ask(modern, '[fd00::1]:80');
  };
  const [peers] = await world.run(Promise.all([greet(), both()]));
  assert.deepEqual(peers, ['[::ffff:10.0.0.2]', '[fd00::3]']);
  listener.close();
  world.close();
});

test('what goes over the wire, in tcpdump words', async () => {
  const log = new TraceLog();
  const world = new World({ seed: 2, turn, trace: log, sysctl: { addr_gen_mode: 0, dad_transmits: 0 } });
  const a = world.host('a', { address6: 'fd00::1/64' });
  const b = world.host('b', { address6: 'fd00::2/64' });
  world.connect(a, b, { delayUs: 100 });
  await world.runFor(20_000_000);
  log.events.length = 0;
  const socket = a.udp({ hostname: '::' });
  const receiver = b.udp({ hostname: '::', port: 7000 });
  await world.run(socket.send(Uint8Array.of(1), { hostname: 'fd00::2', port: 7000 }));
  await world.run(receiver.receive());
  const view = tcpdumpView({ host: 'a' });
  const lines = log.events.flatMap(view).map(line => line.replace(/^\S+ /, '').replace(/\.\d{5} /, '.P '));
  assert.deepEqual(lines.slice(0, 3), [
    'IP6 fd00::1 > ff02::1:ff00:2: ICMP6, neighbor solicitation, who has fd00::2, length 32',
    'IP6 fd00::2 > fd00::1: ICMP6, neighbor advertisement, tgt is fd00::2, length 32',
    'IP6 fd00::1.P > fd00::2.7000: UDP, length 1',
  ]);
  world.close();
});
