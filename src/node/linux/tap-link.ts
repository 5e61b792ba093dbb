/**
 * Our end of a TAP or TUN device.
 * @module
 */
import { EAGAIN, EINTR, EIO } from '../../base/errno.ts';
import type { Env, Task } from '../../core/env.ts';
import type { Link, LinkPort, Medium, Offloads } from '../../core/link.ts';
import { NO_OFFLOADS } from '../../core/link.ts';
import { HEADROOM, type Packet } from '../../core/packet.ts';
import { PacketPool } from '../../core/pool.ts';
import { randomMac } from '../../link/cable.ts';
import { isTooBig } from '../../link/frame.ts';
import { traceFault } from '../../link/trace-fault.ts';
import { Gro } from '../../net/gro.ts';
import type { TraceSink } from '../../trace/sink.ts';
import { ETHERNET_HEADER_LENGTH } from '../../wire/ethernet.ts';
import { VLAN_TAG_LENGTH } from '../../wire/vlan.ts';
import { FrameReader, LOST } from './frame-reader.ts';
import { type Libc, libc } from './libc.ts';
import { countSent, newLinkStats } from './link-stats.ts';
import { MemoryBase } from './memory-base.ts';
import { DRAINED, MORE, NOTHING, register, type Watch } from './poller.ts';
import { setTunCarrier, setTunOwner, setTunPersistent, type TunDevice } from './tun-device.ts';
import { cutUdp } from './uso.ts';
import { applyVnetHeader, emitVnetHeader, VNET_CUT_UDP, VNET_HEADER_LENGTH } from './vnet-header.ts';

/** What a link is made with, besides its device. */
export interface TapLinkOptions {
  readonly env: Env;
  readonly mtu: number;
  readonly gro: boolean;
  readonly mac: Uint8Array | undefined;
  readonly pool: PacketPool | undefined;
  readonly trace: TraceSink | null | undefined;
}

/** Frames that are read before the stack has its turn. */
const READ_FRAMES = 64;
/** And bytes: what was read should still be in the cache when it is processed. */
const READ_BYTES = 1 << 18;
/** Bytes of IP packet in a super-segment (IPv4's limit). */
const GSO_MAX_SIZE = 65535;

/** Our end of a TAP or TUN device, or of one of its queues. */
export class TapLink implements Link {
  readonly medium: Medium;
  readonly mtu: number;
  readonly mac: Uint8Array | null;
  readonly offloads: Offloads;
  /** The kernel's interface. */
  readonly name: string;
  /** What the kernel leaves to us. */
  readonly receiveOffloads: TunDevice['offloads'];
  /** Where received packets come from. */
  readonly pool: PacketPool;
  readonly stats = newLinkStats();
  private readonly system: Libc;
  private readonly env: Env;
  private readonly trace: TraceSink | null;
  private readonly carrierTask: Task;
  private readonly reader: FrameReader;
  private readonly memory: MemoryBase;
  /** Where the kernel hands over no super-segments. */
  private readonly gro: Gro | null;
  /** Bytes of the virtio-net header in front of each frame; 0 without. */
  private readonly headerLength: number;
  private fd: number;
  private port: LinkPort | null = null;
  private watch: Watch | null = null;
  /** `send` returned false, and `writable()` is owed. */
  private blocked = false;
  /** The cable is in, as `setCarrier` said last. */
  private plugged = true;
  /** The kernel's interface was up when it last had to do with us. */
  private up = true;
  private carrierSaid = true;

  constructor(device: TunDevice, mode: 'tap' | 'tun', options: TapLinkOptions) {
    const { env, mtu, pool = new PacketPool() } = options;
    this.system = libc();
    this.env = env;
    this.trace = options.trace ?? null;
    this.fd = device.fd;
    this.name = device.name;
    this.medium = mode === 'tap' ? 'ethernet' : 'ip';
    this.mtu = mtu;
    this.mac = mode === 'tap' ? (options.mac ?? randomMac(env)) : null;
    this.receiveOffloads = device.offloads;
    this.offloads = device.hasVnetHeader ? { checksum: true, gsoMaxSize: GSO_MAX_SIZE } : NO_OFFLOADS;
    this.pool = pool;
    this.headerLength = device.hasVnetHeader ? VNET_HEADER_LENGTH : 0;
    // The IP header comes to lie at HEADROOM, aligned.
    const start = mode === 'tap' ? HEADROOM - ETHERNET_HEADER_LENGTH : HEADROOM;
    const longest = device.offloads.tso ? GSO_MAX_SIZE : mtu;
    const linkHeader = mode === 'tap' ? ETHERNET_HEADER_LENGTH + VLAN_TAG_LENGTH : 0;
    const at = start - this.headerLength;
    this.reader = new FrameReader(this.system, pool, at, this.headerLength + linkHeader + longest);
    this.memory = new MemoryBase(this.system);
    const joins = options.gro && !device.offloads.tso;
    this.gro = joins ? new Gro(this.medium, packet => this.port?.receive(packet)) : null;
    this.carrierTask = env.task(() => this.sayCarrier());
  }

