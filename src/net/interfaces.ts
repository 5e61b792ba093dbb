import type { IpAddress } from '../wire/address.ts';
import { AF_INET, AF_INET6 } from '../wire/address.ts';
import {
  ADDRESS_BROADCAST,
  ADDRESS_LOCAL,
  ADDRESS_LOOPBACK,
  ADDRESS_MULTICAST,
  ADDRESS_OTHER,
  ADDRESS_THIS_NETWORK,
  AddressCache,
  type AddressKind,
} from './address-cache.ts';
import { AddressCache6 } from './address-cache6.ts';
import { Ipv6Address } from './ipv6-address.ts';
import type { Netif } from './netif.ts';

/** Index of the loopback interface. */
export const LOOPBACK_INDEX = 1;

/** The interfaces of one host, and which addresses they make ours. Both families share it. */
export class Interfaces {
  /** In the order of their indexes, of which the first is 1. */
  readonly list: Netif[] = [];
  /** The IPv4 addresses that packets have, with what they are to us. */
  readonly cache: AddressCache;
  /** The same of IPv6. */
  readonly cache6: AddressCache6;
  /** Changes whenever a route that was found before may be wrong. */
  generation = 1;
  private readonly local = new Map<number, Netif>();
  private readonly broadcast = new Map<number, Netif>();
  private readonly listeners: (() => void)[] = [];

  constructor() {
    this.cache = new AddressCache(word => this.kindOf(word));
    this.cache6 = new AddressCache6(address => this.kindOf6(address));
  }

  /** Has `listener` called after each change of addresses, interfaces or routes. */
  onChange(listener: () => void): void {
    this.listeners.push(listener);
  }

  /** Addresses, interfaces or routes changed. */
  changed(): void {
    this.generation = (this.generation + 1) | 0;
    this.refresh();
    for (const listener of this.listeners) listener();
  }

  get loopback(): Netif {
    return this.list[LOOPBACK_INDEX - 1] as Netif;
  }

  /** The interface with this index, or null. */
  byIndex(index: number): Netif | null {
    return this.list[index - 1] ?? null;
  }

  /** The interface with this name, or null. */
  byName(name: string): Netif | null {
    return this.list.find(netif => netif.name === name) ?? null;
  }

  private refresh(): void {
    this.local.clear();
    this.broadcast.clear();
    this.cache.clear();
    this.cache6.clear();
    for (const netif of this.list) {
      if (!netif.up) continue;
      for (const { address, broadcast } of netif.addresses) {
        if (address.family !== AF_INET) continue;
        if (!this.local.has(address.w3)) this.local.set(address.w3, netif);
        if (broadcast !== null && !netif.isLoopback) this.broadcast.set(broadcast.w3, netif);
      }
    }
  }

  /** The interface that has this address or in whose subnet it is the broadcast address; null when none. */
  owner(address: IpAddress): Netif | null {
    if (address.family === AF_INET6) return this.owner6(address);
    return this.local.get(address.w3) ?? this.broadcast.get(address.w3) ?? null;
  }

  /** What an IPv4 address, given as 32 bits, is to us. */
  kindOf(word: number): AddressKind {
    const first = word >>> 24;
    if (this.local.has(word)) return first === 127 ? ADDRESS_LOOPBACK : ADDRESS_LOCAL;
    if (first === 127) return ADDRESS_LOOPBACK;
    if (word === -1 || this.broadcast.has(word)) return ADDRESS_BROADCAST;
    if (first >>> 4 === 0xe) return ADDRESS_MULTICAST;
    return first === 0 ? ADDRESS_THIS_NETWORK : ADDRESS_OTHER;
  }

  /** What an IPv6 address is to us; one that is still tentative is not ours. */
  kindOf6(address: IpAddress): AddressKind {
    if (address.isMulticast) return ADDRESS_MULTICAST;
    if (address.isLoopback) return ADDRESS_LOOPBACK;
    // Mapped addresses stand for IPv4 in programs, and have no place on a wire.
    if (address.isUnspecified || address.isMapped) return ADDRESS_THIS_NETWORK;
    return this.owner6(address) === null ? ADDRESS_OTHER : ADDRESS_LOCAL;
  }

  private owner6(address: IpAddress): Netif | null {
    const has = (netif: Netif): boolean =>
      netif.up &&
      netif.addresses.some(
        entry => entry.address.equals(address) && entry instanceof Ipv6Address && entry.usable,
      );
    return this.list.find(has) ?? null;
  }
}
