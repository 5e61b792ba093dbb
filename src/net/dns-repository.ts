import type { Host } from '../core/host.ts';
import { Alarm } from '../core/timers.ts';
import type { IpAddress } from '../wire/address.ts';

/** Who told: the user, a DHCP server, a DHCPv6 server, or a router's advertisement. */
export type DnsSource = 'static' | 'dhcp' | 'dhcpv6' | 'ra';

/** What comes first; RFC 8106 section 5.3.1: DHCP takes precedence over advertisements. */
const PRECEDENCE: Readonly<Record<DnsSource, number>> = { static: 0, dhcp: 1, dhcpv6: 2, ra: 3 };

interface Entry<T> {
  readonly source: DnsSource;
  /** Index of the interface it was heard on; 0 for none in particular. */
  readonly netif: number;
  readonly value: T;
  /** When it ends, in microseconds; Infinity for never. */
  readonly untilUs: number;
}

/**
 * The DNS repository of one host (RFC 8106 section 6.1): its name servers and search domains, whoever told of them, for
 * as long as they were said to be good.
 */
export class DnsRepository {
  private readonly host: Host;
  private readonly alarm = new Alarm(() => this.expire());
  private serverEntries: readonly Entry<IpAddress>[] = [];
  private domainEntries: readonly Entry<string>[] = [];
  private readonly listeners: (() => void)[] = [];

  constructor(host: Host) {
    this.host = host;
  }

  /** The name servers, the preferred one first, each once. A link-local one has its zone. */
  get servers(): readonly IpAddress[] {
    const found: IpAddress[] = [];
    for (const { value } of this.serverEntries) {
      if (!found.some(other => other.equals(value))) found.push(value);
    }
    return found;
  }

  /** The domains to complete a short name with, the preferred one first, each once, without the final dot. */
  get domains(): readonly string[] {
    return [...new Set(this.domainEntries.map(({ value }) => value))];
  }

  /** What one source told of, on one interface or (0) on any. */
  serversOf(source: DnsSource, netif = 0): readonly IpAddress[] {
    return this.serverEntries.filter(entry => matches(entry, source, netif)).map(({ value }) => value);
  }

  /** Has `listener` called after each change. */
  onChange(listener: () => void): void {
    this.listeners.push(listener);
  }

  /** Puts what a source says now in the place of all that it said before on an interface (0: none in particular). */
  replace(
    source: DnsSource,
    netif: number,
    servers: readonly IpAddress[],
    domains: readonly string[],
    untilUs: number = Number.POSITIVE_INFINITY,
  ): void {
    const others = <T>(entry: Entry<T>): boolean => !matches(entry, source, netif, true);
    this.serverEntries = this.serverEntries.filter(others);
    this.domainEntries = this.domainEntries.filter(others);
    for (const value of servers) this.addServer(source, netif, value, untilUs);
    for (const value of domains) this.addDomain(source, netif, value, untilUs);
    this.changed();
  }

  /** Adds a name server behind those of the same source, or says anew when it ends; one that is over is removed. */
  learnServer(source: DnsSource, netif: number, address: IpAddress, untilUs: number): void {
    this.addServer(source, netif, address, untilUs);
    this.changed();
  }

  /** The same of a search domain. */
  learnDomain(source: DnsSource, netif: number, domain: string, untilUs: number): void {
    this.addDomain(source, netif, domain, untilUs);
    this.changed();
  }

  /** Forgets all that a source said on an interface. */
  forget(source: DnsSource, netif: number): void {
    this.replace(source, netif, [], []);
  }

  /** Stops the timer. */
  close(): void {
    this.host.timers.delete(this.alarm);
  }

  private addServer(source: DnsSource, netif: number, address: IpAddress, untilUs: number): void {
    if (address.isUnspecified || address.isMulticast || address.isLimitedBroadcast) return;
    const value = address.withZone(netif);
    const entry = { source, netif, value, untilUs };
    this.serverEntries = this.merge(this.serverEntries, entry, other => other.equals(value));
  }

  private addDomain(source: DnsSource, netif: number, domain: string, untilUs: number): void {
    const value = domain.replace(/\.$/, '').toLowerCase();
    const entry = { source, netif, value, untilUs };
    this.domainEntries = this.merge(this.domainEntries, entry, other => other === value);
  }

  /** The entries with `entry` in its place: where it was, or behind those of its precedence. */
  private merge<T>(
    entries: readonly Entry<T>[],
    entry: Entry<T>,
    same: (value: T) => boolean,
  ): readonly Entry<T>[] {
    const { nowUs, sysctl } = this.host;
    const at = entries.findIndex(
      other => matches(other, entry.source, entry.netif, true) && same(other.value),
    );
    if (entry.untilUs <= nowUs) return entries.filter((_, i) => i !== at);
    if (at >= 0) return [...entries.slice(0, at), entry, ...entries.slice(at + 1)];
    const own = entries.filter(({ source }) => source === entry.source);
    if (own.length >= sysctl.max_addresses) return entries;
    const before = entries.filter(({ source }) => PRECEDENCE[source] <= PRECEDENCE[entry.source]).length;
    return [...entries.slice(0, before), entry, ...entries.slice(before)];
  }

  private expire(): void {
    const { nowUs } = this.host;
    this.serverEntries = this.serverEntries.filter(({ untilUs }) => untilUs > nowUs);
    this.domainEntries = this.domainEntries.filter(({ untilUs }) => untilUs > nowUs);
    this.changed();
  }

  private changed(): void {
    const { timers } = this.host;
    const ends = [...this.serverEntries, ...this.domainEntries].map(({ untilUs }) => untilUs);
    const nextUs = Math.min(Number.POSITIVE_INFINITY, ...ends);
    if (nextUs === Number.POSITIVE_INFINITY) timers.delete(this.alarm);
    else timers.set(this.alarm, nextUs);
    for (const listener of this.listeners) listener();
  }
}

function matches<T>(entry: Entry<T>, source: DnsSource, netif: number, exactly = false): boolean {
  return entry.source === source && (entry.netif === netif || (netif === 0 && !exactly));
}
