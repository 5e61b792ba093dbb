/**
 * A test of a client on a bad network: every tenth packet is lost, in both directions.
 *
 * Shows: a world of hosts on a virtual clock. Seconds of waiting for retransmissions pass in milliseconds, and the same
 * seed gives the same run, packet for packet, so a test that fails once fails every time.
 *
 * Run: npm run build:test && node build/examples/lossy-network.js
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TraceHash, World } from 'ethertype';

const PAGE = new Uint8Array(200_000).map((_, index) => (index * 31) >> 3);

/** Downloads PAGE over a network with 10 % loss; returns what came, how long it took, and a hash of all events. */
async function download(seed: number) {
  const trace = new TraceHash();
  const world = new World({ seed, trace });
  const server = world.host('server'); // 10.0.0.1
  const client = world.host('client'); // 10.0.0.2
  const cable = world.connect(server, client, { loss: 0.1, delayUs: 20_000 });
  const startUs = world.nowUs;
  const received: Uint8Array[] = [];

  async function serve() {
    const connection = await server.listen({ port: 80 }).accept();
    const writer = connection.writable.getWriter();
    await writer.write(PAGE);
    await writer.close();
  }
  async function fetchPage() {
    const socket = client.connect({ hostname: '10.0.0.1', port: 80 });
    for await (const chunk of socket.readable) received.push(chunk);
    await socket.close();
  }
  await world.run(Promise.all([serve(), fetchPage()]));
  world.close();
  const { there, back } = cable.counters;
  return {
    bytes: Buffer.concat(received),
    seconds: (world.nowUs - startUs) / 1e6,
    lost: there.loss + back.loss,
    digest: trace.digest,
  };
}

test('the page arrives whole under 10 % loss, and every time in the same way', async () => {
  const began = performance.now();
  const first = await download(42);
  const second = await download(42);
  const other = await download(43);
  const realSeconds = (performance.now() - began) / 1000;

  assert.ok(first.lost > 0, 'packets were lost');
  assert.ok(first.bytes.equals(PAGE), 'and yet every byte arrived');
  assert.equal(second.digest, first.digest, 'the same seed: the same events, byte for byte');
  assert.notEqual(other.digest, first.digest, 'another seed: other losses');

  const virtualSeconds = first.seconds + second.seconds + other.seconds;
  console.log(`${first.lost} packets lost in ${first.seconds.toFixed(2)} s, trace ${first.digest}`);
  console.log(
    `three runs: ${virtualSeconds.toFixed(1)} s of virtual time, ${realSeconds.toFixed(1)} s of real time`,
  );
});
