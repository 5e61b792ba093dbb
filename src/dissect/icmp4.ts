import { IpAddress } from '../wire/address.ts';
import {
  ICMP4_ECHO,
  ICMP4_ECHO_REPLY,
  ICMP4_FRAGMENTATION_NEEDED,
  ICMP4_HEADER_LENGTH,
  ICMP4_PARAMETER_PROBLEM,
  ICMP4_PORT_UNREACHABLE,
  ICMP4_PROTOCOL_UNREACHABLE,
  ICMP4_REDIRECT,
  ICMP4_SOURCE_QUENCH,
  ICMP4_TIME_EXCEEDED,
  ICMP4_UNREACHABLE,
} from '../wire/icmp4.ts';
import type { Span } from './span.ts';

/** What the codes of "unreachable" are called; `%s` is the address. Protocol, port and MTU are said elsewhere. */
const UNREACHABLE: Readonly<Record<number, string>> = {
  0: 'net %s unreachable',
  1: 'host %s unreachable',
  5: '%s unreachable - source route failed',
  6: 'net %s unreachable - unknown',
  7: 'host %s unreachable - unknown',
  8: '%s unreachable - source host isolated',
  9: 'net %s unreachable - admin prohibited',
  10: 'host %s unreachable - admin prohibited',
  11: 'net %s unreachable - tos prohibited',
  12: 'host %s unreachable - tos prohibited',
  13: 'host %s unreachable - admin prohibited filter',
  14: 'host %s unreachable - host precedence violation',
  15: 'host %s unreachable - precedence cutoff',
};

const REDIRECT = [
  'redirect %s to net',
  'redirect %s to host',
  'redirect-tos %s to net',
  'redirect-tos %s to host',
];

/** One ICMPv4 message behind 'a > b: ': 'ICMP echo request, id 1, seq 1, length 64'. */
export function formatIcmp4(icmp: Span): string {
  const text = icmp.has(2) ? formatMessage(icmp) : null;
  return text === null ? ' [|icmp]' : `ICMP ${text}, length ${icmp.length}`;
}

/** Null when the message is cut off before what there is to say. */
function formatMessage(icmp: Span): string | null {
  const id = icmp.u16(4);
  const sequence = icmp.u16(6);
  const code = icmp.u8(1);
  switch (icmp.u8(0)) {
    case ICMP4_ECHO_REPLY:
      return icmp.has(ICMP4_HEADER_LENGTH) ? `echo reply, id ${id}, seq ${sequence}` : null;
    case ICMP4_ECHO:
      return icmp.has(ICMP4_HEADER_LENGTH) ? `echo request, id ${id}, seq ${sequence}` : null;
    case ICMP4_UNREACHABLE:
      return formatUnreachable(icmp, code);
    case ICMP4_REDIRECT:
      return formatRedirect(icmp, code);
    case ICMP4_TIME_EXCEEDED:
      return formatTimeExceeded(icmp, code);
    case ICMP4_PARAMETER_PROBLEM:
      if (code !== 0) return `parameter problem - code ${code}`;
      return icmp.has(5) ? `parameter problem - octet ${icmp.u8(4)}` : null;
    default:
      return formatQuery(icmp, id, sequence);
  }
}

function formatUnreachable(icmp: Span, code: number): string | null {
  const inner = icmp.after(ICMP4_HEADER_LENGTH);
  if (!inner.has(20)) return null;
  const target = IpAddress.v4(inner.u32(16)).toString();
  switch (code) {
    case ICMP4_PROTOCOL_UNREACHABLE:
      return `${target} protocol ${inner.u8(9)} unreachable`;
    case ICMP4_PORT_UNREACHABLE:
      return formatPortUnreachable(inner, target);
    case ICMP4_FRAGMENTATION_NEEDED: {
      const mtu = icmp.u16(6);
      return `${target} unreachable - need to frag${mtu === 0 ? '' : ` (mtu ${mtu})`}`;
    }
    default:
      return (UNREACHABLE[code] ?? `%s unreachable - #${code}`).replace('%s', target);
  }
}

function formatPortUnreachable(inner: Span, target: string): string | null {
  const transport = inner.after((inner.u8(0) & 0xf) * 4);
  if (!transport.has(4)) return null;
  const protocol = inner.u8(9);
  const port = transport.u16(2);
  if (protocol === 6) return `${target} tcp port ${port} unreachable`;
  if (protocol === 17) return `${target} udp port ${port} unreachable`;
  return `${target} protocol ${protocol} port ${port} unreachable`;
}

function formatRedirect(icmp: Span, code: number): string | null {
  const inner = icmp.after(ICMP4_HEADER_LENGTH);
  if (!inner.has(20)) return null;
  const target = IpAddress.v4(inner.u32(16)).toString();
  const text = REDIRECT[code] ?? `redirect-#${code} %s to`;
  return `${text.replace('%s', target)} ${IpAddress.v4(icmp.u32(4))}`;
}

function formatTimeExceeded(icmp: Span, code: number): string | null {
  if (!icmp.after(ICMP4_HEADER_LENGTH).has(20)) return null;
  if (code === 0) return 'time exceeded in-transit';
  return code === 1 ? 'ip reassembly time exceeded' : `time exceeded-#${code}`;
}

function formatQuery(icmp: Span, id: number, sequence: number): string | null {
  const type = icmp.u8(0);
  switch (type) {
    case ICMP4_SOURCE_QUENCH:
      return 'source quench';
    case 10:
      return 'router solicitation';
    case 13:
      return icmp.has(ICMP4_HEADER_LENGTH) ? `time stamp query id ${id} seq ${sequence}` : null;
    case 14:
      if (!icmp.has(20)) return null;
      return (
        `time stamp reply id ${id} seq ${sequence}: org ${formatMidnight(icmp.u32(8))}, ` +
        `recv ${formatMidnight(icmp.u32(12))}, xmit ${formatMidnight(icmp.u32(16))}`
      );
    case 15:
      return 'information request';
    case 16:
      return 'information reply';
    case 17:
      return 'address mask request';
    case 18:
      return icmp.has(12) ? `address mask is 0x${icmp.hex(8, 12)}` : null;
    default:
      return `type-#${type}`;
  }
}

/** Milliseconds since midnight as '01:02:03.004'. */
function formatMidnight(ms: number): string {
  const two = (n: number): string => String(n).padStart(2, '0');
  const seconds = Math.floor(ms / 1000);
  const clock = `${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
  return `${clock}.${String(ms % 1000).padStart(3, '0')}`;
}
