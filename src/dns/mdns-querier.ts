import type { Host } from '../core/host.ts';
import { Deferred } from '../socket/api/deferred.ts';
import { Delay } from '../socket/api/delay.ts';
import type { DnsErrorCode } from './errors.ts';
import type { MdnsLimits } from './limits.ts';
import { MdnsCache } from './mdns-cache.ts';
import type { MdnsPort } from './mdns-port.ts';
import { dataBytes, setKey } from './mdns-records.ts';
import { BLANK_MESSAGE } from './message.ts';
import { NAME_MAX } from './names.ts';
import type { ResourceRecord } from './records.ts';

/** Records, or why there are none. */
export type MdnsFound = readonly ResourceRecord[] | DnsErrorCode;

/** Until a question is sent again, then twice as many microseconds, an hour at most (RFC 6762 section 5.2). */
const REPEAT_US = 1_000_000;
const REPEAT_MAX_US = 3_600_000_000;
/** Within this time all have answered of whom each may have a record: 120 ms (section 6), and the way. */
const COLLECT_US = 200_000;
/** Bytes of a record before its data when its name is a pointer, and of the header. */
const RECORD_ROOM = 12;

/** A question under way. */
interface Asking {
  readonly name: string;
  readonly type: string;
  readonly deadlineUs: number;
  readonly found: Deferred<MdnsFound>;
  readonly timer: Delay;
  repeatUs: number;
  /** Whether there is an answer, and others are waited for. */
  collecting: boolean;
}

/** Asks the link, and remembers what it says (RFC 6762 sections 5, 7.1 and 10). */
export class MdnsQuerier {
  readonly cache: MdnsCache;
  private readonly host: Host;
  private readonly port: MdnsPort;
  private readonly limits: MdnsLimits;
  private readonly asking = new Map<string, Asking>();
  private closed = false;

  constructor(host: Host, port: MdnsPort, limits: MdnsLimits) {
    this.host = host;
    this.port = port;
    this.limits = limits;
    this.cache = new MdnsCache(limits.cacheRecords, limits.maxTtl);
  }

  /**
   * The records of a name and a type. What is remembered is the answer unless `refresh`, which asks who has records
   * that are not known yet, and gives all. ENOTFOUND when nobody answers in time.
   */
  resolve(name: string, type: string, timeoutUs: number, refresh: boolean): Promise<MdnsFound> {
    const nowUs = this.host.refreshNow();
    const known = this.cache.find(name, type, nowUs);
    if (known.length > 0 && !refresh) return Promise.resolve(known);
    if (known.length === 0 && this.cache.denies(name, type, nowUs)) return Promise.resolve('ENODATA');
    const key = setKey(name, type);
    const before = this.asking.get(key);
    if (before !== undefined) return before.found.promise;
    if (this.closed || this.asking.size >= this.limits.queries) return Promise.resolve('ECANCELLED');
    const asking: Asking = {
      name,
      type,
      deadlineUs: nowUs + timeoutUs,
      found: new Deferred<MdnsFound>(this.host.env),
      timer: new Delay(this.host, () => this.step(asking)),
      repeatUs: REPEAT_US,
      collecting: false,
    };
    this.asking.set(key, asking);
    this.send(asking, true);
    if (known.length > 0) this.collect(asking);
    else this.wait(asking, asking.repeatUs);
    return asking.found.promise;
  }

  /** What somebody said. */
  response(records: readonly ResourceRecord[]): void {
    const nowUs = this.host.refreshNow();
    for (const record of records) this.cache.put(record, nowUs);
    for (const asking of [...this.asking.values()]) {
      const { name, type, collecting } = asking;
      if (collecting) continue;
      const found = this.cache.find(name, type, nowUs);
      if (found.length === 0) {
        if (this.cache.denies(name, type, nowUs)) this.finish(asking, 'ENODATA');
      } else if (found.every(({ flush }) => flush)) this.finish(asking, found);
      else this.collect(asking);
    }
  }

  close(): void {
    this.closed = true;
    for (const asking of [...this.asking.values()]) this.finish(asking, 'ECANCELLED');
  }

  private step(asking: Asking): void {
    if (asking.found.settled) return;
    const { name, type, collecting, deadlineUs } = asking;
    const nowUs = this.host.refreshNow();
    if (collecting || nowUs >= deadlineUs) {
      const found = this.cache.find(name, type, nowUs);
      this.finish(asking, found.length > 0 ? found : 'ENOTFOUND');
      return;
    }
    this.send(asking, false);
    asking.repeatUs = Math.min(2 * asking.repeatUs, REPEAT_MAX_US);
    this.wait(asking, asking.repeatUs);
  }

  /** The first time the answer may come to us alone: it was perhaps told to all a moment ago (section 5.4). */
  private send({ name, type }: Asking, unicast: boolean): void {
    const questions = [{ name, type, class: 'IN', unicast }];
    const answers: ResourceRecord[] = [];
    let room = this.limits.messageSize - RECORD_ROOM - NAME_MAX;
    for (const record of this.cache.find(name, type, this.host.nowUs)) {
      const size = RECORD_ROOM + dataBytes(record).length;
      // What does not fit is told to us again.
      if (size > room) continue;
      room -= size;
      answers.push({ ...record, flush: false });
    }
    this.port.multicast({ ...BLANK_MESSAGE, questions, answers });
  }

  private collect(asking: Asking): void {
    asking.collecting = true;
    this.wait(asking, COLLECT_US);
  }

  private wait({ timer, deadlineUs }: Asking, us: number): void {
    timer.start(Math.max(Math.min(us, deadlineUs - this.host.refreshNow()), 0));
  }

  private finish(asking: Asking, found: MdnsFound): void {
    asking.timer.stop();
    this.asking.delete(setKey(asking.name, asking.type));
    asking.found.resolve(found);
  }
}
