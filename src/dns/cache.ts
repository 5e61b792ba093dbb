import { nameKey } from './names.ts';
import type { ResourceRecord } from './records.ts';

/** What is known of a name and a type, with the aliases that lead there. */
export interface Answer {
  /** NXDOMAIN: the name at the end of the aliases does not exist. */
  readonly rcode: 'NOERROR' | 'NXDOMAIN';
  /** The CNAME records, in order. */
  readonly aliases: readonly ResourceRecord<'CNAME'>[];
  /** The records of the type; none with NOERROR is "no data". */
  readonly records: readonly ResourceRecord[];
}

interface Entry {
  readonly answer: Answer;
  readonly bytes: number;
  readonly storedUs: number;
  readonly untilUs: number;
}

/** An answer that is about no type in particular: the name does not exist (RFC 8020). */
const ANY_TYPE = '';

/** Answers for as long as they are good, and things that do not exist (RFC 2308). The least used goes first. */
export class DnsCache {
  /** Under name and type; the last used is the last. */
  private readonly entries = new Map<string, Entry>();
  private readonly entriesMax: number;
  private readonly bytesMax: number;
  private bytes = 0;

  constructor(entriesMax: number, bytesMax: number) {
    this.entriesMax = entriesMax;
    this.bytesMax = bytesMax;
  }

  /** How many answers it holds. */
  get size(): number {
    return this.entries.size;
  }

  /** What is known at `nowUs`, its times as far as they have run down; null when nothing is. */
  get(name: string, type: string, nowUs: number): Answer | null {
    return this.find(keyOf(name, type), nowUs) ?? this.find(keyOf(name, ANY_TYPE), nowUs);
  }

  /** Remembers an answer for `ttl` seconds; `bytes` is what it costs. Nothing is remembered for 0 seconds. */
  put(name: string, type: string, answer: Answer, ttl: number, bytes: number, nowUs: number): void {
    // Aliases are followed for one type, and may lead elsewhere for another.
    const general = answer.rcode === 'NXDOMAIN' && answer.aliases.length === 0;
    const key = keyOf(name, general ? ANY_TYPE : type);
    this.remove(key);
    if (ttl <= 0 || bytes > this.bytesMax) return;
    this.entries.set(key, { answer, bytes, storedUs: nowUs, untilUs: nowUs + ttl * 1e6 });
    this.bytes += bytes;
    for (const oldest of this.entries.keys()) {
      if (this.entries.size <= this.entriesMax && this.bytes <= this.bytesMax) return;
      this.remove(oldest);
    }
  }

  /** Forgets everything. */
  clear(): void {
    this.entries.clear();
    this.bytes = 0;
  }

  private find(key: string, nowUs: number): Answer | null {
    const entry = this.entries.get(key);
    if (entry === undefined) return null;
    if (entry.untilUs <= nowUs) {
      this.remove(key);
      return null;
    }
    this.entries.delete(key);
    this.entries.set(key, entry);
    const age = Math.floor((nowUs - entry.storedUs) / 1e6);
    const { rcode, aliases, records } = entry.answer;
    return { rcode, aliases: aliases.map(aged(age)), records: records.map(aged(age)) };
  }

  private remove(key: string): void {
    const entry = this.entries.get(key);
    if (entry === undefined) return;
    this.entries.delete(key);
    this.bytes -= entry.bytes;
  }
}

function keyOf(name: string, type: string): string {
  return `${type} ${nameKey(name)}`;
}

/** A record whose time has run for `seconds`. */
function aged(seconds: number): <T extends ResourceRecord>(record: T) => T {
  return record => ({ ...record, ttl: Math.max(record.ttl - seconds, 0) });
}
