/**
 * A host whose link takes super-segments and leaves out checksums, as a TAP device does, behind a switch with plain
 * cables.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createCable } from '../../src/link/cable.ts';
import { LearningSwitch } from '../../src/link/switch.ts';
import { turn } from '../../src/node/turn.ts';
import { World } from '../../src/sim/world.ts';
import { exchange } from './transfer.ts';

test('a switch cuts super-segments and finishes checksums for the ports that need it', async () => {
  const world = new World({ seed: 5, turn });
  const [a, b] = [world.host('a'), world.host('b')];
  const env = world.clock.env(1);
  const lan = new LearningSwitch(env);
  const [fast, uplink] = createCable(env, { offloads: { gsoMaxSize: 65535, checksum: true } });
  a.attach(fast, { address: '10.0.0.1/24' });
  lan.attach(uplink);
  b.attach(lan.port({ delayUs: 100 }), { address: '10.0.0.2/24' });
  const longest = { a: 0, b: 0 };
  a.hook('egress', packet => {
    longest.a = Math.max(longest.a, packet.length);
    return true;
  });
  b.hook('ingress', packet => {
    longest.b = Math.max(longest.b, packet.length);
    return true;
  });
  await world.run(exchange(a, b, '10.0.0.2', 2_000_000));
  assert.ok(longest.a > 10_000, `${longest.a} bytes`);
  assert.equal(longest.b, 1514);
  assert.equal(b.mib.Tcp.InCsumErrors, 0);
  assert.equal(a.mib.Tcp.RetransSegs, 0);
  assert.equal(lan.counters.dropped, 0);
  world.close();
});
