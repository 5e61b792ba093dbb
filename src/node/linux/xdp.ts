/**
 * A link on one receive queue of an interface by AF_XDP: frames go past the kernel's network stack, through rings in
 * shared memory. In copy mode, which every driver has.
 * @module
 */
import type { Env, Task } from '../../core/env.ts';
import { type Link, type LinkPort, NO_OFFLOADS } from '../../core/link.ts';
import { HEADROOM, type Packet } from '../../core/packet.ts';
import { LARGE_SLOT, PacketPool } from '../../core/pool.ts';
import { isTooBig } from '../../link/frame.ts';
import { traceFault } from '../../link/trace-fault.ts';
import type { TraceSink } from '../../trace/sink.ts';
import { ETHERNET_HEADER_LENGTH } from '../../wire/ethernet.ts';
import { VLAN_TAG_LENGTH } from '../../wire/vlan.ts';
import { watchCarrier } from './carrier-watch.ts';
import { countSent, newLinkStats } from './link-stats.ts';
import { recognizeOpenChecksum } from './open-checksum.ts';
import { DRAINED, MORE, NOTHING, register, type Watch } from './poller.ts';
import {
  XDP_CHUNK,
  XDP_HEADROOM,
  XDP_RX_CHUNKS,
  XDP_TX_CHUNKS,
  XdpFd,
  type XdpStatistics,
} from './xdp-fd.ts';
import { XDP_PKT_CONTD } from './xdp-ring.ts';

/** How an AF_XDP link is opened. */
export interface XdpOptions {
  /** The kernel's interface, such as 'eth0'. */
  readonly device: string;
  readonly env: Env;
  /** The receive queue, from 0; `ethtool -L eth0 combined 1` leaves the interface only one. Default 0. */
  readonly queue?: number | undefined;
  /**
   * The link's hardware address. Default: the interface's own. For another one the interface must be promiscuous
   * (`ip link set eth0 promisc on`).
   */
  readonly mac?: Uint8Array | undefined;
  /** Where received packets come from. Default: a pool of the link's own. */
  readonly pool?: PacketPool | undefined;
  /** Is told of frames that could not be sent. */
  readonly trace?: TraceSink | null | undefined;
}

/** Frames that are read before the stack has its turn, and bytes. */
const READ_FRAMES = 64;
const READ_BYTES = 1 << 19;
/** The kernel sends so many frames a call, at least; more calls than these in a row are not made. */
const KICKS_MAX = XDP_TX_CHUNKS / 32;
/** How long to wait when the interface is busy. */
const RETRY_US = 1000;
/** Where in its slot a received frame begins: its IP header comes to lie at HEADROOM, aligned. */
const FRAME_START = HEADROOM - ETHERNET_HEADER_LENGTH;
/** The largest IP packet in one buffer. */
const MTU_MAX = XDP_CHUNK - XDP_HEADROOM - ETHERNET_HEADER_LENGTH - VLAN_TAG_LENGTH;

/**
 * Opens a receive queue of an interface as a link. The kernel sees no frame of that queue until the link is closed, or
 * the process ends: it cannot be reached there meanwhile.
 * @throws SystemError EPERM, ENODEV, EBUSY, EINVAL; its message says what can be done
 * @example
 * stack.attach(openXdp({ device: 'eth1', env }), { address: '192.168.1.200/24' });
 */
export function openXdp(options: XdpOptions): XdpLink {
  const socket = new XdpFd(options.device, options.queue ?? 0);
  try {
    return new XdpLink(socket, options);
  } catch (error) {
    socket.close();
    throw error;
  }
}

/** A link on a receive queue. */
export class XdpLink implements Link {
  readonly medium = 'ethernet';
  /** The interface's, or what fits into one buffer. */
  readonly mtu: number;
  readonly mac: Uint8Array;
  readonly offloads = NO_OFFLOADS;
  /** The kernel's interface. */
  readonly device: string;
  readonly pool: PacketPool;
  readonly stats = newLinkStats();
  private readonly socket: XdpFd;
  private readonly env: Env;
  private readonly trace: TraceSink | null;
  private readonly carrierTask: Task;
  private readonly kickTask: Task;
  /** Buffers for frames to be sent that are ours, as addresses. */
  private readonly free: number[] = [];
  /** The frame that is put together from several buffers; null while it is too long, or the pool at its limit. */
  private partial: Packet | null = null;
  private inside = false;
  private port: LinkPort | null = null;
  private watch: Watch | null = null;
  private readonly stopCarrierWatch: () => void;
  private hasCarrier: boolean;
  /** `send` returned false, and `writable()` is owed. */
  private blocked = false;
  private isClosed = false;

  constructor(socket: XdpFd, options: XdpOptions) {
    const { device, env, mac = socket.interface.mac, pool = new PacketPool(), trace = null } = options;
    this.socket = socket;
    this.env = env;
    this.trace = trace;
    this.device = device;
    this.mtu = Math.min(socket.interface.mtu, MTU_MAX);
    this.mac = mac;
    this.pool = pool;
    this.hasCarrier = socket.interface.up && socket.interface.running;
    this.carrierTask = env.task(() => this.port?.carrier(this.hasCarrier));
    this.stopCarrierWatch = watchCarrier(socket.interface.index, news => this.setCarrier(news === 'up'));
    this.kickTask = env.task(() => this.flush());
    for (let chunk = 0; chunk < XDP_TX_CHUNKS; chunk++) this.free.push((XDP_RX_CHUNKS + chunk) * XDP_CHUNK);
  }

