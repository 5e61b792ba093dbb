/**
 * What an ICMPv6 error means to the socket that caused it: Linux's icmpv6_err_convert.
 * @module
 */
import { EACCES, ECONNREFUSED, EHOSTUNREACH, EMSGSIZE, ENETUNREACH, EPROTO } from '../base/errno.ts';
import {
  ICMP6_PACKET_TOO_BIG,
  ICMP6_PARAMETER_PROBLEM,
  ICMP6_TIME_EXCEEDED,
  ICMP6_UNREACHABLE,
} from '../wire/icmp6.ts';
import type { ErrorMeaning } from './icmp4-errors.ts';

/** By the code of "destination unreachable" (RFC 4443 section 3.1). */
const UNREACHABLE: readonly ErrorMeaning[] = [
  { errno: ENETUNREACH, fatal: false }, // no route
  { errno: EACCES, fatal: true }, // prohibited
  { errno: EHOSTUNREACH, fatal: false }, // beyond the scope of the source
  { errno: EHOSTUNREACH, fatal: false }, // address
  { errno: ECONNREFUSED, fatal: true }, // port
  { errno: EACCES, fatal: true }, // the source address failed a policy
  { errno: EACCES, fatal: true }, // reject route
];

/** The meaning of an error message; null for one that a socket does not hear of. */
export function icmp6ErrorMeaning(type: number, code: number): ErrorMeaning | null {
  switch (type) {
    case ICMP6_UNREACHABLE:
      return UNREACHABLE[code] ?? { errno: EPROTO, fatal: true };
    case ICMP6_PACKET_TOO_BIG:
      return { errno: EMSGSIZE, fatal: false };
    case ICMP6_TIME_EXCEEDED:
      return { errno: EHOSTUNREACH, fatal: false };
    case ICMP6_PARAMETER_PROBLEM:
      return { errno: EPROTO, fatal: true };
    default:
      return null;
  }
}
