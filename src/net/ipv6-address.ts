import type { IpAddress } from '../wire/address.ts';
import type { NetifAddress } from './netif.ts';

/** Where an address came from. */
export type AddressOrigin = 'manual' | 'link-local' | 'slaac' | 'temporary';

/** How far an address is checked (RFC 4862 section 5.4, RFC 4429): whether somebody else has it. */
export type AddressCheck =
  /** Not used but to ask who has it. */
  | 'tentative'
  /** Used with care while it is asked who has it. */
  | 'optimistic'
  /** Nobody else has it. */
  | 'done'
  /** Somebody else has it: it is not used. */
  | 'duplicate';

/** An IPv6 address of an interface, with its state and its lifetimes (RFC 4862). */
export class Ipv6Address implements NetifAddress {
  readonly address: IpAddress;
  readonly prefixLength: number;
  readonly broadcast = null;
  readonly origin: AddressOrigin;
  check: AddressCheck = 'tentative';
  /** When it should no longer be used for new conversations, and when it ends; in microseconds, Infinity for never. */
  preferredUntilUs = Number.POSITIVE_INFINITY;
  validUntilUs = Number.POSITIVE_INFINITY;
  /** How many addresses of this prefix were found to be duplicates before (RFC 7217's DAD_Counter). */
  dadCounter = 0;
  /** Whether the group in which it is asked for was joined. */
  joined = false;
  /** Of a temporary address: the one that follows it was made (RFC 8981 section 3.6). */
  renewed = false;

  constructor(address: IpAddress, prefixLength: number, origin: AddressOrigin) {
    this.address = address;
    this.prefixLength = prefixLength;
    this.origin = origin;
  }

  /** Whether packets may be sent from it and received for it. */
  get usable(): boolean {
    return this.check === 'done' || this.check === 'optimistic';
  }

  /** Whether new conversations should take another address. */
  isDeprecated(nowUs: number): boolean {
    return nowUs >= this.preferredUntilUs;
  }
}
