/**
 * HTTP by name, from the question for the address to the answer of the server, in virtual time.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Resolver } from '../../src/dns/resolver.ts';
import { serveDns } from '../../src/dns/server.ts';
import { request } from '../../src/http/client.ts';
import { serveHttp } from '../../src/http/server.ts';
import { turn } from '../../src/node/turn.ts';
import { World } from '../../src/sim/world.ts';
import type { Stack } from '../../src/stack/stack.ts';

const NAME = 'www.example.test';

/** A client, a name server and a web server on a switch; only addresses of ours are wider than a link. */
async function makeWorld(listenAt: string): Promise<{ world: World; client: Stack }> {
  const world = new World({ seed: 5, turn });
  const lan = world.switch('lan');
  const [client, dns, www] = ['client', 'dns', 'www'].map((name, i) =>
    world.host(name, { address6: `2001:db8::${i + 1}/64` }),
  ) as [Stack, Stack, Stack];
  for (const host of [client, dns, www]) world.connect(host, lan, { delayUs: 2000, loss: 0.02 });
  serveDns(dns, { zones: { 'example.test': { www: { A: '10.0.0.3', AAAA: '2001:db8::3' } } } });
  const listener = www.listen({ hostname: listenAt, port: 80 });
  void serveHttp(listener, () => ({ status: 200, body: `hello from ${NAME}` }), { env: www.host.env });
  client.resolver = new Resolver(client, { servers: ['10.0.0.2', '2001:db8::2'] });
  await world.runFor(3_000_000);
  return { world, client };
}

async function fetch(client: Stack): Promise<[from: string, body: string]> {
  const socket = client.connect(`${NAME}:80`);
  const { remoteAddress } = await socket.opened;
  const answer = await request(socket, { headers: { Host: NAME, Connection: 'close' } });
  return [remoteAddress, await answer.body.text()];
}

describe('HTTP by name', () => {
  it('over IPv6 where it works', async () => {
    const { world, client } = await makeWorld('::');
    assert.deepEqual(await world.run(fetch(client)), ['[2001:db8::3]:80', `hello from ${NAME}`]);
    world.close();
  });

  it('over IPv4 where it has to be', async () => {
    const { world, client } = await makeWorld('0.0.0.0');
    assert.deepEqual(await world.run(fetch(client)), ['10.0.0.3:80', `hello from ${NAME}`]);
    world.close();
  });

  it('fails with what the name server says', async () => {
    const { world, client } = await makeWorld('::');
    const socket = client.connect('no.example.test:80');
    await assert.rejects(world.run(request(socket)), { name: 'DnsError', code: 'ENOTFOUND' });
    world.close();
  });
});
