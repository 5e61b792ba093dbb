/**
 * The options that every command on a real network has, and what follows from them.
 * @module
 */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { AF_INET, IpAddress, parseCidr, parseMac } from '../../wire/address.ts';
import { EXIT_USAGE, Failure } from '../failure.ts';
import { kernelAddressFor } from './kernel-address.ts';

/** What can be shown while a command runs. */
export const TRACE_NAMES = ['strace', 'tcp', 'packets', 'queues'] as const;
/** One of them. */
export type TraceName = (typeof TRACE_NAMES)[number];

/** The common options, as commander gives them. */
export interface HostOptions {
  readonly tap: string;
  readonly tun?: true;
  readonly interface?: string;
  readonly address: Cidr;
  readonly gateway?: IpAddress;
  readonly mtu?: number;
  readonly mac?: Uint8Array | 'device';
  readonly trace?: readonly TraceName[];
  readonly write?: string;
  readonly quiet?: true;
}

interface Cidr {
  readonly address: IpAddress;
  readonly prefixLength: number;
}

/** The device between this stack and the kernel: Ethernet, bare IP, or an interface that exists. */
export type DeviceMode = 'tap' | 'tun' | 'packet';

/** Everything that has to be known to make the host. */
export interface HostPlan {
  /** The interface's name. */
  readonly device: string;
  readonly mode: DeviceMode;
  readonly address: IpAddress;
  readonly prefixLength: number;
  readonly gateway: IpAddress | null;
  /** What the kernel's side gets when it has no address; null on an interface that exists. */
  readonly kernelAddress: IpAddress | null;
  /** Null: what the device has, 1500 when it is new. */
  readonly mtu: number | null;
  /** Null: a random one; 'device': that of the interface. */
  readonly mac: Uint8Array | 'device' | null;
  readonly traces: readonly TraceName[];
  /** The capture file. */
  readonly write: string | null;
  readonly quiet: boolean;
}

const DEFAULT_TAP = 'tap0';
const DEFAULT_ADDRESS = '10.65.0.2/24';
/** RFC 791 section 3.2: every host must take this much in one piece. */
const MTU_MIN = 68;
const MTU_MAX = 65535;
/** IFNAMSIZ with its final zero. */
const NAME_MAX = 15;

/** Adds the common options to a command. `quietFlags`: for one whose own -q means something else. */
export function addHostOptions(command: Command, quietFlags = '-q, --quiet'): Command {
  return command
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
    )
    .addOption(
      new Option('--address <a.b.c.d/n>', 'the address of this stack')
        .argParser(parseAddress)
        .default(parseAddress(DEFAULT_ADDRESS), DEFAULT_ADDRESS),
    )
    .option('--gateway <a.b.c.d>', "the way to other networks; the kernel's side gets it", parseGateway)
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

/** A parser of whole numbers from `min` to `max`. */
export function parseInteger(min: number, max: number): (text: string) => number {
  return text => {
    const value = Number(text);
    if (!/^\d{1,15}$/.test(text) || value < min || value > max)
      throw new InvalidArgumentError(`Not a number from ${min} to ${max}.`);
    return value;
  };
}

/** A port to connect to or to listen on. */
export const parsePort: (text: string) => number = /* @__PURE__ */ parseInteger(1, 65535);

/** An address to connect to. There is no DNS: a name is refused. */
export function parseHost(text: string): IpAddress {
  const address = IpAddress.parse(text);
  if (address === null) throw new InvalidArgumentError('Not an IP address (names are not looked up).');
  if (address.family !== AF_INET) throw new InvalidArgumentError('IPv6 is not there yet.');
  return address;
}

function parseName(text: string): string {
  if (text.length > NAME_MAX || !/^[^\s/:%]+$/.test(text) || text === '.' || text === '..')
    throw new InvalidArgumentError(`Not the name of an interface (1 to ${NAME_MAX} characters).`);
  return text;
}

function parseAddress(text: string): Cidr {
  const cidr = text.includes('/') ? parseCidr(text) : null;
  if (cidr === null) throw new InvalidArgumentError('Not an address with its prefix, as 10.65.0.2/24.');
  if (cidr.address.family !== AF_INET) throw new InvalidArgumentError('IPv6 is not there yet.');
  const { address, prefixLength } = cidr;
  if (address.isUnspecified || address.isMulticast || address.isLoopback || address.isLimitedBroadcast)
    throw new InvalidArgumentError('Not the address of a host.');
  if (prefixLength < 8) throw new InvalidArgumentError('A prefix has 8 to 31 bits.');
  return cidr;
}

function parseGateway(text: string): IpAddress {
  return parseHost(text);
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

/** What the options say together. Throws a Failure for options that do not fit each other. */
export function planOf(options: HostOptions): HostPlan {
  const { address, prefixLength } = options.address;
  const { gateway = null } = options;
  const prefix = `${address}/${prefixLength}`;
  const mode = options.interface !== undefined ? 'packet' : options.tun === true ? 'tun' : 'tap';
  if (options.mac === 'device' && mode !== 'packet')
    throw new Failure(
      "--mac device is for --interface: a TAP device's address is the kernel's own",
      EXIT_USAGE,
    );
  if (gateway !== null && !gateway.inPrefix(address, prefixLength))
    throw new Failure(`the gateway ${gateway} is not in the network of ${prefix}`, EXIT_USAGE);
  if (gateway?.equals(address) === true)
    throw new Failure(`the gateway ${gateway} is this stack's own address`, EXIT_USAGE);
  const kernelAddress = kernelAddressFor(address, prefixLength, gateway);
  if (mode !== 'packet' && kernelAddress === null)
    throw new Failure(`no address is left in the network of ${prefix} for the kernel's side`, EXIT_USAGE);
  if (isNoHost(address, prefixLength))
    throw new Failure(`${prefix} is a network or a broadcast address, not one of a host`, EXIT_USAGE);
  return {
    device: options.interface ?? options.tap,
    mode,
    address,
    prefixLength,
    gateway,
    kernelAddress: mode === 'packet' ? null : kernelAddress,
    mtu: options.mtu ?? null,
    mac: options.mac ?? null,
    traces: options.trace ?? [],
    write: options.write ?? null,
    quiet: options.quiet ?? false,
  };
}

/** All ones or all zeros behind the prefix (RFC 1122 section 3.2.1.3); RFC 3021: not in a prefix of 31 bits. */
function isNoHost(address: IpAddress, prefixLength: number): boolean {
  if (prefixLength >= 31) return false;
  const hostBits = (1 << (32 - prefixLength)) - 1;
  const host = address.w3 & hostBits;
  return host === 0 || host === hostBits;
}
