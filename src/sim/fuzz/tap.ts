import type { Link, LinkPort, Medium, Offloads } from '../../core/link.ts';
import type { Packet } from '../../core/packet.ts';

/** A link that shows every frame that comes in, and lets frames in that nobody sent. */
export class Tap implements Link {
  readonly medium: Medium;
  readonly mtu: number;
  readonly mac: Uint8Array | null;
  readonly offloads: Offloads;
  /** Shown each frame that came over the link, before the port gets it. It must not keep or change the packet. */
  onFrame: (packet: Packet) => void = () => {};
  private readonly inner: Link;
  private port: LinkPort | null = null;

  constructor(inner: Link) {
    this.inner = inner;
    this.medium = inner.medium;
    this.mtu = inner.mtu;
    this.mac = inner.mac;
    this.offloads = inner.offloads;
  }

  attach(port: LinkPort): void {
    this.port = port;
    this.inner.attach({
      receive: packet => {
        this.onFrame(packet);
        port.receive(packet);
      },
      writable: () => port.writable(),
      carrier: up => port.carrier(up),
    });
  }

  /** Gives the port a frame as if it had come over the link; takes the packet. */
  inject(packet: Packet): void {
    if (this.port === null) packet.release();
    else this.port.receive(packet);
  }

  send(packet: Packet): boolean {
    return this.inner.send(packet);
  }

  close(): void {
    this.inner.close();
  }
}
