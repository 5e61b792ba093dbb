/**
 * Finishing the transport checksum of a packet whose sender left it to the link (Linux's CHECKSUM_PARTIAL).
 * @module
 */
import { finishChecksum } from '../wire/checksum.ts';
import { CHECKSUM_NONE, CHECKSUM_PARTIAL, type Packet } from './packet.ts';

/** The checksum that a CHECKSUM_PARTIAL packet needs: the field holds the pseudo-header's sum, which is part of it. */
export function partialChecksum(packet: Packet): number {
  // UDP has no checksum 0, it means "none"; 0xffff is the same number in one's complement (RFC 768).
  return finishChecksum(packet.sum(packet.l4, packet.end, 0)) || 0xffff;
}

/** Finishes the checksum of a CHECKSUM_PARTIAL packet, whose receiver must then verify it; leaves others alone. */
export function completeChecksum(packet: Packet): void {
  if (packet.checksumState !== CHECKSUM_PARTIAL) return;
  packet.view.setUint16(packet.l4 + packet.checksumOffset, partialChecksum(packet));
  packet.checksumState = CHECKSUM_NONE;
}
