import { IpAddress } from '../wire/address.ts';
import {
  ICMP6_ADDRESS_UNREACHABLE,
  ICMP6_ADMIN_PROHIBITED,
  ICMP6_BEYOND_SCOPE,
  ICMP6_ECHO,
  ICMP6_ECHO_REPLY,
  ICMP6_HEADER_LENGTH,
  ICMP6_NO_ROUTE,
  ICMP6_PACKET_TOO_BIG,
  ICMP6_PARAMETER_PROBLEM,
  ICMP6_PORT_UNREACHABLE,
  ICMP6_TIME_EXCEEDED,
  ICMP6_UNREACHABLE,
  MLD_DONE,
  MLD_QUERY,
  MLD_REPORT,
  MLD2_REPORT,
  ND_NEIGHBOR_ADVERT,
  ND_NEIGHBOR_SOLICIT,
  ND_REDIRECT,
  ND_ROUTER_ADVERT,
  ND_ROUTER_SOLICIT,
} from '../wire/icmp6.ts';
import { EXTENSION_NEXT_HEADER, IPV6_FRAGMENT, isIpv6Extension } from '../wire/ipv6-extension.ts';
import type { Span } from './span.ts';

const IPV6_HEADER = 40;
const MLD1_LENGTH = 24;
const MLD2_QUERY_LENGTH = 28;

const TYPES: Readonly<Record<number, string>> = {
  [ICMP6_UNREACHABLE]: 'destination unreachable',
  [ICMP6_PACKET_TOO_BIG]: 'packet too big',
  [ICMP6_TIME_EXCEEDED]: 'time exceeded in-transit',
  [ICMP6_PARAMETER_PROBLEM]: 'parameter problem',
  [ICMP6_ECHO]: 'echo request',
  [ICMP6_ECHO_REPLY]: 'echo reply',
  [MLD_QUERY]: 'multicast listener query',
  [MLD_REPORT]: 'multicast listener report',
  [MLD_DONE]: 'multicast listener done',
  [ND_ROUTER_SOLICIT]: 'router solicitation',
  [ND_ROUTER_ADVERT]: 'router advertisement',
  [ND_NEIGHBOR_SOLICIT]: 'neighbor solicitation',
  [ND_NEIGHBOR_ADVERT]: 'neighbor advertisement',
  [ND_REDIRECT]: 'redirect',
  [MLD2_REPORT]: 'multicast listener report v2',
};

const UNREACHABLE: Readonly<Record<number, string>> = {
  [ICMP6_NO_ROUTE]: 'unreachable route',
  [ICMP6_ADMIN_PROHIBITED]: ' unreachable prohibited',
  [ICMP6_BEYOND_SCOPE]: 'beyond scope',
  [ICMP6_ADDRESS_UNREACHABLE]: 'unreachable address',
  [ICMP6_PORT_UNREACHABLE]: 'unreachable port',
};

const PARAMETER_PROBLEM = ['erroneous', 'next header', 'option', 'incomplete header chain'];

/** One ICMPv6 message behind 'a > b: ': 'ICMP6, echo request, id 1, seq 1, length 64'. */
export function formatIcmp6(icmp: Span): string {
  if (!icmp.has(4)) return ' [|icmp6]';
  const type = icmp.u8(0);
  const name = TYPES[type];
  if (name === undefined)
    return `ICMP6, unknown icmp6 type (${type}), length ${icmp.length}${icmp.dumpHex()}`;
  const { text, state } = formatMessage(icmp, type);
  if (state === 'cut') return `ICMP6, ${name}${text} [|icmp6]`;
  return `ICMP6, ${name}${text}${state === 'ended' ? '' : `, length ${icmp.length}`}`;
}

/** What follows the name; `cut`: the message ends before what there is to say. `ended`: its length is not said. */
interface Message {
  readonly text: string;
  readonly state: 'whole' | 'cut' | 'ended';
}

function whole(text: string): Message {
  return { text, state: 'whole' };
}

function cut(text = ''): Message {
  return { text, state: 'cut' };
}

