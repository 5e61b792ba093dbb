import { Ipv6Address } from '../../net/ipv6-address.ts';
import type { Netif, NetifAddress } from '../../net/netif.ts';

/** '10.65.0.2/24' */
export function cidrText({ address, prefixLength }: Pick<NetifAddress, 'address' | 'prefixLength'>): string {
  return `${address.withZone(0)}/${prefixLength}`;
}

/**
 * The addresses by which others reach an interface; a link-local one only when there is no other. An address that
 * turned out to be another's is none.
 */
export function ownAddresses(netif: Netif | null): readonly NetifAddress[] {
  const all = (netif?.addresses ?? []).filter(
    entry => !(entry instanceof Ipv6Address) || (entry.check !== 'duplicate' && entry.origin !== 'temporary'),
  );
  const wide = all.filter(({ address }) => !address.isLinkLocal);
  return wide.length > 0 ? wide : all;
}
