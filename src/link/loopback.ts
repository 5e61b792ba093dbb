import type { Link, LinkPort, Offloads } from '../core/link.ts';
import { CHECKSUM_PARTIAL, CHECKSUM_VERIFIED, type Packet } from '../core/packet.ts';

/** Linux's MTU of lo, in bytes. */
export const LOOPBACK_MTU = 65536;

/**
 * The interface of a stack to itself, Linux's lo. What is sent is received at once, which is allowed because a port
 * only queues. Checksums are neither computed nor verified: the bytes never leave memory.
 */
export class Loopback implements Link {
  readonly medium = 'ip';
  readonly mtu = LOOPBACK_MTU;
  readonly mac = null;
  readonly offloads: Offloads = { checksum: true, gsoMaxSize: LOOPBACK_MTU };
  private port: LinkPort | null = null;

  attach(port: LinkPort): void {
    this.port = port;
  }

  send(packet: Packet): boolean {
    if (packet.checksumState === CHECKSUM_PARTIAL) packet.checksumState = CHECKSUM_VERIFIED;
    if (this.port === null) packet.release();
    else this.port.receive(packet);
    return true;
  }

  close(): void {
    this.port = null;
  }
}
