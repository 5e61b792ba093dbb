import type { IpAddress } from './address.ts';

/** Types of records (RFC 3376 section 4.2.12, RFC 3810 section 5.2.12). */
export const MODE_IS_EXCLUDE = 2;
export const CHANGE_TO_INCLUDE = 3;
export const CHANGE_TO_EXCLUDE = 4;

/** What a listener says of one multicast group, of which it wants every source or none. */
export interface GroupRecord {
  readonly type: number;
  readonly group: IpAddress;
}
