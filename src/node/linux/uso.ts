/**
 * Cutting what the kernel hands over as one frame of several UDP datagrams (UDP_SEGMENT) into datagrams.
 * @module
 */
import { CHECKSUM_PARTIAL, HEADROOM, type Packet } from '../../core/packet.ts';
import { foldChecksum } from '../../wire/checksum.ts';
import { fillIpv4Checksum, ipv4Id, setIpv4Id, setIpv4TotalLength } from '../../wire/ipv4.ts';
import {
  emitUdp,
  UDP_CHECKSUM,
  UDP_HEADER_LENGTH,
  udpDestinationPort,
  udpSourcePort,
} from '../../wire/udp.ts';

const PROTOCOL_UDP = 17;
const IPV6_PAYLOAD_LENGTH = 4;
const IPV6_HEADER_LENGTH = 40;

/**
 * Hands each datagram of the frame to `take`, in order, with an open checksum (CHECKSUM_PARTIAL); takes the frame.
 * `l3` and `l4` are set in it, gsoSize is the payload of each datagram but the last. Returns how many were lost since
 * the pool was at its limit.
 */
export function cutUdp(packet: Packet, take: (packet: Packet) => void): number {
  const { l3, l4, end, gsoSize, owner } = packet;
  const payload = l4 + UDP_HEADER_LENGTH;
  const addresses = addressSum(packet);
  let lost = 0;
  let made = 0;
  for (let at = payload; at < end; at += gsoSize) {
    const length = Math.min(gsoSize, end - at);
    const part = owner.take(payload + length - HEADROOM);
    if (part === null) {
      lost++;
      continue;
    }
    part.bytes.set(packet.bytes.subarray(packet.start, payload), packet.start);
    part.bytes.set(packet.bytes.subarray(at, at + length), payload);
    part.start = packet.start;
    part.end = payload + length;
    part.l3 = l3;
    part.l4 = l4;
    finishHeaders(part, made++, addresses);
    take(part);
  }
  packet.release();
  return lost;
}

/** Lengths, IP id and open checksum of the datagram number `index`. */
function finishHeaders(part: Packet, index: number, addresses: number): void {
  const { view, l3, l4, end } = part;
  if (view.getUint8(l3) >>> 4 === 4) {
    setIpv4TotalLength(view, l3, end - l3);
    setIpv4Id(view, l3, ipv4Id(view, l3) + index);
    fillIpv4Checksum(view, l3);
  } else {
    view.setUint16(l3 + IPV6_PAYLOAD_LENGTH, end - l3 - IPV6_HEADER_LENGTH);
  }
  const length = end - l4;
  const sum = foldChecksum(addresses + PROTOCOL_UDP + length);
  emitUdp(view, l4, udpSourcePort(view, l4), udpDestinationPort(view, l4), length, sum);
  part.checksumState = CHECKSUM_PARTIAL;
  part.checksumOffset = UDP_CHECKSUM;
}

/** The part of the pseudo-header's sum that the addresses are. */
function addressSum(packet: Packet): number {
  const { view, l3 } = packet;
  const [start, end] = view.getUint8(l3) >>> 4 === 4 ? [l3 + 12, l3 + 20] : [l3 + 8, l3 + 40];
  let sum = 0;
  for (let at = start; at < end; at += 2) sum += view.getUint16(at);
  return sum;
}
