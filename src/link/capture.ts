import type { Link, LinkPort, Medium, Offloads } from '../core/link.ts';
import type { Packet } from '../core/packet.ts';

/**
 * Looks at one frame, bytes[start, end), as it passes: 'out' towards the network, 'in' from it. It must not change
 * or keep the packet. The checksum of a CHECKSUM_PARTIAL packet is not there yet, as in captures on a real host.
 */
export type CaptureListener = (packet: Packet, direction: 'in' | 'out') => void;

/**
 * Shows every frame that passes a link, in both directions and each once.
 * @example
 * stack.attach(capture(link, (packet, direction) => writer.write(packet, direction)));
 */
export function capture(link: Link, listener: CaptureListener): Link {
  return new CaptureLink(link, listener);
}

class CaptureLink implements Link {
  readonly medium: Medium;
  readonly mtu: number;
  readonly mac: Uint8Array | null;
  readonly offloads: Offloads;
  private readonly inner: Link;
  private readonly listener: CaptureListener;
  /** A frame that was shown and that the inner link had no room for. */
  private pending: Packet | null = null;
  private closed = false;
  /** `send` returned false, so that `writable` must follow. */
  private blocked = false;

  constructor(inner: Link, listener: CaptureListener) {
    this.inner = inner;
    this.listener = listener;
    this.medium = inner.medium;
    this.mtu = inner.mtu;
    this.mac = inner.mac;
    this.offloads = inner.offloads;
  }

  attach(port: LinkPort): void {
    this.inner.attach({
      receive: packet => {
        this.listener(packet, 'in');
        port.receive(packet);
      },
      writable: () => {
        this.sendPending();
        if (this.pending !== null || !this.blocked) return;
        this.blocked = false;
        port.writable();
      },
      carrier: up => port.carrier(up),
    });
  }

  /** A frame cannot be looked at once it was given away, nor be shown twice: one that is refused waits here. */
  send(packet: Packet): boolean {
    if (this.closed) {
      packet.release();
      return true;
    }
    if (this.pending !== null) {
      this.blocked = true;
      return false;
    }
    this.listener(packet, 'out');
    if (!this.inner.send(packet)) this.pending = packet;
    return true;
  }

  close(): void {
    this.closed = true;
    this.pending?.release();
    this.pending = null;
    this.inner.close();
  }

  private sendPending(): void {
    const packet = this.pending;
    if (packet === null) return;
    this.pending = null;
    if (!this.inner.send(packet)) this.pending = packet;
  }
}
