/**
 * DNS messages (RFC 1035 section 4, EDNS: RFC 6891; RFC 6762 section 18 for multicast): bytes to values and back.
 * @module
 */
import {
  classCode,
  className,
  opcodeCode,
  opcodeName,
  rcodeCode,
  rcodeName,
  typeCode,
  typeName,
} from './library.ts';
import { NameWriter, readName } from './names.ts';
import {
  type DataOf,
  dataRoom,
  labelsOrThrow,
  nameRoom,
  type ResourceRecord,
  readData,
  writeData,
} from './records.ts';

/** What is asked. */
export interface Question {
  readonly name: string;
  /** 'AAAA', 'ANY' ...; 'TYPE65280' for a type without a name. */
  readonly type: string;
  readonly class: string;
  /** Multicast DNS: the answer may come by unicast (RFC 6762 section 5.4). */
  readonly unicast?: boolean;
}

/** An EDNS option: its code and its bytes. */
export interface EdnsOption {
  readonly code: number;
  readonly data: Uint8Array;
}

/** What the OPT pseudo-record says (RFC 6891 section 6.1). */
export interface Edns {
  /** Bytes of UDP payload that the sender can take. */
  readonly udpSize: number;
  readonly version: number;
  /** DO: signatures are wanted. */
  readonly dnssecOk: boolean;
  readonly options: readonly EdnsOption[];
}

/** A message. */
export interface Message {
  readonly id: number;
  /** QR: an answer, not a question. */
  readonly response: boolean;
  /** 'QUERY', 'NOTIFY' ... */
  readonly opcode: string;
  /** The flags: authoritative answer, truncated, recursion desired and available, authentic data, checking disabled. */
  readonly aa: boolean;
  readonly tc: boolean;
  readonly rd: boolean;
  readonly ra: boolean;
  readonly ad: boolean;
  readonly cd: boolean;
  /** 'NOERROR', 'NXDOMAIN' ..., with the bits that EDNS adds. */
  readonly rcode: string;
  readonly questions: readonly Question[];
  readonly answers: readonly ResourceRecord[];
  readonly authorities: readonly ResourceRecord[];
  /** Without the OPT record. */
  readonly additionals: readonly ResourceRecord[];
  readonly edns: Edns | null;
}

/** How the first bit of classes is meant. */
export interface MessageOptions {
  /** Multicast DNS: `unicast` in questions, `flush` in records. */
  readonly multicast?: boolean;
}

/** Bytes of the header. */
export const HEADER_LENGTH = 12;
/** The largest message: TCP has 16 bits for its length. */
export const MESSAGE_MAX = 65535;
/** Bytes of an answer by UDP to whom EDNS is unknown (RFC 1035 section 4.2.1). */
export const PLAIN_UDP_SIZE = 512;

/** A message with nothing in it: spread it under what differs. */
export const BLANK_MESSAGE: Message = {
  id: 0,
  response: false,
  opcode: 'QUERY',
  aa: false,
  tc: false,
  rd: false,
  ra: false,
  ad: false,
  cd: false,
  rcode: 'NOERROR',
  questions: [],
  answers: [],
  authorities: [],
  additionals: [],
  edns: null,
};

const FLAG_BITS = { aa: 0x400, tc: 0x200, rd: 0x100, ra: 0x80, ad: 0x20, cd: 0x10 } as const;
type FlagName = keyof typeof FLAG_BITS;
const FLAG_NAMES = Object.keys(FLAG_BITS) as FlagName[];
const QR = 0x8000;
const DNSSEC_OK = 0x8000;
/** The first bit of a class in multicast DNS. */
const TOP_BIT = 0x8000;
const OPT = 41;
/** Bytes of a question and of a record at least: the root's name, and what follows it. */
const QUESTION_MIN = 5;
const RECORD_MIN = 11;
/** Type, class, TTL and RDLENGTH. */
const RECORD_FIXED = 10;
/** Code and length of an EDNS option. */
const OPTION_FIXED = 4;
const TTL_MAX = 0x7fffffff;

type Counts = [questions: number, answers: number, authorities: number, additionals: number];

/** What every record begins with, and where its data lie. */
interface RecordHead {
  readonly name: string;
  readonly type: number;
  /** The class; of OPT and in multicast DNS not that alone. */
  readonly bits: number;
  readonly ttl: number;
  readonly start: number;
  readonly end: number;
}

// --- bytes to values --------------------------------------------------------------------------------------------

/**
 * The message in `bytes`; null when there is any doubt about it: something leaves the message or its record, a count
 * says more than there is, data is not what its type says, there are two OPT records. Bytes behind the message are
 * ignored.
 */
