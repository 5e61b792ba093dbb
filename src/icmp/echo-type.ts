import { AF_INET, type IpAddress } from '../wire/address.ts';
import { ICMP4_ECHO } from '../wire/icmp4.ts';
import { ICMP6_ECHO } from '../wire/icmp6.ts';

/** The type of an echo request of the address's family. Its header is the same in both (RFC 792, RFC 4443). */
export function echoType(address: IpAddress): number {
  return address.family === AF_INET ? ICMP4_ECHO : ICMP6_ECHO;
}
