import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Stack } from '../../src/stack/stack.ts';
import { formatTracerouteHop } from '../../src/tools/format-traceroute.ts';
import { type TracerouteOptions, traceroute } from '../../src/tools/traceroute.ts';
import { collect, path, twoStacks } from './fixture.ts';

/** The hops as traceroute prints them, without the times. */
async function route(stack: Stack, destination: string, options: TracerouteOptions = {}): Promise<string[]> {
  const hops = await collect(traceroute(stack, destination, options));
  return hops.map(hop => formatTracerouteHop(hop, true).replace(/ {2}\d+\.\d{3} ms/g, ' t'));
}

describe('traceroute', () => {
  it('finds every router and the destination', async () => {
    const { world, a } = path();
    assert.deepEqual(await world.run(route(a, '10.0.3.1')), [
      ' 1  10.0.1.254 t t t',
      ' 2  10.0.2.2 t t t',
      ' 3  10.0.3.1 t t t',
    ]);
    const [hop] = await world.run(collect(traceroute(a, '10.0.3.1')));
    assert.deepEqual(hop?.answers[0], { from: '10.0.1.254', rttUs: 1000, annotation: '', final: false });
    await world.runFor(10_000_000);
    assert.equal(world.pool.inUse, 0);
  });

  it('shows a router that says nothing as stars, and does not wait for it for long', async () => {
    const { world, a, r1 } = path();
    r1.hook('egress', packet => packet.protocol !== 1 || String(packet.src) !== '10.0.1.254');
    const startUs = world.nowUs;
    assert.deepEqual(await world.run(route(a, '10.0.3.1')), [
      ' 1  * * *',
      ' 2  10.0.2.2 t t t',
      ' 3  10.0.3.1 t t t',
    ]);
    // Ten times as long as the answers from behind it took, and not five seconds.
    assert.ok(world.nowUs - startUs < 100_000, String(world.nowUs - startUs));
    const patient = world.nowUs;
    await world.run(route(a, '10.0.3.1', { nearFactor: 0, waitUs: 2_000_000 }));
    assert.equal(Math.round((world.nowUs - patient) / 1e6), 2);
  });

  it('a router without a route ends it with !N', async () => {
    const { world, a, r2 } = path();
    assert.deepEqual(await world.run(route(a, '192.0.2.1')), [
      ' 1  10.0.1.254 t t t',
      ' 2  10.0.2.2 t !N t !N t !N',
    ]);
    assert.equal(r2.mib.IpExt.InNoRoutes > 0, true);
  });

  it('a host that is not there ends it with !H', async () => {
    const { world, a } = path();
    const [first, second, third] = await world.run(route(a, '10.0.3.77'));
    assert.equal(first, ' 1  10.0.1.254 t t t');
    assert.equal(second, ' 2  10.0.2.2 t t t');
    assert.match(third ?? '', /^ 3 {2}10\.0\.2\.2( t !H)+( \*)*$/);
    const { a: alone, world: small } = twoStacks();
    assert.deepEqual(await small.run(route(alone, '10.0.0.9')), [' 1  10.0.0.1 t !H t !H t !H']);
  });

  it('DF and a narrow path: !F with the MTU', async () => {
    const { world, a } = path(1000);
    assert.deepEqual(await world.run(route(a, '10.0.3.1', { dontFragment: true, size: 1200 })), [
      ' 1  10.0.1.254 t t t',
      ' 2  10.0.1.254 t !F-1000 t !F-1000 t !F-1000',
    ]);
    assert.deepEqual(await world.run(route(a, '10.0.3.1', { dontFragment: true, size: 1501 })), [
      ' 1  * !F-1500 * !F-1500 * !F-1500',
    ]);
    const [first] = await world.run(route(a, '10.0.3.1', { size: 1200 }));
    assert.equal(first, ' 1  10.0.1.254 t t t');
  });

  it('begins and ends where it is told to, with as many probes', async () => {
    const { world, a } = path();
    assert.deepEqual(await world.run(route(a, '10.0.3.1', { firstHop: 2, maxHops: 2, queries: 1 })), [
      ' 2  10.0.2.2 t',
    ]);
  });

  it('is answered by a program that listens at a port, too', async () => {
    const { world, a, b } = path();
    const server = b.udp({ port: 33440 });
    const serving = server
      .receive()
      .then(({ hostname, port }) => server.send(new Uint8Array(1), { hostname, port }));
    const hops = await world.run(route(a, '10.0.3.1'));
    assert.equal(hops.at(-1), ' 3  10.0.3.1 t t t');
    await world.run(serving);
    server.close();
  });

  it('ends when its signal aborts, and says what cannot be', async () => {
    const { world, a } = twoStacks();
    const controller = new AbortController();
    const aborted = collect(traceroute(a, '10.0.0.9', { signal: controller.signal }));
    aborted.catch(() => undefined);
    await world.runFor(500_000);
    controller.abort(new Error('enough'));
    await world.run(assert.rejects(aborted, { message: 'enough' }));
    assert.throws(() => traceroute(a, 'example.com'), { code: 'ENOTFOUND' });
    assert.throws(() => traceroute(a, '10.0.0.2', { maxHops: 256 }), RangeError);
    assert.throws(() => traceroute(a, '10.0.0.2', { size: 20 }), RangeError);
    await world.run(assert.rejects(collect(traceroute(a, '192.0.2.1')), { code: 'ENETUNREACH' }));
  });
});
