/**
 * The options that every command on a real network has.
 * @module
 */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { type IpAddress, parseMac } from '../../wire/address.ts';
import {
  type Cidr,
  parseAddresses,
  parseGateways,
  parseInteger,
  parseName,
  parseNameServers,
} from './arguments.ts';

/** What can be shown while a command runs. */
export const TRACE_NAMES = ['strace', 'tcp', 'packets', 'queues', 'config'] as const;
/** One of them. */
export type TraceName = (typeof TRACE_NAMES)[number];

/** The common options, as commander gives them. */
export interface HostOptions {
  readonly tap: string;
  readonly tun?: true;
  readonly interface?: string;
  readonly address?: readonly Cidr[];
  readonly gateway?: readonly IpAddress[];
  readonly dns?: readonly IpAddress[];
  readonly slaac?: true;
  readonly dhcp?: true;
  readonly mtu?: number;
  readonly mac?: Uint8Array | 'device';
  readonly trace?: readonly TraceName[];
  readonly write?: string;
  readonly quiet?: true;
}

/** The addresses of a stack that is told of none: on a network of its own with the kernel. */
export const DEFAULT_ADDRESSES: readonly Cidr[] = /* @__PURE__ */ parseAddresses('10.65.0.2/24,fd65::2/64');

const DEFAULT_TAP = 'tap0';
/** RFC 791 section 3.2: every host must take this much in one piece. */
const MTU_MIN = 68;
const MTU_MAX = 65535;

/** Adds the common options to a command. `quietFlags`: for one whose own -q means something else. */
export function addHostOptions(command: Command, quietFlags = '-q, --quiet'): Command {
  addDeviceOptions(command);
  addAddressOptions(command);
  return command
    .option('--mtu <bytes>', 'the largest IP packet (default: 1500)', parseInteger(MTU_MIN, MTU_MAX))
    .option(
      '--mac <mac>',
      "the hardware address of this stack, or 'device': the interface's (default: a random one)",
      parseMacOption,
    )
    .option('--trace <what>', `show live, on stderr: ${TRACE_NAMES.join(', ')}, or all`, parseTraces)
    .option('--write <file.pcap>', 'write the packets to a capture file')
    .option(quietFlags, 'do not say how the stack can be reached');
}

function addDeviceOptions(command: Command): void {
  command
    .option(
      '--tap <name>',
      'the TAP device between this stack and the kernel; made when there is none',
      parseName,
      DEFAULT_TAP,
    )
    .option('--tun', 'a TUN device of that name instead: IP packets without Ethernet')
    .addOption(
      new Option('--interface <name>', 'an interface that exists, instead: a host of its own on its network')
        .argParser(parseName)
        .conflicts(['tun', 'mtu']),
    );
}

/** What this stack is called, and who says so. */
function addAddressOptions(command: Command): void {
  const addresses = DEFAULT_ADDRESSES.map(({ address, prefixLength }) => `${address}/${prefixLength}`);
  command
    .option(
      '--address <address/n>',
      `an address of this stack, IPv4 or IPv6; more with commas or again (default: ${addresses.join(',')})`,
      parseAddresses,
    )
    .option('--dhcp', 'an IPv4 address, routes and name servers from a DHCP server; link-local without one')
    .option('--slaac', 'an IPv6 address, routes and name servers from the router on the link')
    .option(
      '--gateway <address>',
      "the way to other networks, one for each family; the kernel's side gets it",
      parseGateways,
    )
    .option('--dns <address>', 'a name server; more with commas or again', parseNameServers);
}

function parseMacOption(text: string): Uint8Array | 'device' {
  if (text === 'device') return text;
  const mac = parseMac(text);
  if (mac === null) throw new InvalidArgumentError('Not a hardware address, as 02:00:00:00:00:02.');
  if (((mac[0] ?? 0) & 1) !== 0) throw new InvalidArgumentError('A group address cannot be a host.');
  return mac;
}

function parseTraces(text: string): TraceName[] {
  const names = text.split(',').flatMap(name => (name === 'all' ? TRACE_NAMES : [name as TraceName]));
  for (const name of names) {
    if (!TRACE_NAMES.includes(name))
      throw new InvalidArgumentError(`'${name}' is none of ${TRACE_NAMES.join(', ')}, all.`);
  }
  return [...new Set(names)];
}
