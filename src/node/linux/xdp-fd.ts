/**
 * Opening AF_XDP sockets in copy mode (Linux's Documentation/networking/af_xdp).
 * @module
 */
import { EINVAL, ENOBUFS, EPERM } from '../../base/errno.ts';
import { type Libc, libc, O_CLOEXEC, O_NONBLOCK, SystemError } from './libc.ts';
import { Mapping } from './mapping.ts';
import { findInterface, type NetworkInterface } from './netdev.ts';
import { attachXdp, XDP_REMEDY, type XdpProgram } from './xdp-program.ts';
import { XDP_ADDRESS_WORDS, XDP_DESC_WORDS, XdpRing } from './xdp-ring.ts';

const AF_XDP = 44;
const SOCK_RAW = 3;
const SOL_XDP = 283;
const XDP_MMAP_OFFSETS = 1;
const XDP_RX_RING = 2;
const XDP_TX_RING = 3;
const XDP_UMEM_REG = 4;
const XDP_UMEM_FILL_RING = 5;
const XDP_UMEM_COMPLETION_RING = 6;
const XDP_STATISTICS = 7;
/** Where the rings are, as offsets for mmap(2). */
const RX_OFFSET = 0;
const TX_OFFSET = 0x80000000;
const FILL_OFFSET = 0x100000000;
const COMPLETION_OFFSET = 0x180000000;
/** Flags of bind: frames are copied; and may come in several pieces (Linux 6.6). */
const XDP_COPY = 1 << 1;
const XDP_USE_SG = 1 << 4;
const MSG_DONTWAIT = 0x40;
const EBUSY = 16;
/** How long to wait for a queue that is busy. */
const QUEUE_WAIT_MS = 100;

/** Bytes of a buffer: the kernel wants a page at most. */
export const XDP_CHUNK = 4096;
/** Bytes that the kernel keeps free in front of a received frame. */
export const XDP_HEADROOM = 256;
/** Buffers for received frames, and for frames to be sent; also the sizes of their rings. */
export const XDP_RX_CHUNKS = 4096;
export const XDP_TX_CHUNKS = 1024;
const BUFFER_BYTES = (XDP_RX_CHUNKS + XDP_TX_CHUNKS) * XDP_CHUNK;
const RINGS = [
  [XDP_RX_RING, XDP_RX_CHUNKS],
  [XDP_UMEM_FILL_RING, XDP_RX_CHUNKS],
  [XDP_TX_RING, XDP_TX_CHUNKS],
  [XDP_UMEM_COMPLETION_RING, XDP_TX_CHUNKS],
] as const;

/** What the kernel counted. */
export interface XdpStatistics {
  /** Frames that were lost since no buffer or no room in the ring was free, or since they were too big. */
  drops: number;
}

/** An AF_XDP socket that gets the frames of one receive queue of an interface. */
export class XdpFd {
  readonly interface: NetworkInterface;
  readonly fd: number;
  /** The buffers: those of received frames first, those of frames to be sent behind them. */
  readonly buffers: Uint8Array;
  readonly fill: XdpRing;
  readonly completion: XdpRing;
  readonly rx: XdpRing;
  readonly tx: XdpRing;
  private readonly system: Libc;
  private readonly mappings: Mapping[] = [];
  private readonly program: XdpProgram;
  private drops = 0;
  private closed = false;

  /** @throws SystemError EPERM, ENODEV, EBUSY, EINVAL; its message says what can be done */
  constructor(device: string, queue: number) {
    this.system = libc();
    this.interface = findInterface(device);
    this.fd = this.system.socket(AF_XDP, SOCK_RAW | O_NONBLOCK | O_CLOEXEC, 0);
    if (this.fd < 0) {
      throw new SystemError('socket', this.fd, 'open an AF_XDP socket', this.fd === -EPERM ? XDP_REMEDY : '');
    }
    let program: XdpProgram | null = null;
    try {
      this.buffers = new Uint8Array(this.registerBuffers().memory);
      for (const [ring, entries] of RINGS) {
        this.must('setsockopt', this.set(ring, Uint32Array.of(entries)), 'make the rings');
      }
      const offsets = new BigUint64Array(16);
      const answer = new Uint8Array(offsets.buffer);
      this.must(
        'getsockopt',
        this.system.getsockopt(this.fd, SOL_XDP, XDP_MMAP_OFFSETS, answer),
        'find the rings',
      );
      this.rx = this.mapRing(offsets, 0, RX_OFFSET, XDP_RX_CHUNKS, XDP_DESC_WORDS, false);
      this.tx = this.mapRing(offsets, 4, TX_OFFSET, XDP_TX_CHUNKS, XDP_DESC_WORDS, true);
      this.fill = this.mapRing(offsets, 8, FILL_OFFSET, XDP_RX_CHUNKS, XDP_ADDRESS_WORDS, true);
      this.completion = this.mapRing(offsets, 12, COMPLETION_OFFSET, XDP_TX_CHUNKS, XDP_ADDRESS_WORDS, false);
      for (let chunk = 0; chunk < XDP_RX_CHUNKS; chunk++) this.fill.push(chunk * XDP_CHUNK, 0, 0);
      this.fill.publish();
      program = attachXdp(this.interface.index, device, queue + 1);
      this.bind(device, queue);
      program.setSocket(queue, this.fd);
      this.program = program;
    } catch (error) {
      program?.close();
      this.release();
      throw error;
    }
  }