export function decodeMessage(bytes: Uint8Array, options: MessageOptions = {}): Message | null {
  if (bytes.length < HEADER_LENGTH) return null;
  try {
    return new Reader(bytes, options.multicast === true).message();
  } catch {
    // The library throws for what it does not understand.
    return null;
  }
}

class Reader {
  private readonly bytes: Uint8Array;
  private readonly view: DataView;
  private readonly multicast: boolean;
  private at = HEADER_LENGTH;
  private edns: Edns | null = null;
  /** The upper eight bits of the response code. */
  private extendedRcode = 0;

  constructor(bytes: Uint8Array, multicast: boolean) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.multicast = multicast;
  }

  message(): Message | null {
    const { view } = this;
    const flags = view.getUint16(2);
    const [asked, answered, authority, additional] = [4, 6, 8, 10].map(at => view.getUint16(at)) as Counts;
    const records = answered + authority + additional;
    // Nothing is made for a count that cannot be true.
    if (HEADER_LENGTH + asked * QUESTION_MIN + records * RECORD_MIN > view.byteLength) return null;
    const questions = this.list(asked, () => this.question());
    const answers = questions && this.list(answered, () => this.record());
    const authorities = answers && this.list(authority, () => this.record());
    const additionals = authorities && this.additionals(additional);
    if (!questions || !answers || !authorities || !additionals) return null;
    const { edns, extendedRcode } = this;
    const flagged = FLAG_NAMES.map(name => [name, (flags & FLAG_BITS[name]) !== 0]);
    return {
      ...BLANK_MESSAGE,
      ...Object.fromEntries(flagged),
      id: view.getUint16(0),
      response: (flags & QR) !== 0,
      opcode: opcodeName((flags >> 11) & 15),
      rcode: rcodeName((extendedRcode << 4) | (flags & 15)),
      questions,
      answers,
      authorities,
      additionals,
      edns,
    };
  }

  /** `count` times what `read` reads; null as soon as that is null. */
  private list<T>(count: number, read: () => T | null): T[] | null {
    const items: T[] = [];
    for (let i = 0; i < count; i++) {
      const item = read();
      if (item === null) return null;
      items.push(item);
    }
    return items;
  }

  private additionals(count: number): ResourceRecord[] | null {
    const records: ResourceRecord[] = [];
    for (let i = 0; i < count; i++) {
      const { at } = this;
      const head = this.head();
      if (head?.type === OPT) {
        if (!this.opt(head)) return null;
        continue;
      }
      this.at = at;
      const record = this.record();
      if (record === null) return null;
      records.push(record);
    }
    return records;
  }

  private question(): Question | null {
    const { view } = this;
    const read = readName(this.bytes, this.at);
    if (read === null || read.end + 4 > view.byteLength) return null;
    const { name, end } = read;
    const type = typeName(view.getUint16(end));
    const bits = view.getUint16(end + 2);
    this.at = end + 4;
    if (!this.multicast) return { name, type, class: className(bits) };
    return { name, type, class: className(bits & ~TOP_BIT), unicast: (bits & TOP_BIT) !== 0 };
  }

  private record(): ResourceRecord | null {
    const head = this.head();
    if (head === null || head.type === OPT) return null;
    const { name, bits, start, end } = head;
    const type = typeName(head.type);
    const data = readData(type, this.bytes, start, end) as DataOf<string> | null;
    if (data === null) return null;
    this.at = end;
    // RFC 2181 section 8: a time with its first bit set counts as 0.
    const ttl = head.ttl > TTL_MAX ? 0 : head.ttl;
    if (!this.multicast) return { name, type, class: className(bits), ttl, data };
    return { name, type, class: className(bits & ~TOP_BIT), ttl, data, flush: (bits & TOP_BIT) !== 0 };
  }

  /** What every record begins with. */
  private head(): RecordHead | null {
    const { view } = this;
    const read = readName(this.bytes, this.at);
    if (read === null || read.end + RECORD_FIXED > view.byteLength) return null;
    const { name, end: at } = read;
    const start = at + RECORD_FIXED;
    const end = start + view.getUint16(at + 8);
    if (end > view.byteLength) return null;
    return {
      name,
      type: view.getUint16(at),
      bits: view.getUint16(at + 2),
      ttl: view.getUint32(at + 4),
      start,
      end,
    };
  }

  /** False for a second one, and for one that is not as it must be (RFC 6891 section 6.1.1). */
  private opt({ name, bits, ttl, start, end }: RecordHead): boolean {
    if (this.edns !== null || name !== '.') return false;
    const options = this.options(start, end);
    if (options === null) return false;
    this.at = end;
    this.extendedRcode = ttl >>> 24;
    this.edns = {
      udpSize: Math.max(bits, PLAIN_UDP_SIZE),
      version: (ttl >>> 16) & 0xff,
      dnssecOk: (ttl & DNSSEC_OK) !== 0,
      options,
    };
    return true;
  }

  private options(start: number, end: number): EdnsOption[] | null {
    const { bytes, view } = this;
    const options: EdnsOption[] = [];
    for (let at = start; at < end; ) {
      const from = at + OPTION_FIXED;
      const next = from > end ? from : from + view.getUint16(at + 2);
      if (next > end) return null;
      options.push({ code: view.getUint16(at), data: bytes.slice(from, next) });
      at = next;
    }
    return options;
  }
}

