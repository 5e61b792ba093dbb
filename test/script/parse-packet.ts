import { ACK, CWR, ECE, FIN, PSH, RST, SYN, URG } from '../../src/wire/tcp.ts';
import type { Cursor } from './cursor.ts';
import type { IcmpSpec, OptionSpec, PacketSpec, Tags, TcpSpec } from './syntax.ts';

const FLAGS: Record<string, number> = {
  F: FIN,
  S: SYN,
  R: RST,
  P: PSH,
  '.': ACK,
  U: URG,
  E: ECE,
  W: CWR,
  '-': 0,
};

const ECN: Record<string, number> = { noecn: 0, ect1: 1, ect0: 2, ce: 3 };

/** Type and code of the ICMP errors a script may name (RFC 792). */
const ICMP: Record<string, readonly [number, number]> = {
  'unreachable net_unreachable': [3, 0],
  'unreachable host_unreachable': [3, 1],
  'unreachable protocol_unreachable': [3, 2],
  'unreachable port_unreachable': [3, 3],
  'unreachable frag_needed': [3, 4],
  'unreachable source_route_failed': [3, 5],
  'unreachable host_prohibited': [3, 10],
  'unreachable admin_prohibited': [3, 13],
  source_quench: [4, 0],
  'time_exceeded ttl_exceeded': [11, 0],
  parameter_problem: [12, 0],
};

/** What follows `<` or `>`. */
export function parsePacket(cursor: Cursor): PacketSpec {
  const tags = parseTags(cursor);
  return cursor.eatWord('icmp') ? parseIcmp(cursor, tags) : parseTcp(cursor, tags);
}

function parseTags(cursor: Cursor): Tags {
  let tags: Tags = { peer: 1, isn: null, ecn: null, badChecksum: false };
  while (cursor.eat('[')) {
    do {
      const name = cursor.word() ?? cursor.fail('tag expected');
      const ecn = ECN[name];
      if (ecn !== undefined) tags = { ...tags, ecn };
      else if (name === 'peer') tags = { ...tags, peer: cursor.integer() };
      else if (name === 'isn') tags = { ...tags, isn: cursor.integer() };
      else if (name === 'badsum') tags = { ...tags, badChecksum: true };
      else cursor.fail(`unknown tag '${name}'`);
    } while (cursor.eat(','));
    cursor.expect(']');
  }
  return tags;
}

function parseTcp(cursor: Cursor, tags: Tags): TcpSpec {
  const letters = cursor.match(/[FSRPUEW.]+|-/y) ?? cursor.fail('TCP flags expected');
  const flags = [...letters].reduce((sum, letter) => sum | (FLAGS[letter] as number), 0);
  const { seq, length } = parseRange(cursor);
  const ack = cursor.eatWord('ack') ? cursor.integer() : null;
  const window = cursor.eatWord('win') ? cursor.integer() : null;
  const urgent = cursor.eatWord('urg') ? cursor.integer() : null;
  const options = cursor.eat('<') ? parseOptions(cursor) : [];
  return { kind: 'tcp', tags, flags, seq, length, ack, window, urgent, options };
}

/** `1:1001(1000)`. */
function parseRange(cursor: Cursor): { seq: number; length: number } {
  const seq = cursor.integer();
  cursor.expect(':');
  const end = cursor.integer();
  cursor.expect('(');
  const length = cursor.integer();
  cursor.expect(')');
  if (end - seq !== length) cursor.fail(`${seq}:${end} is not ${length} bytes`);
  return { seq, length };
}

function parseIcmp(cursor: Cursor, tags: Tags): IcmpSpec {
  const first = cursor.word() ?? cursor.fail('ICMP type expected');
  const name = first in ICMP ? first : `${first} ${cursor.word() ?? ''}`;
  const [type, code] = ICMP[name] ?? cursor.fail(`unknown ICMP error '${name}'`);
  const mtu = cursor.eatWord('mtu') ? cursor.integer() : 0;
  let quoted = { seq: 0, length: 0 };
  if (cursor.eat('[')) {
    cursor.match(/[FSRPUEW.]+(?=\s)/y);
    quoted = parseRange(cursor);
    cursor.expect(']');
  }
  return { kind: 'icmp', tags, type, code, mtu, ...quoted };
}

function parseOptions(cursor: Cursor): OptionSpec[] | null {
  if (cursor.eat('...')) {
    cursor.expect('>');
    return null;
  }
  const options: OptionSpec[] = [];
  while (!cursor.eat('>')) {
    if (options.length > 0) cursor.expect(',');
    options.push(parseOption(cursor));
  }
  return options;
}

function parseOption(cursor: Cursor): OptionSpec {
  const name = cursor.word() ?? cursor.fail('TCP option expected');
  switch (name) {
    case 'nop':
    case 'eol':
    case 'sackOK':
      return { kind: name };
    case 'mss':
    case 'wscale':
      return { kind: name, value: cursor.integer() };
    case 'TS': {
      if (!cursor.eatWord('val')) cursor.fail("'val' expected");
      const val = cursor.integer();
      if (!cursor.eatWord('ecr')) cursor.fail("'ecr' expected");
      return { kind: 'timestamps', val, ecr: cursor.integer() };
    }
    case 'sack':
      return { kind: 'sack', blocks: parseSackBlocks(cursor) };
    case 'raw':
      return { kind: 'raw', bytes: parseHex(cursor) };
    default:
      return cursor.fail(`unknown TCP option '${name}'`);
  }
}

function parseSackBlocks(cursor: Cursor): [number, number][] {
  const blocks: [number, number][] = [];
  for (let left = cursor.match(/\d+/y); left !== null; left = cursor.match(/\d+/y)) {
    cursor.expect(':');
    blocks.push([Number(left), cursor.integer()]);
  }
  return blocks;
}

/** Bytes of an option as they go on the wire, kind and length included: `raw 0204ffff`. */
function parseHex(cursor: Cursor): Uint8Array {
  const digits = cursor.match(/(?:[0-9a-fA-F]{2})+/y) ?? cursor.fail('pairs of hexadecimal digits expected');
  return Uint8Array.from(digits.match(/../g) ?? [], pair => Number.parseInt(pair, 16));
}
