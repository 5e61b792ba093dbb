import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatPlot } from '../../src/view/plot.ts';

test('a rising line', () => {
  const points = [0, 1, 2, 3].map(i => [i * 1e6, i * 10] as const);
  const lines = formatPlot(points, { title: 'Rise', unit: 'KB', width: 4, height: 4 });
  assert.deepEqual(lines, [
    'Rise',
    '',
    '       30 KB |   #',
    '       20 KB |  ##',
    '             | ##',
    '        0 KB |##',
    '             +----',
    '              0.00 s3.00 s',
  ]);
});

test('a value holds until it changes, and a step is drawn as a bar', () => {
  const lines = formatPlot(
    [
      [0, 2],
      [5e6, 1],
      [10e6, 1],
    ],
    { title: '', unit: 's', width: 10, height: 3 },
  );
  assert.equal(lines[2], '         2 s |######');
  assert.equal(lines[3], '         1 s |     #####');
});

test('no points, one point, all the same: a plot of the same size', () => {
  for (const points of [
    [],
    [[5, 7]],
    [
      [0, 0],
      [1e6, 0],
    ],
  ] as [number, number][][]) {
    const lines = formatPlot(points, { title: 't', unit: 'x' });
    assert.equal(lines.length, 16 + 4);
    for (const line of lines) assert.ok(line.length <= 100, line);
    assert.doesNotMatch(lines.join('\n'), /NaN|Infinity/);
  }
});
