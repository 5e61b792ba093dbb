import type { IpAddress } from './address.ts';

/**
 * The sum, not folded, of the pseudo-header that TCP, UDP and ICMPv6 checksums cover (RFC 9293 section 3.1, RFC 8200
 * section 8.1). `length` is that of the transport header and payload in bytes.
 */
export function pseudoHeaderSum(
  source: IpAddress,
  destination: IpAddress,
  protocol: number,
  length: number,
): number {
  return source.checksumPart() + destination.checksumPart() + protocol + (length >>> 16) + (length & 0xffff);
}
