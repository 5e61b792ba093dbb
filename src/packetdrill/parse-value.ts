import { type Cursor, parseInteger } from './cursor.ts';
import type { CallEvent, Value } from './syntax.ts';

/** Takes everything up to `end`, and that, too. */
export function until(cursor: Cursor, end: string): string {
  const index = cursor.text.indexOf(end, cursor.at);
  if (index < 0) cursor.fail(`'${end}' is missing`);
  const text = cursor.text.slice(cursor.at, index);
  cursor.at = index + end.length;
  return text;
}

/** `name(arguments) = result ERRNO (what strace says)`. In house scripts the result may be left away. */
export function parseCall(cursor: Cursor, house: boolean): CallEvent {
  const name = cursor.word() ?? cursor.fail('packet, call or code expected');
  cursor.expect('(');
  const args: Value[] = [];
  while (!cursor.eat(')')) {
    if (args.length > 0) cursor.expect(',');
    args.push(parseValue(cursor));
  }
  if (house && !cursor.sees('=')) return { kind: 'call', name, args, result: null, errno: null };
  cursor.expect('=');
  if (house && cursor.eat('?')) return { kind: 'call', name, args, result: null, errno: null };
  const result = parseValue(cursor);
  const errno = cursor.match(/E[A-Z0-9]+\b/y);
  // What strace prints behind the result is for the reader.
  if (cursor.eat('(')) until(cursor, ')');
  else if (errno !== null && !house) cursor.fail("'(' expected");
  return { kind: 'call', name, args, result, errno };
}

function parseValue(cursor: Cursor): Value {
  const parts = [parseSimpleValue(cursor)];
  while (cursor.eat('|')) parts.push(parseSimpleValue(cursor));
  return parts.length === 1 ? (parts[0] as Value) : { kind: 'or', parts };
}

function parseSimpleValue(cursor: Cursor): Value {
  if (cursor.eat('...')) return { kind: 'elided' };
  if (cursor.eat('[')) return { kind: 'array', items: parseItems(cursor) };
  if (cursor.eat('{')) return { kind: 'struct', fields: parseFields(cursor) };
  if (cursor.sees('"')) return parseStrings(cursor);
  const name = cursor.match(/[A-Za-z_]\w*(?:\.[A-Za-z]\w*)?/y);
  if (name !== null) {
    // htons(8080), inet_addr("192.0.2.1"): what is inside is what is meant.
    if (!cursor.eat('(')) return { kind: 'symbol', name };
    const inner = parseValue(cursor);
    cursor.expect(')');
    return inner;
  }
  const digits = cursor.match(/-?\d\w*/y) ?? cursor.fail('value expected');
  if (!/^(?:0x[0-9a-fA-F]+|-?\d+)$/.test(digits)) cursor.fail(`'${digits}' is not a number`);
  return { kind: 'number', value: parseInteger(digits) };
}

function parseItems(cursor: Cursor): Value[] {
  const items: Value[] = [];
  while (!cursor.eat(']')) {
    if (items.length > 0) cursor.expect(',');
    items.push(parseValue(cursor));
  }
  return items;
}

/** `{fd=4, events=POLLIN}`; the members of a struct that has none of its names are 0, 1, ... */
function parseFields(cursor: Cursor): Map<string, Value> {
  const fields = new Map<string, Value>();
  while (!cursor.eat('}')) {
    if (fields.size > 0) cursor.expect(',');
    const name = cursor.match(/[A-Za-z_]\w*(?=\s*(?:\((?:\d+|\.\.\.)\)\s*)?=(?!=))/y);
    if (name !== null) {
      // msg_iov(2)=[...]: the number of elements, which shows anyway.
      if (cursor.eat('(')) until(cursor, ')');
      cursor.expect('=');
    }
    fields.set(name ?? String(fields.size), parseValue(cursor));
  }
  return fields;
}

/** Strings side by side are one. */
function parseStrings(cursor: Cursor): Value {
  let value = '';
  while (cursor.eat('"')) {
    const quoted = cursor.matchHere(/(?:[^"\\]|\\[\s\S])*"/y) ?? cursor.fail('string without end');
    value += unescaped(quoted.slice(0, -1));
  }
  cursor.eat('...');
  return { kind: 'string', value };
}

const ESCAPES: Record<string, string> = { n: '\n', r: '\r', t: '\t', f: '\f', v: '\v', a: '\x07', b: '\b' };

function unescaped(text: string): string {
  return text.replace(/\\(?:x([0-9a-fA-F]{1,2})|([0-7]{1,3})|([\s\S]))/g, (_, hex, octal, char) => {
    if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16));
    if (octal !== undefined) return String.fromCharCode(Number.parseInt(octal, 8) & 255);
    return ESCAPES[char as string] ?? (char as string);
  });
}
