import type { AddressFamily, IpAddress } from '../wire/address.ts';

/**
 * Finds the addresses of host names. `connect` asks the one that a stack was given; the stack itself has none, for it
 * knows nothing of DNS.
 */
export interface NameResolver {
  /**
   * Looks up the addresses of both families at once. `found` is told each family's as soon as they are known, once:
   * with none when the name has none of that family. Resolves when both were told. Rejects, with an error that has a
   * `code` (ENOTFOUND ...) and names the host, when there is no address at all, and with the signal's reason.
   */
  findAddresses(
    hostname: string,
    found: (family: AddressFamily, addresses: readonly IpAddress[]) => void,
    options?: { readonly signal?: AbortSignal | undefined },
  ): Promise<void>;
}
