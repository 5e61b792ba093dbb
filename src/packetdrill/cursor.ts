import { ScriptSyntaxError } from './syntax.ts';

/** Walks through a script's text; comments count as space. */
export class Cursor {
  readonly path: string;
  readonly text: string;
  at = 0;

  constructor(path: string, text: string) {
    this.path = path;
    this.text = text;
  }

  /** The 1-based line of `offset`. */
  lineAt(offset: number): number {
    let line = 1;
    for (let i = 0; i < offset && i < this.text.length; i++) if (this.text[i] === '\n') line++;
    return line;
  }

  /** Throws a ScriptSyntaxError that names a line. */
  failAt(line: number, what: string): never {
    throw new ScriptSyntaxError(`${this.path}:${line}: ${what}`);
  }

  /** Throws a ScriptSyntaxError that names the place. */
  fail(what: string): never {
    const near = this.text.slice(this.at).split('\n')[0]?.trim().slice(0, 40) ?? '';
    throw new ScriptSyntaxError(
      `${this.path}:${this.lineAt(this.at)}: ${what}${near === '' ? '' : ` at '${near}'`}`,
    );
  }

  /** Goes past space, line ends and comments. */
  skipSpace(): void {
    for (;;) {
      this.take(/\s+/y);
      if (this.take(/\/\/[^\n]*/y) !== null) continue;
      if (!this.text.startsWith('/*', this.at)) return;
      const end = this.text.indexOf('*/', this.at);
      if (end < 0) this.fail('comment without end');
      this.at = end + 2;
    }
  }

  get atEnd(): boolean {
    this.skipSpace();
    return this.at >= this.text.length;
  }

  /** Whether `what` comes next. */
  sees(what: string): boolean {
    this.skipSpace();
    return this.text.startsWith(what, this.at);
  }

  /** Takes `what` when it comes next. */
  eat(what: string): boolean {
    if (!this.sees(what)) return false;
    this.at += what.length;
    return true;
  }

  /** Takes `what` when it comes next without space before it. */
  eatHere(what: string): boolean {
    if (!this.text.startsWith(what, this.at)) return false;
    this.at += what.length;
    return true;
  }

  /** Takes `what`, which must come next. */
  expect(what: string): void {
    if (!this.eat(what)) this.fail(`'${what}' expected`);
  }

  /** Takes a whole word when it comes next. */
  eatWord(word: string): boolean {
    this.skipSpace();
    const found = this.take(/[A-Za-z_]\w*/y);
    if (found === word) return true;
    if (found !== null) this.at -= found.length;
    return false;
  }

  /** Takes an identifier, or returns null. */
  word(): string | null {
    this.skipSpace();
    return this.take(/[A-Za-z_]\w*/y);
  }

  /** Takes what a sticky pattern matches after space; null when it does not. */
  match(pattern: RegExp): string | null {
    this.skipSpace();
    return this.take(pattern);
  }

  /** Takes what a sticky pattern matches right here; null when it does not. */
  matchHere(pattern: RegExp): string | null {
    return this.take(pattern);
  }

  /** Takes what is left of the line. */
  rest(): string {
    return this.take(/[^\n]*/y) ?? '';
  }

  /** Takes a decimal or hexadecimal integer, which must come next. */
  integer(): number {
    const digits = this.match(/-?(?:0x[0-9a-fA-F]+|\d+)/y);
    if (digits === null) this.fail('number expected');
    return parseInteger(digits);
  }

  private take(pattern: RegExp): string | null {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text)?.[0] ?? null;
    if (found !== null) this.at += found.length;
    return found;
  }
}

/** The value of '-12', '0x1f' ... */
export function parseInteger(text: string): number {
  return text.startsWith('-') ? -Number(text.slice(1)) : Number(text);
}
