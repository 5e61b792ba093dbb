import type { Cursor } from './cursor.ts';
import { encodeOption } from './segment-options.ts';
import type { OptionSpec } from './syntax.ts';

/** Room for all options of a header. */
const OPTIONS_MAX = 40;

/** What stands between `<` and `>`, with its length in bytes; null for `...`. */
export function parseOptions(
  cursor: Cursor,
  house: boolean,
): { options: OptionSpec[]; length: number } | null {
  if (cursor.eat('...')) {
    cursor.expect('>');
    return null;
  }
  const options: OptionSpec[] = [];
  let length = 0;
  while (!cursor.eat('>')) {
    if (options.length > 0) cursor.expect(',');
    const option = parseOption(cursor, house);
    options.push(option);
    length += encodeOption(option).length;
    if (length > OPTIONS_MAX) cursor.fail('TCP option list too long');
  }
  return { options, length };
}

function parseOption(cursor: Cursor, house: boolean): OptionSpec {
  const name = cursor.word() ?? cursor.fail('TCP option expected');
  switch (name) {
    case 'nop':
    case 'eol':
    case 'sackOK':
      return { kind: name };
    case 'mss':
      return { kind: name, value: bounded(cursor, 0xffff, 'mss value') };
    case 'wscale':
      return { kind: name, value: bounded(cursor, 0xff, 'window scale shift count') };
    case 'TS': {
      if (!cursor.eatWord('val')) cursor.fail("'val' expected");
      const val = bounded(cursor, 0xffffffff, 'ts val');
      if (!cursor.eatWord('ecr')) cursor.fail("'ecr' expected");
      return { kind: 'timestamps', val, ecr: bounded(cursor, 0xffffffff, 'ecr val') };
    }
    case 'sack':
      return { kind: 'sack', blocks: parseSackBlocks(cursor) };
    case 'FO':
    case 'FOEXP': {
      const cookie = parseHex(cursor, 'TCP fast open cookie');
      return { kind: 'fastopen', cookie, experimental: name === 'FOEXP' };
    }
    case 'md5': {
      const bytes = parseHex(cursor, 'MD5 digest');
      if (bytes.length > 16) cursor.fail('MD5 digest too long');
      return { kind: 'md5', bytes };
    }
    case 'ECN':
      return { kind: 'raw', bytes: parseAccEcn(cursor) };
    case 'raw':
      if (house) return { kind: 'raw', bytes: parseHex(cursor, 'option') };
  }
  return cursor.fail(`unknown TCP option '${name}'`);
}

function parseSackBlocks(cursor: Cursor): [number, number][] {
  const blocks: [number, number][] = [];
  for (let left = cursor.match(/\d+/y); left !== null; left = cursor.match(/\d+/y)) {
    cursor.expect(':');
    if (Number(left) > 0xffffffff) cursor.fail('TCP SACK left sequence number out of range');
    blocks.push([Number(left), bounded(cursor, 0xffffffff, 'TCP SACK right sequence number')]);
  }
  if (blocks.length === 0) cursor.fail('SACK block expected');
  return blocks;
}

/** Pairs of hexadecimal digits, none at all, too. */
function parseHex(cursor: Cursor, what: string): Uint8Array {
  const digits = cursor.match(/\w+/y) ?? '';
  if (digits.length % 2 !== 0) cursor.fail(`${what} has an odd number of digits`);
  if (!/^[0-9a-fA-F]*$/.test(digits)) cursor.fail(`${what} '${digits}' is not a valid hex string`);
  return Uint8Array.from(digits.match(/../g) ?? [], pair => Number.parseInt(pair, 16));
}

/** Kinds of the two Accurate ECN options, by the counter that comes first (RFC 9768 section 3.2.3). */
const ACC_ECN_KINDS: Record<string, number> = { e0b: 172, e1b: 174 };

/** `ECN e1b 1 ceb 0 e0b 1`: up to three counters of 24 bits, the middle one always ceb. */
function parseAccEcn(cursor: Cursor): Uint8Array {
  const first = cursor.word() ?? '';
  const kind = ACC_ECN_KINDS[first] ?? cursor.fail("'e0b' or 'e1b' expected");
  const counters = [bounded(cursor, 0xffffff, 'TCP AccECN field value')];
  for (const next of ['ceb', first === 'e0b' ? 'e1b' : 'e0b']) {
    if (!cursor.eatWord(next)) break;
    counters.push(bounded(cursor, 0xffffff, 'TCP AccECN field value'));
  }
  const bytes = counters.flatMap(value => [value >>> 16, (value >>> 8) & 255, value & 255]);
  return Uint8Array.of(kind, 2 + bytes.length, ...bytes);
}

function bounded(cursor: Cursor, max: number, what: string): number {
  const value = cursor.integer();
  if (value < 0 || value > max) cursor.fail(`${what} out of range`);
  return value;
}
