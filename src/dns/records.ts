/**
 * What stands in resource records, and how it is written on the wire.
 * @module
 */
import { IpAddress } from '../wire/address.ts';
import { dataLength, decodeData, encodeData, typeCode, typeName } from './library.ts';
import { labelBytes, type NameWriter, readName } from './names.ts';

/** RFC 1035 section 3.3.13: of a zone. Times in seconds. */
export interface SoaData {
  /** The primary name server. */
  readonly mname: string;
  /** The mailbox of who is in charge, its @ a dot. */
  readonly rname: string;
  readonly serial: number;
  readonly refresh: number;
  readonly retry: number;
  readonly expire: number;
  /** How long it may be remembered that something does not exist (RFC 2308). */
  readonly minimum: number;
}

/** RFC 1035 section 3.3.9: who takes mail. */
export interface MxData {
  readonly preference: number;
  readonly exchange: string;
}

/** RFC 2782: where a service is. */
export interface SrvData {
  readonly priority: number;
  readonly weight: number;
  readonly port: number;
  readonly target: string;
}

/** RFC 8659: who may issue certificates. */
export interface CaaData {
  readonly flags: number;
  readonly tag: string;
  readonly value: string;
}

/** RFC 1035 section 3.3.2. */
export interface HinfoData {
  readonly cpu: string;
  readonly os: string;
}

/** RFC 4034 section 4: which types a name has, and the next name. Multicast DNS uses it to say what there is not. */
export interface NsecData {
  readonly nextDomain: string;
  readonly rrtypes: readonly string[];
}

/** The data of the types that are understood. Those of any other are bytes. */
export interface RecordData {
  /** Addresses, as text. */
  A: string;
  AAAA: string;
  /** Names. */
  NS: string;
  CNAME: string;
  DNAME: string;
  PTR: string;
  SOA: SoaData;
  MX: MxData;
  SRV: SrvData;
  /** Strings of at most 255 bytes. */
  TXT: readonly Uint8Array[];
  CAA: CaaData;
  HINFO: HinfoData;
  NSEC: NsecData;
}

/** A type whose data is understood. */
export type KnownType = keyof RecordData;

/** What the data of a record of type `T` is. */
export type DataOf<T extends string> = T extends KnownType
  ? RecordData[T]
  : RecordData[KnownType] | Uint8Array;

/** A resource record (RFC 1035 section 3.2). */
export interface ResourceRecord<T extends string = string> {
  readonly name: string;
  readonly type: T;
  /** 'IN', nearly always. */
  readonly class: string;
  /** Seconds. */
  readonly ttl: number;
  readonly data: DataOf<T>;
  /** Multicast DNS: what was known before under this name and type is no longer so (RFC 6762 section 10.2). */
  readonly flush?: boolean;
}

/** Whether a record is of a type, whose data then has a known shape. */
export function isType<T extends KnownType>(record: ResourceRecord, type: T): record is ResourceRecord<T> {
  return record.type === type;
}

/** `types` is a set of types, and the last field (RFC 4034 section 4.1.2). */
type Field = readonly [name: string, kind: 'u16' | 'u32' | 'name' | 'types'];

/** The types with names in their data: its fields in order. A lone field without a name is the data itself. */
const LAYOUTS: Readonly<Record<string, readonly Field[]>> = {
  NS: [['', 'name']],
  CNAME: [['', 'name']],
  DNAME: [['', 'name']],
  PTR: [['', 'name']],
  MX: [
    ['preference', 'u16'],
    ['exchange', 'name'],
  ],
  SRV: [
    ['priority', 'u16'],
    ['weight', 'u16'],
    ['port', 'u16'],
    ['target', 'name'],
  ],
  SOA: [
    ['mname', 'name'],
    ['rname', 'name'],
    ['serial', 'u32'],
    ['refresh', 'u32'],
    ['retry', 'u32'],
    ['expire', 'u32'],
    ['minimum', 'u32'],
  ],
  NSEC: [
    ['nextDomain', 'name'],
    ['rrtypes', 'types'],
  ],
};

/** The types in whose data names may be compressed: those of RFC 1035 (RFC 3597 section 4). */
const COMPRESSIBLE: ReadonlySet<string> = new Set(['NS', 'CNAME', 'PTR', 'MX', 'SOA']);
/** The types whose data the library reads and writes. */
const LIBRARY_TYPES: ReadonlySet<string> = new Set(['A', 'AAAA', 'TXT', 'CAA', 'HINFO']);

const LENGTH_BYTES = 2;
/** Bytes of a window of a set of types. */
const WINDOW_MAX = 32;

/** The data in bytes[start, end), behind its RDLENGTH; null when it is not what its type says. */
export function readData(type: string, bytes: Uint8Array, start: number, end: number): unknown {
  const layout = LAYOUTS[type];
  if (layout !== undefined) return readFields(layout, bytes.subarray(0, end), start);
  if (!LIBRARY_TYPES.has(type)) return bytes.slice(start, end);
  const data = decodeData(type, bytes, start - LENGTH_BYTES, end);
  if (data === null || (type !== 'A' && type !== 'AAAA')) return data;
  return String(IpAddress.parse(String(data)));
}

function readFields(layout: readonly Field[], bytes: Uint8Array, start: number): unknown {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const data: Record<string, unknown> = {};
  let at = start;
  for (const [field, kind] of layout) {
    if (kind === 'name') {
      const read = readName(bytes, at);
      if (read === null) return null;
      data[field] = read.name;
      at = read.end;
    } else if (kind === 'types') {
      data[field] = readTypes(bytes.subarray(at));
      if (data[field] === null) return null;
      at = bytes.length;
    } else {
      const size = kind === 'u16' ? 2 : 4;
      if (at + size > bytes.length) return null;
      data[field] = kind === 'u16' ? view.getUint16(at) : view.getUint32(at);
      at += size;
    }
  }
  if (at !== bytes.length) return null;
  return layout[0]?.[0] === '' ? data[''] : data;
}