// --- values to bytes --------------------------------------------------------------------------------------------

/**
 * The bytes of a message, names compressed. Throws RangeError for what cannot be sent: a name that is none, data that
 * is not what its type says, more than MESSAGE_MAX bytes.
 */
export function encodeMessage(message: Message): Uint8Array {
  const { questions, answers, authorities, additionals, edns } = message;
  const records = [...answers, ...authorities, ...additionals];
  let room = HEADER_LENGTH + (edns === null ? 0 : RECORD_MIN + optionsLength(edns));
  for (const { name } of questions) room += nameRoom(name) + 4;
  for (const record of records) room += nameRoom(record.name) + RECORD_FIXED + dataRoom(record);
  const bytes = new Uint8Array(room);
  const view = new DataView(bytes.buffer);
  writeHeader(view, message);
  const names = new NameWriter(bytes);
  let at = HEADER_LENGTH;
  for (const question of questions) {
    at = names.write(labelsOrThrow(question.name), at, true);
    view.setUint16(at, codeOf('type', question.type, typeCode));
    view.setUint16(at + 2, codeOf('class', question.class, classCode) | (question.unicast ? TOP_BIT : 0));
    at += 4;
  }
  for (const record of records) at = writeRecord(record, bytes, view, at, names);
  if (edns !== null) at = writeOpt(edns, rcodeCode(message.rcode) >> 4, bytes, view, at);
  if (at > MESSAGE_MAX) throw new RangeError(`a message of ${at} bytes: there can be ${MESSAGE_MAX}`);
  return bytes.subarray(0, at);
}

function writeHeader(view: DataView, message: Message): void {
  const { questions, answers, authorities, additionals, edns } = message;
  const flags = FLAG_NAMES.reduce((bits, name) => (message[name] ? bits | FLAG_BITS[name] : bits), 0);
  const codes = (opcodeCode(message.opcode) << 11) | (rcodeCode(message.rcode) & 15);
  const counts = [questions, answers, authorities, additionals].map(({ length }) => length);
  view.setUint16(0, message.id);
  view.setUint16(2, flags | codes | (message.response ? QR : 0));
  for (const [i, count] of counts.entries()) {
    view.setUint16(4 + 2 * i, i === 3 && edns !== null ? count + 1 : count);
  }
}

function writeRecord(
  record: ResourceRecord,
  bytes: Uint8Array,
  view: DataView,
  start: number,
  names: NameWriter,
): number {
  const at = names.write(labelsOrThrow(record.name), start, true);
  view.setUint16(at, codeOf('type', record.type, typeCode));
  view.setUint16(at + 2, codeOf('class', record.class, classCode) | (record.flush ? TOP_BIT : 0));
  view.setUint32(at + 4, record.ttl);
  return writeData(record, bytes, at + 8, names);
}

function writeOpt(edns: Edns, extendedRcode: number, bytes: Uint8Array, view: DataView, at: number): number {
  // The root's name is the one byte 0.
  view.setUint16(at + 1, OPT);
  view.setUint16(at + 3, edns.udpSize);
  view.setUint8(at + 5, extendedRcode);
  view.setUint8(at + 6, edns.version);
  view.setUint16(at + 7, edns.dnssecOk ? DNSSEC_OK : 0);
  view.setUint16(at + 9, optionsLength(edns));
  let next = at + RECORD_MIN;
  for (const { code, data } of edns.options) {
    view.setUint16(next, code);
    view.setUint16(next + 2, data.length);
    bytes.set(data, next + OPTION_FIXED);
    next += OPTION_FIXED + data.length;
  }
  return next;
}

function optionsLength({ options }: Edns): number {
  return options.reduce((length, { data }) => length + OPTION_FIXED + data.length, 0);
}

function codeOf(what: string, name: string, code: (name: string) => number): number {
  const found = code(name);
  if (found < 0) throw new RangeError(`not a ${what} of DNS: ${JSON.stringify(name)}`);
  return found;
}
