/**
 * A link on a network interface of the kernel's, beside the kernel itself: frames are read from a packet socket's ring
 * and sent through the same socket.
 * @module
 */
import { EAGAIN, EINTR, ENOBUFS } from '../../base/errno.ts';
import type { Env, Task } from '../../core/env.ts';
import { type Link, type LinkPort, NO_OFFLOADS, type Offloads } from '../../core/link.ts';
import { HEADROOM, type Packet } from '../../core/packet.ts';
import { LARGE_SLOT, PacketPool } from '../../core/pool.ts';
import { randomMac } from '../../link/cable.ts';
import { isTooBig, linkHeaderLength } from '../../link/frame.ts';
import { traceFault } from '../../link/trace-fault.ts';
import type { TraceSink } from '../../trace/sink.ts';
import { ETHERNET_HEADER_LENGTH } from '../../wire/ethernet.ts';
import { VLAN_TAG_LENGTH } from '../../wire/vlan.ts';
import { watchCarrier } from './carrier-watch.ts';
import { type ClassicFilter, macFilter } from './classic-filter.ts';
import { type Libc, libc } from './libc.ts';
import { countSent, newLinkStats } from './link-stats.ts';
import { MemoryBase } from './memory-base.ts';
import { type Fanout, PacketFd, RING_BYTES, type RingStatistics } from './packet-fd.ts';
import { insertVlanTag, type RingFrame, TP_STATUS_COPY } from './packet-ring.ts';
import { DRAINED, MORE, NOTHING, register, type Watch } from './poller.ts';
import { cutUdp } from './uso.ts';
import { applyVnetHeader, emitVnetHeader, VNET_CUT_UDP, VNET_HEADER_LENGTH } from './vnet-header.ts';

/** How a link on an interface is opened. */
export interface PacketSocketOptions {
  /** The kernel's interface, such as 'eth0'. */
  readonly device: string;
  readonly env: Env;
  /**
   * The link's hardware address: 'device' for that of the interface, where the network takes no other (wireless, many
   * clouds). Default: a random one.
   */
  readonly mac?: Uint8Array | 'device' | undefined;
  /** Whether frames for other addresses than the interface's are received. Default: where `mac` needs it. */
  readonly promiscuous?: boolean | undefined;
  /**
   * Classic BPF, as `tcpdump -dd EXPRESSION` prints it; run by the kernel. Default: what is for `mac` or for a group.
   * Those it keeps must be kept whole.
   */
  readonly filter?: ClassicFilter | undefined;
  /** Shares the frames with other sockets of the group. */
  readonly fanout?: Fanout | undefined;
  /** Bytes of the ring in which received frames wait. Default 16 MiB. */
  readonly ringBytes?: number | undefined;
  /**
   * 'slots' (TPACKET_V2, the default) hands over each frame at once; 'blocks' (TPACKET_V3) many together, after
   * `retireMs` at the latest: less work a frame, and an answer a millisecond later.
   */
  readonly ring?: 'slots' | 'blocks' | undefined;
  /** Milliseconds a frame may wait in a block that is not full. Default 1. */
  readonly retireMs?: number | undefined;
  /** Whether checksums and cutting are left to the kernel. Default true. */
  readonly offloads?: boolean | undefined;
  /**
   * Whether frames are sent past the interface's queueing discipline: faster, but `tcpdump` on the same interface sees
   * them only without. Default true.
   */
  readonly bypass?: boolean | undefined;
  /** Where received packets come from. Default: a pool of the link's own. */
  readonly pool?: PacketPool | undefined;
  /** Is told of frames that could not be sent. */
  readonly trace?: TraceSink | null | undefined;
}

/** Frames that are read before the stack has its turn, and bytes. */
const READ_FRAMES = 64;
const READ_BYTES = 1 << 19;
/** Bytes of IP packet in a super-segment (IPv4's limit). */
const GSO_MAX_SIZE = 65535;
/** Where in its slot a received frame begins: its IP header comes to lie at HEADROOM, aligned. */
const FRAME_START = HEADROOM - ETHERNET_HEADER_LENGTH;
const MSG_DONTWAIT = 0x40;
/** How long to wait where the kernel does not say when there is room again, and how often for one frame. */
const RETRY_US = 1000;
const RETRIES_MAX = 10;

/**
 * Opens a network interface as a link: a host of its own on that network, beside the kernel. The kernel goes on to
 * answer for the addresses it has there itself; what the two send to each other does not pass.
 * @throws SystemError EPERM, ENODEV, ENOMEM, EINVAL; its message says what can be done
 * @example
 * stack.attach(openPacketSocket({ device: 'eth0', env }), { address: '192.168.1.200/24' });
 */
