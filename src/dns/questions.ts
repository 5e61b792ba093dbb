/**
 * Questions to the name servers: which one is asked when, what their answers mean, aliases, and what is remembered.
 * @module
 */
import type { Host } from '../core/host.ts';
import type { Sys } from '../socket/calls.ts';
import { type Sockaddr, sockaddrOf } from '../socket/sockaddr.ts';
import { formatEndpoint } from '../wire/address.ts';
import { type Answer, DnsCache } from './cache.ts';
import type { DnsErrorCode } from './errors.ts';
import { type Exchanged, exchange } from './exchange.ts';
import type { ResolverLimits } from './limits.ts';
import type { Edns, Message, Question } from './message.ts';
import type { NameServer } from './name-server.ts';
import { isWithin, nameKey, sameName } from './names.ts';
import { isType, type ResourceRecord } from './records.ts';
import type { ResolvConf } from './resolv-conf.ts';
import { Turns } from './turns.ts';

/** How questions are asked. */
export interface QuestionSettings extends ResolvConf {
  /** The servers at this moment. */
  readonly nameServers: () => readonly NameServer[];
  readonly randomCase: boolean;
  /** Bytes of an answer that is taken by UDP; 0 does without EDNS. */
  readonly ednsSize: number;
  readonly limits: ResolverLimits;
}

/** Seconds until a question is sent again to the same server, then twice as many. */
const REPEAT_SECONDS = 1;
/** Servers without EDNS that are remembered. */
const PLAIN_SERVERS_MAX = 64;

/** Asks the name servers and remembers what they say. */
export class Questions {
  readonly cache: DnsCache;
  private readonly sys: Sys;
  private readonly host: Host;
  private readonly settings: QuestionSettings;
  private readonly turns: Turns;
  /** Questions under way: who asks the same waits for the same answer, and there is one port to guess, not many. */
  private readonly underWay = new Map<string, Promise<Answer | DnsErrorCode>>();
  /** Servers that do not understand EDNS. */
  private readonly plain = new Set<string>();
  private rotation = 0;

  constructor(sys: Sys, settings: QuestionSettings) {
    const { limits } = settings;
    this.sys = sys;
    this.host = sys.context.host;
    this.settings = settings;
    this.cache = new DnsCache(limits.cacheEntries, limits.cacheBytes);
    this.turns = new Turns(this.host.env, limits.queries, limits.waiting);
  }

  /** What is known, or the name servers know, of a normal name and a type in class IN. Never rejects. */
  async ask(name: string, type: string): Promise<Answer | DnsErrorCode> {
    const known = this.cache.get(name, type, this.host.refreshNow());
    if (known !== null) return known;
    const key = `${type} ${nameKey(name)}`;
    let question = this.underWay.get(key);
    if (question === undefined) {
      question = this.follow(name, type).finally(() => this.underWay.delete(key));
      this.underWay.set(key, question);
    }
    return question;
  }

  /** Asks for the name, then for what it is an alias of where the server did not say that as well. */
  private async follow(name: string, type: string): Promise<Answer | DnsErrorCode> {
    const { limits } = this.settings;
    const aliases: ResourceRecord<'CNAME'>[] = [];
    let at = name;
    let ttl = limits.maxTtl;
    let bytes = 0;
    while (aliases.length <= limits.cnames) {
      const found = await this.askServers({ name: at, type, class: 'IN' });
      if (typeof found === 'string') return found;
      const part = interpret(found.message, at, type, limits);
      aliases.push(...part.aliases);
      ttl = Math.min(ttl, part.ttl);
      bytes += found.bytes;
      if (part.next === null) {
        const answer = { rcode: part.rcode, aliases, records: part.records };
        this.cache.put(name, type, answer, ttl, bytes, this.host.nowUs);
        return answer;
      }
      at = part.next;
    }
    return 'EBADRESP';
  }

  /** The servers one after the other, and all of them again, until one has an answer (resolv.conf(5)). */
  private async askServers(question: Question): Promise<Exchanged | DnsErrorCode> {
    const { attempts, nameServers } = this.settings;
    let servers = this.rotated(nameServers());
    if (servers.length === 0) return 'ENOSERVER';
    let failure: DnsErrorCode | null = null;
    let refusal: DnsErrorCode | null = null;
    for (let attempt = 0; attempt < attempts; attempt++) {
      for (const server of servers) {
        const found = await this.turns.run(() => this.askServer(server, question));
        if (found === null || found === 'ECANCELLED') return 'ECANCELLED';
        if (typeof found === 'string') {
          failure = found;
          continue;
        }
        const refused = refusalOf(found.message);
        if (refused === null) return found;
        refusal = refused;
        // It will say the same again.
        servers = servers.filter(other => other !== server);
      }
    }
    return refusal ?? failure ?? 'ETIMEOUT';
  }

