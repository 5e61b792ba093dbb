/**
 * Questions and records as text: the lines of a zone file (RFC 1035 section 5.1, RFC 3597), with dig's columns.
 * @module
 */
import { toHex } from '../base/hex.ts';
import type { Question } from './message.ts';
import { labelBytes } from './names.ts';
import { isType, type ResourceRecord } from './records.ts';

/** Characters of a name that have a backslash in front, and of a text in quotes. */
const SPECIAL_IN_NAMES = '"$().;@\\';
const SPECIAL_IN_TEXTS = '"\\';
const SPACE = 0x20;
const TILDE = 0x7e;

/** The columns of TTL, class, type and data, and the width of a tab. */
const COLUMNS = [24, 32, 40, 48] as const;
const TAB = 8;
/** Bytes of unknown data that are written without a space between them. */
const HEX_GROUP = 28;

/** A name as zone files have it: with a dot at its end, its bytes that are no printable ASCII as \DDD. */
export function formatName(name: string): string {
  const labels = labelBytes(name) ?? [];
  return labels.length === 0 ? '.' : labels.map(label => `${escaped(label, SPECIAL_IN_NAMES)}.`).join('');
}

function escaped(bytes: Uint8Array, special: string): string {
  // In names a blank is escaped; a text has quotes.
  const first = special === SPECIAL_IN_NAMES ? SPACE + 1 : SPACE;
  let text = '';
  for (const byte of bytes) {
    const character = String.fromCharCode(byte);
    if (byte < first || byte > TILDE) text += `\\${String(byte).padStart(3, '0')}`;
    else text += special.includes(character) ? `\\${character}` : character;
  }
  return text;
}

function quoted(text: Uint8Array | string): string {
  const bytes = typeof text === 'string' ? new TextEncoder().encode(text) : text;
  return `"${escaped(bytes, SPECIAL_IN_TEXTS)}"`;
}

/** The data of a record: '10 mail.example.test.', '"hello"', '\# 3 010203'. */
export function formatData(record: ResourceRecord): string {
  if (record.data instanceof Uint8Array) return formatUnknown(record.data);
  if (isType(record, 'A') || isType(record, 'AAAA')) return record.data;
  if (typeof record.data === 'string') return formatName(record.data);
  if (isType(record, 'MX')) return `${record.data.preference} ${formatName(record.data.exchange)}`;
  if (isType(record, 'TXT')) return record.data.map(quoted).join(' ');
  if (isType(record, 'HINFO')) return `${quoted(record.data.cpu)} ${quoted(record.data.os)}`;
  if (isType(record, 'CAA')) return `${record.data.flags} ${record.data.tag} ${quoted(record.data.value)}`;
  if (isType(record, 'NSEC')) return [formatName(record.data.nextDomain), ...record.data.rrtypes].join(' ');
  if (isType(record, 'SRV')) {
    const { priority, weight, port, target } = record.data;
    return `${priority} ${weight} ${port} ${formatName(target)}`;
  }
  if (isType(record, 'SOA')) {
    const { mname, rname, serial, refresh, retry, expire, minimum } = record.data;
    return [formatName(mname), formatName(rname), serial, refresh, retry, expire, minimum].join(' ');
  }
  return '';
}

/** RFC 3597 section 5. */
function formatUnknown(data: Uint8Array): string {
  const groups: string[] = [];
  for (let at = 0; at < data.length; at += HEX_GROUP) {
    groups.push(toHex(data, at, Math.min(at + HEX_GROUP, data.length)).toUpperCase());
  }
  return ['\\#', data.length, ...groups].join(' ');
}

/** A record on a line: 'www.example.test.	300	IN	A	10.0.0.2'. */
export function formatRecord(record: ResourceRecord): string {
  const { name, ttl, type } = record;
  return columns([formatName(name), String(ttl), record.class, type, formatData(record)], COLUMNS);
}

/** A question on a line, behind its semicolon: ';www.example.test.		IN	A'. */
export function formatQuestion(question: Question): string {
  return `;${columns([formatName(question.name), question.class, question.type], COLUMNS.slice(1))}`;
}

/** Texts at columns, by tabs and blanks, one at least: what is too long moves the rest on. */
function columns(texts: readonly string[], places: readonly number[]): string {
  let line = '';
  let at = 0;
  for (const [i, text] of texts.entries()) {
    if (i > 0) {
      const to = Math.max(places[i - 1] ?? 0, at + 1);
      const tabs = Math.floor(to / TAB) - Math.floor(at / TAB);
      const blanks = to - (tabs > 0 ? to - (to % TAB) : at);
      line += '\t'.repeat(tabs) + ' '.repeat(blanks);
      at = to;
    }
    line += text;
    at += text.length;
  }
  return line;
}
