import type { Host } from '../core/host.ts';
import { Deferred } from '../socket/api/deferred.ts';
import { Delay } from '../socket/api/delay.ts';
import { DnsError } from './errors.ts';
import type { MdnsLimits } from './limits.ts';
import { compareClaims, type MulticastRecord, type Owned, ownedRecords } from './mdns-owned.ts';
import { MDNS_PORT, type MdnsPeer, type MdnsPort } from './mdns-port.ts';
import { nextName, recordKey } from './mdns-records.ts';
import { BLANK_MESSAGE, encodeMessage, type Message, type Question } from './message.ts';
import { nameKey, sameName } from './names.ts';
import { isType, mapNames, type ResourceRecord, targetOf } from './records.ts';

/** Times of RFC 6762, in microseconds: sections 8.1, 8.2, 8.3, 6 and 7.2. */
const PROBES = 3;
const PROBE_US = 250_000;
const DEFERRED_US = 1_000_000;
const ANNOUNCEMENTS = 2;
const ANNOUNCE_US = 1_000_000;
const SHARED_MIN_US = 20_000;
const SHARED_MAX_US = 120_000;
const TRUNCATED_MIN_US = 400_000;
const TRUNCATED_MAX_US = 500_000;
const AGAIN_US = 1_000_000;
/** Seconds, in answers to those who know nothing of multicast (section 6.7). */
const LEGACY_TTL = 10;

/** What a responder is for. */
export interface ResponderSettings {
  readonly hostname: string | null;
  readonly records: readonly MulticastRecord[];
  readonly limits: MdnsLimits;
  renamed(before: string, after: string): void;
}

/** Claims the names of a host, tells of its records and answers for them (RFC 6762 sections 6 to 10). */
export class MdnsResponder {
  /** Resolves when the names were claimed and told of for the first time. */
  readonly ready: Deferred<void>;
  /** The name that the host has now; null without one. */
  hostname: string | null;
  private readonly host: Host;
  private readonly port: MdnsPort;
  private readonly settings: ResponderSettings;
  private given: readonly MulticastRecord[];
  private owned: Owned[] = [];
  private phase: 'probing' | 'announcing' | 'up' = 'probing';
  /** Probes, or announcements, that were sent. */
  private sent = 0;
  private conflicts = 0;
  private closed = false;
  private readonly timer: Delay;
  /** Answers that wait a little, under their keys. */
  private readonly pending = new Map<string, Owned>();
  private readonly answerTimer: Delay;

  constructor(host: Host, port: MdnsPort, settings: ResponderSettings) {
    this.host = host;
    this.port = port;
    this.settings = settings;
    this.hostname = settings.hostname;
    this.given = settings.records;
    this.ready = new Deferred(host.env);
    this.timer = new Delay(host, () => this.step());
    this.answerTimer = new Delay(host, () => this.answerPending());
    this.probe(this.random(0, PROBE_US));
  }

  /** A question of somebody, or a claim. */
  query(message: Message, from: MdnsPeer): void {
    this.refresh();
    if (this.phase === 'probing') {
      this.compare(message);
      return;
    }
    const legacy = from.address.port !== MDNS_PORT;
    const known = new Set(message.answers.filter(each => this.isKnown(each)).map(recordKey));
    if (message.questions.length === 0) for (const key of known) this.pending.delete(key);
    const toAll = new Set<Owned>();
    const toOne = new Set<Owned>();
    for (const question of message.questions.slice(0, this.settings.limits.questions)) {
      for (const each of this.answersTo(question)) {
        if (known.has(each.key)) continue;
        if (legacy || question.unicast === true) toOne.add(each);
        // Section 5.4: all are told again before they forget.
        if (!legacy && (question.unicast !== true || this.isOld(each))) toAll.add(each);
      }
    }
    if (toOne.size > 0) this.answerOne(message, from, [...toOne], legacy);
    if (toAll.size > 0) this.answerAll([...toAll], message);
  }

  /** What somebody says: it may be what we were about to say, or a claim of a name of ours. */
  response(records: readonly ResourceRecord[]): void {
    for (const record of records) {
      if (record.ttl === 0) continue;
      const same = this.owned.filter(({ record: { name } }) => sameName(name, record.name));
      if (same.length === 0) continue;
      const key = recordKey(record);
      if (same.some(each => each.key === key)) {
        if (this.isKnown(record)) this.pending.delete(key);
      } else if (this.phase === 'probing') {
        if (same.some(({ probed }) => probed)) {
          this.rename(record.name);
          return;
        }
      } else if (same.some(({ probed, record: { type } }) => probed && type === record.type)) {
        this.probe(this.pause());
        return;
      }
    }
  }

