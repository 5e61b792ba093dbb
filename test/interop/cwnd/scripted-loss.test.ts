import assert from 'node:assert/strict';
import { it } from 'node:test';
import { Pattern } from '../../../src/sim/pattern.ts';
import { World } from '../../../src/sim/world.ts';
import { Receiver, Sender } from '../../golden/streams.ts';
import { ScriptedLoss } from './scripted-loss.ts';

it('scripted losses: each byte is lost once, and what is sent again gets through', () => {
  const world = new World();
  const [a, b] = [world.host('a'), world.host('b')];
  // Two of them in one segment of 1448 bytes, the first and the last byte of the stream.
  const positions = [0, 100_000, 100_100, 150_000, 299_999];
  const script = new ScriptedLoss(positions, () => world.nowUs / 1000);
  const cable = world.connect(a, b, { delayUs: 10_000, there: { delayUs: 10_000, drop: script.drop } });
  const pattern = new Pattern();
  const receiver = new Receiver(b, pattern);
  new Sender(a, pattern, '10.0.0.2').open(40_000, 300_000);
  while (receiver.ended === 0) world.clock.step();
  assert.equal(receiver.streams[0]?.bytes, 300_000);
  assert.equal(script.lostAtMs.length, 4);
  assert.equal(cable.counters.there.drop, 4);
  assert.equal(a.host.mib.Tcp.RetransSegs, 4, 'nothing else was sent again');
  world.close();
});
