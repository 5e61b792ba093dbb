/**
 * A message as dig prints it.
 * @module
 */
import { toHex } from '../base/hex.ts';
import { formatData, formatQuestion, formatRecord } from './format.ts';
import type { Edns, EdnsOption, Message } from './message.ts';
import type { ResourceRecord } from './records.ts';

/** What is printed of a message: dig's +[no]comments, +[no]question ... */
export interface DigSections {
  readonly comments: boolean;
  readonly question: boolean;
  readonly answer: boolean;
  readonly authority: boolean;
  readonly additional: boolean;
}

const FLAGS = ['aa', 'tc', 'rd', 'ra', 'ad', 'cd'] as const;
/** Extended DNS errors (RFC 8914). */
const OPTION_EDE = 15;
const OPTION_COOKIE = 10;
/** What RFC 8914 calls them, by number. */
const EDE_NAMES = [
  'Other',
  'Unsupported DNSKEY Algorithm',
  'Unsupported DS Digest Type',
  'Stale Answer',
  'Forged Answer',
  'DNSSEC Indeterminate',
  'DNSSEC Bogus',
  'Signature Expired',
  'Signature Not Yet Valid',
  'DNSKEY Missing',
  'RRSIGs Missing',
  'No Zone Key Bit Set',
  'NSEC Missing',
  'Cached Error',
  'Not Ready',
  'Blocked',
  'Censored',
  'Filtered',
  'Prohibited',
  'Stale NXDOMAIN Answer',
  'Not Authoritative',
  'Not Supported',
  'No Reachable Authority',
  'Network Error',
  'Invalid Data',
] as const;

/** The lines of an answer, an empty one behind each section. */
export function formatDigMessage(message: Message, sections: DigSections): string[] {
  const { edns, questions, answers, authorities, additionals } = message;
  const lines: string[] = [];
  if (sections.comments) lines.push(';; Got answer:', ...headerLines(message), '');
  if (sections.comments && edns !== null && sections.additional) {
    lines.push(';; OPT PSEUDOSECTION:', ...ednsLines(edns));
  }
  const section = (title: string, texts: readonly string[]): void => {
    if (texts.length === 0) return;
    if (sections.comments) lines.push(`;; ${title} SECTION:`);
    lines.push(...texts);
    if (sections.comments) lines.push('');
  };
  const records = (shown: boolean, list: readonly ResourceRecord[]): string[] =>
    shown ? list.map(formatRecord) : [];
  section('QUESTION', sections.question ? questions.map(formatQuestion) : []);
  section('ANSWER', records(sections.answer, answers));
  section('AUTHORITY', records(sections.authority, authorities));
  section('ADDITIONAL', records(sections.additional, additionals));
  return lines;
}

/** The data of the answers alone, as +short prints them. */
export function formatDigShort({ answers }: Message): string[] {
  return answers.map(formatData);
}

function headerLines(message: Message): string[] {
  const { opcode, rcode, id, questions, answers, authorities, additionals, edns } = message;
  const flags = ['qr', ...FLAGS.filter(flag => message[flag])];
  const additional = additionals.length + (edns === null ? 0 : 1);
  const lines = [
    `;; ->>HEADER<<- opcode: ${opcode}, status: ${rcode.replace('RCODE_', 'RESERVED')}, id: ${id}`,
    `;; flags: ${flags.join(' ')}; QUERY: ${questions.length}, ANSWER: ${answers.length}, ` +
      `AUTHORITY: ${authorities.length}, ADDITIONAL: ${additional}`,
  ];
  if (message.rd && !message.ra) lines.push(';; WARNING: recursion requested but not available');
  return lines;
}

function ednsLines({ version, dnssecOk, udpSize, options }: Edns): string[] {
  return [
    `; EDNS: version: ${version}, flags:${dnssecOk ? ' do' : ''}; udp: ${udpSize}`,
    ...options.map(optionLine),
  ];
}

function optionLine({ code, data }: EdnsOption): string {
  if (code === OPTION_COOKIE) return `; COOKIE: ${toHex(data)}`;
  if (code !== OPTION_EDE || data.length < 2) return `; OPT=${code}: ${spaced(data)}`.trimEnd();
  const error = ((data[0] as number) << 8) | (data[1] as number);
  const name = EDE_NAMES[error];
  const text = data.length > 2 ? `: (${new TextDecoder().decode(data.subarray(2))})` : '';
  return `; EDE: ${error}${name === undefined ? '' : ` (${name})`}${text}`;
}

function spaced(data: Uint8Array): string {
  return Array.from(data, byte => toHex(Uint8Array.of(byte))).join(' ');
}
