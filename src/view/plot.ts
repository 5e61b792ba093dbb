/**
 * A line over time as text, for a terminal.
 * @module
 */

/** How a plot looks. */
export interface PlotOptions {
  readonly title: string;
  /** Of the values, for the axis. */
  readonly unit: string;
  /** Columns and lines of the drawing without its axes. Default 84 and 16. */
  readonly width?: number;
  readonly height?: number;
}

/** Columns of the labels at the left axis. */
const LABEL_WIDTH = 12;

/**
 * Draws a value that changes at times (microseconds, ascending) and holds in between: one column is a span of time, its
 * bar goes from the smallest to the largest value in it, the one it began with included. At most LABEL_WIDTH + 2 +
 * width columns.
 */
export function formatPlot(
  points: readonly (readonly [atUs: number, value: number])[],
  options: PlotOptions,
): string[] {
  const { title, unit, width = 84, height = 16 } = options;
  const firstUs = points[0]?.[0] ?? 0;
  const spanUs = Math.max(1, (points.at(-1)?.[0] ?? 0) - firstUs);
  const top = Math.max(1, ...points.map(([, value]) => value));
  const row = (value: number): number => Math.round((value / top) * (height - 1));
  const columns = spread(points, firstUs, spanUs, width);
  const lines: string[] = [title, ''];
  for (let y = height - 1; y >= 0; y--) {
    const labelled = y === height - 1 || y === 0 || y === Math.round((height - 1) / 2);
    const label = labelled ? `${Math.round((top * y) / (height - 1))} ${unit}` : '';
    const bar = columns.map(column =>
      column !== null && row(column.low) <= y && y <= row(column.high) ? '#' : ' ',
    );
    lines.push(`${label.padStart(LABEL_WIDTH)} |${bar.join('').trimEnd()}`);
  }
  lines.push(`${' '.repeat(LABEL_WIDTH)} +${'-'.repeat(width)}`);
  const from = `${(firstUs / 1e6).toFixed(2)} s`;
  const to = `${((firstUs + spanUs) / 1e6).toFixed(2)} s`;
  lines.push(`${' '.repeat(LABEL_WIDTH + 2)}${from}${to.padStart(width - from.length)}`);
  return lines;
}

interface Column {
  low: number;
  high: number;
}

/** What the value was during each column's span of time; null before the first. */
function spread(
  points: readonly (readonly [number, number])[],
  firstUs: number,
  spanUs: number,
  width: number,
): (Column | null)[] {
  const columns: (Column | null)[] = new Array<null>(width).fill(null);
  let before: number | null = null;
  let next = 0;
  for (let x = 0; x < width; x++) {
    const endUs = firstUs + ((x + 1) * spanUs) / width;
    let column = before === null ? null : { low: before, high: before };
    for (; next < points.length && ((points[next]?.[0] ?? 0) < endUs || x === width - 1); next++) {
      const value: number = points[next]?.[1] ?? 0;
      column = { low: Math.min(column?.low ?? value, value), high: Math.max(column?.high ?? value, value) };
      before = value;
    }
    columns[x] = column;
  }
  return columns;
}
