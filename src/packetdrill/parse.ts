import { Cursor } from './cursor.ts';
import { replaceDefined } from './defines.ts';
import { parsePacket } from './parse-packet.ts';
import { parseCall, until } from './parse-value.ts';
import type { CommandEvent, EventTime, Family, Script, ScriptEvent } from './syntax.ts';

/** How a script is to be read. */
export interface ParseOptions {
  /** What the packets go over unless the script itself says so. Default 'ipv4'. */
  readonly family?: Family;
  /** Whether the house's additions are understood (docs/SCRIPTS.md). Default false. */
  readonly house?: boolean;
  /** Values for words of a script of this family, as `--define` gives them. */
  readonly defines?: (family: Family, mapped: boolean) => ReadonlyMap<string, string>;
}

/** The --ip_version of IPv6 sockets with IPv4-mapped addresses: their packets are IPv4's. */
export const MAPPED = 'ipv4-mapped-ipv6';

/** Reads a script; throws ScriptSyntaxError with `path:line: what`, or UnsupportedError (syntax.ts). */
export function parseScript(path: string, text: string, options: ParseOptions = {}): Script {
  const house = options.house ?? false;
  const head = new Cursor(path, text);
  const own = new Map<string, string>();
  const given = parseHeader(head, house, own);
  const family = familyOf(given, options.family ?? 'ipv4', head);
  const defines = new Map([...(options.defines?.(family, given.get('ip_version') === MAPPED) ?? []), ...own]);
  // Symbols have their value behind the head only, which defines them.
  const cursor = new Cursor(path, text.slice(0, head.at) + replaceDefined(text.slice(head.at), defines));
  cursor.at = head.at;
  // Packetdrill's own scripts have a time before everything but the first and the last command.
  const init = !house && cursor.sees('`') ? parseCommand(cursor) : null;
  const events: ScriptEvent[] = [];
  let cleanup: CommandEvent | null = null;
  while (!cursor.atEnd && cleanup === null) {
    if (!house && cursor.sees('`')) cleanup = parseCommand(cursor);
    else events.push(parseEvent(cursor, family, house));
  }
  if (!cursor.atEnd) cursor.fail('a command without a time must be the first or the last');
  if (events.length === 0) cursor.fail('a script needs an event');
  checkOrder(cursor, events, house);
  return { path, family, house, options: given, init, cleanup, events };
}

/** `--name=value` lines before the first event; `defines` gets what --define says. */
function parseHeader(cursor: Cursor, house: boolean, defines: Map<string, string>): Map<string, string> {
  const options = new Map<string, string>();
  while (cursor.eat('--')) {
    const name = cursor.match(/\w+/y) ?? cursor.fail('--name=value expected');
    const value = optionValue(cursor, house && name === 'established');
    if (name === 'define') {
      const [symbol, meaning] = /^(\w+)=(.*)$/s.exec(value)?.slice(1) ?? [];
      if (symbol === undefined) cursor.fail('--define=SYMBOL=value expected');
      defines.set(symbol, meaning as string);
    } else {
      options.set(name, value);
    }
  }
  return options;
}

function optionValue(cursor: Cursor, restOfLine: boolean): string {
  if (!cursor.eatHere('=')) return '';
  if (restOfLine) {
    return cursor
      .rest()
      .replace(/\/\/.*$/, '')
      .trim();
  }
  const quoted = cursor.match(/"(?:\\.|[^"])*"/y);
  if (quoted !== null) return quoted.slice(1, -1);
  return cursor.match(/\w+=(?:"(?:\\.|[^"])*"|`[^`]*`)|[^\s]+/y) ?? cursor.fail('value expected');
}

/** A script says its family by its name, or by the addresses that it has. */
function familyOf(given: ReadonlyMap<string, string>, otherwise: Family, cursor: Cursor): Family {
  const version = given.get('ip_version');
  const address = given.get('local_ip') ?? given.get('remote_ip');
  if (version === undefined && address !== undefined) return address.includes(':') ? 'ipv6' : 'ipv4';
  if (version === undefined) return otherwise;
  if (version === 'ipv4' || version === 'ipv6') return version;
  if (version === MAPPED) return 'ipv4';
  return cursor.fail(`unknown IP version '${version}'`);
}

