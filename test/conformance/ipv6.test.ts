/**
 * What RFC 4861, 4862, 8200, 4443 and 8201 demand of every node, a case each: frames in, frames out, in virtual time.
 * test/interop/conformance.test.ts asks the Linux kernel the same.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CASES } from './cases/index.ts';
import { ourNode } from './our-node.ts';
import { Tester } from './tester.ts';

for (const [topic, cases] of Object.entries(CASES)) {
  describe(topic, () => {
    for (const { rule, name, node: options = {}, mute = false, play } of cases) {
      it(`${rule}: ${name}`, async () => {
        const node = ourNode(options);
        const tester = new Tester(node, !mute);
        try {
          await play(tester);
        } finally {
          node.close();
        }
      });
    }
  });
}

describe('the cases', () => {
  const all = Object.values(CASES).flat();

  it('are at least sixty, each with an RFC and a name of its own', () => {
    assert.ok(all.length >= 60, `${all.length}`);
    for (const { rule } of all) assert.match(rule, /^RFC \d+ section /);
    assert.equal(new Set(all.map(({ rule, name }) => `${rule} ${name}`)).size, all.length);
  });
});
