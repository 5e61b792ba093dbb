import type { IpAddress } from '../wire/address.ts';
import { AF_INET } from '../wire/address.ts';
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
import type { Netif } from './netif.ts';

/** Index of the loopback interface. */
export const LOOPBACK_INDEX = 1;

/** The interfaces of one host, and which addresses they make ours. */
export class Interfaces {
  /** In the order of their indexes, of which the first is 1. */
  readonly list: Netif[] = [];
  /** The addresses that packets have, with what they are to us. */
  readonly cache: AddressCache;
  private readonly local = new Map<number, Netif>();
  private readonly broadcast = new Map<number, Netif>();

  constructor() {
    this.cache = new AddressCache(word => this.kindOf(word));
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

  /** Takes note that addresses were added or removed, or that an interface went up or down. */
  refresh(): void {
    this.local.clear();
    this.broadcast.clear();
    this.cache.clear();
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
}