function parseCommand(cursor: Cursor): CommandEvent {
  cursor.skipSpace();
  const line = cursor.lineAt(cursor.at);
  cursor.expect('`');
  return { kind: 'command', command: until(cursor, '`').trim(), line };
}

function parseEvent(cursor: Cursor, family: Family, house: boolean): ScriptEvent {
  cursor.skipSpace();
  const from = cursor.at;
  const line = cursor.lineAt(from);
  const timeless = house && (cursor.sees('`') || cursor.sees('%{'));
  const time = timeless ? NOW : parseTime(cursor, house);
  const body = parseBody(cursor, family, house);
  const text = cursor.text
    .slice(from, cursor.at)
    .replace(/\/\/[^\n]*|\/\*[\s\S]*?\*\//g, '')
    .replace(/\s+/g, ' ')
    .trim();
  const event = { line, time, text, body };
  checkTime(cursor, event);
  return event;
}

const NOW: EventTime = { kind: 'relative', us: 0, latestUs: null, returnUs: null };

function parseTime(cursor: Cursor, house: boolean): EventTime {
  if (cursor.eat('*')) return { kind: 'any', us: 0, latestUs: null, returnUs: null };
  const kind = cursor.eat('+') ? 'relative' : 'absolute';
  const us = parseSeconds(cursor);
  let latestUs: number | null = null;
  if (cursor.eat('~')) {
    if (kind === 'relative') cursor.expect('+');
    latestUs = parseSeconds(cursor);
  }
  let returnUs: number | null = null;
  if (cursor.eat('...')) {
    if (house) cursor.eat('+');
    returnUs = parseSeconds(cursor);
  }
  return { kind, us, latestUs, returnUs };
}

/** Seconds with a decimal point, as whole microseconds. */
function parseSeconds(cursor: Cursor): number {
  if (cursor.sees('-')) cursor.fail('negative time');
  const text = cursor.match(/\d*\.\d+|\d+/y) ?? cursor.fail('time expected');
  return Math.trunc(Number(text) * 1e6);
}

function parseBody(cursor: Cursor, family: Family, house: boolean): ScriptEvent['body'] {
  if (cursor.eat('<'))
    return { kind: 'packet', direction: 'in', packet: parsePacket(cursor, 'in', family, house) };
  if (cursor.eat('>'))
    return { kind: 'packet', direction: 'out', packet: parsePacket(cursor, 'out', family, house) };
  if (cursor.eat('%{')) return { kind: 'code', code: until(cursor, '}%').trim() };
  if (cursor.sees('`')) return parseCommand(cursor);
  return parseCall(cursor, house);
}

function checkTime(cursor: Cursor, { time, body }: ScriptEvent): void {
  const outbound = body.kind === 'packet' && body.direction === 'out';
  if (time.returnUs !== null && body.kind !== 'call') cursor.fail('only a call can take time');
  if (time.kind === 'any' && !outbound) cursor.fail("time '*' is for outbound packets only");
  if (time.latestUs === null) return;
  if (!outbound) cursor.fail('a range of times is for outbound packets only');
  if (time.latestUs < time.us) cursor.fail('the range of times is backwards');
}

/** The first event is at 0, and absolute times do not go back. */
function checkOrder(cursor: Cursor, events: readonly ScriptEvent[], house: boolean): void {
  const failAt = (line: number, what: string): never => cursor.failAt(line, what);
  const [first] = events as [ScriptEvent];
  if (!house && first.time.us !== 0) failAt(first.line, 'first event should be at time 0');
  for (let i = 1; i < events.length; i++) {
    const [last, next] = [events[i - 1] as ScriptEvent, events[i] as ScriptEvent];
    if (last.time.kind !== 'absolute' || next.time.kind !== 'absolute') continue;
    if (next.time.us < last.time.us) failAt(next.line, 'time goes backward in script');
  }
}
