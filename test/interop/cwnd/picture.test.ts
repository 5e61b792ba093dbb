import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { Course } from './journey.ts';
import { drawPicture } from './picture.ts';

it('a picture: corners where the window changes, the threshold once there is one, a tick for each loss', () => {
  const course = (lostAt: number[], ...rows: [at: number, cwnd: number, ssthresh: number][]): Course => ({
    samples: rows.map(([at, cwnd, ssthresh]) => ({ at, acked: 0, cwnd, ssthresh })),
    lostAt,
    goodput: 0,
  });
  const svg = drawPicture({
    title: 'two',
    seconds: 4,
    linux: course([1, 2], [0, 10, 0x7fffffff], [1, 10, 0x7fffffff], [2, 20, 0x7fffffff], [3, 10, 10]),
    ours: course([1], [0, 30, 0x7fffffff], [4, 30, 0x7fffffff]),
  });
  // 197 units a second from 56, 278 for 30 segments up from 340.
  assert.match(
    svg,
    /d="M56\.0 247\.3H450\.0V154\.7H647\.0V247\.3H647\.0" fill="none" stroke="#f2a93b" stroke-width="6"/,
  );
  assert.match(svg, /d="M56\.0 62\.0H844\.0" fill="none" stroke="#1b4f9c" stroke-width="1\.5"/);
  assert.match(svg, /d="M647\.0 247\.3H647\.0" fill="none" stroke="#f2a93b" stroke-width="1"/);
  assert.equal(svg.match(/v10" stroke="#f2a93b"/g)?.length, 2);
  assert.equal(svg.match(/v10" stroke="#c8102e"/g)?.length, 1);
  assert.doesNotMatch(svg, /NaN|Infinity|undefined/);
});
