/**
 * Multicast DNS (RFC 6762): names of a link without a name server.
 * @module
 */
import type { NameResolver } from '../core/name-resolver.ts';
import type { Netif } from '../net/netif.ts';
import type { Stack } from '../stack/stack.ts';
import { type AddressFamily, AF_INET, AF_INET6, IpAddress } from '../wire/address.ts';
import { abortable } from './abortable.ts';
import type { Answer } from './cache.ts';
import { DnsError, type DnsErrorCode } from './errors.ts';
import { typeCode } from './library.ts';
import { MDNS_LIMITS, type MdnsLimits } from './limits.ts';
import type { MulticastRecord } from './mdns-owned.ts';
import { type MdnsPeer, MdnsPort } from './mdns-port.ts';
import { MdnsQuerier } from './mdns-querier.ts';
import { MdnsResponder } from './mdns-responder.ts';
import { BLANK_MESSAGE, encodeMessage, type Message } from './message.ts';
import { normalName } from './names.ts';
import { isType, type KnownType, type ResourceRecord } from './records.ts';

/** What a host is to be known as. */
export interface MulticastDnsOptions {
  /** Name or index of the interface; the first that is not the loopback by default. */
  readonly netif?: number | string;
  /** 'printer' or 'printer.local'; null: no name, to ask only. The stack's name by default. */
  readonly hostname?: string | null;
  /** Records besides those of the addresses. */
  readonly records?: readonly MulticastRecord[];
  /** Seconds that a question waits for an answer; 5 by default. */
  readonly timeout?: number;
  /** Told when a name belongs to another host, and which one was taken instead. */
  readonly onConflict?: (name: string, renamed: string) => void;
  readonly limits?: Partial<MdnsLimits>;
}

/** What a question can be told. */
export interface MulticastResolveOptions {
  readonly signal?: AbortSignal | undefined;
  /** Asks although something is remembered, for those records that are not. */
  readonly refresh?: boolean;
}

const DEFAULT_TIMEOUT = 5;
/** Of all records together, so that no answer is longer than a message can be. */
const RECORDS_BYTES_MAX = 32_768;
const ADDRESS_TYPES = ['AAAA', 'A'] as const;

/**
 * Multicast DNS on one interface: claims the host's name and tells its addresses, and finds those of others.
 * The constructor throws TypeError for an interface, a name or a record that is none, SocketError when port 5353 cannot
 * be had; calls reject with DnsError.
 * @example
 * const mdns = new MulticastDns(stack, { hostname: 'printer' });
 * await mdns.ready;
 * await mdns.lookup('laptop.local');
 */
export class MulticastDns implements NameResolver {
  readonly netif: Netif;
  private readonly stack: Stack;
  private readonly timeoutUs: number;
  private readonly limits: MdnsLimits;
  private readonly port: MdnsPort;
  private readonly responder: MdnsResponder;
  private readonly querier: MdnsQuerier;

  constructor(stack: Stack, options: MulticastDnsOptions = {}) {
    const { timeout = DEFAULT_TIMEOUT, onConflict = () => undefined } = options;
    const limits = { ...MDNS_LIMITS, ...options.limits };
    const hostname = hostnameOf(options.hostname === undefined ? stack.name : options.hostname);
    const records = checkRecords(options.records ?? [], limits);
    this.netif = netifOf(stack, options.netif);
    this.stack = stack;
    this.limits = limits;
    this.timeoutUs = timeout * 1e6;
    this.port = new MdnsPort(
      stack,
      this.netif,
      (message, from) => this.received(message, from),
      () => this.close(),
    );
    this.querier = new MdnsQuerier(stack.host, this.port, limits);
    this.responder = new MdnsResponder(stack.host, this.port, {
      hostname,
      records,
      limits,
      renamed: onConflict,
    });
  }

  /** The name that the host has now, 'printer.local'; null without one. */
  get hostname(): string | null {
    return this.responder.hostname;
  }

  /** Resolves when the names were claimed and told of for the first time; rejects when it is closed before. */
  get ready(): Promise<void> {
    return this.responder.ready.promise;
  }

  /** How many records of the link are remembered. */
  get cacheSize(): number {
    return this.querier.cache.size;
  }

  /** Forgets what the link said. */
  clearCache(): void {
    this.querier.cache.clear();
  }

  /** The records of a name. ENOTFOUND: nobody answered; ENODATA: the name's owner says that there are none. */
  resolve<T extends KnownType>(
    name: string,
    type: T,
    options?: MulticastResolveOptions,
  ): Promise<ResourceRecord<T>[]>;
  resolve(name: string, type: string, options?: MulticastResolveOptions): Promise<ResourceRecord[]>;
  async resolve(
    name: string,
    type: string,
    options: MulticastResolveOptions = {},
  ): Promise<ResourceRecord[]> {
    const upper = type.toUpperCase();
    const syscall = `query${upper.charAt(0)}${upper.slice(1).toLowerCase()}`;
    if (typeCode(upper) < 0) throw new TypeError(`not a type of DNS: ${JSON.stringify(type)}`);
    const normal = normalName(name);
    if (normal === null) throw new DnsError('EBADNAME', syscall, name);
    const { signal, refresh = false } = options;
    const found = await abortable(this.querier.resolve(normal, upper, this.timeoutUs, refresh), signal);
    if (typeof found === 'string') throw new DnsError(found, syscall, name);
    return [...found];
  }

