/**
 * The code between `%{` and `}%`: assertions over tcpi_* values and variables of the script, in the few forms that
 * Python shares with everybody. There is no way out of it: names, numbers, strings and operators are all it knows.
 * @module
 */

/** An assertion that did not hold, or code that cannot be read. */
export class CodeError extends Error {
  override name = 'CodeError';
}

/** What code computes with. */
export type CodeValue = number | string | boolean;

/** Where names come from and where print() goes. */
export interface CodeScope {
  /** The value of a name that the code has not assigned; undefined when there is none. */
  lookup(name: string): CodeValue | undefined;
  print(text: string): void;
}

/** Runs the code; `variables` live on from one piece of code of a script to the next. */
export function evaluate(code: string, variables: Map<string, CodeValue>, scope: CodeScope): void {
  for (const statement of statements(code)) new Evaluator(statement, variables, scope).statement();
}

/** Statements end with the line or at a semicolon; a string may hold both signs. */
function statements(code: string): string[] {
  const found: string[] = [];
  let statement = '';
  for (const [piece] of code.replace(/\\(?:\n|$)/g, ' ').matchAll(/'[^'\n]*'|"[^"\n]*"|#[^\n]*|[\s\S]/g)) {
    if (piece === ';' || piece === '\n') {
      found.push(statement.trim());
      statement = '';
    } else if (!piece.startsWith('#')) statement += piece;
  }
  return [...found, statement.trim()].filter(each => each !== '');
}

const TOKEN =
  /\s*(?:(0[xX][0-9a-fA-F]+|\d+(?:\.\d+)?)|([A-Za-z_]\w*)|'([^']*)'|"([^"]*)"|(\/\/|<<|>>|[=!<>]=|[-+*/%&|]=|[-+*/%&|^~()<>=,]))/;

type Token =
  | { readonly kind: 'value'; readonly value: number | string }
  | { readonly kind: 'name' | 'operator'; readonly text: string };

const COMPARISONS = ['==', '!=', '<=', '>=', '<', '>'];

/** Binary operators from loosest to tightest, below comparison. */
const LEVELS: readonly (readonly string[])[] = [
  ['|'],
  ['^'],
  ['&'],
  ['<<', '>>'],
  ['+', '-'],
  ['*', '//', '/', '%'],
];

class Evaluator {
  private readonly source: string;
  private readonly tokens: Token[] = [];
  private readonly variables: Map<string, CodeValue>;
  private readonly scope: CodeScope;
  private at = 0;

  constructor(source: string, variables: Map<string, CodeValue>, scope: CodeScope) {
    this.source = source;
    this.variables = variables;
    this.scope = scope;
    const token = new RegExp(TOKEN, 'y');
    while (token.lastIndex < source.length && source.slice(token.lastIndex).trim() !== '') {
      const match = token.exec(source);
      if (match === null) this.fail('cannot be read');
      const [, number, name, single, double, operator] = match as RegExpExecArray;
      if (number !== undefined) this.tokens.push({ kind: 'value', value: Number(number) });
      else if (name !== undefined) this.tokens.push({ kind: 'name', text: name });
      else if (operator !== undefined) this.tokens.push({ kind: 'operator', text: operator });
      else this.tokens.push({ kind: 'value', value: single ?? double ?? '' });
    }
  }

  statement(): void {
    if (this.eat('assert')) this.assertion();
    else if (this.eat('print')) this.print();
    else this.assignment();
    if (this.at < this.tokens.length) this.fail('more than one statement');
  }

