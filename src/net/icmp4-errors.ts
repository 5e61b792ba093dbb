/**
 * What an ICMP error means to the socket that caused it.
 * @module
 */
import {
  ECONNREFUSED,
  EHOSTDOWN,
  EHOSTUNREACH,
  EMSGSIZE,
  ENETUNREACH,
  ENONET,
  ENOPROTOOPT,
  EOPNOTSUPP,
  EPROTO,
} from '../base/errno.ts';
import {
  ICMP4_PARAMETER_PROBLEM,
  ICMP4_TIME_EXCEEDED,
  ICMP4_UNREACHABLE,
  ICMP4_UNREACHABLE_CODE_MAX,
} from '../wire/icmp4.ts';

/** An errno, and whether it ends a connection that did not ask to hear of errors. */
export interface ErrorMeaning {
  readonly errno: number;
  readonly fatal: boolean;
}

/** By the code of "destination unreachable" (RFC 792, RFC 1122, RFC 1812); Linux's icmp_err_convert. */
const UNREACHABLE: readonly ErrorMeaning[] = [
  { errno: ENETUNREACH, fatal: false }, // net
  { errno: EHOSTUNREACH, fatal: false }, // host
  { errno: ENOPROTOOPT, fatal: true }, // protocol
  { errno: ECONNREFUSED, fatal: true }, // port
  { errno: EMSGSIZE, fatal: false }, // fragmentation needed
  { errno: EOPNOTSUPP, fatal: false }, // source route failed
  { errno: ENETUNREACH, fatal: true }, // net unknown
  { errno: EHOSTDOWN, fatal: true }, // host unknown
  { errno: ENONET, fatal: true }, // host isolated
  { errno: ENETUNREACH, fatal: true }, // net prohibited
  { errno: EHOSTUNREACH, fatal: true }, // host prohibited
  { errno: ENETUNREACH, fatal: false }, // net, for this type of service
  { errno: EHOSTUNREACH, fatal: false }, // host, for this type of service
  { errno: EHOSTUNREACH, fatal: true }, // filtered
  { errno: EHOSTUNREACH, fatal: true }, // precedence violation
  { errno: EHOSTUNREACH, fatal: true }, // precedence cut-off
];

/** The meaning of an error message; null for one that a socket does not hear of. */
export function icmp4ErrorMeaning(type: number, code: number): ErrorMeaning | null {
  switch (type) {
    case ICMP4_UNREACHABLE:
      return code <= ICMP4_UNREACHABLE_CODE_MAX ? (UNREACHABLE[code] as ErrorMeaning) : null;
    case ICMP4_TIME_EXCEEDED:
      return { errno: EHOSTUNREACH, fatal: false };
    case ICMP4_PARAMETER_PROBLEM:
      return { errno: EPROTO, fatal: true };
    default:
      return null;
  }
}

/** RFC 1191 section 7.1: the MTUs that links have. */
const PLATEAUS = [32000, 17914, 8166, 4352, 2002, 1492, 1006, 508, 296, 68] as const;

/** The MTU to try when a router said that a packet of `length` bytes was too big, but not what would fit. */
export function nextPlateau(length: number): number {
  return PLATEAUS.find(plateau => plateau < length) ?? 68;
}
