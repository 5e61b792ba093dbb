/** Bytes `start` to `end` (not included) of a representation. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** Ranges in one request; more, and the whole representation is sent (RFC 9110 section 17.15). */
export const MAX_RANGES = 32;

const SPEC = /^(\d{1,15})?-(\d{1,15})?$/;

/**
 * The ranges of a Range field that a representation of `size` bytes can satisfy (RFC 9110 section 14.2).
 * Null: ignore the field and send everything. An empty list: 416.
 */
export function parseRanges(field: string, size: number): ByteRange[] | null {
  const match = /^bytes[ \t]*=(.*)$/i.exec(field);
  if (match === null) return null;
  const specs = (match[1] as string).split(',').map(spec => spec.trim());
  if (specs.length > MAX_RANGES) return null;
  const ranges: ByteRange[] = [];
  let total = 0;
  for (const spec of specs) {
    if (spec === '') continue;
    const range = parseSpec(spec, size);
    if (range === 'malformed') return [];
    if (range === null) continue;
    ranges.push(range);
    total += range.end - range.start;
  }
  // Ranges that overlap so much that the whole is shorter: an attack, or a client that gains from the whole.
  return ranges.length > 1 && total > size ? null : ranges;
}

/** One range; null when it lies outside. nginx answers 416 to a malformed one, and so do we. */
function parseSpec(spec: string, size: number): ByteRange | null | 'malformed' {
  const match = SPEC.exec(spec);
  if (match === null || (match[1] === undefined && match[2] === undefined)) return 'malformed';
  if (match[1] === undefined) {
    const suffix = Number(match[2]);
    return suffix === 0 || size === 0 ? null : { start: Math.max(0, size - suffix), end: size };
  }
  const start = Number(match[1]);
  if (match[2] !== undefined && Number(match[2]) < start) return 'malformed';
  if (start >= size) return null;
  return { start, end: match[2] === undefined ? size : Math.min(Number(match[2]) + 1, size) };
}
