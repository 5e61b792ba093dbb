/**
 * A small scanner for TypeScript source: enough to judge a file without a parser. It blanks out what is not code
 * (comments, strings, regular expressions), so that the rules can search without being fooled.
 * @module
 */

/** A comment with the line it begins and ends on (1-based). */
export interface Comment {
  readonly line: number;
  readonly endLine: number;
  readonly text: string;
  readonly isDoc: boolean;
}

/** An import or re-export of another module. */
export interface ImportOf {
  readonly line: number;
  readonly specifier: string;
  /** `import type` and `export type`: gone at run time. */
  readonly typeOnly: boolean;
}

/** A function body found in a file. */
export interface FunctionSpan {
  readonly name: string;
  readonly line: number;
  readonly endLine: number;
}

/** One scanned file. */
export class Source {
  readonly path: string;
  readonly text: string;
  /** The text with comments, strings and regular expressions blanked; offsets and lines are those of `text`. */
  readonly code: string;
  readonly comments: readonly Comment[];
  readonly lines: readonly string[];
  private readonly lineStarts: number[] = [0];

  constructor(path: string, text: string) {
    this.path = path;
    this.text = text;
    this.lines = text.split('\n');
    for (let i = 0; i < text.length; i++) if (text[i] === '\n') this.lineStarts.push(i + 1);
    const blanker = new Blanker(text);
    this.code = blanker.run();
    this.comments = blanker.spans.map(([start, end]) => ({
      line: this.lineAt(start),
      endLine: this.lineAt(end - 1),
      text: text.slice(start, end),
      isDoc: text.startsWith('/**', start),
    }));
  }

