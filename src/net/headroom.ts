import type { Packet } from '../core/packet.ts';
import type { PacketPool } from '../core/pool.ts';
import { LINK_HEADER_MAX } from './netif.ts';

/**
 * The IP packet at l3 itself when another link's header fits in front of it, else a copy, and the packet is released;
 * null, and the packet stays the caller's, when the pool is empty.
 */
export function withHeadroom(packet: Packet, pool: PacketPool): Packet | null {
  packet.start = packet.l3;
  if (packet.l3 >= LINK_HEADER_MAX) return packet;
  const copy = pool.take(packet.length);
  if (copy === null) return null;
  const shift = copy.start - packet.l3;
  copy.bytes.set(packet.bytes.subarray(packet.l3, packet.end), copy.start);
  copy.end = packet.end + shift;
  copy.l3 = copy.start;
  copy.l4 = packet.l4 + shift;
  copy.src = packet.src;
  copy.dst = packet.dst;
  copy.protocol = packet.protocol;
  copy.gsoSize = packet.gsoSize;
  copy.checksumState = packet.checksumState;
  copy.checksumOffset = packet.checksumOffset;
  copy.mark = packet.mark;
  packet.release();
  return copy;
}
