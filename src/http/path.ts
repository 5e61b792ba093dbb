/**
 * The path of a request target, decoded and normalised as nginx does before it looks for a file: percent-encoding
 * undone, repeated slashes merged, '.' and '..' resolved. Null when it is malformed, has a NUL, or climbs above the
 * root.
 */
export function normalizePath(target: string): string | null {
  const path = decodePercent(pathOf(target));
  if (path === null || !path.startsWith('/') || path.includes('\0')) return null;
  const kept: string[] = [];
  const segments = path.split('/');
  for (const segment of segments) {
    if (segment === '' || segment === '.') continue;
    if (segment !== '..') kept.push(segment);
    else if (kept.pop() === undefined) return null;
  }
  const last = segments[segments.length - 1];
  const folder = last === '' || last === '.' || last === '..';
  return kept.length === 0 ? '/' : `/${kept.join('/')}${folder ? '/' : ''}`;
}

/** The query of a request target with its '?', or ''. */
export function queryOf(target: string): string {
  const question = target.indexOf('?');
  return question < 0 ? '' : target.slice(question);
}

const ABSOLUTE_FORM = /^[A-Za-z][A-Za-z0-9+.-]*:\/\/[^/?#]*/;

function pathOf(target: string): string {
  const origin = target.startsWith('/') ? target : target.replace(ABSOLUTE_FORM, '');
  const end = origin.search(/[?#]/);
  const path = end < 0 ? origin : origin.slice(0, end);
  return path === '' && origin !== target ? '/' : path;
}

const HEX_PAIR = /^[0-9A-Fa-f]{2}$/;

/** Undoes percent-encoding; the bytes are read as UTF-8. Null when it is malformed. */
function decodePercent(path: string): string | null {
  const bytes: number[] = [];
  for (let i = 0; i < path.length; i++) {
    if (path[i] !== '%') {
      bytes.push(path.charCodeAt(i));
      continue;
    }
    const pair = path.slice(i + 1, i + 3);
    if (!HEX_PAIR.test(pair)) return null;
    bytes.push(Number.parseInt(pair, 16));
    i += 2;
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Uint8Array.from(bytes));
  } catch {
    return null;
  }
}