  /** Whether the interface is up and has a cable. */
  get carrier(): boolean {
    return this.hasCarrier;
  }

  /** Whether it was closed. */
  get closed(): boolean {
    return this.isClosed;
  }

  /** What the kernel lost on the way to this link. */
  kernelStatistics(): XdpStatistics {
    return this.socket.statistics();
  }

  attach(port: LinkPort): void {
    this.port = port;
    if (this.watch !== null || this.isClosed) return;
    this.watch = register(this.socket.fd, this.onReadable);
    if (!this.hasCarrier) this.carrierTask.wakeAt(0);
  }

  /** Frames are put into the ring at once and sent together, after the code that is running. */
  send(packet: Packet): boolean {
    if (this.isClosed || !this.hasCarrier || isTooBig(packet, 'ethernet', this.mtu, 0))
      return this.drop(packet);
    const { socket } = this;
    if (this.free.length === 0) this.reclaim();
    const address = this.free.pop();
    if (address === undefined) {
      this.blocked = true;
      this.kickTask.wakeAt(0);
      return false;
    }
    const { start, end, length } = packet;
    socket.buffers.set(packet.bytes.subarray(start, end), address);
    socket.tx.push(address, length, 0);
    countSent(this.stats, packet);
    packet.release();
    this.kickTask.wakeAt(0);
    return true;
  }

  close(): void {
    if (this.isClosed) return;
    this.flush();
    this.isClosed = true;
    this.watch?.close();
    this.stopCarrierWatch();
    this.carrierTask.cancel();
    this.kickTask.cancel();
    this.partial?.release();
    this.partial = null;
    this.port = null;
    this.socket.close();
  }

  // --- receiving ------------------------------------------------------------------------------------------------

  private readonly onReadable = (): typeof NOTHING | typeof DRAINED | typeof MORE => {
    const { rx, fill } = this.socket;
    const nowUs = this.env.nowUs();
    let frames = 0;
    let more = true;
    for (let bytes = 0; more && frames < READ_FRAMES && bytes < READ_BYTES && !this.isClosed; ) {
      more = rx.peek();
      if (!more) break;
      const { address, length, options } = rx;
      bytes += length;
      this.take(address, length);
      fill.push(address - (address % XDP_CHUNK), 0, 0);
      rx.shift();
      if ((options & XDP_PKT_CONTD) !== 0) continue;
      frames++;
      this.deliver(nowUs);
    }
    rx.release();
    fill.publish();
    if (more) return MORE;
    return frames === 0 ? NOTHING : DRAINED;
  };

  /** Copies a frame or the next piece of one. */
  private take(address: number, length: number): void {
    const { pool } = this;
    if (!this.inside) {
      // How long it becomes is not known; more than one buffer means a super-segment as a rule.
      this.partial = pool.take(length - ETHERNET_HEADER_LENGTH);
      this.inside = true;
      if (this.partial !== null) this.partial.start = this.partial.end = FRAME_START;
    }
    let packet = this.partial;
    if (packet === null) return;
    if (packet.end + length > packet.bytes.length) packet = this.partial = this.enlarge(packet, length);
    if (packet === null) return;
    packet.bytes.set(this.socket.buffers.subarray(address, address + length), packet.end);
    packet.end += length;
  }

  /** The same in a large slot, or null when it does not fit there either. */
  private enlarge(packet: Packet, length: number): Packet | null {
    const large = packet.end + length > LARGE_SLOT ? null : this.pool.take(LARGE_SLOT - HEADROOM);
    large?.copyFrom(packet);
    packet.release();
    return large;
  }

  private deliver(nowUs: number): void {
    const { stats, partial: packet } = this;
    this.partial = null;
    this.inside = false;
    if (packet === null) {
      stats.receivedDropped++;
      return;
    }
    stats.received++;
    stats.receivedBytes += packet.length;
    packet.atUs = nowUs;
    recognizeOpenChecksum(packet);
    if (this.port === null) packet.release();
    else this.port.receive(packet);
  }

  // --- sending --------------------------------------------------------------------------------------------------

  /** Has the kernel send what is in the ring. */
  private flush(): void {
    const { tx } = this.socket;
    if (this.isClosed) return;
    tx.publish();
    let pending = tx.pending();
    for (let kicks = 0; pending > 0 && kicks < KICKS_MAX; kicks++) {
      this.socket.kick();
      const left = tx.pending();
      // It got nowhere: the interface is busy, or down.
      if (left === pending) break;
      pending = left;
    }
    this.reclaim();
    const waiting = pending > 0 || (this.blocked && this.free.length === 0);
    if (waiting && this.hasCarrier) this.kickTask.wakeAt(this.env.nowUs() + RETRY_US);
    if (!this.blocked || this.free.length === 0) return;
    this.blocked = false;
    this.port?.writable();
  }

  /** Takes back the buffers of frames that were sent. */
  private reclaim(): void {
    const { completion } = this.socket;
    while (completion.peek()) {
      const { address } = completion;
      this.free.push(address - (address % XDP_CHUNK));
      completion.shift();
    }
    completion.release();
  }

  private drop(packet: Packet): true {
    this.stats.sentDropped++;
    traceFault(this.trace, this.env, this.device, 'drop', packet.length);
    packet.release();
    return true;
  }

  private setCarrier(up: boolean): void {
    if (this.hasCarrier === up) return;
    this.hasCarrier = up;
    this.carrierTask.wakeAt(0);
    if (up) this.kickTask.wakeAt(0);
  }
}
