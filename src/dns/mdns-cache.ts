import { recordKey, setKey } from './mdns-records.ts';
import { isType, type ResourceRecord } from './records.ts';

interface Entry {
  readonly record: ResourceRecord;
  readonly storedUs: number;
  untilUs: number;
}

/** How long a record is kept that is no longer so, in microseconds: another may still say that it is. */
const GRACE_US = 1_000_000;

/** Records of the link, each for its time (RFC 6762 section 10). What was heard of least recently goes first. */
export class MdnsCache {
  /** Under name and type, then under the whole record. */
  private readonly sets = new Map<string, Map<string, Entry>>();
  private readonly recordsMax: number;
  private readonly maxTtl: number;
  private records = 0;

  constructor(recordsMax: number, maxTtl: number) {
    this.recordsMax = recordsMax;
    this.maxTtl = maxTtl;
  }

  /** How many records it holds. */
  get size(): number {
    return this.records;
  }

  /** Remembers what a message said. */
  put(record: ResourceRecord, nowUs: number): void {
    const key = setKey(record.name, record.type);
    const set = this.sets.get(key) ?? new Map<string, Entry>();
    if (record.flush === true) {
      // Those of the last second are of the same announcement (section 10.2).
      for (const entry of set.values()) if (nowUs - entry.storedUs > GRACE_US) expireSoon(entry, nowUs);
    }
    const whole = recordKey(record);
    const before = set.get(whole);
    if (record.ttl === 0) {
      if (before !== undefined) expireSoon(before, nowUs);
      return;
    }
    if (before === undefined) this.records++;
    const untilUs = nowUs + Math.min(record.ttl, this.maxTtl) * 1e6;
    set.delete(whole);
    set.set(whole, { record, storedUs: nowUs, untilUs });
    this.sets.delete(key);
    this.sets.set(key, set);
    this.shrink();
  }

  /** The records of a name and a type, their times as far as they have run down. */
  find(name: string, type: string, nowUs: number): ResourceRecord[] {
    const key = setKey(name, type);
    const set = this.sets.get(key);
    if (set === undefined) return [];
    for (const [whole, { untilUs }] of set) {
      if (untilUs <= nowUs && set.delete(whole)) this.records--;
    }
    if (set.size === 0) this.sets.delete(key);
    return [...set.values()].map(({ record, untilUs }) => {
      return { ...record, ttl: Math.min(record.ttl, Math.ceil((untilUs - nowUs) / 1e6)) };
    });
  }

  /** Whether the owner of a name has said that it has no record of the type (section 6.1). */
  denies(name: string, type: string, nowUs: number): boolean {
    const said = this.find(name, 'NSEC', nowUs);
    return said.length > 0 && said.every(each => isType(each, 'NSEC') && !each.data.rrtypes.includes(type));
  }

  /** Forgets everything. */
  clear(): void {
    this.sets.clear();
    this.records = 0;
  }

  private shrink(): void {
    for (const [key, set] of this.sets) {
      for (const whole of set.keys()) {
        if (this.records <= this.recordsMax) return;
        set.delete(whole);
        this.records--;
      }
      this.sets.delete(key);
    }
  }
}

function expireSoon(entry: Entry, nowUs: number): void {
  entry.untilUs = Math.min(entry.untilUs, nowUs + GRACE_US);
}
