/**
 * What ping and traceroute call the ICMP errors that they get (RFC 792, RFC 1122, RFC 1812).
 * @module
 */
import {
  ICMP4_FRAGMENTATION_NEEDED,
  ICMP4_PARAMETER_PROBLEM,
  ICMP4_TIME_EXCEEDED,
  ICMP4_TTL_EXCEEDED,
  ICMP4_UNREACHABLE,
} from '../wire/icmp4.ts';
import {
  ICMP6_HOP_LIMIT_EXCEEDED,
  ICMP6_PACKET_TOO_BIG,
  ICMP6_PARAMETER_PROBLEM,
  ICMP6_TIME_EXCEEDED,
  ICMP6_UNKNOWN_NEXT_HEADER,
  ICMP6_UNREACHABLE,
} from '../wire/icmp6.ts';

/** By the code of "destination unreachable": what ping says, and what traceroute puts behind the time. */
const UNREACHABLE: readonly (readonly [text: string, annotation: string])[] = [
  ['Destination Net Unreachable', '!N'],
  ['Destination Host Unreachable', '!H'],
  ['Destination Protocol Unreachable', '!P'],
  ['Destination Port Unreachable', ''],
  ['Frag needed and DF set', '!F'],
  ['Source Route Failed', '!S'],
  ['Destination Net Unknown', '!N'],
  ['Destination Host Unknown', '!H'],
  ['Source Host Isolated', '!N'],
  ['Destination Net Prohibited', '!X'],
  ['Destination Host Prohibited', '!X'],
  ['Destination Net Unreachable for Type of Service', '!N'],
  ['Destination Host Unreachable for Type of Service', '!H'],
  ['Packet filtered', '!X'],
  ['Precedence Violation', '!V'],
  ['Precedence Cutoff', '!C'],
];

/** The same of ICMPv6. */
const UNREACHABLE6: readonly (readonly [text: string, annotation: string])[] = [
  ['No route', '!N'],
  ['Administratively prohibited', '!X'],
  ['Beyond scope of source address', '!H'],
  ['Address unreachable', '!H'],
  ['Port unreachable', ''],
];

/** An error in ping's words: 'Destination Host Unreachable'. `info` is the MTU, or the pointer. */
export function icmp4ErrorText(type: number, code: number, info: number): string {
  switch (type) {
    case ICMP4_UNREACHABLE: {
      const text = UNREACHABLE[code]?.[0] ?? `Dest Unreachable, Bad Code: ${code}`;
      return code === ICMP4_FRAGMENTATION_NEEDED ? `${text} (mtu = ${info})` : text;
    }
    case ICMP4_TIME_EXCEEDED:
      return code === ICMP4_TTL_EXCEEDED ? 'Time to live exceeded' : 'Frag reassembly time exceeded';
    case ICMP4_PARAMETER_PROBLEM:
      return `Parameter problem: pointer = ${info}`;
    default:
      return `Bad ICMP type: ${type}`;
  }
}

/** The same of ICMPv6 (RFC 4443): 'Destination unreachable: No route'. */
export function icmp6ErrorText(type: number, code: number, info: number): string {
  switch (type) {
    case ICMP6_UNREACHABLE:
      return `Destination unreachable: ${UNREACHABLE6[code]?.[0] ?? `Unknown code ${code}`}`;
    case ICMP6_PACKET_TOO_BIG:
      return `Packet too big: mtu=${info}`;
    case ICMP6_TIME_EXCEEDED:
      return `Time exceeded: ${code === ICMP6_HOP_LIMIT_EXCEEDED ? 'Hop limit' : 'Defragmentation failure'}`;
    case ICMP6_PARAMETER_PROBLEM:
      return `Parameter problem: code ${code}, at ${info}`;
    default:
      return `Bad ICMP type: ${type}`;
  }
}

/**
 * An error in traceroute's signs: '!H', '!F-1400' ...; '' for a hop on the way and for the destination itself, whose
 * port is unreachable.
 */
export function icmp4Annotation(type: number, code: number, info: number): string {
  if (type === ICMP4_TIME_EXCEEDED && code === ICMP4_TTL_EXCEEDED) return '';
  if (type !== ICMP4_UNREACHABLE) return `!<${type}-${code}>`;
  const sign = UNREACHABLE[code]?.[1] ?? `!<${code}>`;
  return code === ICMP4_FRAGMENTATION_NEEDED ? `${sign}-${info}` : sign;
}

/** The same of ICMPv6. */
export function icmp6Annotation(type: number, code: number, info: number): string {
  if (type === ICMP6_TIME_EXCEEDED && code === ICMP6_HOP_LIMIT_EXCEEDED) return '';
  if (type === ICMP6_PACKET_TOO_BIG) return `!F-${info}`;
  if (type === ICMP6_PARAMETER_PROBLEM && code === ICMP6_UNKNOWN_NEXT_HEADER) return '!P';
  if (type !== ICMP6_UNREACHABLE) return `!<${type}-${code}>`;
  return UNREACHABLE6[code]?.[1] ?? `!<${code}>`;
}
