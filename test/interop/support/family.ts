import { type AddressFamily, AF_INET, AF_INET6 } from '../../../src/wire/address.ts';

/** What a test needs to know of the family over which it runs. */
export interface Family {
  readonly name: 'IPv4' | 'IPv6';
  readonly domain: AddressFamily;
  readonly any: string;
  /** Of the network between the kernel and our host: their addresses, one that is nobody's, and the prefix. */
  readonly kernel: string;
  readonly ours: string;
  readonly nobody: string;
  readonly prefixLength: number;
  /** The networks behind the kernel's end of a first cable and of a second one, as in '10.65.1'. */
  readonly beyond: readonly [string, string];
  /** An address of a network to which there is no way. */
  readonly nowhere: string;
  /** Bytes of the IP header. */
  readonly header: number;
  /** Of Node's datagram sockets. */
  readonly datagram: 'udp4' | 'udp6';
  /** Below /proc/sys/net. */
  readonly sysctl: 'ipv4' | 'ipv6';
}

export const IPV4: Family = {
  name: 'IPv4',
  domain: AF_INET,
  any: '0.0.0.0',
  kernel: '10.65.0.1',
  ours: '10.65.0.2',
  nobody: '10.65.0.77',
  prefixLength: 24,
  beyond: ['10.65.1.', '10.65.2.'],
  nowhere: '10.66.0.1',
  header: 20,
  datagram: 'udp4',
  sysctl: 'ipv4',
};

export const IPV6: Family = {
  name: 'IPv6',
  domain: AF_INET6,
  any: '::',
  kernel: 'fd65::1',
  ours: 'fd65::2',
  nobody: 'fd65::77',
  prefixLength: 64,
  beyond: ['fd65:1::', 'fd65:2::'],
  nowhere: 'fd66::1',
  header: 40,
  datagram: 'udp6',
  sysctl: 'ipv6',
};

/** Both, for tests that hold in each. */
export const FAMILIES: readonly Family[] = [IPV4, IPV6];

/** 'http://10.65.0.2', 'http://[fd65::2]:81' */
export function httpUrl(address: string, port = 80): string {
  const host = address.includes(':') ? `[${address}]` : address;
  return `http://${host}${port === 80 ? '' : `:${port}`}`;
}
