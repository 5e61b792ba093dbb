/**
 * Whole networks in virtual time: many hosts on a switch, a cable that is pulled, a host that talks to itself.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { turn } from '../../src/node/turn.ts';
import { World } from '../../src/sim/world.ts';
import { assertNothingLeft, exchange } from './transfer.ts';

test('six hosts on a switch, each with each other at once, over cables that lose packets', async () => {
  const world = new World({ seed: 11, turn });
  const lan = world.switch('lan');
  const hosts = [1, 2, 3, 4, 5, 6].map(n => world.host(`h${n}`));
  for (const host of hosts) world.connect(host, lan, { delayUs: 200, loss: 0.01, rate: 100e6 });
  const transfers = hosts.flatMap((client, i) =>
    hosts.flatMap((server, j) =>
      i === j ? [] : [exchange(client, server, `10.0.0.${j + 1}`, 50_000, 5000 + i * 10 + j)],
    ),
  );
  assert.equal(transfers.length, 30);
  await world.run(Promise.all(transfers));
  // The switch has learned where everyone is: almost nothing goes to all ports.
  assert.ok(lan.counters.flooded < lan.counters.forwarded / 10, JSON.stringify(lan.counters));
  await assertNothingLeft(world, ...hosts);
});

test('two switches with a cable between them', async () => {
  const world = new World({ seed: 12, turn });
  const [east, west] = [world.switch('east'), world.switch('west')];
  const [a, b] = [world.host('a'), world.host('b')];
  world.connect(east, west, { delayUs: 2000, loss: 0.02 });
  world.connect(a, east, { delayUs: 50 });
  world.connect(west, b, { delayUs: 50 });
  await world.run(exchange(a, b, '10.0.0.2', 300_000));
  await assertNothingLeft(world, a, b);
});

test('a cable is pulled in the middle of a transfer and put back 20 s later: the transfer goes on', async () => {
  const world = new World({ seed: 13, turn });
  const [a, b] = [world.host('a'), world.host('b')];
  const cable = world.connect(a, b, { delayUs: 1000, rate: 10e6 });
  const startUs = world.nowUs;
  const transfer = exchange(a, b, '10.0.0.2', 1_000_000);
  await world.runFor(300_000);
  cable.pull();
  await world.runFor(20_000_000);
  assert.ok(a.sockets().some(row => row.state === 'ESTABLISHED'));
  cable.plug();
  await world.run(transfer);
  assert.ok(world.nowUs - startUs > 20_000_000);
  await assertNothingLeft(world, a, b);
});

test('a cable that is pulled again and again', async () => {
  const world = new World({ seed: 14, turn });
  const [a, b] = [world.host('a'), world.host('b')];
  const cable = world.connect(a, b, { delayUs: 1000, rate: 10e6 });
  const transfer = exchange(a, b, '10.0.0.2', 2_000_000);
  for (let times = 0; times < 5; times++) {
    await world.runFor(200_000);
    cable.pull();
    await world.runFor(700_000);
    cable.plug();
  }
  await world.run(transfer);
  await assertNothingLeft(world, a, b);
});

for (const address of ['127.0.0.1', '10.0.0.1']) {
  test(`a host talks to itself by ${address}, and nothing of it is on the cable`, async () => {
    const world = new World({ seed: 15, turn });
    const a = world.host('a');
    const cable = world.connect(a, world.host('b'));
    await world.runFor(1_000_000);
    const before = cable.counters.there.passed;
    await world.run(exchange(a, a, address, 5_000_000));
    assert.equal(cable.counters.there.passed, before);
    await assertNothingLeft(world, a);
  });
}

test('a host without a network talks to itself', async () => {
  const world = new World({ seed: 16, turn });
  const alone = world.host('alone');
  await world.run(exchange(alone, alone, '127.0.0.1', 100_000));
  await assertNothingLeft(world, alone);
});

test('a thousand connections at once', async () => {
  const world = new World({ seed: 17, turn });
  const [a, b] = [world.host('a'), world.host('b')];
  world.connect(a, b, { delayUs: 1000, loss: 0.01 });
  const listener = b.listen({ port: 7, backlog: 1000 });
  const echo = (async () => {
    const served: Promise<void>[] = [];
    for await (const socket of listener) served.push(socket.readable.pipeTo(socket.writable));
    await Promise.all(served);
  })();
  const ask = async (n: number): Promise<void> => {
    const socket = a.connect({ hostname: '10.0.0.2', port: 7 });
    const writer = socket.writable.getWriter();
    void writer.write(new TextEncoder().encode(`number ${n}`)).then(() => writer.close());
    const chunks: Uint8Array[] = [];
    for await (const chunk of socket.readable) chunks.push(chunk);
    assert.equal(Buffer.concat(chunks).toString(), `number ${n}`);
    await socket.closed;
  };
  await world.run(Promise.all(Array.from({ length: 1000 }, (_, n) => ask(n))));
  listener.close();
  await world.run(echo);
  await assertNothingLeft(world, a, b);
});