  private assertion(): void {
    const from = this.at;
    const holds = this.expression();
    if (holds !== false && holds !== 0 && holds !== '') {
      // What would be said is not looked at, as in Python.
      if (this.eat(',')) this.at = this.tokens.length;
      return;
    }
    const message = this.eat(',') ? `: ${this.expression()}` : '';
    const names = this.tokens.slice(from).flatMap(token => (token.kind === 'name' ? [token.text] : []));
    const values = [...new Set(names)]
      .map(name => [name, this.variables.get(name) ?? this.scope.lookup(name)] as const)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => `${name} = ${value}`);
    throw new CodeError(`does not hold: ${this.source}${message}\n  ${values.join('\n  ')}`);
  }

  private print(): void {
    this.need('(');
    const values: CodeValue[] = [];
    while (!this.eat(')')) {
      if (values.length > 0) this.need(',');
      values.push(this.expression());
    }
    this.scope.print(values.join(' '));
  }

  private assignment(): void {
    const name = this.tokens[this.at++];
    if (name?.kind !== 'name') this.fail('not a statement');
    const operator = this.tokens[this.at++];
    if (operator?.kind !== 'operator' || !operator.text.endsWith('=')) this.fail('not a statement');
    const value = this.expression();
    const combined =
      operator.text === '=' ? value : this.binary(operator.text.slice(0, -1), this.read(name.text), value);
    this.variables.set(name.text, combined);
  }

  private expression(): CodeValue {
    let left = this.conjunction();
    while (this.eat('or')) {
      const right = this.conjunction();
      left = left || right;
    }
    return left;
  }

  private conjunction(): CodeValue {
    let left = this.negation();
    while (this.eat('and')) {
      const right = this.negation();
      left = left && right;
    }
    return left;
  }

  private negation(): CodeValue {
    return this.eat('not') ? !this.negation() : this.comparison();
  }

  /** `a <= b <= c` compares each pair of neighbours. */
  private comparison(): CodeValue {
    let left = this.level(0);
    let result: CodeValue | null = null;
    for (let operator = this.eatAny(COMPARISONS); operator !== null; operator = this.eatAny(COMPARISONS)) {
      const right = this.level(0);
      result = (result ?? true) !== false && compare(operator, left, right);
      left = right;
    }
    return result ?? left;
  }

  private level(index: number): CodeValue {
    const operators = LEVELS[index];
    if (operators === undefined) return this.unary();
    let left = this.level(index + 1);
    for (let operator = this.eatAny(operators); operator !== null; operator = this.eatAny(operators)) {
      left =
        operator === '%' && typeof left === 'string'
          ? this.filledIn(left)
          : this.binary(operator, left, this.level(index + 1));
    }
    return left;
  }

  /** `'cwnd %d of %d' % (a, b)`. */
  private filledIn(format: string): string {
    const values: CodeValue[] = [];
    if (this.eat('(')) {
      do values.push(this.expression());
      while (this.eat(','));
      this.need(')');
    } else values.push(this.unary());
    return format.replace(/%[-\d.]*[a-z]/g, () => String(values.shift() ?? ''));
  }

  private unary(): CodeValue {
    if (this.eat('-')) return -Number(this.unary());
    if (this.eat('~')) return ~Number(this.unary());
    if (this.eat('(')) {
      const value = this.expression();
      this.need(')');
      return value;
    }
    const token = this.tokens[this.at++];
    if (token?.kind === 'value') return token.value;
    if (token?.kind === 'name') return this.read(token.text);
    return this.fail('value expected');
  }

  private read(name: string): CodeValue {
    if (name === 'True') return true;
    if (name === 'False') return false;
    return this.variables.get(name) ?? this.scope.lookup(name) ?? this.fail(`unknown name ${name}`);
  }

  private binary(operator: string, a: CodeValue, b: CodeValue): CodeValue {
    if (operator === '+' && typeof a === 'string' && typeof b === 'string') return a + b;
    const compute = ARITHMETIC[operator];
    if (compute === undefined) this.fail(`unknown operator ${operator}`);
    return compute(Number(a), Number(b));
  }

  private eatAny(operators: readonly string[]): string | null {
    const token = this.tokens[this.at];
    if (token?.kind !== 'operator' || !operators.includes(token.text)) return null;
    this.at++;
    return token.text;
  }

  private eat(text: string): boolean {
    const token = this.tokens[this.at];
    if (token === undefined || token.kind === 'value' || token.text !== text) return false;
    this.at++;
    return true;
  }

  private need(text: string): void {
    if (!this.eat(text)) this.fail(`'${text}' expected`);
  }

  private fail(what: string): never {
    throw new CodeError(`${what}: ${this.source}`);
  }
}

const ARITHMETIC: Record<string, (a: number, b: number) => number> = {
  '|': (a, b) => a | b,
  '^': (a, b) => a ^ b,
  '&': (a, b) => a & b,
  '<<': (a, b) => a << b,
  '>>': (a, b) => a >> b,
  '+': (a, b) => a + b,
  '-': (a, b) => a - b,
  '*': (a, b) => a * b,
  '/': (a, b) => a / b,
  '//': (a, b) => Math.floor(a / b),
  '%': (a, b) => a - b * Math.floor(a / b),
};

function compare(operator: string, a: CodeValue, b: CodeValue): boolean {
  switch (operator) {
    case '==':
      return a === b;
    case '!=':
      return a !== b;
    case '<':
      return a < b;
    case '<=':
      return a <= b;
    case '>':
      return a > b;
    default:
      return a >= b;
  }
}