  /** The 1-based line of an offset. */
  lineAt(offset: number): number {
    let low = 0;
    let high = this.lineStarts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.lineStarts[middle] as number) <= offset) low = middle;
      else high = middle - 1;
    }
    return low + 1;
  }

  /** Every static and dynamic import and re-export. */
  imports(): ImportOf[] {
    const found: ImportOf[] = [];
    const patterns = [
      /^[ \t]*(?:import|export)\b(\s+type\b(?!\s*(?:from|,)))?[^;'"`=(]*?\bfrom\s*(?=['"])/gm,
      /^[ \t]*import\s*(?=['"])/gm,
      /\bimport\s*\(\s*(?=['"])/g,
    ];
    for (const pattern of patterns) {
      for (const match of this.code.matchAll(pattern)) {
        const quote = match.index + match[0].length;
        const specifier = this.text.slice(
          quote + 1,
          this.code.indexOf(this.text[quote] as string, quote + 1),
        );
        found.push({ line: this.lineAt(quote), specifier, typeOnly: match[1] !== undefined });
      }
    }
    return found;
  }

  /** Every function, method and arrow function that has a body in braces. */
  functions(): FunctionSpan[] {
    const found: FunctionSpan[] = [];
    const { code } = this;
    for (let i = 0; i < code.length; i++) {
      if (code[i] !== '(') continue;
      const name = wordBefore(code, i);
      if (CONTROL.has(name)) continue;
      const close = matching(code, i);
      const body = close < 0 ? -1 : bodyAfter(code, close + 1);
      if (body < 0) continue;
      const end = matching(code, body);
      if (end < 0) continue;
      const label = name === '' || name === 'function' || name === 'async' ? '(anonymous)' : name;
      found.push({ name: label, line: this.lineAt(i), endLine: this.lineAt(end) });
    }
    return found;
  }

  /** Depth of brackets of any kind at each line's begin; 0 is the top level of the module. */
  depths(): number[] {
    const depths: number[] = [];
    let depth = 0;
    for (const line of this.code.split('\n')) {
      depths.push(depth);
      for (const char of line) {
        if ('({['.includes(char)) depth++;
        else if (')}]'.includes(char)) depth--;
      }
    }
    return depths;
  }
}

const CONTROL: ReadonlySet<string> = new Set(['if', 'for', 'while', 'switch', 'catch', 'with', 'await']);
const REGEX_AFTER_WORD: ReadonlySet<string> = new Set([
  'return',
  'typeof',
  'case',
  'in',
  'of',
  'do',
  'else',
  'void',
]);

/** The identifier that ends just before `index`, spaces and type parameters skipped; '' when there is none. */
function wordBefore(code: string, index: number): string {
  const before = code.slice(Math.max(0, index - 200), index).trimEnd();
  return /([\w$#]+)(?:\s*<[^()<>]*>)?$/.exec(before)?.[1] ?? '';
}

/** The offset of the bracket that closes the one at `open`, or -1. */
function matching(code: string, open: number): number {
  let depth = 0;
  for (let i = open; i < code.length; i++) {
    const char = code[i] as string;
    if (char === '(' || char === '{' || char === '[') depth++;
    else if (char === ')' || char === '}' || char === ']') {
      depth--;
      if (depth === 0) return i;
    }
  }
  return -1;
}

/** Where the body of a function begins whose parameter list ended before `from`; -1 when there is no body in braces. */
function bodyAfter(code: string, from: number): number {
  let i = skipSpace(code, from);
  if (code[i] === '{') return i;
  if (code.startsWith('=>', i)) return arrowBody(code, i);
  if (code[i] !== ':') return -1;
  // A return type: a brace opens the body only where a type cannot begin.
  let typeMayBegin = true;
  for (i++; i < code.length; i = skipSpace(code, i)) {
    const char = code[i] as string;
    if (/\s/.test(char)) continue;
    if (code.startsWith('=>', i)) {
      const body = arrowBody(code, i);
      if (body >= 0) return body;
      i += 2;
      typeMayBegin = true;
    } else if (char === '{' && !typeMayBegin) return i;
    else if ('{(['.includes(char)) {
      const close = matching(code, i);
      if (close < 0) return -1;
      i = close + 1;
      typeMayBegin = false;
    } else if (/[\w$'"`]/.test(char)) {
      const word = /^[\w$]+|^(['"`])[^'"`]*\1/.exec(code.slice(i, i + 300))?.[0] ?? char;
      typeMayBegin = ['keyof', 'typeof', 'is', 'extends', 'infer', 'readonly', 'asserts'].includes(word);
      i += word.length;
    } else if (';,)}]='.includes(char)) {
      if (char !== ',' || !insideAngle(code, from, i)) return -1;
      i++;
      typeMayBegin = true;
    } else {
      typeMayBegin = '|&<:?'.includes(char);
      i++;
    }
  }
  return -1;
}

function arrowBody(code: string, arrow: number): number {
  const i = skipSpace(code, arrow + 2);
  return code[i] === '{' ? i : -1;
}

function insideAngle(code: string, from: number, to: number): boolean {
  const part = code.slice(from, to).replaceAll('=>', '');
  return part.split('<').length > part.split('>').length;
}

function skipSpace(code: string, from: number): number {
  let i = from;
  while (i < code.length && /\s/.test(code[i] as string)) i++;
  return i;
}

/** Walks the text once and blanks what is not code. */
class Blanker {
  /** [start, end) of each comment. */
  readonly spans: [number, number][] = [];
  private readonly text: string;
  private readonly out: string[];
  private at = 0;

  constructor(text: string) {
    this.text = text;
    this.out = text.split('');
  }

  run(): string {
    this.walkCode(false);
    return this.out.join('');
  }

  /** Code until the end, or until the `}` that closes a template's `${`. */
  private walkCode(inTemplate: boolean): void {
    const { text } = this;
    let depth = 0;
    while (this.at < text.length) {
      const char = text[this.at] as string;
      if (text.startsWith('//', this.at)) this.comment(this.indexOr('\n', this.at));
      else if (text.startsWith('/*', this.at)) this.comment(this.indexOr('*/', this.at + 2) + 2);
      else if (char === "'" || char === '"') this.string(char);
      else if (char === '`') this.template();
      else if (char === '/' && this.regexMayBegin()) this.regex();
      else {
        if (char === '{') depth++;
        if (char === '}' && depth-- === 0 && inTemplate) return;
        this.at++;
      }
    }
  }

  private indexOr(what: string, from: number): number {
    const index = this.text.indexOf(what, from);
    return index < 0 ? this.text.length : index;
  }

  private comment(end: number): void {
    const stop = Math.min(end, this.text.length);
    this.spans.push([this.at, stop]);
    this.blank(this.at, stop);
    this.at = stop;
  }

  private string(quote: string): void {
    const start = this.at++;
    while (this.at < this.text.length && this.text[this.at] !== quote && this.text[this.at] !== '\n') {
      this.at += this.text[this.at] === '\\' ? 2 : 1;
    }
    this.blank(start + 1, this.at);
    this.at++;
  }

  private template(): void {
    let start = ++this.at;
    while (this.at < this.text.length && this.text[this.at] !== '`') {
      if (this.text[this.at] === '\\') this.at += 2;
      else if (this.text.startsWith('${', this.at)) {
        this.blank(start, this.at);
        this.at += 2;
        this.walkCode(true);
        start = ++this.at;
      } else this.at++;
    }
    this.blank(start, this.at);
    this.at++;
  }

  private regex(): void {
    const start = this.at++;
    let inClass = false;
    while (this.at < this.text.length && this.text[this.at] !== '\n') {
      const char = this.text[this.at] as string;
      if (char === '\\') this.at++;
      else if (char === '[') inClass = true;
      else if (char === ']') inClass = false;
      else if (char === '/' && !inClass) break;
      this.at++;
    }
    this.blank(start + 1, this.at);
    this.at++;
  }

  private regexMayBegin(): boolean {
    const before = this.out
      .slice(Math.max(0, this.at - 120), this.at)
      .join('')
      .trimEnd();
    const word = /[\w$]+$/.exec(before)?.[0];
    if (word !== undefined) return REGEX_AFTER_WORD.has(word);
    return before === '' || /[(,=:[!&|?{};+\-*%<>~^]$/.test(before);
  }

  private blank(start: number, end: number): void {
    for (let i = start; i < end && i < this.out.length; i++) if (this.out[i] !== '\n') this.out[i] = ' ';
  }
}
