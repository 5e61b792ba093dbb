/**
 * Opening packet sockets with a receive ring (packet(7), Linux's Documentation/networking/packet_mmap).
 * @module
 */
import { EINVAL, ENOMEM, EPERM } from '../../base/errno.ts';
import { attachFilter, type ClassicFilter } from './classic-filter.ts';
import { type Libc, libc, O_CLOEXEC, O_NONBLOCK, SystemError } from './libc.ts';
import { Mapping } from './mapping.ts';
import { findInterface, type NetworkInterface } from './netdev.ts';
import { BlockRing, type FrameRing, RING_RESERVE, SlotRing } from './packet-ring.ts';

const AF_PACKET = 17;
const SOCK_RAW = 3;
const ETH_P_ALL = 3;

const SOL_SOCKET = 1;
const SO_ERROR = 4;
const SO_SNDBUFFORCE = 32;
const SO_RCVBUFFORCE = 33;

const SOL_PACKET = 263;
const PACKET_ADD_MEMBERSHIP = 1;
const PACKET_RX_RING = 5;
const PACKET_STATISTICS = 6;
const PACKET_COPY_THRESH = 7;
const PACKET_VERSION = 10;
const PACKET_RESERVE = 12;
const PACKET_VNET_HDR = 15;
const PACKET_FANOUT = 18;
const PACKET_QDISC_BYPASS = 20;
const PACKET_IGNORE_OUTGOING = 23;
const PACKET_MR_PROMISC = 1;

const MAC_BYTES = 6;
/** Bytes of a block: room for several super-segments of 64 KiB. */
const BLOCK_BYTES = 1 << 18;
/** Bytes of a slot: an Ethernet frame with its headers. What is larger comes through the socket's queue. */
const SLOT_BYTES = 2048;
/** Bytes of the socket's queues, where one of 64 KiB counts as twice that. */
const QUEUE_BYTES = 1 << 23;

/** Bytes of a ring, by default, at least and at most. */
export const RING_BYTES = 1 << 24;
export const RING_BYTES_MIN = 2 * BLOCK_BYTES;
export const RING_BYTES_MAX = 1 << 30;

/** How frames are shared out between the sockets of one group (PACKET_FANOUT_). */
export type FanoutMode = 'hash' | 'lb' | 'cpu' | 'rollover' | 'rnd' | 'qm';
const FANOUT_MODES: readonly FanoutMode[] = ['hash', 'lb', 'cpu', 'rollover', 'rnd', 'qm'];

/** Several sockets share an interface's frames, each frame goes to one of them. */
export interface Fanout {
  /** The group, 0 to 65535, of this network namespace. */
  readonly group: number;
  /** Default 'hash': the frames of one flow go to one socket. */
  readonly mode?: FanoutMode | undefined;
}

/** How a packet socket is opened. */
export interface PacketFdOptions {
  readonly device: string;
  /**
   * 'slots' (TPACKET_V2) hands over each frame as it comes; 'blocks' (TPACKET_V3) many at once, when a block is full or
   * `retireMs` have passed.
   */
  readonly ring: 'slots' | 'blocks';
  /** Milliseconds a frame may wait in a block that is not full. */
  readonly retireMs: number;
  readonly ringBytes: number;
  /** Whether each frame has a virtio-net header in front, in both directions. */
  readonly vnet: boolean;
  /** Whether frames that this host sends are left out. */
  readonly ignoreOutgoing: boolean;
  readonly promiscuous: boolean;
  /** Given the interface's own MAC address, the filter; null for none. */
  readonly filter: ClassicFilter | ((mac: Uint8Array) => ClassicFilter) | null;
  readonly fanout: Fanout | null;
}

/** What the kernel counted. */
export interface RingStatistics {
  /** Frames that passed the filter. */
  packets: number;
  /** Frames among them that were lost since the ring was full. */
  drops: number;
}

/** A packet socket, bound to an interface, with its ring. */
export class PacketFd {
  readonly interface: NetworkInterface;
  readonly ring: FrameRing;
  readonly fd: number;
  private readonly system: Libc;
  private readonly mapping: Mapping;
  private readonly counts: RingStatistics = { packets: 0, drops: 0 };
  private closed = false;

  /** @throws SystemError EPERM, ENODEV, ENOMEM, EINVAL; its message says what can be done */
  constructor(options: PacketFdOptions) {
    checkRingBytes(options.ringBytes);
    this.system = libc();
    this.interface = findInterface(options.device);
    if (this.interface.mac.length !== MAC_BYTES) {
      throw new SystemError(
        'bind',
        -EINVAL,
        `interface ${options.device}`,
        'its frames have no Ethernet header',
      );
    }
    this.fd = this.system.socket(AF_PACKET, SOCK_RAW | O_NONBLOCK | O_CLOEXEC, 0);
    if (this.fd < 0) throw new SystemError('socket', this.fd, 'open a packet socket', socketRemedy(this.fd));
    let mapping: Mapping | null = null;
    try {
      this.configure(options);
      const bytes = this.makeRing(options);
      mapping = new Mapping(this.fd, 0, bytes, 'receive ring');
      const layout = { blockBytes: BLOCK_BYTES, blocks: bytes / BLOCK_BYTES, vnet: options.vnet };
      this.ring =
        options.ring === 'blocks'
          ? new BlockRing(mapping.memory, layout)
          : new SlotRing(mapping.memory, layout, SLOT_BYTES);
      this.join(options);
    } catch (error) {
      mapping?.close();
      this.system.close(this.fd);
      throw error;
    }
    this.mapping = mapping;
  }

