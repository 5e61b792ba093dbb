import type { Netif } from '../net/netif.ts';
import { AF_INET } from '../wire/address.ts';
import { classCode, typeCode } from './library.ts';
import { compareBytes, dataBytes, recordKey } from './mdns-records.ts';
import { nameKey, reverseName } from './names.ts';
import type { DataOf, ResourceRecord } from './records.ts';

/** A record that a host tells the link of. */
export interface MulticastRecord<T extends string = string> {
  /** 'printer._ipp._tcp.local' */
  readonly name: string;
  readonly type: T;
  readonly data: DataOf<T>;
  /** Seconds; 120 for SRV and addresses, else 4500 (RFC 6762 section 10). */
  readonly ttl?: number;
  /** Whether other hosts may have records of this name and type, too; false: the name is claimed for this host. */
  readonly shared?: boolean;
}

/** A record of this host. */
export interface Owned {
  readonly record: ResourceRecord;
  readonly key: string;
  readonly shared: boolean;
  /** Whether its name is claimed by probing. Those of addresses are not: the addresses were. */
  readonly probed: boolean;
  /** When it was last sent to all, in microseconds. */
  sentUs: number;
}

const HOST_TTL = 120;
const OTHER_TTL = 4500;
const HOST_TYPES: ReadonlySet<string> = new Set(['A', 'AAAA', 'SRV', 'HINFO']);

/** A record as it is given with what it leaves out. */
function owned(given: MulticastRecord, probed: boolean): Owned {
  const { name, type, data, shared = false } = given;
  const ttl = given.ttl ?? (HOST_TYPES.has(type) ? HOST_TTL : OTHER_TTL);
  const record: ResourceRecord = { name, type, class: 'IN', ttl, data, flush: !shared };
  return { record, key: recordKey(record), shared, probed, sentUs: Number.NEGATIVE_INFINITY };
}

/** All records of a host: of its name and addresses, those that were given, and what says that there are no others. */
export function ownedRecords(
  hostname: string | null,
  netif: Netif,
  given: readonly MulticastRecord[],
  before: readonly Owned[],
): Owned[] {
  const list = given.map(each => owned(each, each.shared !== true));
  for (const entry of netif.addresses) {
    if (hostname === null || ('usable' in entry && entry.usable !== true)) continue;
    const address = entry.address.withZone(0);
    const type = address.family === AF_INET ? 'A' : 'AAAA';
    list.push(owned({ name: hostname, type, data: String(address) }, true));
    list.push(owned({ name: reverseName(address), type: 'PTR', data: hostname, ttl: HOST_TTL }, false));
  }
  const types = new Map<string, Set<string>>();
  for (const { record, probed } of list) {
    if (!probed) continue;
    const key = nameKey(record.name);
    types.set(key, (types.get(key) ?? new Set()).add(record.type));
  }
  for (const [name, some] of types) {
    const data = { nextDomain: name, rrtypes: [...some] };
    list.push(owned({ name, type: 'NSEC', data, ttl: HOST_TTL }, false));
  }
  const known = new Map(before.map(each => [each.key, each.sentUs]));
  for (const each of list) each.sentUs = known.get(each.key) ?? each.sentUs;
  return [...new Map(list.map(each => [each.key, each])).values()];
}

/** Whether a record is what another host's is not: of two that claim a name the later has it. Above 0: `ours`. */
export function compareClaims(ours: readonly ResourceRecord[], theirs: readonly ResourceRecord[]): number {
  const [a, b] = [sortedClaims(ours), sortedClaims(theirs)] as const;
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const difference = compareBytes(a[i] as number[], b[i] as number[]);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/** Class, type and data of records, in order (RFC 6762 section 8.2.1). */
function sortedClaims(records: readonly ResourceRecord[]): number[][] {
  return records
    .map(record => {
      const type = typeCode(record.type);
      return [classCode(record.class), type >> 8, type & 0xff, ...dataBytes(record)];
    })
    .sort(compareBytes);
}
