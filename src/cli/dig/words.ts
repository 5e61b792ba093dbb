/**
 * dig's words: @server, a name, a type, a class, and options with a plus.
 * @module
 */
import type { DigSections } from '../../dns/format-dig.ts';
import { classCode, typeCode } from '../../dns/library.ts';
import { normalName, reverseName } from '../../dns/names.ts';
import { IpAddress } from '../../wire/address.ts';
import { EXIT_USAGE, Failure } from '../failure.ts';

/** How the question is asked and what is printed: dig's options with a plus. */
export interface DigSettings extends DigSections {
  readonly tcp: boolean;
  readonly short: boolean;
  readonly recurse: boolean;
  readonly adflag: boolean;
  readonly cdflag: boolean;
  readonly dnssec: boolean;
  readonly edns: boolean;
  /** Takes an answer that was cut off. */
  readonly ignore: boolean;
  readonly cmd: boolean;
  readonly stats: boolean;
  readonly bufsize: number;
  /** Seconds. */
  readonly time: number;
  readonly tries: number;
}

/** What is asked, and whom. */
export interface DigQuery {
  /** Null: those that the stack knows. */
  readonly server: string | null;
  readonly name: string;
  readonly type: string;
  readonly class: string;
  readonly settings: DigSettings;
}

/** What options with a dash say in the place of words. */
export interface DigFlags {
  readonly reverse?: string;
  readonly type?: string;
  readonly class?: string;
}

const DEFAULTS: DigSettings = {
  tcp: false,
  short: false,
  recurse: true,
  adflag: true,
  cdflag: false,
  dnssec: false,
  edns: true,
  ignore: false,
  cmd: true,
  comments: true,
  question: true,
  answer: true,
  authority: true,
  additional: true,
  stats: true,
  bufsize: 1232,
  time: 5,
  tries: 3,
};

/** What +[no]all turns on and off. */
const SHOWN = ['cmd', 'comments', 'question', 'answer', 'authority', 'additional', 'stats'] as const;
/** Other names of the same. */
const ALIASES: Readonly<Record<string, string>> = {
  vc: 'tcp',
  rec: 'recurse',
  do: 'dnssec',
  ad: 'adflag',
  cd: 'cdflag',
};
const NUMBERS: Readonly<Record<string, readonly [min: number, max: number]>> = {
  bufsize: [0, 65535],
  time: [1, 300],
  tries: [1, 100],
};

/** The question in a command line. Throws a Failure. */
export function parseDig(words: readonly string[], flags: DigFlags): DigQuery {
  let settings = DEFAULTS;
  let server: string | null = null;
  let name: string | null = flags.reverse === undefined ? null : reversed(flags.reverse);
  let type = flags.type ?? null;
  let kind = flags.class ?? null;
  for (const word of words) {
    if (word.startsWith('+')) settings = withOption(settings, word);
    else if (word.startsWith('@')) server = word.slice(1);
    else if (type === null && isType(word)) type = word;
    else if (kind === null && classCode(word) > 0) kind = word;
    else if (name === null) name = nameOf(word);
    else throw wrong(`'${word}': there is a name already, and this is no type`);
  }
  if (type !== null && !isType(type)) throw wrong(`'${type}' is no type of DNS`);
  if (kind !== null && classCode(kind) < 0) throw wrong(`'${kind}' is no class of DNS`);
  const fallback = flags.reverse !== undefined ? 'PTR' : name === null ? 'NS' : 'A';
  const asked = (type ?? fallback).toUpperCase();
  return {
    server,
    name: name ?? '.',
    type: asked,
    class: (kind ?? 'IN').toUpperCase(),
    // As dig does: everything of a name is seldom little.
    settings: asked === 'ANY' && !words.includes('+notcp') ? { ...settings, tcp: true } : settings,
  };
}

function wrong(message: string): Failure {
  return new Failure(`${message} (see ethertype help dig)`, EXIT_USAGE);
}

function isType(word: string): boolean {
  return typeCode(word) > 0 && word.toUpperCase() !== 'OPT';
}

function nameOf(word: string): string {
  const name = normalName(word);
  if (name === null) throw wrong(`'${word}' is no domain name`);
  return name;
}

function reversed(text: string): string {
  const address = IpAddress.parse(text);
  if (address === null) throw wrong(`-x: '${text}' is no IP address`);
  return reverseName(address);
}

function withOption(settings: DigSettings, word: string): DigSettings {
  const [, no, given = '', value] = /^\+(no)?([a-z]+)(?:=(.*))?$/.exec(word) ?? [];
  const name = ALIASES[given] ?? given;
  const on = no === undefined;
  if (name === 'all' && value === undefined) {
    return { ...settings, ...Object.fromEntries(SHOWN.map(shown => [shown, on])) };
  }
  const range = NUMBERS[name];
  if (range !== undefined && on) {
    const number = Number(value);
    if (!/^\d{1,5}$/.test(value ?? '') || number < range[0] || number > range[1])
      throw wrong(
        `${word}: a number from ${range[0]} to ${range[1]} belongs behind it, as +${name}=${range[1]}`,
      );
    return { ...settings, [name]: number };
  }
  const isSwitch = typeof (settings as unknown as Record<string, unknown>)[name] === 'boolean';
  // +edns=0 is the version that there is.
  if (!isSwitch || (value !== undefined && !(name === 'edns' && value === '0')))
    throw wrong(`'${word}' is an option that is not there`);
  return { ...settings, [name]: on };
}
