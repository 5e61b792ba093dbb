/**
 * What a user of the high-level API sees when a connection does not come about, or breaks.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Sysctl } from '../../src/core/sysctl.ts';
import { turn } from '../../src/node/turn.ts';
import { World } from '../../src/sim/world.ts';
import { assertNothingLeft, ip } from './transfer.ts';

function pair(sysctl: Partial<Sysctl> = {}) {
  const world = new World({ seed: 21, turn, sysctl });
  const a = world.host('a');
  const b = world.host('b');
  const cable = world.connect(a, b, { delayUs: 1000 });
  return { world, a, b, cable };
}

const SECOND = 1_000_000;

test('nobody listens: ECONNREFUSED, at once, on opened, closed and both streams', async () => {
  const { world, a, b } = pair();
  const startUs = world.nowUs;
  const socket = a.connect('10.0.0.2:81');
  const refused = {
    name: 'SocketError',
    code: 'ECONNREFUSED',
    syscall: 'connect',
    address: '10.0.0.2',
    port: 81,
    message: 'connect ECONNREFUSED 10.0.0.2:81',
  };
  const reading = socket.readable.getReader().read();
  const writing = socket.writable.getWriter().write(new Uint8Array(1));
  const all = [socket.opened, socket.closed, reading, writing];
  await world.run(Promise.all(all.map(promise => assert.rejects(promise as Promise<unknown>, refused))));
  assert.ok(world.nowUs - startUs < SECOND);
  await assertNothingLeft(world, a, b);
});

test('nobody has the address: EHOSTUNREACH after three questions', async () => {
  const { world, a, b } = pair();
  const startUs = world.nowUs;
  const { opened } = a.connect({ hostname: '10.0.0.77', port: 80 });
  await world.run(assert.rejects(opened, { code: 'EHOSTUNREACH' }));
  const seconds = (world.nowUs - startUs) / SECOND;
  assert.ok(seconds >= 3 && seconds < 4.1, `${seconds} s`);
  await assertNothingLeft(world, a, b);
});

test('no route: ENETUNREACH without a packet', async () => {
  const { world, a, b } = pair();
  await world.run(assert.rejects(a.connect('192.0.2.1:80').opened, { code: 'ENETUNREACH' }));
  assert.equal(a.mib.Tcp.OutSegs, 0);
  await assertNothingLeft(world, a, b);
});

test('a router has no route: its ICMP error ends the connect', async () => {
  const { world, a, b } = pair({ ip_forward: true });
  a.ip.routes.addDefault(ip('10.0.0.2'));
  const startUs = world.nowUs;
  await world.run(assert.rejects(a.connect('192.0.2.1:80').opened, { code: 'ENETUNREACH' }));
  assert.ok(world.nowUs - startUs < SECOND);
  await assertNothingLeft(world, a, b);
});

test('packets vanish: ETIMEDOUT after tcp_syn_retries', async () => {
  const { world, a, b, cable } = pair({ tcp_syn_retries: 2, tcp_syn_linear_timeouts: 0 });
  await world.runFor(SECOND);
  let syns = 0;
  const drop = (): boolean => ++syns > 0;
  // Only TCP is lost: the address is known.
  b.hook('ingress', packet => packet.protocol !== 6 || !drop());
  const startUs = world.nowUs;
  await world.run(assert.rejects(a.connect('10.0.0.2:80').opened, { code: 'ETIMEDOUT' }));
  assert.equal(syns, 3);
  assert.equal(Math.round((world.nowUs - startUs) / SECOND), 7);
  assert.equal(cable.counters.there.loss, 0);
  await assertNothingLeft(world, a, b);
});

test('the cable is pulled for good: the transfer ends with ETIMEDOUT', async () => {
  const { world, a, b, cable } = pair({ tcp_retries2: 5 });
  const accepting = b.listen({ port: 80 }).accept();
  const socket = a.connect('10.0.0.2:80');
  await world.run(socket.opened);
  const writing = (async () => {
    const writer = socket.writable.getWriter();
    for (;;) await writer.write(new Uint8Array(10_000));
  })();
  await world.runFor(100_000);
  cable.pull();
  await world.run(assert.rejects(writing, { code: /^(ETIMEDOUT|EHOSTUNREACH)$/ }));
  await assert.rejects(socket.closed, { code: /^(ETIMEDOUT|EHOSTUNREACH)$/ });
  (await accepting).abort();
  world.close();
});

test('the peer aborts: ECONNRESET for the reader, and closed rejects', async () => {
  const { world, a, b } = pair();
  const listener = b.listen({ port: 80 });
  const socket = a.connect('10.0.0.2:80');
  const reading = socket.readable.getReader().read();
  (await world.run(listener.accept())).abort();
  await world.run(assert.rejects(reading, { code: 'ECONNRESET' }));
  await world.run(assert.rejects(socket.closed, { code: 'ECONNRESET' }));
  listener.close();
  await assertNothingLeft(world, a, b);
});

test('a signal ends a connect that waits, with the reason of the signal', async () => {
  const { world, a, b } = pair();
  const controller = new AbortController();
  const { opened, closed } = a.connect({ hostname: '10.0.0.77', port: 80 }, { signal: controller.signal });
  await world.runFor(SECOND);
  const reason = new Error('enough');
  controller.abort(reason);
  await world.run(assert.rejects(opened, reason));
  await world.run(assert.rejects(closed, reason));
  await assertNothingLeft(world, a, b);
});

test('a port is taken: listen throws EADDRINUSE', async () => {
  const { world, a, b } = pair();
  const listener = a.listen({ port: 80 });
  assert.throws(() => a.listen({ port: 80 }), {
    code: 'EADDRINUSE',
    message: 'listen EADDRINUSE: address already in use 0.0.0.0:80',
  });
  listener.close();
  a.listen({ port: 80 }).close();
  await assertNothingLeft(world, a, b);
});

test('what cannot be an address throws', () => {
  const { world, a } = pair();
  assert.throws(() => a.connect({ hostname: 'example.com', port: 80 }), { code: 'ENOTFOUND' });
  assert.throws(() => a.connect({ hostname: '10.0.0.2', port: 65536 }), { code: 'EINVAL' });
  world.close();
});
