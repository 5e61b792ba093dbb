import type { Netif } from '../../net/netif.ts';
import { IpAddress } from '../../wire/address.ts';
import { EXIT_USAGE, Failure } from '../failure.ts';

/**
 * The address that a host argument means on a stack with one link: the zone of a link-local one is that link's, if it
 * is left out. Throws a Failure for another zone.
 */
export function lookup(host: string, netif: Netif): string {
  const { name, index } = netif;
  const zoneOf = (zone: string): number => (zone === name ? index : 0);
  const address = IpAddress.parse(host, zoneOf);
  if (address === null || (address.zone !== 0 && address.zone !== index))
    throw new Failure(`'${host}' is on another link: this stack is on ${name} alone`, EXIT_USAGE);
  return address.needsZone ? `${address.withZone(0)}%${name}` : String(address);
}
