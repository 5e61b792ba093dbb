import { ENOBUFS } from '../base/errno.ts';
import { Ring } from '../base/ring.ts';
import { cutTcp, type SegmentSink, segmentCount } from '../core/gso.ts';
import type { Host } from '../core/host.ts';
import type { Link } from '../core/link.ts';
import type { Packet } from '../core/packet.ts';
import { completeChecksum } from '../core/partial-checksum.ts';
import { tracePacket, traceQueue } from './packet-trace.ts';

/** What an interface has sent, in the words of /proc/net/dev. */
export interface EgressStats {
  packets: number;
  bytes: number;
  dropped: number;
}

/**
 * The way out of an interface: does for the link what it cannot do itself (checksums, cutting super-segments), and
 * queues while the link is busy.
 */
export class Egress implements SegmentSink {
  readonly stats: EgressStats = { packets: 0, bytes: 0, dropped: 0 };
  private readonly host: Host;
  private readonly name: string;
  private readonly link: Link;
  private readonly queue = new Ring<Packet>();
  /** Whether the trace has seen the packet at the head of the queue, which the link refused. */
  private headTraced = false;

  constructor(host: Host, name: string, link: Link) {
    this.host = host;
    this.name = name;
    this.link = link;
  }

  /** Packets that wait for the link. */
  get length(): number {
    return this.queue.length;
  }

  /** Takes a frame that is complete but for what offloads do; 0, or -ENOBUFS when all of it was dropped. */
  send(packet: Packet): number {
    if (packet.gsoSize > 0) return this.sendSuper(packet);
    if (!this.link.offloads.checksum) completeChecksum(packet);
    return this.put(packet);
  }

  segment(packet: Packet): void {
    this.put(packet);
  }

  /** The link has room again. */
  writable(): void {
    const { queue, link } = this;
    if (queue.length === 0) return;
    for (let packet = queue.at(0); packet !== undefined; packet = queue.at(0)) {
      if (!this.headTraced) tracePacket(this.host, this.name, link.medium, 'out', packet);
      this.headTraced = true;
      const length = packet.length;
      if (!link.send(packet)) break;
      queue.shift();
      this.headTraced = false;
      this.count(length);
    }
    this.traceLength();
  }

  /** Drops what is queued. */
  clear(): void {
    for (let packet = this.queue.shift(); packet !== undefined; packet = this.queue.shift()) packet.release();
    this.headTraced = false;
  }

  private sendSuper(packet: Packet): number {
    const { offloads } = this.link;
    const count = segmentCount(packet);
    const fits = packet.end - packet.l3 <= offloads.gsoMaxSize;
    if (count === 1) {
      packet.gsoSize = 0;
      return this.send(packet);
    }
    if (fits) {
      if (!offloads.checksum) completeChecksum(packet);
      return this.put(packet);
    }
    const dropped = this.stats.dropped;
    const made = cutTcp(packet, this.host.pool, offloads.checksum, this);
    packet.release();
    if (made < count) {
      this.stats.dropped += count - made;
      this.host.dropped('netif', 'NOMEM');
    }
    return this.stats.dropped - dropped >= count ? -ENOBUFS : 0;
  }

  private put(packet: Packet): number {
    const { queue, host, link } = this;
    if (queue.length === 0) {
      tracePacket(host, this.name, link.medium, 'out', packet);
      const length = packet.length;
      if (link.send(packet)) {
        this.count(length);
        return 0;
      }
      this.headTraced = true;
    }
    if (queue.length >= host.sysctl.ethertype_txqueuelen) {
      this.stats.dropped++;
      host.dropped('netif', 'FULL_RING', this.name);
      packet.release();
      return -ENOBUFS;
    }
    queue.push(packet);
    this.traceLength();
    return 0;
  }

  private count(length: number): void {
    this.stats.packets++;
    this.stats.bytes += length;
  }

  private traceLength(): void {
    traceQueue(this.host, 'egress', this.name, this.queue.length, this.host.sysctl.ethertype_txqueuelen);
  }
}
