import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { wrap } from '../../src/view/wrap.ts';

test('short lines stay as they are', () => {
  assert.deepEqual(wrap('abc', 100), ['abc']);
  assert.deepEqual(wrap('', 100), ['']);
  assert.deepEqual(wrap('x'.repeat(300), 0), ['x'.repeat(300)]);
});

test('long lines are broken at blanks and indented', () => {
  assert.deepEqual(wrap('one two three four', 10, '  '), ['one two', '  three', '  four']);
  assert.deepEqual(wrap('abcdefghijklmnop', 10, '  '), ['abcdefghij', '  klmnop']);
});

test('no line is longer than asked for, and nothing but blanks is lost', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[ a-z]{0,200}$/), fc.integer({ min: 12, max: 60 }), (line, columns) => {
      const lines = wrap(line, columns);
      for (const each of lines) assert.ok(each.length <= columns, each);
      assert.equal(lines.join('').replaceAll(' ', ''), line.replaceAll(' ', ''));
    }),
  );
});