  /** The addresses of a host, in the order in which to try them (RFC 6724 section 6). */
  async lookup(
    hostname: string,
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<string[]> {
    const addresses: IpAddress[] = [];
    await this.findAddresses(hostname, (_, found) => addresses.push(...found), options);
    return this.stack.ip.sortDestinations(addresses).map(String);
  }

  async findAddresses(
    hostname: string,
    found: (family: AddressFamily, addresses: readonly IpAddress[]) => void,
    { signal }: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<void> {
    const name = normalName(hostname);
    if (name === null) throw new DnsError('EBADNAME', 'getaddrinfo', hostname);
    const asked = ADDRESS_TYPES.map(type => this.querier.resolve(name, type, this.timeoutUs, false));
    const answers = await abortable(Promise.all(asked), signal);
    const addresses = answers.flatMap(answer => (typeof answer === 'string' ? [] : this.addressesIn(answer)));
    if (addresses.length === 0) {
      const codes = answers.filter(answer => typeof answer === 'string');
      const code = codes.find(each => each !== 'ENOTFOUND') ?? 'ENOTFOUND';
      throw new DnsError(code, 'getaddrinfo', hostname);
    }
    for (const family of [AF_INET6, AF_INET] as const)
      found(
        family,
        addresses.filter(address => address.family === family),
      );
  }

  /** What a resolver is told of a normal name. */
  async answer(name: string, type: string): Promise<Answer | DnsErrorCode> {
    const found = await this.querier.resolve(name, type, this.timeoutUs, false);
    if (found === 'ENODATA') return { rcode: 'NOERROR', aliases: [], records: [] };
    return typeof found === 'string' ? found : { rcode: 'NOERROR', aliases: [], records: found };
  }

  /** Tells the link that the host's records are no longer so, and ends. Questions under way fail with ECANCELLED. */
  close(): void {
    this.responder.close();
    this.querier.close();
    this.port.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  private received(message: Message, from: MdnsPeer): void {
    const { messageRecords } = this.limits;
    if (!message.response) {
      const answers = message.answers.slice(0, messageRecords);
      const authorities = message.authorities.slice(0, messageRecords);
      this.responder.query({ ...message, answers, authorities }, from);
      return;
    }
    const records = [...message.answers, ...message.additionals]
      .filter(record => record.class === 'IN')
      .slice(0, messageRecords);
    this.responder.response(records);
    this.querier.response(records);
  }

  private addressesIn(records: readonly ResourceRecord[]): IpAddress[] {
    return records.flatMap(record => {
      if (!isType(record, 'A') && !isType(record, 'AAAA')) return [];
      const address = IpAddress.parse(record.data);
      if (address === null) return [];
      return address.needsZone ? address.withZone(this.netif.index) : address;
    });
  }
}

function netifOf(stack: Stack, which: number | string | undefined): Netif {
  const netif =
    which === undefined ? stack.ip.netifs.find(({ isLoopback }) => !isLoopback) : stack.ip.netif(which);
  if (netif === undefined || netif === null)
    throw new TypeError(
      `no interface for multicast DNS${which === undefined ? '' : `: ${which}`}; attach one first`,
    );
  return netif;
}

/** A name below 'local'. */
function hostnameOf(given: string | null): string | null {
  if (given === null) return null;
  const name = normalName(/\.local\.?$/i.test(given) ? given : `${given}.local`);
  if (name === null) throw new TypeError(`not a host name: ${JSON.stringify(given)}`);
  return name;
}

/** Throws TypeError for records that cannot be sent. */
function checkRecords(given: readonly MulticastRecord[], { records }: MdnsLimits): MulticastRecord[] {
  if (given.length > records) throw new TypeError(`${given.length} records: there can be ${records}`);
  const normal = given.map(each => {
    const name = normalName(each.name);
    if (name === null) throw new TypeError(`not a domain name: ${JSON.stringify(each.name)}`);
    return { ...each, name };
  });
  try {
    const answers = normal.map(each => ({ class: 'IN', ttl: 0, ...each }));
    const { length } = encodeMessage({ ...BLANK_MESSAGE, answers });
    if (length > RECORDS_BYTES_MAX)
      throw new RangeError(`${length} bytes, there can be ${RECORDS_BYTES_MAX}`);
  } catch (error) {
    throw new TypeError(`records that cannot be sent: ${(error as Error).message}`);
  }
  return normal;
}
