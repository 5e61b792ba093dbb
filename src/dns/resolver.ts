import type { NameResolver } from '../core/name-resolver.ts';
import type { Sys } from '../socket/calls.ts';
import type { Stack } from '../stack/stack.ts';
import {
  type AddressFamily,
  AF_INET,
  AF_INET6,
  IpAddress,
  LOOPBACK_V4,
  LOOPBACK_V6,
} from '../wire/address.ts';
import { abortable } from './abortable.ts';
import type { Answer } from './cache.ts';
import { DnsError, type DnsErrorCode } from './errors.ts';
import { HostsFile } from './hosts-file.ts';
import { typeCode } from './library.ts';
import { RESOLVER_LIMITS, type ResolverLimits } from './limits.ts';
import type { MulticastDns } from './mdns.ts';
import { DNS_PORT, type NameServer, parseServer, zoneOf } from './name-server.ts';
import { isComplete, isWithin, joinNames, nameKey, normalName, reverseName, splitLabels } from './names.ts';
import { Questions } from './questions.ts';
import { isType, type KnownType, type ResourceRecord } from './records.ts';
import { DEFAULT_RESOLV_CONF, parseResolvConf, type ResolvConf } from './resolv-conf.ts';

/** How a resolver works; everything that is not given is as resolv.conf(5) has it by default. */
export interface ResolverOptions extends Partial<ResolvConf> {
  /** The text of a resolv.conf; the options beside it come before what it says. */
  readonly resolvConf?: string;
  /** The text of a hosts file, for `lookup` and `reverse`. */
  readonly hosts?: string;
  /**
   * Whether names are asked for in letters of random case, which a forger would have to guess; true by default. A
   * server that does not repeat the case is asked again by TCP.
   */
  readonly randomCase?: boolean;
  /** Bytes of an answer that is taken by UDP (RFC 9715: 1232, which is not cut on any link); 0 does without EDNS. */
  readonly ednsSize?: number;
  /** Who is asked for names below 'local' (RFC 6762 section 3); unless given, the name servers are. */
  readonly multicast?: MulticastDns;
  readonly limits?: Partial<ResolverLimits>;
}

/** What every call that waits can be told. */
export interface LookupOptions {
  readonly signal?: AbortSignal | undefined;
}

const DEFAULT_EDNS_SIZE = 1232;
const ADDRESS_TYPES = [
  [AF_INET6, 'AAAA'],
  [AF_INET, 'A'],
] as const;

/** What a lookup is called in errors, after the call of the C library. */
const LOOKUP = 'getaddrinfo';

/**
 * A stub resolver over the sockets of a stack: it asks the name servers that it is told of, or else those that the
 * stack has learned (DHCP, router advertisements), and remembers what they say.
 *
 * `lookup` finds a host as getaddrinfo(3) does: addresses as text, localhost, the hosts file, the search list, both
 * families. `resolve`, `resolve4` and `resolve6` ask for records of just this name, as dig does.
 * All reject with DnsError.
 * @example
 * stack.resolver = new Resolver(stack, { servers: ['10.0.0.1'] });
 * const socket = stack.connect('www.example.test:80');
 */
export class Resolver implements NameResolver {
  private readonly sys: Sys;
  private readonly stack: Stack;
  private readonly conf: ResolvConf;
  private readonly limits: ResolverLimits;
  private readonly hosts: HostsFile;
  private readonly given: readonly NameServer[];
  private readonly questions: Questions;
  private readonly multicast: MulticastDns | null;
  /** The search list when the stack's own is not to be used. */
  private readonly searchGiven: boolean;

  /** Throws TypeError for a name server that is no address. */
  constructor(stack: Stack, options: ResolverOptions = {}) {
    const { resolvConf = '', hosts = '', randomCase = true, ednsSize = DEFAULT_EDNS_SIZE, limits } = options;
    const fromText = parseResolvConf(resolvConf);
    this.stack = stack;
    this.sys = stack.sys.as('resolver');
    this.conf = { ...DEFAULT_RESOLV_CONF, ...fromText, ...definedOnly(options) };
    this.limits = { ...RESOLVER_LIMITS, ...limits };
    this.hosts = new HostsFile(hosts);
    this.multicast = options.multicast ?? null;
    this.given = this.conf.servers.map(text => parseServer(text, stack));
    this.searchGiven = options.search !== undefined || fromText.search !== undefined;
    this.questions = new Questions(this.sys, {
      ...this.conf,
      limits: this.limits,
      nameServers: () => this.nameServers,
      randomCase,
      ednsSize,
    });
  }

