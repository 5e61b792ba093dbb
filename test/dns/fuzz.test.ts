import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fuzzDns } from './fuzz.ts';

test('20,000 mutated DNS messages into a resolver and a server: no exception, no growth, nothing left', async () => {
  const { packets, found, answered } = await fuzzDns(20_000, 20261122);
  assert.ok(packets >= 20_000);
  assert.ok(
    found > 100 && answered > 1000,
    `${found} found, ${answered} answered: they go on working meanwhile`,
  );
});
