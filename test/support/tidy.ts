/**
 * The rules of the house that a machine can check. Each takes scanned files and returns lines `file:line: what`.
 * @module
 */
import { posix } from 'node:path';
import type { Source } from './source.ts';

/** Folders in order: each may import those before it. */
const ORDER = [
  'base',
  'wire',
  'trace',
  'core',
  'link',
  'net',
  'tcp',
  'datagram',
  'udp',
  'dhcp',
  'icmp',
  'transport',
  'socket',
  'stack',
  'tools',
  'dns',
  'http',
  'sim',
  'packetdrill',
  'scenes',
];

/** Side wings: nothing of the order imports them, and they import only these. */
const WINGS: Record<string, readonly string[]> = {
  pcap: ['base', 'wire'],
  dissect: ['base', 'wire'],
  view: ['base', 'wire', 'trace', 'dissect', 'pcap'],
};

/** Folders that touch the outside world and may import any other. */
const OUTSIDE: ReadonlySet<string> = new Set(['node', 'web', 'cli']);

/** The packages from the registry, and the one folder that may import each. */
const PACKAGES: Record<string, readonly string[]> = {
  '@dnsquery/dns-packet': ['dns'],
  'http-parser-js': ['http'],
  mrmime: ['http'],
  commander: ['cli'],
  koffi: ['node'],
};

/** Global names that would tie the core to one runtime, to the wall clock or to chance. */
const BANNED_GLOBALS = [
  'Date',
  'performance',
  'setTimeout',
  'setInterval',
  'setImmediate',
  'queueMicrotask',
  'console',
  'process',
  'Buffer',
  'globalThis',
  'eval',
];

/** Files that are tables and may be longer than the limit, with the reason. */
export const LONG_FILES: Record<string, string> = {
  'src/core/mib.ts': 'one counter a line',
};

export const FILE_LINES_MAX = 500;
export const FUNCTION_LINES_MAX = 70;
export const LINE_WIDTH_MAX = 120;

/** The folder of src/ a file lies in; '' for a file of src/ itself. */
function folderOf(path: string): string {
  const parts = path.split('/');
  return parts[0] === 'src' && parts.length > 2 ? (parts[1] as string) : '';
}

/** Whether a file is part of the core: everything in src/ but the folders that touch the outside world. */
function inCore(path: string): boolean {
  return (
    path.startsWith('src/') &&
    !OUTSIDE.has(folderOf(path)) &&
    !path.endsWith('.d.ts') &&
    folderOf(path) !== ''
  );
}

function report(source: Source, line: number, what: string): string {
  return `${source.path}:${line}: ${what}`;
}

/** Imports go upwards only, packages and Node's modules only where they belong. */
export function checkLayers(sources: readonly Source[]): string[] {
  const problems: string[] = [];
  for (const source of sources) {
    const folder = folderOf(source.path);
    if (!source.path.startsWith('src/')) continue;
    for (const { line, specifier } of source.imports()) {
      const why = specifier.startsWith('.')
        ? layerProblem(source.path, folder, specifier)
        : packageProblem(folder, specifier);
      if (why !== null) problems.push(report(source, line, why));
    }
  }
  return problems;
}

function layerProblem(path: string, folder: string, specifier: string): string | null {
  if (!specifier.endsWith('.ts')) return `import of '${specifier}' does not end in .ts`;
  const target = posix.join(posix.dirname(path), specifier);
  if (!target.startsWith('src/')) return `import of '${target}' leaves src/`;
  const to = folderOf(target);
  if (to === folder || folder === '' || OUTSIDE.has(folder)) return null;
  if (to === '') return `${folder}/ imports '${target}': only node/, web/ and cli/ may import from the top`;
  const allowed = WINGS[folder] ?? ORDER.slice(0, Math.max(0, ORDER.indexOf(folder)));
  if (!(folder in WINGS) && !ORDER.includes(folder)) return `folder src/${folder}/ has no place in the order`;
  return allowed.includes(to) ? null : `upward import: ${folder}/ may not import ${to}/ ('${specifier}')`;
}