  /** The name servers that are asked now, in order. */
  get nameServers(): readonly NameServer[] {
    if (this.given.length > 0) return this.given;
    return this.stack.nameServers.map(address => ({ address, port: DNS_PORT }));
  }

  /** The domains that short names are completed with now, in order. */
  get searchDomains(): readonly string[] {
    return this.searchGiven ? this.conf.search : this.stack.searchDomains;
  }

  /** How many answers are remembered. */
  get cacheSize(): number {
    return this.questions.cache.size;
  }

  /** Forgets every answer. */
  clearCache(): void {
    this.questions.cache.clear();
  }

  /** The IPv4 addresses of a name. Rejects with ENOTFOUND, ENODATA ... */
  async resolve4(name: string, options: LookupOptions = {}): Promise<string[]> {
    return (await this.resolve(name, 'A', options)).map(({ data }) => data);
  }

  /** The IPv6 addresses of a name. */
  async resolve6(name: string, options: LookupOptions = {}): Promise<string[]> {
    return (await this.resolve(name, 'AAAA', options)).map(({ data }) => data);
  }

  /** The records of a type that a name has, aliases followed; 'ANY' for whatever the server likes to tell. */
  resolve<T extends KnownType>(name: string, type: T, options?: LookupOptions): Promise<ResourceRecord<T>[]>;
  resolve(name: string, type: string, options?: LookupOptions): Promise<ResourceRecord[]>;
  async resolve(name: string, type: string, { signal }: LookupOptions = {}): Promise<ResourceRecord[]> {
    const upper = type.toUpperCase();
    const syscall = `query${upper.charAt(0)}${upper.slice(1).toLowerCase()}`;
    if (typeCode(type) < 0) throw new TypeError(`not a type of DNS: ${JSON.stringify(type)}`);
    const normal = normalName(name);
    if (normal === null) throw new DnsError('EBADNAME', syscall, name);
    const answer = await abortable(this.ask(normal, upper), signal);
    const failure = failureOf(answer);
    if (typeof answer === 'string' || failure !== null)
      throw new DnsError(failure ?? 'EBADRESP', syscall, name);
    return [...answer.records];
  }

  /** The names of an address: those of the hosts file, else those of the PTR records. */
  async reverse(address: string, options: LookupOptions = {}): Promise<string[]> {
    const parsed = IpAddress.parse(address, zoneOf(this.stack));
    if (parsed === null) throw new DnsError('EBADNAME', 'getHostByAddr', address);
    const known = this.hosts.namesOf(parsed);
    if (known.length > 0) return [...known];
    try {
      return (await this.resolve(reverseName(parsed), 'PTR', options)).map(({ data }) => data);
    } catch (error) {
      throw error instanceof DnsError ? new DnsError(error.code, 'getHostByAddr', address) : error;
    }
  }

  /** The addresses of a host, of one family or of both, in the order in which to try them (RFC 6724 section 6). */
  async lookup(
    hostname: string,
    options: LookupOptions & { readonly family?: 4 | 6 } = {},
  ): Promise<string[]> {
    const { family, signal } = options;
    const addresses: IpAddress[] = [];
    await this.find(hostname, familiesOf(family), (_, found) => addresses.push(...found), signal);
    return this.stack.ip.sortDestinations(addresses).map(String);
  }

  findAddresses(
    hostname: string,
    found: (family: AddressFamily, addresses: readonly IpAddress[]) => void,
    options: LookupOptions = {},
  ): Promise<void> {
    return this.find(hostname, familiesOf(undefined), found, options.signal);
  }

  // --- hosts ------------------------------------------------------------------------------------------------------

  private async find(
    hostname: string,
    families: readonly AddressFamily[],
    found: (family: AddressFamily, addresses: readonly IpAddress[]) => void,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    signal?.throwIfAborted();
    const known = this.knownAddresses(hostname);
    if (known !== null) {
      if (!known.some(({ family }) => families.includes(family)))
        throw new DnsError('ENODATA', LOOKUP, hostname);
      for (const family of families)
        found(
          family,
          known.filter(address => address.family === family),
        );
      return;
    }
    const name = normalName(hostname);
    if (name === null || name === '.') throw new DnsError('EBADNAME', LOOKUP, hostname);
    let result: DnsErrorCode | null = 'ENOTFOUND';
    let noData = false;
    let serverFailed = false;
    for (const candidate of this.candidates(name, isComplete(hostname))) {
      result = await this.findBoth(candidate, families, found, signal);
      if (result === null) return;
      noData ||= result === 'ENODATA';
      serverFailed ||= result === 'ESERVFAIL';
      // As res_search of glibc: only who said something lets the search go on.
      if (result !== 'ENOTFOUND' && result !== 'ENODATA' && result !== 'ESERVFAIL') break;
    }
    const failure = isFinal(result) ? result : noData ? 'ENODATA' : serverFailed ? 'ESERVFAIL' : result;
    throw new DnsError(failure, LOOKUP, hostname);
  }