/** The types of a bitmap: windows in order, each with its number, its length and a bit a type. Null for any other. */
function readTypes(bytes: Uint8Array): string[] | null {
  const types: string[] = [];
  let last = -1;
  for (let at = 0; at < bytes.length; ) {
    const [window = 0, size = 0] = bytes.subarray(at, at + 2);
    const next = at + 2 + size;
    if (window <= last || size === 0 || size > WINDOW_MAX || next > bytes.length) return null;
    for (let bit = 0; bit < 8 * size; bit++) {
      const set = ((bytes[at + 2 + (bit >> 3)] as number) << (bit & 7)) & 0x80;
      if (set !== 0) types.push(typeName((window << 8) | bit));
    }
    last = window;
    at = next;
  }
  return types;
}

function typeBitmap(types: readonly string[]): Uint8Array {
  const windows = new Map<number, Uint8Array>();
  for (const code of types.map(typeCode).sort((a, b) => a - b)) {
    if (code < 0) throw new RangeError(`not types of DNS: ${types}`);
    const bits = windows.get(code >> 8) ?? new Uint8Array(WINDOW_MAX);
    windows.set(code >> 8, bits);
    bits[(code & 0xff) >> 3] = (bits[(code & 0xff) >> 3] as number) | (0x80 >> (code & 7));
  }
  const parts = [...windows].map(([window, bits]) => {
    let size = WINDOW_MAX;
    while (bits[size - 1] === 0) size--;
    return [window, size, ...bits.subarray(0, size)];
  });
  return Uint8Array.from(parts.flat());
}

/** Upper bound of the bytes that `writeData` needs. Throws RangeError for data that cannot be. */
export function dataRoom(record: ResourceRecord): number {
  const { type, data } = record;
  const layout = LAYOUTS[type];
  if (layout === undefined) {
    return LENGTH_BYTES + (data instanceof Uint8Array ? data.length : dataLength(type, data));
  }
  let room = LENGTH_BYTES;
  for (const [field, kind] of layout) {
    const value = fieldOf(data, field);
    if (kind === 'name') room += nameRoom(String(value));
    else room += kind === 'types' ? typeBitmap(value as string[]).length : 4;
  }
  return room;
}

/** Upper bound of the bytes of a name on the wire. */
export function nameRoom(name: string): number {
  // A character has at most three bytes in UTF-8, a pair four; an escape has fewer than characters.
  return 3 * name.length + 2;
}

/** Writes RDLENGTH and data at `start`; returns where what follows begins. Throws RangeError for data that cannot be. */
export function writeData(
  record: ResourceRecord,
  bytes: Uint8Array,
  start: number,
  names: NameWriter,
): number {
  const { type, data } = record;
  const layout = LAYOUTS[type];
  if (layout === undefined) return writeOther(type, data, bytes, start);
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  let at = start + LENGTH_BYTES;
  for (const [field, kind] of layout) {
    const value = fieldOf(data, field);
    if (kind === 'name') {
      at = names.write(labelsOrThrow(String(value)), at, COMPRESSIBLE.has(type));
    } else if (kind === 'types') {
      const bitmap = typeBitmap(value as string[]);
      bytes.set(bitmap, at);
      at += bitmap.length;
    } else if (kind === 'u16') {
      view.setUint16(at, Number(value));
      at += 2;
    } else {
      view.setUint32(at, Number(value));
      at += 4;
    }
  }
  view.setUint16(start, at - start - LENGTH_BYTES);
  return at;
}

function writeOther(type: string, data: unknown, bytes: Uint8Array, start: number): number {
  if (data instanceof Uint8Array) {
    new DataView(bytes.buffer, bytes.byteOffset).setUint16(start, data.length);
    bytes.set(data, start + LENGTH_BYTES);
    return start + LENGTH_BYTES + data.length;
  }
  // The library puts bytes in the place of a TXT record's text, in the caller's array.
  return encodeData(type, Array.isArray(data) ? [...data] : data, bytes, start);
}

/** The labels of a name that is to be sent. Throws RangeError when it is none. */
export function labelsOrThrow(name: string): Uint8Array[] {
  const labels = labelBytes(name);
  if (labels === null) throw new RangeError(`not a domain name: ${JSON.stringify(name)}`);
  return labels;
}

function fieldOf(data: unknown, field: string): unknown {
  return field === '' ? data : (data as Record<string, unknown>)[field];
}

/** Every name that a record's data points to, for those who send what is known of it as well. */
export function targetOf(record: ResourceRecord): string | null {
  if (isType(record, 'MX')) return record.data.exchange;
  if (isType(record, 'SRV')) return record.data.target;
  if (isType(record, 'NS')) return record.data;
  return null;
}

/** A record with each name in it, its own and those in its data, as `change` has it. */
export function mapNames(record: ResourceRecord, change: (name: string) => string): ResourceRecord {
  const { type, data } = record;
  const changed = { ...record, name: change(record.name) };
  const layout = LAYOUTS[type];
  if (layout === undefined) return changed;
  if (layout[0]?.[0] === '') return { ...changed, data: change(String(data)) };
  const names = layout
    .filter(([, kind]) => kind === 'name')
    .map(([field]) => [field, change(String(fieldOf(data, field)))]);
  return { ...changed, data: { ...(data as object), ...Object.fromEntries(names) } };
}
