import assert from 'node:assert/strict';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { turn } from '../../src/node/turn.ts';
import { type Family, judge } from '../../src/packetdrill/index.ts';
import { filesUnder, readText } from '../support/repository.ts';
import { headOf } from './head.ts';

const FOLDER = 'test/packetdrill/scripts';
/** So close to 2^32 that a few segments cross it. */
const NEAR_THE_END = 0xfffffe00;

describe('own packetdrill scripts', () => {
  const paths = filesUnder(FOLDER, '.pkt');

  for (const path of paths) {
    describe(path, () => {
      const text = readText(path);
      const { house, problems } = headOf(text);
      const run = async (family: Family, iss?: number): Promise<void> => {
        const readFile = (name: string): string => readText(join(dirname(path), name));
        const { result, reason, details } = await judge(path, text, {
          turn,
          family,
          house,
          strict: true,
          readFile,
          ...(iss === undefined ? {} : { iss }),
        });
        assert.equal(result, 'pass', [`${result}: ${reason}`, ...details].join('\n'));
      };

      it('says what it proves, by which rule, and what Linux does', () => assert.deepEqual(problems, []));
      if (!path.endsWith('v6.pkt')) it('comes true', () => run('ipv4'));
      if (!path.endsWith('v6.pkt'))
        it('comes true with our sequence numbers across 2^32', () => run('ipv4', NEAR_THE_END));
      if (!path.endsWith('v4.pkt')) it('comes true over IPv6', () => run('ipv6'));
    });
  }
});
