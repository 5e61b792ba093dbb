import { IpAddress } from '../wire/address.ts';

/** What an IPv4 address is to this host. */
export const ADDRESS_OTHER = 0;
/** Assigned to one of our interfaces. */
export const ADDRESS_LOCAL = 1;
/** In 127.0.0.0/8. */
export const ADDRESS_LOOPBACK = 2;
/** 255.255.255.255, or the last address of a subnet we are in. */
export const ADDRESS_BROADCAST = 3;
export const ADDRESS_MULTICAST = 4;
/** In 0.0.0.0/8, "this network". */
export const ADDRESS_THIS_NETWORK = 5;

/** One of ADDRESS_LOCAL, ADDRESS_OTHER ... */
export type AddressKind =
  | typeof ADDRESS_OTHER
  | typeof ADDRESS_LOCAL
  | typeof ADDRESS_LOOPBACK
  | typeof ADDRESS_BROADCAST
  | typeof ADDRESS_MULTICAST
  | typeof ADDRESS_THIS_NETWORK;

/** An address from a packet, with what it is to us. */
export interface CachedAddress {
  readonly address: IpAddress;
  readonly kind: AddressKind;
}

/** log2 of the slots. */
const BITS = 10;

/**
 * Makes `IpAddress` values of the 32-bit words in headers: a known address costs no allocation. A table of a fixed
 * size in which an address displaces whichever shares its slot, so that no sender can make it grow.
 */
export class AddressCache {
  private slots = new Array<CachedAddress | undefined>(1 << BITS);
  private readonly kindOf: (word: number) => AddressKind;

  constructor(kindOf: (word: number) => AddressKind) {
    this.kindOf = kindOf;
  }

  /** The address whose 32 bits are `word`. */
  lookup(word: number): CachedAddress {
    const slot = Math.imul(word, 0x9e3779b1) >>> (32 - BITS);
    const cached = this.slots[slot];
    if (cached !== undefined && cached.address.w3 === word) return cached;
    const made = { address: IpAddress.v4(word), kind: this.kindOf(word) };
    this.slots[slot] = made;
    return made;
  }

  /** Forgets everything: what is local has changed. */
  clear(): void {
    this.slots = new Array<CachedAddress | undefined>(1 << BITS);
  }
}
