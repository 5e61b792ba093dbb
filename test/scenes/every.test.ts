import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatScene } from '../../src/cli/scene/report.ts';
import { SCENES } from '../../src/scenes/index.ts';
import { parseFrame } from '../../src/trace/frame.ts';
import { readText } from '../support/repository.ts';
import { played, sceneNamed } from './played.ts';

/** The scenes that issue and documentation promise. */
const PROMISED = [
  'loss-and-retransmit',
  'out-of-order',
  'zero-window',
  'delayed-ack-and-nagle',
  'slow-start',
  'syn-flood',
  'accept-queue-overflow',
  'close-wait-pile-up',
  'fin-wait-2-stuck',
  'time-wait-pile-up',
  'simultaneous-open',
  'simultaneous-close',
  'listen-to-syn-sent',
  'sticky-packets',
  'cable-pulled',
  'fragmentation',
  'arp',
];

const COLUMNS = 100;

describe('the scenes', () => {
  it('are those that were promised', () => {
    assert.deepEqual(SCENES.map(({ name }) => name).sort(), [...PROMISED].sort());
  });
  it('are all described in docs/SCENES.md', () => {
    const text = readText('docs/SCENES.md');
    for (const name of PROMISED) assert.ok(text.includes(`\`${name}\``), name);
  });
});

for (const ipv6 of [false, true]) {
  for (const { name } of SCENES) {
    const scene = sceneNamed(name, ipv6);
    describe(`${scene.name} over IPv${ipv6 ? 6 : 4}`, () => {
      it('is the same each time, and leaves nothing behind', async () => {
        const first = await played(scene.name, 1, ipv6);
        const second = await played(scene.name, 1, ipv6);
        assert.ok(first.events.length > 0);
        assert.equal(JSON.stringify(first.events), JSON.stringify(second.events));
        assert.equal(formatScene(scene, first), formatScene(scene, second));
        assert.equal(first.timersLeft, 0);
        assert.equal(first.packetsLeft, 0);
      });

      it('marks events of its own and shows every mark, within the columns, with any seed', async () => {
        for (const seed of [1, 2, 3]) {
          const result = await played(scene.name, seed, ipv6);
          const { notes, seen } = result.story;
          assert.ok(notes.size > 0);
          for (const event of notes.keys()) assert.ok(result.events.includes(event));
          const lines = formatScene(scene, result).split('\n');
          for (const line of lines) assert.ok(line.length <= COLUMNS, line);
          assert.equal(lines.filter(line => line.startsWith('*')).length, notes.size);
          assert.doesNotMatch(seen, /undefined|NaN|Infinity| -\d|null/);
        }
      });
    });
  }
}

describe('over IPv6', () => {
  it('a scene marks as many events as over IPv4, and no packet is of IPv4', async () => {
    for (const { name, overIpv6 } of SCENES) {
      const six = await played(name, 1, true);
      if (overIpv6 === undefined)
        assert.equal(six.story.notes.size, (await played(name)).story.notes.size, name);
      for (const event of six.events) {
        if (event.type !== 'packet') continue;
        const { ip, arp } = parseFrame(event);
        assert.ok(ip === null && arp === null, name);
      }
    }
  });
});
