import { Cursor, parseInteger } from './cursor.ts';
import { parsePacket } from './parse-packet.ts';
import type { CallEvent, EventTime, Script, ScriptEvent, Value } from './syntax.ts';

/** Reads a script; throws ScriptSyntaxError with `path:line: what`. */
export function parseScript(path: string, text: string): Script {
  const cursor = new Cursor(path, text);
  const options = parseHeader(cursor);
  const events: ScriptEvent[] = [];
  while (!cursor.atEnd) events.push(parseEvent(cursor));
  return { path, options, events };
}

/** `--name=value` lines before the first event. */
function parseHeader(cursor: Cursor): Map<string, string> {
  const options = new Map<string, string>();
  while (cursor.eat('--')) {
    const line = cursor.rest();
    const match = /^([a-z]\w*)(?:=|\s|$)(.*)$/.exec(line.replace(/\/\/.*$/, '').trim());
    if (match === null) cursor.fail('--name=value expected');
    options.set((match as RegExpExecArray)[1] as string, (match as RegExpExecArray)[2]?.trim() ?? '');
  }
  return options;
}

function parseEvent(cursor: Cursor): ScriptEvent {
  const from = cursor.at;
  const line = cursor.lineAt(from);
  const time = cursor.sees('`') || cursor.sees('%{') ? NOW : parseTime(cursor);
  const body = parseBody(cursor);
  if (time.returnUs !== null && body.kind !== 'call') cursor.fail('only a call can take time');
  const text = cursor.text
    .slice(from, cursor.at)
    .replace(/\/\/[^\n]*|\/\*[\s\S]*?\*\//g, '')
    .replace(/\s+/g, ' ')
    .trim();
  return { line, time, text, body };
}

const NOW: EventTime = { kind: 'relative', us: 0, latestUs: null, returnUs: null };

function parseTime(cursor: Cursor): EventTime {
  if (cursor.eat('*')) return { kind: 'any', us: 0, latestUs: null, returnUs: null };
  const kind = cursor.eat('+') ? 'relative' : 'absolute';
  const us = parseSeconds(cursor);
  const latestUs = cursor.eat('~') ? endOf(cursor) : null;
  const returnUs = cursor.eat('...') ? endOf(cursor) : null;
  return { kind, us, latestUs, returnUs };
}

/** The end of a range; a `+` before it says nothing new. */
function endOf(cursor: Cursor): number {
  cursor.eat('+');
  return parseSeconds(cursor);
}

/** Seconds with a decimal point, as microseconds. */
function parseSeconds(cursor: Cursor): number {
  const text = cursor.match(/\d+(?:\.(?!\.)\d*)?|\.\d+/y) ?? cursor.fail('time expected');
  return Math.round(Number(text) * 1e6);
}

function parseBody(cursor: Cursor): ScriptEvent['body'] {
  if (cursor.eat('<')) return { kind: 'packet', direction: 'in', packet: parsePacket(cursor) };
  if (cursor.eat('>')) return { kind: 'packet', direction: 'out', packet: parsePacket(cursor) };
  if (cursor.eat('%{')) return { kind: 'code', code: until(cursor, '}%') };
  if (cursor.eat('`')) return { kind: 'command', command: until(cursor, '`').trim() };
  return parseCall(cursor);
}

function until(cursor: Cursor, end: string): string {
  const index = cursor.text.indexOf(end, cursor.at);
  if (index < 0) cursor.fail(`'${end}' is missing`);
  const text = cursor.text.slice(cursor.at, index);
  cursor.at = index + end.length;
  return text;
}

function parseCall(cursor: Cursor): CallEvent {
  const name = cursor.word() ?? cursor.fail('packet, call or code expected');
  cursor.expect('(');
  const args: Value[] = [];
  while (!cursor.eat(')')) {
    if (args.length > 0) cursor.expect(',');
    args.push(parseValue(cursor));
  }
  if (!cursor.eat('=')) return { kind: 'call', name, args, result: null, errno: null };
  if (cursor.eat('?')) return { kind: 'call', name, args, result: null, errno: null };
  const result = parseValue(cursor);
  const errno = cursor.match(/E[A-Z0-9]+(?=\s|$)/y);
  // What strace prints behind the result is for the reader.
  if (cursor.eat('(')) until(cursor, ')');
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
  if (cursor.eat('"')) return { kind: 'string', value: parseString(cursor) };
  const name = cursor.match(/[A-Za-z_]\w*(?:\.[A-Za-z]\w*)?/y);
  if (name !== null) return { kind: 'symbol', name };
  const digits = cursor.match(/-?(?:0x[0-9a-fA-F]+|\d+)/y) ?? cursor.fail('value expected');
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
    const name = cursor.match(/[A-Za-z_]\w*(?=\s*(?:\(\d+\)\s*)?=(?!=))/y);
    if (name !== null) {
      if (cursor.eat('(')) until(cursor, ')');
      cursor.expect('=');
    }
    fields.set(name ?? String(fields.size), parseValue(cursor));
  }
  return fields;
}

function parseString(cursor: Cursor): string {
  const quoted = cursor.match(/(?:[^"\\\n]|\\.)*"/y) ?? cursor.fail('string without end');
  return quoted
    .slice(0, -1)
    .replace(/\\(.)/g, (_, char: string) => ({ n: '\n', r: '\r', t: '\t' })[char] ?? char);
}
