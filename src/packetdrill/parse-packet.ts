import { ACK, CWR, ECE, FIN, PSH, RST, SYN, URG } from '../wire/tcp.ts';
import type { Cursor } from './cursor.ts';
import { icmpCode, icmpType } from './icmp-names.ts';
import { parseOptions } from './parse-options.ts';
import {
  type Family,
  type HouseTags,
  type IcmpSpec,
  type IpSpec,
  type PacketSpec,
  type TcpSpec,
  UnsupportedError,
} from './syntax.ts';

/** The flag of RFC 3540, now AE, Accurate ECN's third bit: the lowest of the byte before the other flags. */
export const AE = 0x100;

const FLAGS: Record<string, number> = {
  F: FIN,
  S: SYN,
  R: RST,
  P: PSH,
  '.': ACK,
  U: URG,
  E: ECE,
  W: CWR,
  A: AE,
};

const ECN: Record<string, number> = { noecn: 0, ect1: 1, ect0: 2, ce: 3 };

/** Longest IP packet a script may write down, and longest TCP header. */
const PACKET_MAX = 65_535;
const TCP_OPTIONS_MAX = 40;
const HEADERS = 40;

const PLAIN_IP: IpSpec = { check: 'none', tos: 0, ttl: 0 };
const NO_TAGS: HouseTags = { peer: 1, isn: null, badChecksum: false };

/** What follows `<` or `>`. */
export function parsePacket(
  cursor: Cursor,
  direction: 'in' | 'out',
  family: Family,
  house: boolean,
): PacketSpec {
  const encapsulation = cursor.match(/(?:gre|GREv0|mpls|ipv[46])\b/y);
  if (encapsulation !== null) throw new UnsupportedError(`${encapsulation} encapsulation`);
  const { ip, tags } = parseBrackets(cursor, house);
  if (ip.check === 'ect01' && direction === 'in') cursor.fail('[ect01] is for outbound packets only');
  if (cursor.eatWord('udp')) throw new UnsupportedError('UDP packets');
  if (cursor.eatWord('encap')) throw new UnsupportedError('PSP encapsulation');
  if (cursor.eatWord('icmp')) return parseIcmp(cursor, { ip, tags }, family, house);
  return parseTcp(cursor, { ip, tags }, direction, house);
}

interface Head {
  readonly ip: IpSpec;
  readonly tags: HouseTags;
}

/** `[ect0]`, `(tos 0x10)`, and the house's `[peer 2]`. */
function parseBrackets(cursor: Cursor, house: boolean): Head {
  let head: Head = { ip: PLAIN_IP, tags: NO_TAGS };
  for (;;) {
    const end = cursor.eat('[') ? ']' : cursor.eat('(') ? ')' : null;
    if (end === null) return head;
    do head = parseBracket(cursor, head, house);
    while (cursor.eat(','));
    cursor.expect(end);
  }
}

function parseBracket(cursor: Cursor, { ip, tags }: Head, house: boolean): Head {
  const name = cursor.word() ?? cursor.fail('tag expected');
  const ecn = ECN[name];
  if (ecn !== undefined) return { tags, ip: { ...ip, check: 'ecn', tos: ecn } };
  if (name === 'ect01') return { tags, ip: { ...ip, check: 'ect01' } };
  if (name === 'tos') return { tags, ip: { ...ip, check: 'tos', tos: bounded(cursor, 255, 'tos') } };
  if (name === 'ttl') return { tags, ip: { ...ip, ttl: bounded(cursor, 255, 'ttl') } };
  if (name === 'flowlabel') throw new UnsupportedError('IPv6 flow labels');
  if (house && name === 'peer') return { ip, tags: { ...tags, peer: cursor.integer() } };
  if (house && name === 'isn') return { ip, tags: { ...tags, isn: cursor.integer() } };
  if (house && name === 'badsum') return { ip, tags: { ...tags, badChecksum: true } };
  return cursor.fail(`unknown tag '${name}'`);
}