function packageProblem(folder: string, specifier: string): string | null {
  if (specifier.startsWith('node:')) {
    return folder === 'node' || folder === 'cli'
      ? null
      : `'${specifier}' may be imported in node/ and cli/ only`;
  }
  const name = specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
  const folders = PACKAGES[name];
  if (folders === undefined) return `package '${name}' may not be imported`;
  return folders.includes(folder) ? null : `package '${name}' may be imported in ${folders.join(', ')}/ only`;
}

/** No file imports itself by way of others. Imports of types alone are gone at run time and do not count. */
export function checkCycles(sources: readonly Source[]): string[] {
  const byPath = new Map(sources.map(source => [source.path, source]));
  const done = new Set<string>();
  const problems: string[] = [];
  const visit = (path: string, trail: readonly string[]): void => {
    const begin = trail.indexOf(path);
    if (begin >= 0) {
      problems.push(`${path}:1: import cycle: ${[...trail.slice(begin), path].join(' > ')}`);
      return;
    }
    const source = byPath.get(path);
    if (source === undefined || done.has(path)) return;
    for (const { specifier, typeOnly } of source.imports()) {
      if (!typeOnly && specifier.startsWith('.')) {
        visit(posix.join(posix.dirname(path), specifier), [...trail, path]);
      }
    }
    done.add(path);
  };
  for (const source of sources) visit(source.path, []);
  return problems;
}

/** The core uses no global that ties it to a runtime, to the wall clock or to chance. */
export function checkGlobals(source: Source): string[] {
  if (!inCore(source.path)) return [];
  const problems: string[] = [];
  const names = new RegExp(
    `\\b(?:${BANNED_GLOBALS.join('|')}|Math\\s*\\.\\s*random|Function(?=\\s*\\())\\b`,
    'g',
  );
  for (const match of source.code.matchAll(names)) {
    if (isUseOfGlobal(source.code, match.index, match[0])) {
      problems.push(report(source, source.lineAt(match.index), `banned in the core: ${match[0]}`));
    }
  }
  return problems;
}

/** Whether a name stands for the global, not for a member, a property's name or a method of the same name. */
function isUseOfGlobal(code: string, index: number, name: string): boolean {
  const before = code.slice(0, index).trimEnd();
  const after = code.slice(index + name.length).trimStart();
  if (before.endsWith('.') && !before.endsWith('...')) return false;
  if (/^\??:/.test(after) && !before.endsWith('?')) return false;
  return !(name === 'process' && after.startsWith('('));
}

/** No file over the limit, no function over the limit (functions: src/ only). */
export function checkSizes(source: Source): string[] {
  const problems: string[] = [];
  const lines = source.lines.length - (source.text.endsWith('\n') ? 1 : 0);
  if (lines > FILE_LINES_MAX && !(source.path in LONG_FILES)) {
    problems.push(report(source, FILE_LINES_MAX + 1, `file has ${lines} lines, at most ${FILE_LINES_MAX}`));
  }
  if (!source.path.startsWith('src/')) return problems;
  for (const { name, line, endLine } of source.functions()) {
    const length = endLine - line + 1;
    if (length <= FUNCTION_LINES_MAX) continue;
    problems.push(
      report(source, line, `function ${name} has ${length} lines, at most ${FUNCTION_LINES_MAX}`),
    );
  }
  return problems;
}

const MUTATORS = 'set|add|delete|clear|push|pop|shift|unshift|splice|sort|reverse|fill|copyWithin';

