import { AF_INET, IpAddress, networkOf } from '../../wire/address.ts';

/**
 * What the kernel's side of the device is called in a network: the gateway when there is one, else the first address
 * that is none of ours. Null when no address is left.
 */
export function kernelAddressFor(
  network: IpAddress,
  prefixLength: number,
  ours: readonly IpAddress[],
  gateway: IpAddress | null,
): IpAddress | null {
  if (gateway !== null) return gateway;
  const isV4 = network.family === AF_INET;
  // What follows is arithmetic on the last 32 bits: of a longer host part the rest is zero.
  const hostBits = Math.min(network.byteLength * 8 - prefixLength, 32);
  // RFC 3021, RFC 6164: a prefix with one bit left has two hosts, and neither a network nor a broadcast address.
  const first = hostBits > 1 ? 1 : 0;
  const last = 2 ** hostBits - 1 - (isV4 ? first : 0);
  const base = networkOf(network, prefixLength);
  for (let host = first; host <= last; host++) {
    const { w0, w1, w2, w3 } = base;
    const candidate = isV4 ? IpAddress.v4(w3 + host) : IpAddress.v6(w0, w1, w2, w3 + host);
    if (!ours.some(address => address.equals(candidate))) return candidate;
  }
  return null;
}
