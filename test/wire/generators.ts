/** What the property tests of IPv6 draw from. */
import fc from 'fast-check';
import { IpAddress } from '../../src/wire/address.ts';

const word = fc.oneof(fc.integer(), fc.constantFrom(0, -1, 0xffff, 0xfe800000 | 0, 0xff020000 | 0));

/** Any IPv6 address; some are link-local, multicast or full of zeros. */
export const ipv6Address = fc
  .tuple(word, word, word, word)
  .map(([w0, w1, w2, w3]) => IpAddress.v6(w0, w1, w2, w3));

/** The fields of any header. */
export const IPV6_PACKET = fc.record(
  {
    trafficClass: fc.nat(255),
    flowLabel: fc.nat(0xfffff),
    payloadLength: fc.nat(65535),
    nextHeader: fc.nat(255),
    hopLimit: fc.nat(255),
    source: ipv6Address,
    destination: ipv6Address,
  },
  { noNullPrototype: true },
);
