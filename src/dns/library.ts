/**
 * The one place that knows the message library (@dnsquery/dns-packet): the names of types, classes, opcodes and
 * response codes, and the formats of record data. Names, counts and bounds are in names.ts and message.ts: the library
 * reads beyond the end, believes lengths, and takes a dot inside a label for one between labels.
 * @module
 */
import * as packet from '@dnsquery/dns-packet';
import { toString as classText, toClass } from '@dnsquery/dns-packet/classes.js';
import { toString as opcodeText, toOpcode } from '@dnsquery/dns-packet/opcodes.js';
import { toString as rcodeText, toRcode } from '@dnsquery/dns-packet/rcodes.js';
import { toType, toString as typeText } from '@dnsquery/dns-packet/types.js';

/** A format of the library: RDLENGTH and what it counts. */
interface Format {
  encode: { (data: unknown, buffer: Uint8Array, offset: number): Uint8Array; bytes: number };
  decode: { (bytes: Uint8Array, offset: number): unknown; bytes: number };
  encodingLength(data: unknown): number;
}

const formatOf = packet.enc as (type: string) => Format;

/** Types that the library has no name for. */
const MORE_TYPES: readonly (readonly [number, string])[] = [
  [64, 'SVCB'],
  [65, 'HTTPS'],
  [256, 'URI'],
];
/** Response codes beyond the header's four bits (RFC 6891 section 9). */
const MORE_RCODES: readonly (readonly [number, string])[] = [
  [16, 'BADVERS'],
  [23, 'BADCOOKIE'],
];

/** 'AAAA' for 28; 'TYPE65280' for a type without a name (RFC 3597 section 5). */
export function typeName(code: number): string {
  const more = MORE_TYPES.find(([known]) => known === code);
  return more?.[1] ?? typeText(code).replace('UNKNOWN_', 'TYPE');
}

/** The number of a type, its name in any case; -1 when there is none. */
export function typeCode(name: string): number {
  const upper = name.toUpperCase();
  const more = MORE_TYPES.find(([, known]) => known === upper);
  return more?.[0] ?? (toType(upper.replace(/^UNKNOWN_/, '?')) || generic('TYPE', upper));
}

/** 'IN' for 1; 'CLASS9' for a class without a name. */
export function className(code: number): string {
  return classText(code).replace('UNKNOWN_', 'CLASS');
}

/** The number of a class; -1 when there is none. */
export function classCode(name: string): number {
  const upper = name.toUpperCase();
  return toClass(upper) || generic('CLASS', upper);
}

function generic(prefix: string, name: string): number {
  const digits = name.startsWith(prefix) ? name.slice(prefix.length) : '';
  const code = Number(digits);
  return /^\d{1,5}$/.test(digits) && code <= 0xffff ? code : -1;
}

/** 'NXDOMAIN' for 3; 'RCODE_11' for one without a name. */
export function rcodeName(code: number): string {
  const more = MORE_RCODES.find(([known]) => known === code);
  return more?.[1] ?? rcodeText(code);
}

/** The number of a response code that `rcodeName` gives. */
export function rcodeCode(name: string): number {
  const more = MORE_RCODES.find(([, known]) => known === name);
  if (more !== undefined) return more[0];
  return toRcode(name) || Number(/^RCODE_(\d{1,4})$/.exec(name)?.[1] ?? 0);
}

/** 'QUERY' for 0; 'OPCODE_3' for one without a name. */
export const opcodeName: (code: number) => string = opcodeText;
/** The number of an opcode that `opcodeName` gives. */
export const opcodeCode: (name: string) => number = toOpcode;

/**
 * The data of a record whose RDLENGTH is at `offset`, which must be within `bytes`; null when it does not fill exactly
 * what RDLENGTH says. Throws what the library throws for data that it does not understand.
 */
export function decodeData(type: string, bytes: Uint8Array, offset: number, end: number): unknown {
  // Cut off at the record's end: there the library stops, whatever the data says.
  const data = formatOf(type).decode(bytes.subarray(0, end), offset);
  return formatOf(type).decode.bytes === end - offset ? data : null;
}

/** Writes RDLENGTH and data at `offset`; returns where what follows begins. Throws for data that cannot be. */
export function encodeData(type: string, data: unknown, bytes: Uint8Array, offset: number): number {
  formatOf(type).encode(data, bytes, offset);
  return offset + formatOf(type).encode.bytes;
}

/** How many bytes `encodeData` needs. */
export function dataLength(type: string, data: unknown): number {
  return formatOf(type).encodingLength(data);
}
