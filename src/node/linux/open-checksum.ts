import { CHECKSUM_PARTIAL, type Packet } from '../../core/packet.ts';
import { linkHeaderLength } from '../../link/frame.ts';
import { foldChecksum } from '../../wire/checksum.ts';
import { ETHERTYPE_IPV4, ETHERTYPE_IPV6 } from '../../wire/ethernet.ts';
import {
  IPV4_HEADER_LENGTH,
  ipv4HeaderLength,
  ipv4IsFragment,
  ipv4Protocol,
  ipv4TotalLength,
} from '../../wire/ipv4.ts';
import { TCP_CHECKSUM } from '../../wire/tcp.ts';
import { UDP_CHECKSUM } from '../../wire/udp.ts';

const IPV4_ADDRESSES = 12;
const IPV6_HEADER_LENGTH = 40;
const IPV6_PAYLOAD_LENGTH = 4;
const IPV6_NEXT_HEADER = 6;
const IPV6_ADDRESSES = 8;
const PROTOCOL_TCP = 6;
const PROTOCOL_UDP = 17;

/**
 * Recognizes a received TCP or UDP packet whose sender left the checksum to a device that there is not, as Linux does
 * on a veth cable, and where nothing but the bytes says so: the field holds the pseudo-header's sum. A damaged packet
 * looks like that once in 65,536 times, which is how often one has a right checksum, too.
 */
export function recognizeOpenChecksum(packet: Packet): void {
  const { view, start, end } = packet;
  const l3 = start + linkHeaderLength(packet, 'ethernet');
  if (l3 + IPV4_HEADER_LENGTH > end) return;
  const type = view.getUint16(l3 - 2);
  let protocol: number;
  let l4: number;
  let length: number;
  let addresses: number;
  if (type === ETHERTYPE_IPV4) {
    if (ipv4IsFragment(view, l3)) return;
    const headerLength = ipv4HeaderLength(view, l3);
    protocol = ipv4Protocol(view, l3);
    l4 = l3 + headerLength;
    length = ipv4TotalLength(view, l3) - headerLength;
    addresses = l3 + IPV4_ADDRESSES;
  } else if (type === ETHERTYPE_IPV6 && l3 + IPV6_HEADER_LENGTH <= end) {
    protocol = view.getUint8(l3 + IPV6_NEXT_HEADER);
    l4 = l3 + IPV6_HEADER_LENGTH;
    length = view.getUint16(l3 + IPV6_PAYLOAD_LENGTH);
    addresses = l3 + IPV6_ADDRESSES;
  } else {
    return;
  }
  if (protocol !== PROTOCOL_TCP && protocol !== PROTOCOL_UDP) return;
  const offset = protocol === PROTOCOL_TCP ? TCP_CHECKSUM : UDP_CHECKSUM;
  if (length < offset + 2 || l4 + length > end) return;
  let sum = protocol + length;
  const addressesEnd = type === ETHERTYPE_IPV4 ? addresses + 8 : addresses + 32;
  for (let at = addresses; at < addressesEnd; at += 2) sum += view.getUint16(at);
  if (view.getUint16(l4 + offset) !== foldChecksum(sum)) return;
  packet.checksumState = CHECKSUM_PARTIAL;
  packet.l4 = l4;
  packet.checksumOffset = offset;
}
