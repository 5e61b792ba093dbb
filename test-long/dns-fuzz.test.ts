import { test } from 'node:test';
import { fuzzDns } from '../test/dns/fuzz.ts';

test('a million mutated DNS messages with a fresh seed', async t => {
  const seed = Math.floor(Math.random() * 0x100000000);
  t.diagnostic(`seed ${seed}`);
  const { found, answered } = await fuzzDns(1_000_000, seed);
  t.diagnostic(`${found} lookups found something, ${answered} questions were answered`);
});