  /** Ends it; the link is told that its records are no longer so (section 10.1). */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.stop();
    if (this.phase !== 'probing') this.sayGoodbye(this.owned);
    this.ready.reject(new DnsError('ECANCELLED', 'mdns', this.hostname ?? 'local'));
  }

  // --- claiming ---------------------------------------------------------------------------------------------------

  private stop(): void {
    this.timer.stop();
    this.answerTimer.stop();
    this.pending.clear();
  }

  private probe(delayUs: number): void {
    this.stop();
    this.phase = 'probing';
    this.sent = 0;
    this.timer.start(delayUs);
  }

  private step(): void {
    if (this.closed) return;
    if (this.phase === 'probing') {
      this.owned = this.build();
      if (this.sent < PROBES && this.sendProbe()) {
        this.sent++;
        this.timer.start(PROBE_US);
        return;
      }
      this.phase = 'announcing';
      this.sent = 0;
    }
    this.refresh();
    this.sendToAll(this.owned.filter(({ record }) => record.type !== 'NSEC'));
    this.sent++;
    if (this.sent < ANNOUNCEMENTS) this.timer.start(ANNOUNCE_US);
    else {
      this.phase = 'up';
      this.conflicts = 0;
    }
    this.ready.resolve();
  }

  /** False when there is nothing to claim. */
  private sendProbe(): boolean {
    const claims = this.owned
      .filter(({ probed }) => probed)
      .map(({ record }) => ({ ...record, flush: false }));
    const names = new Map(claims.map(({ name }) => [nameKey(name), name]));
    const questions = [...names.values()].map(name => ({ name, type: 'ANY', class: 'IN', unicast: true }));
    if (questions.length > 0) this.port.multicast({ ...BLANK_MESSAGE, questions, authorities: claims });
    return questions.length > 0;
  }

  /** Section 8.2: two claim a name at once. Who loses waits, and then hears from the other. */
  private compare({ authorities }: Message): void {
    const probed = this.owned.filter(each => each.probed).map(({ record }) => record);
    for (const name of new Set(probed.map(record => nameKey(record.name)))) {
      const [ours, theirs] = [probed, authorities].map(list =>
        list.filter(each => sameName(each.name, name)),
      );
      if (ours === undefined || theirs === undefined || theirs.length === 0) continue;
      if (compareClaims(ours, theirs) < 0) {
        this.probe(DEFERRED_US);
        return;
      }
    }
  }

  /** A name belongs to somebody else: takes the next one, everywhere. */
  private rename(taken: string): void {
    const after = nextName(taken);
    const change = (name: string): string => (sameName(name, taken) ? after : name);
    if (this.hostname !== null) this.hostname = change(this.hostname);
    this.given = this.given.map(each => {
      const { name, data } = mapNames({ ttl: 0, class: 'IN', ...each }, change);
      return { ...each, name, data };
    });
    this.owned = this.build();
    this.probe(this.pause());
    // What a program throws there must not end the receiving.
    void Promise.resolve().then(() => this.settings.renamed(taken, after));
    this.host.env.settled();
  }

  private pause(): number {
    this.conflicts++;
    const { conflicts, conflictPauseUs } = this.settings.limits;
    return this.conflicts > conflicts ? conflictPauseUs : 0;
  }

  private build(): Owned[] {
    return ownedRecords(this.hostname, this.port.netif, this.given, this.owned);
  }

  /** Looks at the addresses again: tells of new ones, and that others are no more (section 8.4). */
  private refresh(): void {
    const { owned } = this;
    const now = this.build();
    const keys = new Set(now.map(({ key }) => key));
    if (keys.size === owned.length && owned.every(({ key }) => keys.has(key))) return;
    this.owned = now;
    if (this.phase === 'probing') return;
    this.sayGoodbye(owned.filter(({ key }) => !keys.has(key)));
    const before = new Set(owned.map(({ key }) => key));
    this.sendToAll(now.filter(({ key, record }) => !before.has(key) && record.type !== 'NSEC'));
  }

  // --- answering --------------------------------------------------------------------------------------------------

  private answersTo({ name, type, class: asked }: Question): Owned[] {
    if (asked !== 'IN' && asked !== 'ANY') return [];
    const same = this.owned.filter(({ record }) => sameName(record.name, name));
    const found = same.filter(
      ({ record }) => record.type === type || (type === 'ANY' && record.type !== 'NSEC'),
    );
    return found.length > 0 ? found : same.filter(({ record }) => record.type === 'NSEC');
  }

  /** Whether somebody knows a record of ours for long enough (section 7.1). */
  private isKnown(record: ResourceRecord): boolean {
    const ours = this.owned.find(
      each => sameName(each.record.name, record.name) && each.key === recordKey(record),
    );
    return ours !== undefined && record.ttl >= ours.record.ttl / 2;
  }

  private isOld({ sentUs, record }: Owned): boolean {
    return this.host.refreshNow() - sentUs >= (record.ttl * 1e6) / 4;
  }

  private answerOne({ id, questions }: Message, to: MdnsPeer, answers: Owned[], legacy: boolean): void {
    const additionals = this.alsoUseful(answers);
    const plain = ({ record }: Owned): ResourceRecord =>
      legacy ? { ...record, flush: false, ttl: Math.min(record.ttl, LEGACY_TTL) } : record;
    const base = { ...BLANK_MESSAGE, response: true, aa: true };
    const asked = questions.slice(0, this.settings.limits.questions);
    const head = legacy ? { ...base, id, questions: asked } : base;
    const all = { ...head, answers: answers.map(plain), additionals: additionals.map(plain) };
    const { messageSize } = this.settings.limits;
    if (encodeMessage(all).length <= messageSize) this.port.unicast(all, to);
    else if (!legacy) this.inPieces(all.answers, piece => this.port.unicast({ ...head, answers: piece }, to));
    else this.port.unicast({ ...head, tc: true }, to);
  }

  private answerAll(answers: Owned[], { tc, authorities }: Message): void {
    const nowUs = this.host.refreshNow();
    // Section 6: not twice in a second, but for those who claim the name.
    const pauseUs = authorities.length > 0 ? PROBE_US : AGAIN_US;
    const due = answers.filter(({ sentUs }) => nowUs - sentUs >= pauseUs);
    if (due.length === 0) return;
    if (!tc && due.every(({ shared }) => !shared)) {
      this.sendToAll(due);
      return;
    }
    for (const each of due) this.pending.set(each.key, each);
    if (this.answerTimer.running) return;
    const [min, max] = tc ? [TRUNCATED_MIN_US, TRUNCATED_MAX_US] : [SHARED_MIN_US, SHARED_MAX_US];
    this.answerTimer.start(this.random(min, max));
  }

  private answerPending(): void {
    if (this.closed) return;
    const answers = [...this.pending.values()];
    this.pending.clear();
    if (answers.length > 0) this.sendToAll(answers);
  }

  /** What who asked for `answers` will ask for next (section 12, RFC 6763 section 12). */
  private alsoUseful(answers: readonly Owned[]): Owned[] {
    const all = new Set(answers);
    for (const { record } of all) {
      const isAddress = record.type === 'A' || record.type === 'AAAA';
      const name = isAddress ? record.name : isType(record, 'PTR') ? record.data : targetOf(record);
      if (name === null) continue;
      for (const each of this.owned) if (!each.shared && sameName(each.record.name, name)) all.add(each);
    }
    return [...all].slice(answers.length);
  }

  private sendToAll(answers: readonly Owned[]): void {
    const nowUs = this.host.refreshNow();
    const additionals = this.alsoUseful(answers);
    const message = { ...BLANK_MESSAGE, response: true, aa: true };
    const records = answers.map(({ record }) => record);
    const whole = { ...message, answers: records, additionals: additionals.map(({ record }) => record) };
    const fits = encodeMessage(whole).length <= this.settings.limits.messageSize;
    for (const each of fits ? [...answers, ...additionals] : answers) each.sentUs = nowUs;
    if (fits && records.length > 0) this.port.multicast(whole);
    else this.inPieces(records, piece => this.port.multicast({ ...message, answers: piece }));
  }

  private sayGoodbye(gone: readonly Owned[]): void {
    const records = gone.flatMap(({ record }) => (record.type === 'NSEC' ? [] : { ...record, ttl: 0 }));
    const message = { ...BLANK_MESSAGE, response: true, aa: true };
    this.inPieces(records, answers => this.port.multicast({ ...message, answers }));
  }

  /** Records in as many messages as they need. */
  private inPieces(
    records: readonly ResourceRecord[],
    send: (piece: readonly ResourceRecord[]) => void,
  ): void {
    if (records.length === 0) return;
    const { length } = encodeMessage({ ...BLANK_MESSAGE, answers: records });
    if (records.length === 1 || length <= this.settings.limits.messageSize) {
      send(records);
      return;
    }
    const half = records.length >> 1;
    this.inPieces(records.slice(0, half), send);
    this.inPieces(records.slice(half), send);
  }

  private random(min: number, max: number): number {
    return Math.floor(min + this.host.randomShare() * (max - min));
  }
}
