/**
 * IPv6 that configures itself: a router tells its link of a prefix, a host makes itself an address in it, and a server
 * in another network greets it.
 *
 * Shows: `ipv6: true`, router advertisements, addresses made by the host (SLAAC), a listener on `::`.
 *
 * Run: npm run build:test && node build/examples/ipv6.js
 */
import { IpAddress, World } from 'ethertype';

const world = new World({ seed: 1 });
const router = world.host('router', { address6: 'fd00:1::1/64', sysctl: { forwarding: true } });
const host = world.host('host', { ipv6: true });
const server = world.host('server', { address6: 'fd00:2::2/64' });
world.connect(router, host, { delayUs: 500 });
world.connect(router, server, { delayUs: 500, addresses6: ['fd00:2::1/64', undefined] });

const gateway = IpAddress.parse('fd00:2::1');
if (gateway === null) throw new Error('cannot be');
server.ip.routes.addDefault(gateway);
router.advertise('eth0', { nameServers: ['fd00:2::1'] });

// Five seconds of this world: addresses are checked, the router is heard.
await world.runFor(5_000_000);
const addresses = host.ip.netif('eth0')?.addresses.map(({ address }) => String(address)) ?? [];
console.log(`addresses in fd00:1::/64: ${addresses.filter(text => text.startsWith('fd00:1:')).length}`);
console.log(`name servers: ${host.nameServers.join(', ')}`);

async function serve(): Promise<void> {
  const listener = server.listen({ hostname: '::', port: 7 });
  const socket = await listener.accept();
  const { localAddress, remoteAddress } = await socket.opened;
  const isExpected = addresses.some(text => remoteAddress.startsWith(`[${text}]:`));
  const writer = socket.writable.getWriter();
  await writer.write(
    new TextEncoder().encode(`${localAddress} greets ${isExpected ? 'you' : remoteAddress}`),
  );
  await writer.close();
  listener.close();
}

async function ask(): Promise<string> {
  const socket = host.connect('[fd00:2::2]:7');
  let text = '';
  for await (const chunk of socket.readable) text += new TextDecoder().decode(chunk);
  return text;
}

const [answer] = await world.run(Promise.all([ask(), serve()]));
console.log(answer);
world.close();
