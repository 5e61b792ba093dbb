/**
 * A whole network that configures itself: a router between two networks, a DHCP and DNS server, and three dual-stack
 * hosts, of which two fetch http://www.example.test/ from the third by its name.
 *
 * Shows: DHCP, router advertisements, a name server, a resolver, connecting by name.
 *
 * Run: npm run build:test && node build/examples/network.js
 */
import { type Stack, World } from 'ethertype';
import { Resolver, serveDns } from 'ethertype/dns';
import { request, serveHttp } from 'ethertype/http';

const world = new World({ seed: 1 });
const lan = world.switch('lan');
const sysctl = { ip_forward: true, forwarding: true };
const router = world.host('router', { address: '10.0.0.1/24', address6: 'fd00:0:0:1::1/64', sysctl });
const services = world.host('services', { address: '10.0.0.53/24', address6: 'fd00:0:0:1::53/64' });
const alice = world.host('alice', { dhcp: true, ipv6: true });
const bob = world.host('bob', { dhcp: true, ipv6: true });
const www = world.host('www', {
  ...{ address: '10.0.2.80/24', gateway: '10.0.2.1' },
  ...{ address6: 'fd00:0:0:2::80/64', gateway6: 'fd00:0:0:2::1' },
});
for (const host of [router, services, alice, bob]) world.connect(host, lan, { delayUs: 100 });
world.connect(www, router, {
  delayUs: 100,
  addresses: [undefined, '10.0.2.1/24'],
  addresses6: [undefined, 'fd00:0:0:2::1/64'],
});

router.advertise('eth0', { other: true });
services.dhcpServer('eth0', { routers: ['10.0.0.1'], nameServers: ['10.0.0.53'], domain: 'example.test' });
services.dhcp6Server('eth0', { nameServers: ['fd00:0:0:1::53'], searchDomains: ['example.test'] });
serveDns(services, { zones: { 'example.test': { www: { A: '10.0.2.80', AAAA: 'fd00:0:0:2::80' } } } });

const listener = www.listen({ hostname: '::', port: 80 });
const serving = serveHttp(listener, () => ({ status: 200, body: 'hello from www' }), { env: www.host.env });

async function fetch(host: Stack, url: URL): Promise<void> {
  const [settings] = await host.configured();
  host.resolver = new Resolver(host);
  const socket = host.connect({ hostname: url.hostname, port: Number(url.port || 80) });
  const { remoteAddress } = await socket.opened;
  const headers = { Host: url.host, Connection: 'close' };
  const answer = await request(socket, { path: url.pathname, headers });
  console.log(`${host.name} is ${settings?.address} and asks ${host.nameServers.join(' and ')}`);
  console.log(`${host.name} fetched from ${remoteAddress}: ${answer.status} "${await answer.body.text()}"`);
}

const url = new URL('http://www.example.test/');
await world.run(Promise.all([fetch(alice, url), fetch(bob, url)]));
listener.close();
await world.run(serving);
world.close();
