/**
 * Zones as an object, and what they say about a name (RFC 1034 section 4.3.2, wildcards: RFC 4592).
 * @module
 */
import { IpAddress } from '../wire/address.ts';
import { isComplete, isWithin, joinNames, nameKey, normalName, parentName } from './names.ts';
import type { CaaData, KnownType, MxData, ResourceRecord, SoaData, SrvData } from './records.ts';

/** One value or several. */
export type OneOrMore<T> = T | readonly T[];

/**
 * The records of one name. Names in them are relative to the zone unless they end with a dot, as in zone files; '@' is
 * the zone itself.
 */
export interface ZoneNode {
  /** Seconds; the server's default when not given. */
  readonly ttl?: number;
  readonly A?: OneOrMore<string>;
  readonly AAAA?: OneOrMore<string>;
  /** The name is another name for this one; it has nothing else then. */
  readonly CNAME?: string;
  readonly NS?: OneOrMore<string>;
  readonly PTR?: OneOrMore<string>;
  readonly MX?: OneOrMore<MxData>;
  readonly SRV?: OneOrMore<SrvData>;
  /** A text is a record; it is cut into strings of 255 bytes. */
  readonly TXT?: OneOrMore<string>;
  readonly CAA?: OneOrMore<CaaData>;
  /** Of '@' only; what is not given has sensible values. */
  readonly SOA?: Partial<SoaData>;
}

/** The names of a zone: 'www', '*' or '*.dyn' (RFC 4592), '@' for the zone itself. */
export interface ZoneData {
  readonly [name: string]: ZoneNode;
}

/** Zones by their names. */
export interface Zones {
  readonly [origin: string]: ZoneData;
}

type RecordSets = Map<string, ResourceRecord[]>;

/** What a zone has under a name. */
export type ZoneAnswer =
  | { readonly kind: 'records'; readonly records: readonly ResourceRecord[] }
  | { readonly kind: 'alias'; readonly alias: ResourceRecord; readonly target: string }
  | { readonly kind: 'referral'; readonly servers: readonly ResourceRecord[] }
  | { readonly kind: 'nodata' | 'nxdomain' };

const SOA_DEFAULTS = { serial: 1, refresh: 3600, retry: 600, expire: 604_800, minimum: 60 } as const;
const TTL_MAX = 0x7fffffff;
const TEXT_MAX = 255;
const TYPES: readonly KnownType[] = ['A', 'AAAA', 'CNAME', 'NS', 'PTR', 'MX', 'SRV', 'TXT', 'CAA', 'SOA'];

/** One zone, checked. */
export class Zone {
  /** Its name. */
  readonly origin: string;
  readonly soa: ResourceRecord<'SOA'>;
  /** By nameKey; a name that only has names below it has an entry without records. */
  private readonly nodes = new Map<string, RecordSets>();

  /** Throws TypeError with the zone, the name and what is wrong. `ttl` in seconds. */
  constructor(origin: string, data: ZoneData, ttl: number) {
    const name = normalName(origin);
    if (name === null) throw new TypeError(`not the name of a zone: ${JSON.stringify(origin)}`);
    this.origin = name;
    this.nodes.set(nameKey(name), new Map());
    for (const [relative, node] of Object.entries(data)) this.addNode(relative, node, ttl);
    const apex = data['@'] ?? {};
    this.soa = this.makeSoa(apex.SOA ?? {}, apex.ttl ?? ttl);
    this.nodes.get(nameKey(name))?.set('SOA', [this.soa]);
  }

  /** What there is for a normal name at or below the origin. The type ANY is everything. */
  find(name: string, type: string): ZoneAnswer {
    const servers = this.delegation(name);
    if (servers !== null) return { kind: 'referral', servers };
    const exact = this.nodes.get(nameKey(name));
    if (exact !== undefined) return answerOf(exact, type, name);
    const wildcard = this.nodes.get(nameKey(joinNames('*', this.closestEncloser(name))));
    return wildcard === undefined ? { kind: 'nxdomain' } : answerOf(wildcard, type, name);
  }

  /** The addresses known of a name here, below a delegation, too: they go along with names that point to it. */
  glue(name: string): readonly ResourceRecord[] {
    const node = this.nodes.get(nameKey(name));
    return [...(node?.get('A') ?? []), ...(node?.get('AAAA') ?? [])];
  }

  /** The NS records of the uppermost delegation at or above a name; null when it is ours. */
  private delegation(name: string): readonly ResourceRecord[] | null {
    let servers: readonly ResourceRecord[] | null = null;
    for (let at = name; nameKey(at) !== nameKey(this.origin); at = parentName(at)) {
      servers = this.nodes.get(nameKey(at))?.get('NS') ?? servers;
    }
    return servers;
  }

  /** RFC 4592 section 3.3.1: the closest ancestor that exists. The origin does. */
  private closestEncloser(name: string): string {
    let at = parentName(name);
    while (!this.nodes.has(nameKey(at))) at = parentName(at);
    return at;
  }

