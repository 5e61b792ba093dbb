import type { Course } from './journey.ts';
import type { Sample } from './program.ts';

/** A picture of two windows over time. */
export interface Picture {
  readonly title: string;
  readonly seconds: number;
  readonly linux: Course;
  readonly ours: Course;
}

const WIDTH = 860;
const HEIGHT = 380;
/** The drawing within its axes. */
const LEFT = 56;
const RIGHT = 844;
const TOP = 62;
const BOTTOM = 340;
const TICKS = 6;
/** A threshold that was never set, and far above any window. */
const UNSET = 1e6;
const LINUX = '#f2a93b';
const OURS = '#1b4f9c';
const LOSS = '#c8102e';

/** Draws windows and thresholds as SVG: Linux's as a broad line, ours as a thin one on top of it, losses below. */
export function drawPicture(picture: Picture): string {
  const { title, seconds, linux, ours } = picture;
  const most = Math.max(...[...linux.samples, ...ours.samples].map(({ cwnd }) => cwnd));
  const step = gridStep(most);
  const top = Math.ceil(most / step) * step;
  const x = (at: number): number => LEFT + (Math.min(at, seconds) / seconds) * (RIGHT - LEFT);
  const y = (cwnd: number): number => BOTTOM - (Math.min(cwnd, top) / top) * (BOTTOM - TOP);
  const line = (samples: readonly Sample[], value: (sample: Sample) => number, style: string): string =>
    `<path d="${steps(samples, value, x, y)}" fill="none" ${style}/>`;
  const cwnd = ({ cwnd }: Sample): number => cwnd;
  const threshold = ({ ssthresh }: Sample): number => (ssthresh > UNSET ? Number.NaN : ssthresh);
  const thin = 'stroke-width="1" stroke-dasharray="3 4"';
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">`,
    `<title>${title}</title>`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`,
    `<text x="${LEFT}" y="20" font-size="14" font-weight="bold">${title}</text>`,
    ...legend(),
    ...axes(seconds, top, step, x, y),
    ...linux.lostAt.map(at => lossMark(x(at), LINUX, 5)),
    ...ours.lostAt.map(at => lossMark(x(at), LOSS, 1.5)),
    line(linux.samples, threshold, `stroke="${LINUX}" ${thin}`),
    line(ours.samples, threshold, `stroke="${OURS}" ${thin} stroke-dashoffset="3.5"`),
    line(linux.samples, cwnd, `stroke="${LINUX}" stroke-width="6" stroke-linejoin="round"`),
    line(ours.samples, cwnd, `stroke="${OURS}" stroke-width="1.5"`),
    '</svg>',
    '',
  ].join('\n');
}

/** Between two lines of the grid: the least of 1, 2, 5 times a power of ten that leaves at most TICKS lines. */
function gridStep(most: number): number {
  for (let unit = 1; ; unit *= 10)
    for (const factor of [1, 2, 5]) if (unit * factor * TICKS >= most) return unit * factor;
}

function lossMark(x: number, colour: string, width: number): string {
  return `<path d="M${x.toFixed(1)} ${BOTTOM + 1}v10" stroke="${colour}" stroke-width="${width}"/>`;
}

function legend(): string[] {
  const items: [string, string, number][] = [
    ['Linux', LINUX, 6],
    ['Ethertype', OURS, 1.5],
    ['lost', LOSS, 1.5],
  ];
  const entries = items.map(([name, colour, width], index) => {
    const at = LEFT + index * 110;
    return `<path d="M${at} 40h24" stroke="${colour}" stroke-width="${width}"/><text x="${at + 30}" y="44">${name}</text>`;
  });
  const text = 'full lines: window in segments; broken lines: threshold';
  return [...entries, `<text x="${RIGHT}" y="44" text-anchor="end" fill="#555">${text}</text>`];
}

function axes(
  seconds: number,
  top: number,
  step: number,
  x: (at: number) => number,
  y: (cwnd: number) => number,
): string[] {
  const lines: string[] = [];
  for (let value = 0; value <= top; value += step) {
    const at = y(value).toFixed(1);
    lines.push(`<path d="M${LEFT} ${at}H${RIGHT}" stroke="${value === 0 ? '#333' : '#ddd'}"/>`);
    lines.push(`<text x="${LEFT - 8}" y="${at}" dy="4" text-anchor="end">${value}</text>`);
  }
  const every = seconds > 12 ? 2 : 1;
  for (let at = 0; at <= seconds; at += every) {
    const text = at + every > seconds ? `${at} s` : `${at}`;
    lines.push(`<text x="${x(at).toFixed(1)}" y="${BOTTOM + 28}" text-anchor="middle">${text}</text>`);
  }
  return lines;
}

/** A line that holds each value until the next: path data, a corner for each change that can be seen. */
function steps(
  samples: readonly Sample[],
  value: (sample: Sample) => number,
  x: (at: number) => number,
  y: (cwnd: number) => number,
): string {
  let path = '';
  let drawn = '';
  for (const sample of samples) {
    const to = y(value(sample)).toFixed(1);
    if (to === drawn) continue;
    const at = x(sample.at).toFixed(1);
    if (to === 'NaN') path += drawn === '' ? '' : `H${at}`;
    else path += drawn === '' || drawn === 'NaN' ? `M${at} ${to}` : `H${at}V${to}`;
    drawn = to;
  }
  const last = samples.at(-1);
  return last === undefined || drawn === 'NaN' ? path : `${path}H${x(last.at).toFixed(1)}`;
}
