/**
 * The virtio-net header in front of each frame of a TAP or TUN device (virtio 1.2 section 5.1.6, legacy form): what
 * sender and receiver left to each other. Its fields are little-endian on all machines these drivers run on.
 * @module
 */
import type { Medium } from '../../core/link.ts';
import { CHECKSUM_PARTIAL, CHECKSUM_VERIFIED, type Packet } from '../../core/packet.ts';
import { completeChecksum } from '../../core/partial-checksum.ts';
import { linkHeaderLength } from '../../link/frame.ts';
import { ipv4HeaderLength } from '../../wire/ipv4.ts';
import { CWR, TCP_CHECKSUM, tcpFlags, tcpHeaderLength } from '../../wire/tcp.ts';
import { UDP_HEADER_LENGTH } from '../../wire/udp.ts';

/** Bytes of the header (without the count of buffers). */
export const VNET_HEADER_LENGTH = 10;

const FLAGS = 0;
const GSO_TYPE = 1;
const HEADER_LENGTH = 2;
const GSO_SIZE = 4;
const CHECKSUM_START = 6;
const CHECKSUM_OFFSET = 8;

const F_NEEDS_CSUM = 1;
const F_DATA_VALID = 2;

const GSO_NONE = 0;
const GSO_TCPV4 = 1;
const GSO_TCPV6 = 4;
const GSO_UDP_L4 = 5;
const GSO_ECN = 0x80;

const IPV6_HEADER_LENGTH = 40;

/** What of a received header the link must still see to. */
export const VNET_DONE = 0;
/** The frame holds several UDP datagrams of `gsoSize` bytes. */
export const VNET_CUT_UDP = 1;

/** Applies the header at `at` to a received frame bytes[start, end): checksum state, and gsoSize of a super-segment. */
export function applyVnetHeader(packet: Packet, at: number, medium: Medium): number {
  const { bytes, view, start } = packet;
  const flags = bytes[at + FLAGS] as number;
  if ((flags & F_NEEDS_CSUM) !== 0) {
    packet.l3 = start + linkHeaderLength(packet, medium);
    packet.l4 = start + view.getUint16(at + CHECKSUM_START, true);
    packet.checksumOffset = view.getUint16(at + CHECKSUM_OFFSET, true);
    if (packet.l4 + packet.checksumOffset + 2 > packet.end) return VNET_DONE;
    packet.checksumState = CHECKSUM_PARTIAL;
    // The stack takes the checksum behind the first IP header to be the open one; a tunnel's inner one is closed here.
    if (packet.l4 !== packet.l3 + ipHeaderLength(view, packet.l3)) completeChecksum(packet);
  } else if ((flags & F_DATA_VALID) !== 0) {
    packet.checksumState = CHECKSUM_VERIFIED;
  }
  const type = (bytes[at + GSO_TYPE] as number) & ~GSO_ECN;
  if (type === GSO_NONE) return VNET_DONE;
  packet.gsoSize = view.getUint16(at + GSO_SIZE, true);
  return type === GSO_UDP_L4 ? VNET_CUT_UDP : VNET_DONE;
}

/** Writes to `out` at `at` what the kernel must still do for a frame that is to be sent. */
export function emitVnetHeader(packet: Packet, out: DataView, at: number): void {
  const { view, start, l4 } = packet;
  out.setUint16(at + FLAGS, 0);
  out.setUint32(at + HEADER_LENGTH, 0);
  out.setUint32(at + CHECKSUM_START, 0);
  if (packet.checksumState !== CHECKSUM_PARTIAL) return;
  out.setUint8(at + FLAGS, F_NEEDS_CSUM);
  out.setUint16(at + CHECKSUM_START, l4 - start, true);
  out.setUint16(at + CHECKSUM_OFFSET, packet.checksumOffset, true);
  if (packet.gsoSize === 0) return;
  out.setUint16(at + GSO_SIZE, packet.gsoSize, true);
  if (packet.checksumOffset === TCP_CHECKSUM) {
    const type = view.getUint8(packet.l3) >>> 4 === 4 ? GSO_TCPV4 : GSO_TCPV6;
    out.setUint8(at + GSO_TYPE, (tcpFlags(view, l4) & CWR) === 0 ? type : type | GSO_ECN);
    out.setUint16(at + HEADER_LENGTH, l4 + tcpHeaderLength(view, l4) - start, true);
  } else {
    out.setUint8(at + GSO_TYPE, GSO_UDP_L4);
    out.setUint16(at + HEADER_LENGTH, l4 + UDP_HEADER_LENGTH - start, true);
  }
}

/** Bytes of an IPv4 header, or of an IPv6 header without extensions. */
function ipHeaderLength(view: DataView, l3: number): number {
  return view.getUint8(l3) >>> 4 === 4 ? ipv4HeaderLength(view, l3) : IPV6_HEADER_LENGTH;
}
