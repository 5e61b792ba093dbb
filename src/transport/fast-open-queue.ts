import { Ring } from '../base/ring.ts';
import type { FastOpenPlace } from '../tcp/fast-open/fast-open.ts';

/** How long a connection that a reset has ended still counts, in microseconds. */
const RESET_HOLD_US = 60e6;

/**
 * The Fast Open connections of one listener whose handshake is not done: as many as TCP_FASTOPEN says at a time.
 * Cookies keep those out who cannot receive at their address. Who has stolen one could still open connections in the
 * name of a host that knows nothing of it: its resets tell, and each counts for a minute (RFC 7413 section 5.1).
 */
export class FastOpenQueue {
  private length = 0;
  /** Until when resets count, the first first. */
  private readonly resets = new Ring<number>();

  /** Whether there is room for one more among `max`. */
  hasRoom(max: number, nowUs: number): boolean {
    if (this.length < max) return true;
    const first = this.resets.at(0);
    if (first === undefined || first > nowUs) return false;
    this.resets.shift();
    this.length--;
    return true;
  }

  /** A connection takes a place. */
  enter(): FastOpenPlace {
    this.length++;
    return new Place(this);
  }

  /** A place is free again. */
  leave(): void {
    this.length--;
  }

  /** A place stays taken though the connection is gone. */
  hold(nowUs: number): void {
    this.length++;
    this.resets.push(nowUs + RESET_HOLD_US);
  }
}

class Place implements FastOpenPlace {
  accepted = false;
  private readonly queue: FastOpenQueue;

  constructor(queue: FastOpenQueue) {
    this.queue = queue;
  }

  leave(): void {
    this.queue.leave();
  }

  /** Somebody pays for it; but one that nobody has accepted costs nothing (as Linux). */
  reset(nowUs: number): void {
    this.queue.leave();
    if (this.accepted) this.queue.hold(nowUs);
  }
}
