/**
 * Frames in a byte stream as QEMU writes them (`-netdev stream`, `-netdev socket`): each frame behind its length, a
 * 32-bit number in network byte order. No input or output happens here.
 * @module
 */
import { Ring } from '../base/ring.ts';
import type { Packet, PacketOwner } from '../core/packet.ts';

/** Bytes of the length in front of each frame. */
export const FRAME_LENGTH_BYTES = 4;
/** Bytes of the longest frame: the largest IP packet behind an Ethernet header with two VLAN tags. */
export const FRAME_LENGTH_MAX = 65535 + 14 + 8;

/**
 * Cuts a byte stream into frames, whatever the boundaries of the chunks. Each byte is copied once, into the packet.
 * @example
 * decoder.feed(chunk);
 * for (let packet = decoder.next(); packet !== null; packet = decoder.next()) port.receive(packet);
 */
export class FrameDecoder {
  private readonly pool: PacketOwner;
  private chunk: Uint8Array | null = null;
  private at = 0;
  /** Bytes of the length that were read, and what they say so far. */
  private lengthBytes = 0;
  private length = 0;
  /** Bytes of the frame's body that are still to come; they are skipped when there is no packet for them. */
  private missing = 0;
  private packet: Packet | null = null;
  private problem = '';
  private dropped = 0;

  constructor(pool: PacketOwner) {
    this.pool = pool;
  }

  /** Why these bytes are no stream of frames, in one line; '' as long as they are. Nothing comes after it. */
  get error(): string {
    return this.problem;
  }

  /** Whether the last frame is not complete. */
  get partial(): boolean {
    return this.lengthBytes > 0;
  }

  /** Gives it the next bytes, which it keeps; only when `next` returned null. */
  feed(chunk: Uint8Array): void {
    this.chunk = chunk;
    this.at = 0;
  }

  /** The next frame, or null when it needs more bytes (or `error` is set). */
  next(): Packet | null {
    const { chunk } = this;
    if (chunk === null || this.problem !== '') return null;
    while (this.at < chunk.length) {
      if (this.lengthBytes < FRAME_LENGTH_BYTES) {
        this.readLength(chunk);
        if (this.problem !== '') return null;
        continue;
      }
      this.readBody(chunk);
      if (this.missing > 0) break;
      const { packet } = this;
      this.packet = null;
      this.lengthBytes = 0;
      this.length = 0;
      if (packet !== null) return packet;
    }
    this.chunk = null;
    return null;
  }

  /** How many frames found no packet in the pool since this was asked last. */
  takeDropped(): number {
    const { dropped } = this;
    this.dropped = 0;
    return dropped;
  }

  /** Forgets the stream and gives the unfinished frame back: another stream may begin. */
  reset(): void {
    this.packet?.release();
    this.packet = null;
    this.chunk = null;
    this.lengthBytes = 0;
    this.length = 0;
    this.missing = 0;
    this.problem = '';
  }

  private readLength(chunk: Uint8Array): void {
    // Not shifted: four bytes may be more than 2^31.
    this.length = this.length * 256 + (chunk[this.at++] as number);
    if (++this.lengthBytes < FRAME_LENGTH_BYTES) return;
    if (this.length === 0 || this.length > FRAME_LENGTH_MAX) {
      this.problem = `not a stream of frames: a frame of ${this.length} bytes (1 to ${FRAME_LENGTH_MAX} are possible)`;
      return;
    }
    this.missing = this.length;
    this.packet = this.pool.take(this.length);
    if (this.packet === null) this.dropped++;
  }

  private readBody(chunk: Uint8Array): void {
    const { packet, at } = this;
    const end = Math.min(at + this.missing, chunk.length);
    if (packet !== null) {
      packet.bytes.set(chunk.subarray(at, end), packet.end);
      packet.end += end - at;
    }
    this.missing -= end - at;
    this.at = end;
  }
}

/** Packets that wait to become bytes of a stream or messages; `bytes` counts what they will be. */
export class FrameQueue {
  /** Bytes of all frames that wait, each with its length in front. */
  bytes = 0;
  private readonly packets = new Ring<Packet>();

  /** Frames that wait. */
  get length(): number {
    return this.packets.length;
  }

  /** Takes a packet. */
  push(packet: Packet): void {
    this.packets.push(packet);
    this.bytes += packet.length + FRAME_LENGTH_BYTES;
  }

  /** Gives the first packet away, or undefined when there is none. */
  shift(): Packet | undefined {
    const packet = this.packets.shift();
    if (packet !== undefined) this.bytes -= packet.length + FRAME_LENGTH_BYTES;
    return packet;
  }

  /** Frames from the head, each behind its length, in one chunk of at most `limit` bytes (but at least one frame). */
  encode(limit: number): Uint8Array<ArrayBuffer> {
    let count = 0;
    let bytes = 0;
    for (let packet = this.packets.at(0); packet !== undefined; packet = this.packets.at(++count)) {
      const more = packet.length + FRAME_LENGTH_BYTES;
      if (count > 0 && bytes + more > limit) break;
      bytes += more;
    }
    const chunk = new Uint8Array(bytes);
    const view = new DataView(chunk.buffer);
    for (let at = 0; count > 0; count--) {
      const packet = this.shift() as Packet;
      view.setUint32(at, packet.length);
      chunk.set(packet.bytes.subarray(packet.start, packet.end), at + FRAME_LENGTH_BYTES);
      at += FRAME_LENGTH_BYTES + packet.length;
      packet.release();
    }
    return chunk;
  }

  /** Gives every packet back; returns how many. */
  clear(): number {
    const count = this.length;
    for (let packet = this.shift(); packet !== undefined; packet = this.shift()) packet.release();
    return count;
  }
}
