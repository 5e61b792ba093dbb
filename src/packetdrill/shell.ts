/**
 * As much of a shell as scripts need: lists, pipes, redirections, quotes, arithmetic. What the commands are is said by
 * commands.ts; nothing of it ever reaches a real shell.
 * @module
 */
import { evaluate } from './code.ts';

/** A command that is not known, or that cannot do here what it says. */
export class CommandError extends Error {
  override name = 'CommandError';
}

/** A simple command with its redirections. */
export interface SimpleCommand {
  readonly words: readonly string[];
  /** Where standard output goes; null: on. Errors go nowhere in any case. */
  readonly output: string | null;
}

/** Commands joined by `|`, and how the next one depends on this one. */
export interface Pipeline {
  readonly commands: readonly SimpleCommand[];
  readonly next: ';' | '&&' | '||';
}

type Token = { readonly word: string } | { readonly operator: string };

const OPERATORS = ['&>>', '2>&1', '1>&2', '>&2', '2>>', '&&', '||', '&>', '>>', '2>', ';', '|', '>', '&'];

/** Reads a command line; throws CommandError for what this shell does not know. */
export function parseShell(text: string): Pipeline[] {
  const tokens = new Tokenizer(text).tokens();
  const pipelines: Pipeline[] = [];
  let commands: SimpleCommand[] = [];
  let words: string[] = [];
  let output: string | null = null;
  const endCommand = (): void => {
    if (words.length > 0) commands.push({ words, output });
    words = [];
    output = null;
  };
  const endPipeline = (next: Pipeline['next']): void => {
    endCommand();
    if (commands.length > 0) pipelines.push({ commands, next });
    commands = [];
  };
  for (let i = 0; i < tokens.length; i++) {
    const token = tokens[i] as Token;
    if ('word' in token) words.push(token.word);
    else if (token.operator === '|') endCommand();
    else if (token.operator === ';' || token.operator === '&&' || token.operator === '||')
      endPipeline(token.operator);
    else if (token.operator.includes('>')) {
      if (token.operator.endsWith('&1') || token.operator.endsWith('&2')) continue;
      const target = tokens[++i];
      if (target === undefined || !('word' in target))
        throw new CommandError(`file expected after ${token.operator}`);
      if (!token.operator.startsWith('2')) output = target.word;
    } else throw new CommandError(`'${token.operator}' is not understood in '${text}'`);
  }
  endPipeline(';');
  return pipelines;
}

class Tokenizer {
  private readonly text: string;
  private readonly found: Token[] = [];
  private at = 0;
  private word: string | null = null;

  constructor(text: string) {
    this.text = text.replace(/\\\n/g, ' ');
  }

  tokens(): Token[] {
    while (this.at < this.text.length) this.next();
    this.endWord();
    return this.found;
  }

  private next(): void {
    const { text, at } = this;
    const char = text[at] as string;
    if (/\s/.test(char)) {
      this.endWord();
      if (char === '\n') this.found.push({ operator: ';' });
      this.at++;
    } else if (char === '#' && this.word === null) {
      const end = text.indexOf('\n', at);
      this.at = end < 0 ? text.length : end;
    } else if (char === "'") this.add(this.until("'"));
    else if (char === '"') this.add(this.until('"').replace(VARIABLES, expand));
    else if (char === '\\') this.add(this.take(2).slice(1));
    else if (char === '$')
      this.add(
        this.take(/^(?:\$\(\(.*?\)\)|\$\{\w+\}|\$\w+|\$)/.exec(text.slice(at))?.[0].length ?? 1).replace(
          VARIABLES,
          expand,
        ),
      );
    else this.operatorOr(char);
  }

  private operatorOr(char: string): void {
    const operator = OPERATORS.find(each => this.text.startsWith(each, this.at));
    // `2>` is an operator only where the 2 begins a word.
    if (operator === undefined || (/^\d/.test(operator) && this.word !== null)) {
      this.add(char);
      this.at++;
      return;
    }
    this.endWord();
    this.found.push({ operator });
    this.at += operator.length;
  }

  private take(length: number): string {
    const taken = this.text.slice(this.at, this.at + length);
    this.at += length;
    return taken;
  }

  private until(quote: string): string {
    const end = this.text.indexOf(quote, this.at + 1);
    if (end < 0) throw new CommandError(`${quote} without end in '${this.text}'`);
    const inside = this.text.slice(this.at + 1, end);
    this.at = end + 1;
    return inside;
  }

  private add(text: string): void {
    this.word = (this.word ?? '') + text;
  }

  private endWord(): void {
    if (this.word !== null) this.found.push({ word: this.word });
    this.word = null;
  }
}

const VARIABLES = /\$\(\((.*?)\)\)|\$\{(\w+)\}|\$(\w+)/g;
/** What `$PPID` is: the process that runs the script. */
const PID = '1';

function expand(whole: string, arithmetic?: string, braced?: string, plain?: string): string {
  if (arithmetic !== undefined) {
    const variables = new Map<string, number | string | boolean>();
    evaluate(`value = ${arithmetic}`, variables, { lookup: () => undefined, print: () => {} });
    return String(variables.get('value'));
  }
  const name = braced ?? plain;
  if (name === 'PPID' || name === 'PACKETDRILL_PID') return PID;
  throw new CommandError(`unknown variable ${whole}`);
}