function parseTcp(cursor: Cursor, head: Head, direction: 'in' | 'out', house: boolean): TcpSpec {
  const ports = parsePorts(cursor);
  const flags = parseFlags(cursor);
  const { seq, length } = parseRange(cursor);
  const ack = cursor.eatWord('ack') ? parseAck(cursor, house) : null;
  const window = cursor.eatWord('win') ? bounded(cursor, 0xffff, 'win') : null;
  const urgent = cursor.eatWord('urg') ? bounded(cursor, 0xffff, 'urg') : 0;
  if (window === null && direction === 'in') cursor.fail('an inbound packet needs a window (win)');
  let optionsLength = 0;
  let options: TcpSpec['options'] = [];
  if (cursor.eat('<')) {
    const parsed = parseOptions(cursor, house);
    options = parsed === null ? null : parsed.options;
    optionsLength = parsed?.length ?? 0;
    if (parsed === null && direction === 'in') cursor.fail('<...> is for outbound packets only');
  }
  if (!house && optionsLength % 4 !== 0) {
    const excess = optionsLength % 4;
    cursor.fail(`TCP options are not padded to a multiple of 4 bytes: ${excess} excess bytes`);
  }
  if (optionsLength > TCP_OPTIONS_MAX) cursor.fail('TCP header too large');
  if (HEADERS + optionsLength + length > PACKET_MAX) cursor.fail('TCP segment too large');
  return { kind: 'tcp', ...head, ports, flags, seq, length, ack, window, urgent, options };
}

/** House scripts may acknowledge what is before the first byte, as a negative number. */
function parseAck(cursor: Cursor, house: boolean): number {
  return house ? cursor.integer() >>> 0 : bounded(cursor, 0xffffffff, 'ack');
}

/** `1234 > 80` before the flags. */
function parsePorts(cursor: Cursor): TcpSpec['ports'] {
  const text = cursor.match(/\d+\s*>\s*\d+/y);
  if (text === null) return null;
  const [source, destination] = text.split('>').map(Number) as [number, number];
  if (source > 0xffff || destination > 0xffff) cursor.fail('port out of range');
  return { source, destination };
}

/** `S`, `P.`, `SEWA`, `-`; a digit is the ACE counter of Accurate ECN. */
function parseFlags(cursor: Cursor): number {
  const text = cursor.match(/-(?=\s)|[A-Za-z0-9]*\.?\d?(?=\s)/y) ?? '';
  if (text === '') cursor.fail('TCP flags expected');
  let flags = 0;
  const digit = /[0-7]/.exec(text)?.[0];
  for (const letter of text) {
    if (letter === '-' || letter === digit) continue;
    const flag = FLAGS[letter] ?? cursor.fail(`Invalid TCP flag: '${letter}'`);
    if (digit !== undefined && (flag & (ECE | CWR | AE)) !== 0)
      cursor.fail(`Conflicting TCP flag: '${letter}'`);
    flags |= flag;
  }
  const ace = Number(digit ?? 0);
  return flags | ((ace & 1) !== 0 ? ECE : 0) | ((ace & 2) !== 0 ? CWR : 0) | ((ace & 4) !== 0 ? AE : 0);
}

/** `1:1001(1000)`. */
function parseRange(cursor: Cursor): { seq: number; length: number } {
  const seq = bounded(cursor, 0xffffffff, 'sequence number');
  cursor.expect(':');
  const end = bounded(cursor, 0xffffffff, 'sequence number');
  cursor.expect('(');
  const length = bounded(cursor, 0xffff, 'TCP payload size');
  cursor.expect(')');
  if (end - seq !== length)
    cursor.fail(`inconsistent TCP sequence numbers: ${seq}:${end} is not ${length} bytes`);
  return { seq, length };
}

function parseIcmp(cursor: Cursor, head: Head, family: Family, house: boolean): IcmpSpec {
  const typeName = cursor.word() ?? cursor.fail('ICMP type expected');
  const type = icmpType(family, typeName) ?? cursor.fail(`bad ICMP type ${typeName}`);
  const codeName = cursor.match(/(?!(?:mtu|id)\b)[A-Za-z_]\w*/y);
  const code =
    codeName === null ? 0 : (icmpCode(family, type, codeName) ?? cursor.fail(`bad ICMP code ${codeName}`));
  const mtu = cursor.eatWord('mtu') ? cursor.integer() : -1;
  const tooBig = family === 'ipv4' ? type === 3 && code === 4 : type === 2 && code === 0;
  if (mtu >= 0 && !tooBig) cursor.fail('ICMP MTU is only valid for frag_needed and packet_too_big');
  if (cursor.eatWord('id')) throw new UnsupportedError('ICMP echo messages');
  let quoted = { seq: 0, length: 0 };
  if (cursor.eat('[')) {
    const what = cursor.match(/(?:udp|raw)\b/y);
    if (what !== null) throw new UnsupportedError(`ICMP that quotes ${what}`);
    if (house) cursor.match(/[FSRPUEW.]+(?=\s)/y);
    quoted = parseRange(cursor);
    cursor.expect(']');
  }
  return { kind: 'icmp', ...head, type, code, mtu, ...quoted };
}

function bounded(cursor: Cursor, max: number, what: string): number {
  const value = cursor.integer();
  if (value < 0 || value > max) cursor.fail(`${what} out of range`);
  return value;
}