  private addNode(relative: string, node: ZoneNode, defaultTtl: number): void {
    const name = this.absolute(relative);
    const { ttl = defaultTtl, ...sets } = node;
    const wrong = this.problemOf(name, ttl, Object.keys(sets));
    if (name === null || wrong !== null) throw this.error(relative, wrong ?? 'is no name');
    this.makeRoom(name);
    const known = this.nodes.get(nameKey(name)) as RecordSets;
    if (known.size > 0) throw this.error(relative, 'is there twice');
    for (const [type, values] of Object.entries(sets)) {
      if (type === 'SOA') continue;
      const records = (Array.isArray(values) ? values : [values]).map((value: unknown) => {
        const data = this.dataOf(type, value);
        if (data === null) throw this.error(relative, `${JSON.stringify(value)} is no ${type}`);
        return { name, type, class: 'IN', ttl, data } as ResourceRecord;
      });
      if (records.length > 0) known.set(type, records);
    }
  }

  private error(name: string, why: string): TypeError {
    return new TypeError(`zone ${this.origin}, name ${JSON.stringify(name)}: ${why}`);
  }

  /** What is wrong with a name and the types it has; null for nothing. */
  private problemOf(name: string | null, ttl: number, types: readonly string[]): string | null {
    if (name === null || !isWithin(name, this.origin)) return 'is no name in this zone';
    if (!isUint(ttl, TTL_MAX)) return `ttl ${ttl} is no number of seconds`;
    const unknown = types.find(type => !TYPES.includes(type as KnownType));
    if (unknown !== undefined) return `${unknown} is none of ${TYPES.join(', ')}`;
    const isApex = nameKey(name) === nameKey(this.origin);
    if (types.includes('CNAME') && (types.length > 1 || isApex))
      return 'an alias (CNAME) has no other records';
    return types.includes('SOA') && !isApex ? 'SOA belongs to the zone itself, @' : null;
  }

  /** Every name between this one and the origin exists, too (RFC 4592 section 2.2.2). */
  private makeRoom(name: string): void {
    for (let at = name; !this.nodes.has(nameKey(at)); at = parentName(at))
      this.nodes.set(nameKey(at), new Map());
  }

  /** The name that text in the zone stands for; null when it is none. */
  private absolute(text: string): string | null {
    if (text === '@') return this.origin;
    const name = normalName(text);
    return name === null || isComplete(text) ? name : normalName(joinNames(name, this.origin));
  }

  private dataOf(type: string, value: unknown): unknown {
    if (type === 'A' || type === 'AAAA') return addressOf(type, value);
    if (type === 'TXT') return typeof value === 'string' ? stringsOf(value) : null;
    if (type === 'CAA') return caaOf(value);
    if (typeof value === 'string') return this.absolute(value);
    if (typeof value !== 'object' || value === null) return null;
    const names = Object.entries(value).map(([field, part]): [string, unknown] => [
      field,
      typeof part === 'string' ? this.absolute(part) : isUint(part, 0xffff) ? part : null,
    ]);
    const wanted = type === 'MX' ? ['preference', 'exchange'] : ['priority', 'weight', 'port', 'target'];
    const data = Object.fromEntries(names);
    const complete = wanted.every(field => data[field] !== undefined && data[field] !== null);
    return complete && names.length === wanted.length ? data : null;
  }

  private makeSoa(given: Partial<SoaData>, ttl: number): ResourceRecord<'SOA'> {
    const [firstServer] = this.nodes.get(nameKey(this.origin))?.get('NS') ?? [];
    const { mname, rname = 'hostmaster', ...numbers } = given;
    const data = {
      mname: mname === undefined ? String(firstServer?.data ?? this.origin) : this.absolute(mname),
      rname: this.absolute(rname),
      ...SOA_DEFAULTS,
      ...numbers,
    };
    const { serial, refresh, retry, expire, minimum } = data;
    const valid = [serial, refresh, retry, expire, minimum].every(number => isUint(number, 0xffffffff));
    if (data.mname === null || data.rname === null || !valid)
      throw new TypeError(`zone ${this.origin}: ${JSON.stringify(given)} is no SOA`);
    return { name: this.origin, type: 'SOA', class: 'IN', ttl, data: data as SoaData };
  }
}

/** What the records of a name answer to a question. Those of a wildcard get the name that was asked for. */
function answerOf(sets: RecordSets, type: string, name: string): ZoneAnswer {
  const named = (record: ResourceRecord): ResourceRecord => ({ ...record, name });
  const [alias] = sets.get('CNAME') ?? [];
  if (alias !== undefined && type !== 'CNAME' && type !== 'ANY') {
    return { kind: 'alias', alias: named(alias), target: String(alias.data) };
  }
  const records = type === 'ANY' ? [...sets.values()].flat() : (sets.get(type) ?? []);
  return records.length === 0 ? { kind: 'nodata' } : { kind: 'records', records: records.map(named) };
}

function addressOf(type: 'A' | 'AAAA', value: unknown): string | null {
  const address = typeof value === 'string' ? IpAddress.parse(value) : null;
  return address?.byteLength === (type === 'A' ? 4 : 16) && address.zone === 0 ? String(address) : null;
}

function stringsOf(text: string): readonly Uint8Array[] {
  const bytes = new TextEncoder().encode(text);
  const strings: Uint8Array[] = [];
  for (let at = 0; at === 0 || at < bytes.length; at += TEXT_MAX)
    strings.push(bytes.slice(at, at + TEXT_MAX));
  return strings;
}

function caaOf(value: unknown): CaaData | null {
  const { flags = 0, tag, value: text } = (value ?? {}) as Partial<CaaData>;
  const valid = isUint(flags, 255) && /^[A-Za-z0-9]{1,255}$/.test(tag ?? '') && typeof text === 'string';
  return valid ? { flags, tag: tag as string, value: text as string } : null;
}

function isUint(value: unknown, max: number): boolean {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= max;
}
