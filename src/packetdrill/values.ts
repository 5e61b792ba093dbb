import { constantOf } from './symbols.ts';
import type { Value } from './syntax.ts';

/** Something a script asks for that does not exist or does not fit. */
export class ScriptValueError extends Error {
  override name = 'ScriptValueError';
}

/** The number a value stands for. Throws ScriptValueError when it is none. */
export function numberOf(value: Value | undefined): number {
  switch (value?.kind) {
    case 'number':
      return value.value;
    case 'symbol': {
      const number = constantOf(value.name);
      if (number === undefined) throw new ScriptValueError(`unknown symbol: '${value.name}'`);
      return number;
    }
    case 'or':
      return value.parts.reduce((sum, part) => sum | numberOf(part), 0);
    default:
      throw new ScriptValueError(`Bad type; actual: ${typeOf(value)} expected: integer`);
  }
}

/** The number in `[n]`. */
export function bracketedOf(value: Value | undefined): number {
  if (value?.kind !== 'array')
    throw new ScriptValueError(`Bad type; actual: ${typeOf(value)} expected: list`);
  if (value.items.length !== 1) throw new ScriptValueError('Expected [<element>] but got multiple elements');
  return numberOf(value.items[0]);
}

/** Whether a buffer is NULL; true for 0, false for `...`, and nothing else is one. */
export function isNull(value: Value | undefined): boolean {
  if (value?.kind === 'elided') return false;
  if (value !== undefined && value.kind !== 'string' && numberOf(value) === 0) return true;
  throw new ScriptValueError('Expected ... or NULL for buffer');
}

/** The members of a struct by name. */
export function fieldsOf(value: Value | undefined, what: string): ReadonlyMap<string, Value> {
  if (value?.kind !== 'struct')
    throw new ScriptValueError(`Bad type; actual: ${typeOf(value)} expected: ${what}`);
  return value.fields;
}

/** The members of a struct by name, as numbers. */
export function membersOf(value: Value | undefined, what = 'struct'): Record<string, number> {
  return Object.fromEntries([...fieldsOf(value, what)].map(([name, member]) => [name, numberOf(member)]));
}

/** The items of an array. */
export function itemsOf(value: Value | undefined): readonly Value[] {
  if (value?.kind !== 'array')
    throw new ScriptValueError(`Bad type; actual: ${typeOf(value)} expected: list`);
  return value.items;
}

/** The text of a symbol or string. */
export function textOf(value: Value | undefined): string {
  if (value?.kind === 'symbol') return value.name;
  if (value?.kind === 'string') return value.value;
  throw new ScriptValueError(`Bad type; actual: ${typeOf(value)} expected: string`);
}

const TYPE_NAMES: Record<Value['kind'], string> = {
  number: 'integer',
  symbol: 'word',
  string: 'string',
  elided: 'ellipsis',
  or: 'binary_expression',
  array: 'list',
  struct: 'struct',
};

function typeOf(value: Value | undefined): string {
  return value === undefined ? 'nothing' : TYPE_NAMES[value.kind];
}
