import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatHttpDate, parseHttpDate } from '../../src/http/date.ts';

test('the three forms of a date mean the same moment', () => {
  const moment = 784_111_777_000;
  assert.equal(parseHttpDate('Sun, 06 Nov 1994 08:49:37 GMT'), moment);
  assert.equal(parseHttpDate('Sunday, 06-Nov-94 08:49:37 GMT'), moment);
  assert.equal(parseHttpDate('Sun Nov  6 08:49:37 1994'), moment);
  assert.equal(formatHttpDate(moment), 'Sun, 06 Nov 1994 08:49:37 GMT');
});

test('formatting agrees with the platform for four hundred years and more', () => {
  fc.assert(
    fc.property(fc.integer({ min: -30_000_000_000, max: 30_000_000_000 }), seconds => {
      const text = formatHttpDate(seconds * 1000);
      assert.equal(text, new Date(seconds * 1000).toUTCString());
      assert.equal(parseHttpDate(text), seconds * 1000);
    }),
  );
});

test('what is no date is null', () => {
  const wrong = [
    '',
    'now',
    'Sun, 06 Nov 1994 08:49:37',
    'Sun, 06 Nvo 1994 08:49:37 GMT',
    'Sun, 32 Nov 1994 08:49:37 GMT',
  ];
  for (const text of [...wrong, 'Sun, 06 Nov 1994 24:00:00 GMT', '784111777'])
    assert.equal(parseHttpDate(text), null, text);
});