export function openPacketSocket(options: PacketSocketOptions): PacketSocketLink {
  const { device, env, mac = randomMac(env), offloads = true, ring = 'slots' } = options;
  const address = mac === 'device' ? null : mac;
  const socket = new PacketFd({
    device,
    ring,
    retireMs: options.retireMs ?? 1,
    ringBytes: options.ringBytes ?? RING_BYTES,
    vnet: true,
    ignoreOutgoing: true,
    promiscuous: options.promiscuous ?? address !== null,
    filter: options.filter ?? (own => macFilter(address ?? own)),
    fanout: options.fanout ?? null,
  });
  try {
    return new PacketSocketLink(socket, options, address ?? socket.interface.mac, offloads);
  } catch (error) {
    socket.close();
    throw error;
  }
}

/** A link on an interface. */
export class PacketSocketLink implements Link {
  readonly medium = 'ethernet';
  readonly mtu: number;
  readonly mac: Uint8Array;
  readonly offloads: Offloads;
  /** The kernel's interface. */
  readonly device: string;
  readonly pool: PacketPool;
  readonly stats = newLinkStats();
  private readonly socket: PacketFd;
  private readonly system: Libc;
  private readonly env: Env;
  private readonly trace: TraceSink | null;
  private readonly memory: MemoryBase;
  private readonly carrierTask: Task;
  private readonly retryTask: Task;
  private readonly hand = (packet: Packet): void => {
    if (this.port === null) packet.release();
    else this.port.receive(packet);
  };
  private port: LinkPort | null = null;
  private watch: Watch | null = null;
  private readonly stopCarrierWatch: () => void;
  private hasCarrier: boolean;
  private bypass: boolean;
  /** How often the frame at the head of the queue was refused without a promise of room. */
  private retries = 0;
  private isClosed = false;

  constructor(socket: PacketFd, options: PacketSocketOptions, mac: Uint8Array, offloads: boolean) {
    const { env, device, trace = null, pool = new PacketPool() } = options;
    this.socket = socket;
    this.system = libc();
    this.env = env;
    this.trace = trace;
    this.device = device;
    this.mtu = socket.interface.mtu;
    this.mac = mac;
    this.offloads = offloads ? { checksum: true, gsoMaxSize: GSO_MAX_SIZE } : NO_OFFLOADS;
    this.pool = pool;
    this.memory = new MemoryBase(this.system);
    this.bypass = (options.bypass ?? true) && socket.setBypass(true) >= 0;
    this.hasCarrier = socket.interface.up && socket.interface.running;
    this.carrierTask = env.task(() => this.port?.carrier(this.hasCarrier));
    this.stopCarrierWatch = watchCarrier(socket.interface.index, news => this.setCarrier(news === 'up'));
    this.retryTask = env.task(() => this.port?.writable());
  }

  /** Whether the interface is up and has a cable. */
  get carrier(): boolean {
    return this.hasCarrier;
  }

  /** Whether it was closed. */
  get closed(): boolean {
    return this.isClosed;
  }

  /** What the kernel counted: frames for this link, and those among them that were lost since the ring was full. */
  kernelStatistics(): RingStatistics {
    return this.socket.statistics();
  }

  attach(port: LinkPort): void {
    this.port = port;
    if (this.watch !== null || this.isClosed) return;
    this.watch = register(this.socket.fd, this.onReadable, this.onWritable);
    if (!this.hasCarrier) this.carrierTask.wakeAt(0);
  }

  send(packet: Packet): boolean {
    if (this.isClosed || isTooBig(packet, 'ethernet', this.mtu, this.offloads.gsoMaxSize)) {
      return this.drop(packet);
    }
    const result = this.write(packet);
    if (result < 0) return this.notSent(packet, result);
    this.retries = 0;
    countSent(this.stats, packet);
    packet.release();
    return true;
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.watch?.close();
    this.stopCarrierWatch();
    this.carrierTask.cancel();
    this.retryTask.cancel();
    this.port = null;
    this.socket.close();
  }

  // --- receiving ------------------------------------------------------------------------------------------------

  private readonly onReadable = (): typeof NOTHING | typeof DRAINED | typeof MORE => {
    const { ring } = this.socket;
    const nowUs = this.env.nowUs();
    let frames = 0;
    for (let bytes = 0; frames < READ_FRAMES && bytes < READ_BYTES && !this.isClosed; frames++) {
      if (!ring.next()) {
        if (frames > 0) return DRAINED;
        this.lookForError();
        return NOTHING;
      }
      const { frame } = ring;
      bytes += frame.wireLength;
      if ((frame.status & TP_STATUS_COPY) !== 0) this.receiveQueued(frame, nowUs);
      else this.receiveFrom(frame, nowUs);
    }
    return MORE;
  };