  private ask(name: string, type: string): Promise<Answer | DnsErrorCode> {
    const { multicast } = this;
    return multicast !== null && isWithin(name, 'local')
      ? multicast.answer(name, type)
      : this.questions.ask(name, type);
  }

  /** What needs no name server: addresses as text, localhost (RFC 6761 section 6.3), the hosts file. Null: it does. */
  private knownAddresses(hostname: string): readonly IpAddress[] | null {
    const address = IpAddress.parse(hostname, zoneOf(this.stack));
    if (address !== null) return [address];
    const name = hostname.replace(/\.$/, '');
    const listed = ADDRESS_TYPES.map(([family]) => this.hosts.addresses(name, family));
    if (listed[0] !== null) return listed.flatMap(addresses => addresses ?? []);
    return /(?:^|\.)localhost$/.test(nameKey(name)) ? [LOOPBACK_V6, LOOPBACK_V4] : null;
  }

  /** The names to try, in order (resolv.conf(5), ndots and search). */
  private candidates(name: string, absolute: boolean): readonly string[] {
    if (absolute) return [name];
    const domains = this.searchDomains.slice(0, this.limits.searchDomains);
    const completed = domains.flatMap(domain => {
      const normal = normalName(domain === '' ? '.' : domain);
      return normal === null ? [] : (normalName(joinNames(name, normal)) ?? []);
    });
    const dots = splitLabels(name).length - 1;
    const names = dots >= this.conf.ndots ? [name, ...completed] : [...completed, name];
    return names.filter((candidate, i) => names.indexOf(candidate) === i);
  }

  /**
   * Asks for the addresses of one name, both families at once. Null when there are some; a family that has none is
   * told of only then. Else why there are none.
   */
  private async findBoth(
    name: string,
    families: readonly AddressFamily[],
    found: (family: AddressFamily, addresses: readonly IpAddress[]) => void,
    signal: AbortSignal | undefined,
  ): Promise<DnsErrorCode | null> {
    const without: AddressFamily[] = [];
    let some = false;
    const tell = (family: AddressFamily, addresses: readonly IpAddress[]): void => {
      if (addresses.length === 0 && !some) {
        without.push(family);
        return;
      }
      some = true;
      found(family, addresses);
      for (const other of without.splice(0)) found(other, []);
    };
    const asked = ADDRESS_TYPES.filter(([family]) => families.includes(family)).map(
      async ([family, type]) => {
        const answer = await abortable(this.ask(name, type), signal);
        const failure = failureOf(answer);
        tell(family, failure === null ? this.addressesIn(answer as Answer, type) : []);
        return failure;
      },
    );
    const failures = await Promise.all(asked);
    if (some) return null;
    // "No such address" is known only when every family has said so.
    return (
      failures.find(failure => failure !== 'ENOTFOUND' && failure !== 'ENODATA') ?? failures[0] ?? 'ENOTFOUND'
    );
  }

  private addressesIn({ records }: Answer, type: 'A' | 'AAAA'): IpAddress[] {
    return records
      .flatMap(record => (isType(record, type) ? (IpAddress.parse(record.data) ?? []) : []))
      .map(address => (address.needsZone ? address.withZone(this.multicast?.netif.index ?? 0) : address))
      .slice(0, this.limits.addresses);
  }
}

/** Whether a lookup ends with this, whatever was found out before. */
function isFinal(code: DnsErrorCode): boolean {
  return code !== 'ENOTFOUND' && code !== 'ENODATA' && code !== 'ESERVFAIL';
}

/** Why there are no records; null when there are some. */
function failureOf(answer: Answer | DnsErrorCode): DnsErrorCode | null {
  if (typeof answer === 'string') return answer;
  if (answer.rcode === 'NXDOMAIN') return 'ENOTFOUND';
  return answer.records.length === 0 ? 'ENODATA' : null;
}

function familiesOf(family: 4 | 6 | undefined): readonly AddressFamily[] {
  return family === undefined ? [AF_INET6, AF_INET] : [family === 6 ? AF_INET6 : AF_INET];
}

/** Those settings of resolv.conf that are there. */
function definedOnly(options: ResolverOptions): Partial<ResolvConf> {
  const keys = Object.keys(DEFAULT_RESOLV_CONF) as (keyof ResolvConf)[];
  return Object.fromEntries(keys.filter(key => options[key] !== undefined).map(key => [key, options[key]]));
}
