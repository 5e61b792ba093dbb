/**
 * Parsers of single arguments and options. They throw commander's InvalidArgumentError, which becomes one line.
 * @module
 */
import { InvalidArgumentError } from 'commander';
import { normalName } from '../../dns/names.ts';
import { type AddressFamily, AF_INET, AF_INET6, IpAddress, parseCidr } from '../../wire/address.ts';

/** An address with its prefix, as 10.65.0.2/24. */
export interface Cidr {
  readonly address: IpAddress;
  readonly prefixLength: number;
}

/** IFNAMSIZ without its final zero. */
const NAME_MAX = 15;
/** The least bits of a prefix, of both families, and the most: two hosts. */
const PREFIX_MIN = 8;
const PREFIX_MAX: Readonly<Record<AddressFamily, number>> = { [AF_INET]: 31, [AF_INET6]: 127 };

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

/**
 * A host to send to: an address of either family, as text, or a name. Which link a zone (fe80::1%tap0) is, and what a
 * name stands for, only the stack knows.
 */
export function parseHost(text: string): string {
  if (!isHostName(text)) parseIp(text);
  return text;
}

/** Whether a host argument is a name, to be looked up, and not an address, be it a wrong one. */
export function isHostName(text: string): boolean {
  const labels = normalName(text)?.split('.') ?? [];
  return /^[\w-]+$/.test(labels.at(-1) ?? '') && !/^(\d+|0x[\da-f]*)$/i.test(labels.at(-1) ?? '');
}

/** One or more name servers, with commas between them, behind those given before. */
export function parseNameServers(text: string, before: readonly IpAddress[] = []): IpAddress[] {
  return [...before, ...text.split(',').map(parseNeighbor)];
}

/** The name of an interface. */
export function parseName(text: string): string {
  if (text.length > NAME_MAX || !/^[^\s/:%]+$/.test(text) || text === '.' || text === '..')
    throw new InvalidArgumentError(`Not the name of an interface (1 to ${NAME_MAX} characters).`);
  return text;
}

/** One or more addresses of this stack, with commas between them, behind those given before. */
export function parseAddresses(text: string, before: readonly Cidr[] = []): Cidr[] {
  return [...before, ...text.split(',').map(parseAddress)];
}

/** A gateway, behind the one of the other family that was given before. */
export function parseGateways(text: string, before: readonly IpAddress[] = []): IpAddress[] {
  const gateways = [...before, ...text.split(',').map(parseNeighbor)];
  if (new Set(gateways.map(({ family }) => family)).size < gateways.length)
    throw new InvalidArgumentError('There is one gateway for each of IPv4 and IPv6.');
  return gateways;
}

function parseAddress(text: string): Cidr {
  const cidr = text.includes('/') && !text.includes('%') ? parseCidr(text) : null;
  if (cidr === null)
    throw new InvalidArgumentError('Not an address with its prefix, as 10.65.0.2/24 or fd65::2/64.');
  const { address, prefixLength } = cidr;
  const { isUnspecified, isMulticast, isLoopback, isLimitedBroadcast, isMapped } = address;
  if (isUnspecified || isMulticast || isLoopback || isLimitedBroadcast || isMapped)
    throw new InvalidArgumentError('Not the address of a host.');
  const most = PREFIX_MAX[address.family];
  if (prefixLength < PREFIX_MIN)
    throw new InvalidArgumentError(`A prefix has ${PREFIX_MIN} to ${most} bits.`);
  return cidr;
}

/** The zone of a link-local address on the way is the one link that there is: it may be left out. */
function parseNeighbor(text: string): IpAddress {
  return parseIp(text).withZone(0);
}

function parseIp(text: string): IpAddress {
  const address = IpAddress.parse(text, zone => (zone === '' ? 0 : 1));
  if (address === null) throw new InvalidArgumentError('Not an IP address.');
  return address;
}