  /** Whether frames can pass: the cable is in, and the kernel's interface was up when a frame was last sent. */
  get carrier(): boolean {
    return this.plugged && this.up;
  }

  /** Whether it was closed. */
  get closed(): boolean {
    return this.fd < 0;
  }

  attach(port: LinkPort): void {
    this.port = port;
    if (this.watch === null && !this.closed) this.watch = register(this.fd, this.onReadable, this.onWritable);
  }

  send(packet: Packet): boolean {
    if (this.fd < 0 || isTooBig(packet, this.medium, this.mtu, this.offloads.gsoMaxSize)) {
      return this.drop(packet);
    }
    const result = this.write(packet);
    if (result < 0) return this.notSent(packet, result);
    countSent(this.stats, packet);
    packet.release();
    return true;
  }

  /** Puts the cable in or pulls it out, for both sides (Linux 5.0). 0 or -errno. */
  setCarrier(plugged: boolean): number {
    const result = setTunCarrier(this.fd, plugged);
    if (result < 0) return result;
    this.plugged = plugged;
    this.carrierTask.wakeAt(0);
    return 0;
  }

  /** Makes the interface outlive the link, or not. 0 or -errno. */
  setPersistent(persistent: boolean): number {
    return setTunPersistent(this.fd, persistent);
  }

  /** Lets a user open the interface, when it is persistent, without CAP_NET_ADMIN. 0 or -errno. */
  setOwner(uid: number): number {
    return setTunOwner(this.fd, uid);
  }

  close(): void {
    if (this.fd < 0) return;
    this.watch?.close();
    this.watch = null;
    this.carrierTask.cancel();
    this.port = null;
    this.system.close(this.fd);
    this.fd = -1;
  }

  private readonly onReadable = (): typeof NOTHING | typeof DRAINED | typeof MORE => {
    const { reader, stats } = this;
    let frames = 0;
    let result = 0;
    for (let bytes = 0; frames < READ_FRAMES && bytes < READ_BYTES; frames++) {
      result = reader.read(this.fd);
      if (result < 0) break;
      bytes += result;
      if (result === LOST) stats.receivedDropped++;
      else this.received(reader.packet as Packet);
    }
    this.gro?.flush();
    reader.release();
    if (result >= 0) return MORE;
    if (result !== -EAGAIN && result !== -EINTR) this.lost();
    return frames === 0 ? NOTHING : DRAINED;
  };

  private received(packet: Packet): void {
    const { stats, headerLength } = this;
    const port = this.port as LinkPort;
    stats.received++;
    stats.receivedBytes += packet.length - headerLength;
    if (headerLength > 0) {
      const at = packet.start;
      packet.start += headerLength;
      const left = applyVnetHeader(packet, at, this.medium);
      if (packet.gsoSize > 0) stats.receivedSuper++;
      if (left === VNET_CUT_UDP) {
        stats.receivedDropped += cutUdp(packet, part => port.receive(part));
        return;
      }
    }
    if (this.gro === null) port.receive(packet);
    else this.gro.receive(packet);
  }

  /** There is room again after EAGAIN, or the interface was put up: the kernel says both in the same way. */
  private readonly onWritable = (): void => {
    this.watch?.setWritable(false);
    this.setUp(true);
    if (!this.blocked) return;
    this.blocked = false;
    this.port?.writable();
  };

  /** Writes the frame with its header in front, which lies in the packet's headroom. -errno or more than 0. */
  private write(packet: Packet): number {
    const { headerLength, system } = this;
    const at = packet.start - headerLength;
    if (at < 0) return this.writeCopy(packet);
    if (headerLength > 0) emitVnetHeader(packet, packet.view, at);
    return system.write(this.fd, this.memory.addressOf(packet.bytes) + at, packet.end - at);
  }

  /** For a frame from elsewhere that has no headroom. */
  private writeCopy(packet: Packet): number {
    const { headerLength, system } = this;
    const copy = new Uint8Array(headerLength + packet.length);
    emitVnetHeader(packet, new DataView(copy.buffer), 0);
    copy.set(packet.bytes.subarray(packet.start, packet.end), headerLength);
    const result = system.write(this.fd, system.addressOf(copy), copy.length);
    // Read once more here, so that the memory is still reachable during the call.
    return copy.length > 0 ? result : 0;
  }

  private notSent(packet: Packet, result: number): boolean {
    this.watch?.setWritable(true);
    if (result === -EAGAIN) {
      this.blocked = true;
      return false;
    }
    if (result === -EIO) this.setUp(false);
    return this.drop(packet);
  }

  private drop(packet: Packet): true {
    this.stats.sentDropped++;
    traceFault(this.trace, this.env, this.name, 'drop', packet.length);
    packet.release();
    return true;
  }

  /** The interface was deleted under the link. */
  private lost(): void {
    this.watch?.close();
    this.watch = null;
    this.setUp(false);
  }

  private setUp(up: boolean): void {
    if (this.up === up) return;
    this.up = up;
    this.carrierTask.wakeAt(0);
  }

  private sayCarrier(): void {
    if (this.carrier === this.carrierSaid) return;
    this.carrierSaid = this.carrier;
    this.port?.carrier(this.carrierSaid);
  }
}
