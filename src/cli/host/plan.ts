/**
 * What the common options say together.
 * @module
 */
import { AF_INET, AF_INET6, type IpAddress, networkOf } from '../../wire/address.ts';
import { IPV6_MIN_MTU } from '../../wire/ipv6.ts';
import { EXIT_USAGE, Failure } from '../failure.ts';
import type { Cidr } from './arguments.ts';
import { kernelAddressFor } from './kernel-address.ts';
import { DEFAULT_ADDRESSES, type HostOptions, type TraceName } from './options.ts';

/** The device between this stack and the kernel: Ethernet, bare IP, or an interface that exists. */
export type DeviceMode = 'tap' | 'tun' | 'packet';

/** Everything that has to be known to make the host. */
export interface HostPlan {
  /** The interface's name. */
  readonly device: string;
  readonly mode: DeviceMode;
  /** The addresses that the user gave, or the default ones; none when others are to say what they are. */
  readonly addresses: readonly Cidr[];
  /** At most one of each family. */
  readonly gateways: readonly IpAddress[];
  /** Name servers, before those that the network tells of. */
  readonly nameServers: readonly IpAddress[];
  /** Whether a router is to give an IPv6 address, and a server an IPv4 one. */
  readonly slaac: boolean;
  readonly dhcp: boolean;
  /** What the kernel's side gets in a network where it has no address; none on an interface that exists. */
  readonly kernelAddresses: readonly Cidr[];
  /** Null: what the device has, 1500 when it is new. */
  readonly mtu: number | null;
  /** Null: a random one; 'device': that of the interface. */
  readonly mac: Uint8Array | 'device' | null;
  readonly traces: readonly TraceName[];
  /** The capture file. */
  readonly write: string | null;
  readonly quiet: boolean;
}

/** Of the kernel's side when it is a link-local gateway (RFC 4291 section 2.5.6). */
const LINK_LOCAL_PREFIX = 64;

/**
 * What the options say together; `kernelHasIpv6` says whether the kernel could be a neighbour over IPv6. Throws a
 * Failure for options that do not fit each other.
 */
export function planOf(options: HostOptions, kernelHasIpv6: (device: string) => boolean): HostPlan {
  const { tap, gateway: gateways = [], slaac = false, dhcp = false, mtu = null, mac = null } = options;
  const mode = options.interface !== undefined ? 'packet' : options.tun === true ? 'tun' : 'tap';
  const device = options.interface ?? tap;
  const narrow = mtu !== null && mtu < IPV6_MIN_MTU;
  const addresses = options.address ?? (slaac || dhcp ? [] : defaults(!narrow && kernelHasIpv6(device)));
  if (mac === 'device' && mode !== 'packet')
    throw wrong("--mac device is for --interface: a TAP device's address is the kernel's own");
  if (dhcp && mode === 'tun') throw wrong('--dhcp needs Ethernet, which a TUN device has not: use --tap');
  if (narrow && (slaac || addresses.some(({ address }) => address.family === AF_INET6)))
    throw wrong(`IPv6 needs an MTU of at least ${IPV6_MIN_MTU} bytes (RFC 8200)`);
  for (const cidr of addresses) checkAddress(cidr);
  for (const gateway of gateways) checkGateway(gateway, addresses, slaac);
  return {
    device,
    mode,
    addresses,
    gateways,
    nameServers: options.dns ?? [],
    slaac,
    dhcp,
    kernelAddresses: mode === 'packet' ? [] : kernelAddresses(addresses, gateways),
    mtu,
    mac,
    traces: options.trace ?? [],
    write: options.write ?? null,
    quiet: options.quiet ?? false,
  };
}

function wrong(message: string): Failure {
  return new Failure(message, EXIT_USAGE);
}

function defaults(ipv6: boolean): readonly Cidr[] {
  return DEFAULT_ADDRESSES.filter(({ address }) => ipv6 || address.family === AF_INET);
}

/**
 * Nothing but zeros behind the prefix is no host (RFC 1122 section 3.2.1.3, RFC 4291 section 2.6.1), nor, in IPv4,
 * nothing but ones; RFC 3021 and 6164: where there is one bit, both are.
 */
function checkAddress({ address, prefixLength }: Cidr): void {
  const isV4 = address.family === AF_INET;
  if (prefixLength >= address.byteLength * 8 - 1) return;
  const broadcast = isV4 ? address.w3 | (0xffffffff >>> prefixLength) : null;
  if (!networkOf(address, prefixLength).equals(address) && address.w3 !== broadcast) return;
  const what = isV4 ? 'a network or a broadcast address' : 'a network';
  throw wrong(`${address}/${prefixLength} is ${what}, not one of a host`);
}

function checkGateway(gateway: IpAddress, addresses: readonly Cidr[], slaac: boolean): void {
  if (addresses.some(({ address }) => address.equals(gateway)))
    throw wrong(`the gateway ${gateway} is this stack's own address`);
  const same = addresses.filter(({ address }) => address.family === gateway.family);
  if (gateway.isLinkLocal && (slaac || same.length > 0)) return;
  if (same.some(({ address, prefixLength }) => gateway.inPrefix(address, prefixLength))) return;
  const networks = same.map(({ address, prefixLength }) => `${address}/${prefixLength}`).join(', ');
  const family = gateway.family === AF_INET ? 4 : 6;
  throw wrong(
    networks === ''
      ? `the gateway ${gateway} is of no use: this stack has no IPv${family} address`
      : `the gateway ${gateway} is not in the network of ${networks}`,
  );
}

/** One for each network of ours. */
function kernelAddresses(addresses: readonly Cidr[], gateways: readonly IpAddress[]): Cidr[] {
  const ours = addresses.map(({ address }) => address);
  const sides: Cidr[] = gateways
    .filter(({ isLinkLocal }) => isLinkLocal)
    .map(address => ({ address, prefixLength: LINK_LOCAL_PREFIX }));
  for (const { address: own, prefixLength } of addresses) {
    // The kernel makes itself a link-local address.
    if (own.isLinkLocal || sides.some(side => own.inPrefix(side.address, side.prefixLength))) continue;
    const gateway = gateways.find(each => each.inPrefix(own, prefixLength)) ?? null;
    const address = kernelAddressFor(own, prefixLength, ours, gateway);
    if (address === null)
      throw wrong(`no address is left in the network of ${own}/${prefixLength} for the kernel's side`);
    sides.push({ address, prefixLength });
  }
  return sides;
}