/** The core keeps nothing at module level that changes: two stacks in one program must not meet there. */
export function checkModuleState(source: Source): string[] {
  if (!inCore(source.path)) return [];
  const problems: string[] = [];
  const depths = source.depths();
  for (const [index, text] of source.code.split('\n').entries()) {
    const line = index + 1;
    if (/^\s*static\s+(?!readonly\b)(?:#?\w+)\s*[:=;]/.test(text)) {
      problems.push(report(source, line, 'static field that is not readonly'));
    }
    if (depths[index] !== 0) continue;
    const variable = /^(?:export\s+)?(let|var|const)\s+(\w+)/.exec(text);
    if (variable === null) continue;
    const [, keyword, name] = variable as unknown as [string, string, string];
    if (keyword !== 'const') problems.push(report(source, line, `module-level ${keyword} ${name}`));
    else if (
      /=\s*(?:\/\*.*\*\/\s*)?(?:new (?:Map|Set|WeakMap|WeakSet|Array)(?:<.*>)?\(\)|\[\]);?\s*$/.test(text)
    ) {
      problems.push(report(source, line, `module-level ${name} begins empty, so it must be meant to change`));
    } else {
      const change = new RegExp(
        `(?<![.\\w])${name}(?:\\.(?:${MUTATORS}|set\\w+)\\(|(?:\\.\\w+|\\[[^\\]]*\\])+\\s*(?:[-+*/|&^]|<<|>>)?=(?!=)` +
          '|(?:\\.\\w+|\\[[^\\]]*\\])+(?:\\+\\+|--))',
      ).exec(source.code);
      if (change !== null) {
        problems.push(report(source, source.lineAt(change.index), `module-level ${name} is changed`));
      }
    }
  }
  return problems;
}

/** Every export of src/ has a doc comment; in a run of constants on neighbouring lines the first one's serves all. */
export function checkDocs(source: Source): string[] {
  if (!source.path.startsWith('src/') || source.path.endsWith('.d.ts')) return [];
  const problems: string[] = [];
  const documented = new Set(
    source.comments.filter(comment => comment.isDoc).map(comment => comment.endLine),
  );
  const blankCode = source.code.split('\n');
  const depths = source.depths();
  const seen = new Set<string>();
  for (const [index, text] of source.lines.entries()) {
    const found =
      /^export\s+(?:declare\s+)?(?:abstract\s+)?(?:async\s+)?(class|function\*?|const|interface|type|let|enum)\s+(\w+)/.exec(
        text,
      );
    if (found === null || depths[index] !== 0) continue;
    const name = found[2] as string;
    const overload = seen.has(name);
    seen.add(name);
    if (overload || documented.has(index)) continue;
    if (found[1] === 'const' && inDocumentedRun(source, blankCode, documented, index)) continue;
    problems.push(report(source, index + 1, `export ${name} has no doc comment`));
  }
  return problems;
}

function inDocumentedRun(
  source: Source,
  code: readonly string[],
  documented: ReadonlySet<number>,
  index: number,
): boolean {
  let first = index;
  while (first > 0 && /^export const \w+/.test(code[first - 1] as string)) first--;
  if (documented.has(first)) return true;
  // The module's own comment serves the tables of constants at its head.
  return /^export const [A-Z][A-Z0-9_]*\b/.test(code[index] as string) && source.text.includes('@module');
}

/** What no file of ours may say. */
const FORBIDDEN_TEXT: readonly (readonly [RegExp, string])[] = [
  [/\b(?:TODO|FIXME|XXX)\b/, 'unfinished work is an issue, not a comment'],
  [/\/(?:home|root|Users)\/\w/, "a path of somebody's machine"],
];

/** What no formatter can break: the text of a string, a template or a pattern does not count. */
const LITERAL = /'(?:\\.|[^'\\])*'|`(?:\\.|[^`\\])*`|\/(?![*/])(?:\\.|[^/\\])+\/[a-z]*/g;

/** Line width and words that do not belong here. */
export function checkText(path: string, lines: readonly string[]): string[] {
  const problems: string[] = [];
  for (const [index, text] of lines.entries()) {
    const columns = text.length > LINE_WIDTH_MAX ? text.replace(LITERAL, '').length : text.length;
    if (path.endsWith('.ts') && columns > LINE_WIDTH_MAX) {
      problems.push(`${path}:${index + 1}: line has ${text.length} columns, at most ${LINE_WIDTH_MAX}`);
    }
    if (path === 'test/support/tidy.ts' || path === 'test/tidy.test.ts') continue;
    for (const [pattern, why] of FORBIDDEN_TEXT) {
      const match = pattern.exec(text);
      if (match !== null) problems.push(`${path}:${index + 1}: '${match[0]}': ${why}`);
    }
  }
  return problems;
}
