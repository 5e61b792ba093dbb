import type { Packet } from './packet.ts';

/** What a link carries: frames with a MAC header, or bare IP packets. */
export type Medium = 'ethernet' | 'ip';

/** What a link does itself, so that the stack need not. */
export interface Offloads {
  /** Completes CHECKSUM_PARTIAL packets on sending and vouches for received ones. */
  checksum: boolean;
  /** The largest super-segment it takes, in bytes of IP packet; 0 when it takes none. */
  gsoMaxSize: number;
}

/** A link that leaves everything to the stack. */
export const NO_OFFLOADS: Offloads = { checksum: false, gsoMaxSize: 0 };

/**
 * Anything that carries frames. A link never calls back into its port from inside `send`.
 */
export interface Link {
  /** 'ethernet' for frames with a MAC header, 'ip' for bare IP packets. */
  readonly medium: Medium;
  /** The largest IP packet it carries, in bytes. */
  readonly mtu: number;
  /** The link's hardware address; null on medium 'ip'. */
  readonly mac: Uint8Array | null;
  readonly offloads: Offloads;
  /** Connects the stack's end. A link has one port. */
  attach(port: LinkPort): void;
  /**
   * Takes `packet` (its frame is bytes[start, end)) and returns true; or returns false when the link's queue is full:
   * then the caller still holds the packet, and `port.writable()` follows.
   */
  send(packet: Packet): boolean;
  /** Ends the link, gives back what it holds. A second call does nothing. */
  close(): void;
}

/** The stack's end of a link. */
export interface LinkPort {
  /** Gives a received frame away, bytes[start, end). The port only queues it: nothing is processed inside. */
  receive(packet: Packet): void;
  /** Room again after `send` returned false. */
  writable(): void;
  /** The cable was put in or pulled out. */
  carrier(up: boolean): void;
}
