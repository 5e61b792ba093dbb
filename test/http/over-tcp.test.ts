import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HttpClient } from '../../src/http/client.ts';
import { acceptedStreams, fdStream } from '../../src/http/fd-stream.ts';
import { serveHttp } from '../../src/http/server.ts';
import { turn } from '../../src/node/turn.ts';
import { World } from '../../src/sim/world.ts';
import { AF_INET, SOCK_STREAM } from '../../src/socket/constants.ts';
import type { Stack } from '../../src/stack/stack.ts';
import { serveTestFiles } from './exchange.ts';

interface Hosts {
  readonly world: World;
  readonly client: Stack;
  readonly server: Stack;
}

function hosts(faults: { loss?: number; delayUs?: number } = {}): Hosts {
  const world = new World({ seed: 11, turn });
  const client = world.host('client');
  const server = world.host('server');
  world.connect(client, server, { delayUs: 1000, ...faults });
  return { world, client, server };
}

/** Several requests over one connection, the last of them for a long file. */
async function talk(client: HttpClient): Promise<void> {
  const headers = { Host: '10.0.0.2' };
  for (let i = 0; i < 5; i++) {
    const answer = await client.request({ path: '/digits.txt', headers });
    assert.equal(await answer.body.text(), '0123456789');
  }
  const big = await client.request({ path: '/big.bin', headers: { ...headers, Connection: 'close' } });
  const bytes = await big.body.bytes();
  assert.equal(bytes.length, 200_000);
  assert.ok(bytes.every((byte, i) => byte === (i & 0xff)));
}

test('HTTP over descriptors and the BSD calls', async () => {
  const { world, client, server } = hosts();
  const listening = server.sys.socket(AF_INET, SOCK_STREAM, 0);
  server.sys.bind(listening, { address: '10.0.0.2', port: 80 });
  server.sys.listen(listening, 16);
  const served = serveHttp(acceptedStreams(server.sys, listening), serveTestFiles, { env: server.host.env });
  const run = async (): Promise<void> => {
    const fd = client.sys.socket(AF_INET, SOCK_STREAM, 0);
    assert.equal(await client.sys.wait.connect(fd, { address: '10.0.0.2', port: 80 }), 0);
    const stream = fdStream(client.sys, fd);
    await talk(new HttpClient(stream));
    stream.close();
    server.sys.close(listening);
    await served;
  };
  await world.run(run());
  await world.clock.run();
  assert.equal(world.clock.armed, 0);
  world.close();
});

for (const loss of [0, 0.05]) {
  test(`HTTP over the sockets of the high-level API, ${loss * 100} % loss`, async () => {
    const { world, client, server } = hosts({ loss });
    const listener = server.listen({ port: 80 });
    const served = serveHttp(listener, serveTestFiles, { env: server.host.env });
    const run = async (): Promise<void> => {
      const socket = client.connect({ hostname: '10.0.0.2', port: 80 });
      await talk(new HttpClient(socket));
      await socket.close();
      listener.close();
      await served;
    };
    await world.run(run());
    world.close();
    assert.equal(world.clock.armed, 0);
  });
}

test('a client that resets its connection ends it at the server, too', async () => {
  const { world, client, server } = hosts();
  const listener = server.listen({ port: 80 });
  const served = serveHttp(listener, serveTestFiles, { env: server.host.env });
  const run = async (): Promise<void> => {
    const socket = client.connect({ hostname: '10.0.0.2', port: 80 });
    await socket.opened;
    const writer = socket.writable.getWriter();
    await writer.write(Buffer.from('GET /big.bin HTTP/1.1\r\nHost: h\r\n\r\n'));
    socket.abort();
    await socket.closed.catch(() => undefined);
    listener.close();
    await served;
  };
  await world.run(run());
  assert.deepEqual(server.sockets(), []);
  world.close();
});