function formatMessage(icmp: Span, type: number): Message {
  const code = icmp.u8(1);
  const word = icmp.u32(4);
  const hasWord = icmp.has(ICMP6_HEADER_LENGTH);
  switch (type) {
    case ICMP6_UNREACHABLE:
      return formatUnreachable(icmp, code);
    case ICMP6_PACKET_TOO_BIG:
      return hasWord ? whole(`, mtu ${word}`) : cut();
    case ICMP6_TIME_EXCEEDED:
      return formatTimeExceeded(icmp, code);
    case ICMP6_PARAMETER_PROBLEM:
      return formatParameterProblem(icmp, code);
    case ICMP6_ECHO:
    case ICMP6_ECHO_REPLY:
      return hasWord ? whole(`, id ${word >>> 16}, seq ${word & 0xffff}`) : cut();
    case MLD_QUERY:
    case MLD_REPORT:
    case MLD_DONE:
      return formatMld(icmp, type);
    case ND_NEIGHBOR_SOLICIT:
      return icmp.has(24) ? whole(`, who has ${addressAt(icmp, 8)}`) : cut();
    case ND_NEIGHBOR_ADVERT:
      return icmp.has(24) ? whole(`, tgt is ${addressAt(icmp, 8)}`) : cut();
    case ND_REDIRECT:
      return icmp.has(40) ? whole(`, ${addressAt(icmp, 24)} to ${addressAt(icmp, 8)}`) : cut();
    case MLD2_REPORT:
      return hasWord ? whole(`, ${icmp.u16(6)} group record(s)`) : cut();
    default:
      return whole('');
  }
}

function formatUnreachable(icmp: Span, code: number): Message {
  const inner = icmp.after(ICMP6_HEADER_LENGTH);
  const name = `, ${UNREACHABLE[code] ?? `unknown unreach code (${code})`}`;
  if (UNREACHABLE[code] === undefined) return { text: `${name}${icmp.dumpHex()}`, state: 'ended' };
  if (!inner.has(IPV6_HEADER)) return cut(name);
  const target = addressAt(inner, 24);
  if (code === ICMP6_BEYOND_SCOPE) return whole(`${name} ${target}, source address ${addressAt(inner, 8)}`);
  return code === ICMP6_PORT_UNREACHABLE ? formatPort(name, inner, target) : whole(`${name} ${target}`);
}

function formatPort(name: string, inner: Span, target: string): Message {
  let protocol = inner.u8(6);
  let at = IPV6_HEADER;
  while (isIpv6Extension(protocol) && inner.has(at + 2)) {
    const length = protocol === IPV6_FRAGMENT ? 8 : (inner.u8(at + 1) + 1) * 8;
    protocol = inner.u8(at + EXTENSION_NEXT_HEADER);
    at += length;
  }
  if (!inner.has(at + 4)) return cut(name);
  const port = inner.u16(at + 2);
  if (protocol === 6) return whole(`${name}, ${target} tcp port ${port}`);
  if (protocol === 17) return whole(`${name}, ${target} udp port ${port}`);
  return cut(name);
}

function formatTimeExceeded(icmp: Span, code: number): Message {
  const inner = icmp.after(ICMP6_HEADER_LENGTH);
  if (!inner.has(IPV6_HEADER)) return cut();
  if (code === 0) return whole(` for ${addressAt(inner, 24)}`);
  return whole(code === 1 ? ' (reassembly)' : `, unknown code (${code})`);
}

function formatParameterProblem(icmp: Span, code: number): Message {
  if (!icmp.after(ICMP6_HEADER_LENGTH).has(IPV6_HEADER)) return cut();
  const what = PARAMETER_PROBLEM[code];
  return whole(what === undefined ? `, code-#${code}` : `, ${what} - octet ${icmp.u32(4)}`);
}

/** A query of either version, or a report of the first: tcpdump puts no space in front of it. */
function formatMld(icmp: Span, type: number): Message {
  if (type !== MLD_QUERY || icmp.length === MLD1_LENGTH) {
    return icmp.has(MLD1_LENGTH)
      ? whole(`max resp delay: ${icmp.u16(4)} addr: ${addressAt(icmp, 8)}`)
      : cut();
  }
  if (icmp.length < MLD2_QUERY_LENGTH) return whole(` unknown-version (len ${icmp.length}) `);
  if (!icmp.has(MLD2_QUERY_LENGTH)) return cut(' v2');
  const group = addressAt(icmp, 8);
  return whole(` v2 [gaddr ${group}]`);
}

function addressAt(span: Span, at: number): string {
  return IpAddress.v6(span.u32(at), span.u32(at + 4), span.u32(at + 8), span.u32(at + 12)).toString();
}
