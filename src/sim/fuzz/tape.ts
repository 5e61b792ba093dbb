import type { Rng } from '../../base/rng.ts';
import type { Packet } from '../../core/packet.ts';

/** Bytes of a frame that are kept. */
const FRAME_MAX = 1600;
/** Frames of the present, whose sequence numbers are still good; and of the past, for what comes back late. */
const RECENT = 64;
const ARCHIVE = 512;
/** One frame in so many goes into the archive. */
const ARCHIVE_EVERY = 7;

/** A recorded frame: bytes[0, length). */
export interface RecordedFrame {
  readonly bytes: Uint8Array;
  length: number;
}

/** The frames that a fuzzer mutates: a ring of the newest, and an archive of older ones. */
export class Tape {
  private readonly recent: RecordedFrame[] = [];
  private readonly archive: RecordedFrame[] = [];
  private recorded = 0;

  /** How many frames were recorded so far. */
  get count(): number {
    return this.recorded;
  }

  /** Copies the packet's frame. */
  record(packet: Packet): void {
    if (packet.length > FRAME_MAX) return;
    put(this.recent, RECENT, this.recorded, packet);
    if (this.recorded % ARCHIVE_EVERY === 0)
      put(this.archive, ARCHIVE, Math.floor(this.recorded / ARCHIVE_EVERY), packet);
    this.recorded++;
  }

  /** A recorded frame, most often a new one; null while there is none. It is lent until the next `record`. */
  pick(rng: Rng): RecordedFrame | null {
    if (this.recorded === 0) return null;
    return rng.pick(rng.chance(0.6) ? this.recent : this.archive);
  }
}

function put(frames: RecordedFrame[], limit: number, count: number, packet: Packet): void {
  const at = count % limit;
  let frame = frames[at];
  if (frame === undefined) {
    frame = { bytes: new Uint8Array(FRAME_MAX), length: 0 };
    frames[at] = frame;
  }
  frame.length = packet.length;
  frame.bytes.set(packet.bytes.subarray(packet.start, packet.end));
}
