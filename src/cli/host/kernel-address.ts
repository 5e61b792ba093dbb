import { IpAddress } from '../../wire/address.ts';

/**
 * What the kernel's side of the device is called: the gateway when there is one, else the first address of the network
 * that is not ours. Null when no address is left.
 */
export function kernelAddressFor(
  ours: IpAddress,
  prefixLength: number,
  gateway: IpAddress | null,
): IpAddress | null {
  if (gateway !== null) return gateway;
  const hostBits = 32 - prefixLength;
  // RFC 3021: a prefix of 31 bits has two hosts, and neither a network nor a broadcast address.
  const edge = hostBits > 1 ? 1 : 0;
  const network = hostBits === 0 ? ours.w3 : ours.w3 & ~((1 << hostBits) - 1);
  const size = hostBits === 0 ? 1 : 2 ** hostBits;
  for (let host = edge; host < size - edge; host++) {
    const candidate = IpAddress.v4(network + host);
    if (!candidate.equals(ours)) return candidate;
  }
  return null;
}