  /** Copies a frame out of the ring, with its virtio-net header. */
  private receiveFrom(frame: RingFrame, nowUs: number): void {
    const { start, end } = frame;
    const length = end - start;
    const packet = length < frame.wireLength ? null : this.pool.take(length - ETHERNET_HEADER_LENGTH);
    if (packet === null) {
      this.stats.receivedDropped++;
      return;
    }
    const header = FRAME_START - VNET_HEADER_LENGTH;
    packet.bytes.set(frame.bytes.subarray(start - VNET_HEADER_LENGTH, end), header);
    packet.start = FRAME_START;
    packet.end = FRAME_START + length;
    this.received(packet, nowUs);
  }

  /** A frame that is larger than a slot waits in the socket's queue. */
  private receiveQueued(frame: RingFrame, nowUs: number): void {
    const { system, stats } = this;
    const header = FRAME_START - VNET_HEADER_LENGTH;
    const packet = this.pool.take(LARGE_SLOT - HEADROOM);
    if (packet === null) {
      // Read without any room for it, it is gone.
      system.recv(this.socket.fd, 0, 0, MSG_DONTWAIT);
      stats.receivedDropped++;
      return;
    }
    const at = this.memory.addressOf(packet.bytes) + header;
    const length = system.recv(this.socket.fd, at, LARGE_SLOT - header, MSG_DONTWAIT);
    if (length < VNET_HEADER_LENGTH + ETHERNET_HEADER_LENGTH) {
      packet.release();
      stats.receivedDropped++;
      return;
    }
    packet.start = FRAME_START;
    packet.end = header + length;
    if (frame.vlanType !== 0) {
      insertVlanTag(packet.bytes, packet.start, frame.vlanType, frame.vlanTci, true);
      packet.start -= VLAN_TAG_LENGTH;
    }
    this.received(packet, nowUs);
  }

  private received(packet: Packet, nowUs: number): void {
    const { stats } = this;
    stats.received++;
    stats.receivedBytes += packet.length;
    packet.atUs = nowUs;
    const left = applyVnetHeader(packet, packet.start - VNET_HEADER_LENGTH, 'ethernet');
    if (packet.gsoSize > 0) stats.receivedSuper++;
    if (left === VNET_CUT_UDP) {
      packet.l3 = packet.start + linkHeaderLength(packet, 'ethernet');
      stats.receivedDropped += cutUdp(packet, this.hand);
    } else {
      this.hand(packet);
    }
  }

  private lookForError(): void {
    if (this.socket.takeError() === 0) return;
    // The interface went down. Node's event loop no longer looks at a descriptor that had an error.
    this.watch?.setReadable(false);
    this.watch?.setReadable(true);
  }

  // --- sending --------------------------------------------------------------------------------------------------

  private readonly onWritable = (): void => {
    this.watch?.setWritable(false);
    this.port?.writable();
  };

  /** Sends the frame with its virtio-net header in front, in the packet's headroom. -errno or more than 0. */
  private write(packet: Packet): number {
    const at = packet.start - VNET_HEADER_LENGTH;
    if (at < 0) return this.writeCopy(packet);
    emitVnetHeader(packet, packet.view, at);
    const address = this.memory.addressOf(packet.bytes) + at;
    return this.system.sendto(this.socket.fd, address, packet.end - at, MSG_DONTWAIT, null);
  }

  /** For a frame from elsewhere that has no headroom. */
  private writeCopy(packet: Packet): number {
    const copy = new Uint8Array(VNET_HEADER_LENGTH + packet.length);
    emitVnetHeader(packet, new DataView(copy.buffer), 0);
    copy.set(packet.bytes.subarray(packet.start, packet.end), VNET_HEADER_LENGTH);
    return this.system.send(this.socket.fd, copy, MSG_DONTWAIT);
  }

  private notSent(packet: Packet, result: number): boolean {
    if (result === -EAGAIN || result === -EINTR) {
      this.watch?.setWritable(true);
      return false;
    }
    if (result !== -ENOBUFS) return this.drop(packet);
    if (this.bypass) {
      // The interface is busy, or does not cut super-segments: its queueing discipline sees to both.
      this.bypass = false;
      this.socket.setBypass(false);
      return this.send(packet);
    }
    if (++this.retries > RETRIES_MAX) {
      this.retries = 0;
      return this.drop(packet);
    }
    this.retryTask.wakeAt(this.env.nowUs() + RETRY_US);
    return false;
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
  }
}
