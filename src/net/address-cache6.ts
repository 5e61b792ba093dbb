import { IpAddress } from '../wire/address.ts';
import type { AddressKind, CachedAddress } from './address-cache.ts';
import type { IpRoute } from './ip-route.ts';

/** An IPv6 address from a packet, with what it is to us and how it is reached. */
export interface CachedAddress6 extends CachedAddress {
  /** The route to it when neither source nor interface is asked for, once looked up. */
  route: IpRoute | null;
}

/** log2 of the slots. */
const BITS = 10;
const LINK_LOCAL_MASK = 0xffc00000;
const LINK_LOCAL_PREFIX = 0xfe800000 | 0;

/** As AddressCache, for the 16 bytes of IPv6 headers: a known address costs no allocation. */
export class AddressCache6 {
  private slots = new Array<CachedAddress6 | undefined>(1 << BITS);
  private readonly kindOf: (address: IpAddress) => AddressKind;

  constructor(kindOf: (address: IpAddress) => AddressKind) {
    this.kindOf = kindOf;
  }

  /** The address in the 16 bytes at `offset`, in `zone` if it is of a kind that needs one. */
  read(view: DataView, offset: number, zone: number): CachedAddress6 {
    const w0 = view.getInt32(offset);
    const w1 = view.getInt32(offset + 4);
    const w2 = view.getInt32(offset + 8);
    const w3 = view.getInt32(offset + 12);
    return this.lookup(w0, w1, w2, w3, needsZone(w0) ? zone : 0);
  }

  /** What is known of an address. */
  of(address: IpAddress): CachedAddress6 {
    return this.lookup(address.w0, address.w1, address.w2, address.w3, address.zone);
  }

  /** Forgets everything: what is local, or how something is reached, has changed. */
  clear(): void {
    this.slots = new Array<CachedAddress6 | undefined>(1 << BITS);
  }

  private lookup(w0: number, w1: number, w2: number, w3: number, zone: number): CachedAddress6 {
    let hash = Math.imul(w3 ^ zone, 0x9e3779b1);
    hash = Math.imul(hash ^ (hash >>> 15) ^ w2, 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 13) ^ w1, 0xc2b2ae35);
    hash = Math.imul(hash ^ (hash >>> 16) ^ w0, 0x9e3779b1);
    const slot = hash >>> (32 - BITS);
    const cached = this.slots[slot];
    if (cached !== undefined) {
      const { address } = cached;
      if (address.w3 === w3 && address.w2 === w2 && address.w1 === w1 && address.w0 === w0) {
        if (address.zone === zone) return cached;
      }
    }
    const address = IpAddress.v6(w0, w1, w2, w3, zone);
    const made = { address, kind: this.kindOf(address), route: null };
    this.slots[slot] = made;
    return made;
  }
}

/** As IpAddress.needsZone, of the first word. */
function needsZone(w0: number): boolean {
  if (w0 >>> 24 !== 0xff) return (w0 & LINK_LOCAL_MASK) === LINK_LOCAL_PREFIX;
  const scope = (w0 >>> 16) & 15;
  return scope === 1 || scope === 2;
}