  /** Frames counted by the kernel since the socket was opened. */
  statistics(): RingStatistics {
    if (this.closed) return { ...this.counts };
    const answer = new Uint32Array(3);
    const result = this.system.getsockopt(
      this.fd,
      SOL_PACKET,
      PACKET_STATISTICS,
      new Uint8Array(answer.buffer),
    );
    if (result >= 0) {
      // Reading sets the kernel's counters to 0. Its number of packets has the drops in it.
      this.counts.packets += answer[0] as number;
      this.counts.drops += answer[1] as number;
    }
    return { ...this.counts };
  }

  /** The error that waits to be read, as -errno, or 0. Reading it clears it. */
  takeError(): number {
    const error = new Int32Array(1);
    this.system.getsockopt(this.fd, SOL_SOCKET, SO_ERROR, new Uint8Array(error.buffer));
    return -(error[0] as number);
  }

  /** Whether frames are sent past the interface's queueing discipline. */
  setBypass(bypass: boolean): number {
    return this.set(SOL_PACKET, PACKET_QDISC_BYPASS, bypass ? 1 : 0);
  }

  close(): void {
    if (this.closed) return;
    this.statistics();
    this.closed = true;
    // The mapping holds the socket open, and with it the promiscuous mode.
    this.mapping.close();
    this.system.close(this.fd);
  }

  /** What must be said before there is a ring. */
  private configure(options: PacketFdOptions): void {
    const { vnet, ignoreOutgoing, filter } = options;
    this.must(PACKET_VERSION, options.ring === 'blocks' ? 2 : 1);
    this.must(PACKET_RESERVE, RING_RESERVE);
    if (vnet) this.must(PACKET_VNET_HDR, 1);
    if (ignoreOutgoing) this.must(PACKET_IGNORE_OUTGOING, 1);
    if (options.ring === 'slots' && vnet) this.must(PACKET_COPY_THRESH, 1);
    // Without CAP_NET_ADMIN the queues stay as they are.
    this.set(SOL_SOCKET, SO_RCVBUFFORCE, QUEUE_BYTES);
    this.set(SOL_SOCKET, SO_SNDBUFFORCE, QUEUE_BYTES);
    if (filter !== null)
      attachFilter(this.fd, typeof filter === 'function' ? filter(this.interface.mac) : filter);
  }

  /** Returns the ring's size in bytes. */
  private makeRing(options: PacketFdOptions): number {
    const blocks = Math.floor(options.ringBytes / BLOCK_BYTES);
    const request = [BLOCK_BYTES, blocks, SLOT_BYTES, (BLOCK_BYTES / SLOT_BYTES) * blocks];
    if (options.ring === 'blocks') request.push(options.retireMs, 0, 0);
    const value = new Uint8Array(Uint32Array.from(request).buffer);
    const result = this.system.setsockopt(this.fd, SOL_PACKET, PACKET_RX_RING, value);
    if (result < 0) {
      const remedy =
        result === -ENOMEM ? 'the kernel has not that much memory: choose a smaller ringBytes' : '';
      throw new SystemError('setsockopt', result, `a receive ring of ${blocks * BLOCK_BYTES} bytes`, remedy);
    }
    return blocks * BLOCK_BYTES;
  }

  /** From here on frames come in. */
  private join({ device, promiscuous, fanout }: PacketFdOptions): void {
    const { index } = this.interface;
    const address = new DataView(new ArrayBuffer(20));
    address.setUint16(0, AF_PACKET, true);
    address.setUint16(2, ETH_P_ALL);
    address.setInt32(4, index, true);
    const result = this.system.bind(this.fd, new Uint8Array(address.buffer));
    if (result < 0) throw new SystemError('bind', result, `interface ${device}`);
    if (promiscuous) {
      const request = new DataView(new ArrayBuffer(16));
      request.setInt32(0, index, true);
      request.setUint16(4, PACKET_MR_PROMISC, true);
      const value = new Uint8Array(request.buffer);
      const joined = this.system.setsockopt(this.fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, value);
      if (joined < 0) throw new SystemError('setsockopt', joined, `promiscuous mode of ${device}`);
    }
    if (fanout !== null) {
      const mode = FANOUT_MODES.indexOf(fanout.mode ?? 'hash');
      this.must(PACKET_FANOUT, (fanout.group & 0xffff) | (mode << 16));
    }
  }

  private must(name: number, value: number): void {
    const result = this.set(SOL_PACKET, name, value);
    if (result < 0) throw new SystemError('setsockopt', result, `option ${name} of packet(7)`);
  }

  private set(level: number, name: number, value: number): number {
    return this.system.setsockopt(this.fd, level, name, new Uint8Array(Int32Array.of(value).buffer));
  }
}

function checkRingBytes(bytes: number): void {
  if (bytes >= RING_BYTES_MIN && bytes <= RING_BYTES_MAX) return;
  throw new SystemError(
    'setsockopt',
    -EINVAL,
    `a receive ring of ${bytes} bytes`,
    `ringBytes is ${RING_BYTES_MIN} to ${RING_BYTES_MAX}`,
  );
}

function socketRemedy(result: number): string {
  return result === -EPERM ? RAW_REMEDY : '';
}

/** What to do where CAP_NET_RAW is missing. */
export const RAW_REMEDY =
  'run as root or with CAP_NET_RAW, or start a shell of your own network with ' +
  '`unshare --user --net --map-root-user`';