  /** What the kernel counted since the socket was opened. */
  statistics(): XdpStatistics {
    if (!this.closed) {
      const counts = new BigUint64Array(6);
      this.system.getsockopt(this.fd, SOL_XDP, XDP_STATISTICS, new Uint8Array(counts.buffer));
      // In order: dropped for another reason, two kinds of bad descriptors, ring full, no buffer, nothing to send.
      this.drops = Number((counts[0] as bigint) + (counts[3] as bigint));
    }
    return { drops: this.drops };
  }

  /** Has the kernel send what is in the ring; 0 or -errno. */
  kick(): number {
    return this.system.sendto(this.fd, 0, 0, MSG_DONTWAIT, null);
  }

  /** Takes the program off the interface, which is the kernel's again from here on. A second call does nothing. */
  close(): void {
    if (this.closed) return;
    this.statistics();
    this.closed = true;
    this.program.close();
    this.release();
  }

  private registerBuffers(): Mapping {
    const buffers = new Mapping(-1, 0, BUFFER_BYTES, 'frame buffers');
    this.mappings.push(buffers);
    const request = new DataView(new ArrayBuffer(32));
    request.setBigUint64(0, BigInt(buffers.address), true);
    request.setBigUint64(8, BigInt(BUFFER_BYTES), true);
    request.setUint32(16, XDP_CHUNK, true);
    const result = this.set(XDP_UMEM_REG, request);
    const remedy = result === -ENOBUFS ? 'run as root, or let more memory be locked (`ulimit -l`)' : '';
    if (result < 0) throw new SystemError('setsockopt', result, 'register frame buffers', remedy);
    return buffers;
  }

  private mapRing(
    offsets: BigUint64Array,
    first: number,
    at: number,
    entries: number,
    entryWords: number,
    produces: boolean,
  ): XdpRing {
    const [producer, consumer, desc] = [0, 1, 2].map(part => Number(offsets[first + part])) as [
      number,
      number,
      number,
    ];
    const mapping = new Mapping(this.fd, at, desc + entries * entryWords * 4, 'an AF_XDP ring');
    this.mappings.push(mapping);
    return new XdpRing(mapping.memory, { producer, consumer, desc }, entries, entryWords, produces);
  }

  private bind(device: string, queue: number): void {
    const address = new DataView(new ArrayBuffer(16));
    address.setUint16(0, AF_XDP, true);
    address.setUint32(4, this.interface.index, true);
    address.setUint32(8, queue, true);
    let result = -EINVAL;
    for (const flags of [XDP_COPY | XDP_USE_SG, XDP_COPY]) {
      address.setUint16(2, flags, true);
      result = this.tryBind(new Uint8Array(address.buffer));
      if (result !== -EINVAL) break;
    }
    if (result === -EBUSY) {
      throw new SystemError('bind', result, `queue ${queue} of ${device}`, 'another AF_XDP socket has it');
    }
    const remedy = result === -EINVAL ? `has it a receive queue ${queue}? They are counted from 0` : '';
    if (result < 0) throw new SystemError('bind', result, `queue ${queue} of ${device}`, remedy);
  }

  /** The kernel gives a queue back only some time after the socket that had it was closed. */
  private tryBind(address: Uint8Array): number {
    let result = this.system.bind(this.fd, address);
    for (let ms = 0; result === -EBUSY && ms < QUEUE_WAIT_MS; ms++) {
      this.system.poll(new Uint8Array(8), 0, 1);
      result = this.system.bind(this.fd, address);
    }
    return result;
  }

  private release(): void {
    for (const mapping of this.mappings) mapping.close();
    this.system.close(this.fd);
  }

  private must(call: string, result: number, what: string): void {
    if (result < 0) throw new SystemError(call, result, what);
  }

  private set(name: number, value: ArrayBufferView): number {
    const bytes = new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
    return this.system.setsockopt(this.fd, SOL_XDP, name, bytes);
  }
}
