import { IpAddress } from '../../src/wire/address.ts';
import { ETHERNET_HEADER_LENGTH, ethernetType } from '../../src/wire/ethernet.ts';
import {
  ICMP6_ECHO_REPLY,
  ICMP6_HEADER_LENGTH,
  IPPROTO_ICMPV6,
  MLD2_REPORT,
  ND_NEIGHBOR_ADVERT,
  ND_NEIGHBOR_SOLICIT,
  ND_ROUTER_SOLICIT,
  parseIcmp6,
} from '../../src/wire/icmp6.ts';
import { IPV6_HEADER_LENGTH, parseIpv6 } from '../../src/wire/ipv6.ts';
import { fragmentMore, fragmentOffset, IPV6_FRAGMENT } from '../../src/wire/ipv6-extension.ts';
import { type NdpRepr, parseNdp } from '../../src/wire/ndp.ts';
import { RST } from '../../src/wire/tcp.ts';

const ERRORS: Readonly<Record<number, string>> = {
  1: 'unreachable',
  2: 'too big',
  3: 'time exceeded',
  4: 'parameter problem',
};
const IPPROTO_TCP = 6;

/**
 * A frame of the node under test in one line, with all that a case may ask for: 'fd00::1 > fd00::2: echo reply, 8
 * bytes, hop limit 64'. Null for what no case is about: reports of groups, and anything but IPv6.
 */
export function wordsOf(frame: Uint8Array): string | null {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  if (ethernetType(view, 0) !== 0x86dd) return null;
  const ip = parseIpv6(view, ETHERNET_HEADER_LENGTH, frame.length);
  if (ip === null) return null;
  const at = ETHERNET_HEADER_LENGTH + IPV6_HEADER_LENGTH;
  const end = at + ip.payloadLength;
  const what = payloadWords(view, at, end, ip.nextHeader);
  if (what === null) return null;
  const hops = what.startsWith('echo') ? `, hop limit ${ip.hopLimit}` : '';
  return `${ip.source} > ${ip.destination}: ${what}${hops}`;
}

/** Whom a frame asks for, and who asks; null when it is no question, or one from :: (is this address free?). */
export function questionOf(frame: Uint8Array): { target: string; source: string } | null {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  const at = ETHERNET_HEADER_LENGTH;
  const ip = parseIpv6(view, at, frame.length);
  if (ip === null || ip.nextHeader !== IPPROTO_ICMPV6 || ip.source.isUnspecified) return null;
  const message = parseNdp(view, at + IPV6_HEADER_LENGTH, at + IPV6_HEADER_LENGTH + ip.payloadLength);
  if (message?.type !== ND_NEIGHBOR_SOLICIT) return null;
  return { target: message.target.toString(), source: ip.source.toString() };
}

function payloadWords(view: DataView, at: number, end: number, protocol: number): string | null {
  if (protocol === IPV6_FRAGMENT)
    return `fragment at ${fragmentOffset(view, at)}${fragmentMore(view, at) ? '+' : ''}, ${end - at - 8} bytes`;
  if (protocol === IPPROTO_TCP) return (view.getUint8(at + 13) & RST) !== 0 ? 'TCP reset' : 'TCP';
  // Hop-by-hop options: reports of groups.
  if (protocol !== IPPROTO_ICMPV6) return null;
  const message = parseIcmp6(view, at, end);
  if (message === null) return 'no ICMPv6';
  const { type, code, rest } = message;
  if (type === MLD2_REPORT) return null;
  const ndp = parseNdp(view, at, end);
  if (ndp !== null) return ndpWords(ndp);
  if (type === ICMP6_ECHO_REPLY)
    return `echo reply ${rest >>> 16}/${rest & 0xffff}, ${end - at - ICMP6_HEADER_LENGTH} bytes`;
  const name = ERRORS[type];
  if (name === undefined) return `ICMPv6 type ${type}`;
  const about = type === 2 || type === 4 ? ` at ${rest}` : '';
  return `${name} ${code}${type === 1 || type === 3 ? '' : about}`;
}

function ndpWords(message: NdpRepr): string {
  const { options } = message;
  const source = options.sourceMac === undefined ? '' : `, from ${macText(options.sourceMac)}`;
  const target = options.targetMac === undefined ? '' : `, at ${macText(options.targetMac)}`;
  switch (message.type) {
    case ND_ROUTER_SOLICIT:
      return `router solicitation${source}`;
    case ND_NEIGHBOR_SOLICIT:
      return `who has ${message.target}${source}`;
    case ND_NEIGHBOR_ADVERT: {
      const { router, solicited, override } = message;
      const flags = `${router ? 'R' : ''}${solicited ? 'S' : ''}${override ? 'O' : ''}`;
      return `here is ${message.target} [${flags}]${target}`;
    }
    default:
      return `neighbour discovery type ${message.type}`;
  }
}

/** 'aa:bb:cc:dd:ee:ff', from `offset` on. */
export function macText(bytes: Uint8Array, offset = 0): string {
  return [...bytes.subarray(offset, offset + 6)].map(byte => byte.toString(16).padStart(2, '0')).join(':');
}

/** The address that text stands for, which must be one. */
export function addressOf(text: string): IpAddress {
  const address = IpAddress.parse(text);
  if (address === null) throw new Error(`${text} is no address`);
  return address;
}