  private rotated(servers: readonly NameServer[]): readonly NameServer[] {
    const { rotate, limits } = this.settings;
    const used = servers.slice(0, limits.servers);
    const first = rotate && used.length > 0 ? this.rotation++ % used.length : 0;
    return [...used.slice(first), ...used.slice(0, first)];
  }

  private async askServer(
    { address, port }: NameServer,
    question: Question,
  ): Promise<Exchanged | DnsErrorCode> {
    const server = sockaddrOf(address.family, address, port);
    const key = formatEndpoint(address, port);
    const edns = this.plain.has(key) ? null : this.edns();
    const found = await this.exchange(server, question, edns);
    if (edns === null || typeof found === 'string' || found.message.edns !== null) return found;
    if (found.message.rcode !== 'FORMERR' && found.message.rcode !== 'NOTIMP') return found;
    // RFC 6891 section 7: it does not know EDNS.
    if (this.plain.size >= PLAIN_SERVERS_MAX) this.plain.clear();
    this.plain.add(key);
    return this.exchange(server, question, null);
  }

  private edns(): Edns | null {
    const { ednsSize } = this.settings;
    return ednsSize === 0 ? null : { udpSize: ednsSize, version: 0, dnssecOk: false, options: [] };
  }

  private exchange(
    server: Sockaddr,
    question: Question,
    edns: Edns | null,
  ): Promise<Exchanged | DnsErrorCode> {
    const { useTcp, timeout, randomCase, limits } = this.settings;
    return exchange(this.sys, {
      question,
      server,
      edns,
      randomCase,
      tcp: useTcp,
      flags: { rd: true, ad: false, cd: false },
      keepTruncated: false,
      timeoutUs: timeout * 1e6,
      repeatUs: REPEAT_SECONDS * 1e6,
      strays: limits.strays,
    });
  }
}

/** Why another server should be asked; null for an answer. */
function refusalOf(message: Message): DnsErrorCode | null {
  switch (message.rcode) {
    case 'NOERROR':
      return isReferral(message) ? 'EREFUSED' : null;
    case 'NXDOMAIN':
      return null;
    case 'REFUSED':
      return 'EREFUSED';
    case 'FORMERR':
      return 'EFORMERR';
    case 'NOTIMP':
      return 'ENOTIMP';
    default:
      return 'ESERVFAIL';
  }
}

/** Whether a server sends us on to others, which a stub resolver cannot follow. */
function isReferral({ aa, ra, answers, authorities }: Message): boolean {
  const has = (type: string): boolean => authorities.some(record => record.type === type);
  return !aa && !ra && answers.length === 0 && has('NS') && !has('SOA');
}

/** What one message says of a name. */
interface Part extends Answer {
  /** Seconds for which it is good. */
  readonly ttl: number;
  /** The alias's target, of which the message says nothing; null when the answer is complete. */
  readonly next: string | null;
}

/**
 * What an answer says of `name` and `type`: the aliases that begin at the name, and the records at their end. Nothing
 * else in the message counts (RFC 5452 section 6).
 */
function interpret(
  { rcode, answers, authorities }: Message,
  name: string,
  type: string,
  limits: ResolverLimits,
): Part {
  const aliases: ResourceRecord<'CNAME'>[] = [];
  let at = name;
  const inClass = answers.filter(record => record.class === 'IN');
  while (type !== 'CNAME' && type !== 'ANY' && aliases.length < limits.cnames) {
    const alias = inClass.find(record => record.type === 'CNAME' && sameName(record.name, at));
    if (alias === undefined || !isType(alias, 'CNAME')) break;
    aliases.push(alias);
    at = alias.data;
  }
  const records = inClass.filter(
    record => (type === 'ANY' || record.type === type) && sameName(record.name, at),
  );
  const ttl = Math.min(limits.maxTtl, ...[...aliases, ...records].map(record => record.ttl));
  if (records.length > 0) return { rcode: 'NOERROR', aliases, records, ttl, next: null };
  const soa = authorities.find(record => isType(record, 'SOA') && isWithin(at, record.name));
  // RFC 2308 section 5; without a SOA record nothing says how long.
  const negative = soa !== undefined && isType(soa, 'SOA') ? Math.min(soa.ttl, soa.data.minimum) : 0;
  const open = aliases.length > 0 && rcode === 'NOERROR' && soa === undefined;
  return {
    rcode: rcode === 'NXDOMAIN' ? 'NXDOMAIN' : 'NOERROR',
    aliases,
    records,
    ttl: open ? ttl : Math.min(ttl, negative, limits.maxNegativeTtl),
    next: open ? at : null,
  };
}
