/**
 * The cases of test/conformance, asked of the Linux kernel: what they say of a node is what a node does. Many at
 * once, since each waits most of its time.
 */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { CASES } from '../conformance/cases/index.ts';
import { linuxNode, type PreparedNode } from '../conformance/linux-node.ts';
import { type Case, Tester } from '../conformance/tester.ts';
import { skipUnless } from './support/skip.ts';

/** So many at once: more would keep each other from being in time. */
const AT_ONCE = 32;
/** A kernel that is left alone for so long has done what it does at the begin. */
const SETTLE_MS = 200;

/** Null when the kernel does what the case says, else what it does instead. */
async function ask(
  { mute = false, node: options = {}, play }: Case,
  { node, begin }: PreparedNode,
): Promise<string | null> {
  try {
    const tester = new Tester(node, !mute);
    begin();
    if ((options.dadTransmits ?? 0) === 0 && (options.routerSolicitations ?? 0) === 0)
      await tester.pass(SETTLE_MS);
    await play(tester);
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    node.close();
  }
}

async function askAll(cases: readonly Case[]): Promise<(string | null)[]> {
  const nodes = cases.map(({ node = {} }) => linuxNode(node));
  return Promise.all(cases.map((each, i) => ask(each, nodes[i] as PreparedNode)));
}

it('the kernel does what the cases of test/conformance say', {
  skip: skipUnless(),
  timeout: 120_000,
}, async () => {
  const cases = Object.values(CASES).flat();
  const asked = cases.filter(({ notLinux }) => notLinux === undefined);
  assert.ok(asked.length > cases.length / 2);
  const wrong: string[] = [];
  for (let at = 0; at < asked.length; at += AT_ONCE) {
    const some = asked.slice(at, at + AT_ONCE);
    const answers = await askAll(some);
    some.forEach(({ rule, name }, i) => {
      if (answers[i] !== null) wrong.push(`${rule}: ${name}: ${answers[i]}`);
    });
  }
  assert.deepEqual(wrong, []);
});
