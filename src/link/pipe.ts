import { Ring } from '../base/ring.ts';
import type { Rng } from '../base/rng.ts';
import type { Env, Task } from '../core/env.ts';
import type { Packet } from '../core/packet.ts';

/** The physics of one direction of a link. */
export interface PipeOptions {
  /** Microseconds from the last bit sent to the packet's arrival. Default 0. */
  delayUs?: number | undefined;
  /** The delay varies by up to this many microseconds either way; packets never overtake each other. Default 0. */
  jitterUs?: number | undefined;
  /** Bits per second, counted over the frame's bytes as tc does; 0 (the default) is unlimited. */
  rate?: number | undefined;
  /** Packets that wait to be sent (Linux's txqueuelen). Default 1000. */
  queueLimit?: number | undefined;
  /**
   * An ECN-capable packet that finds so many waiting for the line is marked: it has met congestion (RFC 3168
   * section 5). 0 (the default): none is.
   */
  markAt?: number | undefined;
}

/** Linux's txqueuelen of an Ethernet interface, in packets. */
export const DEFAULT_QUEUE_LIMIT = 1000;
/** Packets on the wire at once: sent and not yet arrived. */
export const FLIGHT_LIMIT = 65536;

/**
 * Packets, and bytes, handed over before the receiver has its turn: a burst does not overflow its queue in no time at
 * all, and is still in the processor's cache when it is read.
 */
const ARRIVALS_AT_ONCE = 64;
const BYTES_AT_ONCE = 768 * 1024;

/** Where a pipe ends. */
export interface PipeSink {
  /** Takes a packet; false when it cannot now, and `pipe.resume()` follows. */
  take(packet: Packet): boolean;
  /** The queue is long: the packet is to be marked, if it is ECN-capable. */
  mark(packet: Packet): void;
  /** There is room again after `full` was true. */
  room(): void;
  /** The pipe has become empty. */
  drained(): void;
}

/**
 * One direction of a link: a queue, a rate, a delay. Packets wait for the sender's line, then fly, and arrive in the
 * order in which they came, all from a task: `push` never delivers. A `direct` pipe without rate and delay is the
 * exception: it hands packets on at once as long as the sink takes them.
 */
export class Pipe {
  private delayUs = 0;
  private jitterUs = 0;
  private rate = 0;
  private queueLimit = DEFAULT_QUEUE_LIMIT;
  private markAt = 0;
  /** Packets that wait for the line; used only with a rate. */
  private readonly waiting = new Ring<Packet>();
  /** Packets on the wire; their `atUs` is when they arrive, if those before them have. */
  private readonly flight = new Ring<Packet>();
  private readonly env: Env;
  private readonly rng: Rng;
  private readonly sink: PipeSink;
  private readonly direct: boolean;
  private readonly task: Task;
  /** The line has been busy since then, and with so many bits. */
  private busySinceUs = 0;
  private busyBits = 0;
  /** Someone was told that the pipe is full. */
  private blocked = false;
  /** The sink takes nothing at present. */
  private stalled = false;

  constructor(env: Env, rng: Rng, options: PipeOptions, sink: PipeSink, direct: boolean) {
    this.env = env;
    this.rng = rng;
    this.sink = sink;
    this.direct = direct;
    this.task = env.task(() => this.run());
    this.configure(options);
  }

  /** Changes the physics for the packets to come. */
  configure(options: PipeOptions): void {
    this.delayUs = options.delayUs ?? 0;
    this.jitterUs = options.jitterUs ?? 0;
    this.setRate(options.rate ?? 0);
    this.queueLimit = Math.max(options.queueLimit ?? DEFAULT_QUEUE_LIMIT, 1);
    this.markAt = options.markAt ?? 0;
  }

  /** Packets held. */
  get length(): number {
    return this.waiting.length + this.flight.length;
  }

  /** Packets that wait for the line. */
  get queued(): number {
    return this.waiting.length;
  }

  /** Whether a packet must wait outside; `sink.room()` follows a true. */
  full(): boolean {
    if (this.room() > 0) return false;
    this.blocked = true;
    return true;
  }

  /** Takes a packet, even when full: that is for the caller to ask. */
  push(packet: Packet): void {
    if (this.rate > 0 || this.waiting.length > 0) {
      if (this.waiting.length === 0) this.startLine(packet);
      if (this.markAt > 0 && this.waiting.length >= this.markAt) this.sink.mark(packet);
      this.waiting.push(packet);
      this.arm();
    } else if (this.delayUs > 0 || this.jitterUs > 0) {
      this.fly(packet, this.env.nowUs());
      if (this.flight.length === 1) this.arm();
    } else if (this.direct && this.flight.length === 0 && !this.stalled) {
      if (!this.sink.take(packet)) this.stall(packet);
    } else {
      packet.atUs = 0;
      this.flight.push(packet);
      if (this.flight.length === 1) this.task.wakeAt(0);
    }
  }

  /** The sink takes packets again. */
  resume(): void {
    if (!this.stalled) return;
    this.stalled = false;
    this.task.wakeAt(0);
  }

  /** Gives back every packet held; returns how many. */
  clear(): number {
    const count = this.length;
    for (let packet = this.waiting.shift(); packet !== undefined; packet = this.waiting.shift())
      packet.release();
    for (let packet = this.flight.shift(); packet !== undefined; packet = this.flight.shift())
      packet.release();
    this.stalled = false;
    if (this.blocked) this.task.wakeAt(0);
    return count;
  }

  /** `clear()`, and nothing runs any more. */
  close(): void {
    this.blocked = false;
    this.clear();
    this.task.cancel();
  }

  /** How many more packets may come. */
  private room(): number {
    if (this.rate > 0) return this.queueLimit - this.waiting.length;
    if (this.delayUs > 0 || this.jitterUs > 0) return FLIGHT_LIMIT - this.flight.length;
    return this.stalled ? 0 : this.queueLimit - this.flight.length;
  }

  private run(): void {
    const held = this.length;
    // What was on its way for no time needs no clock.
    const timed = this.waiting.length > 0 || (this.flight.at(0)?.atUs ?? 0) > 0;
    const nowUs = timed ? this.env.nowUs() : 0;
    this.depart(nowUs);
    this.arrive(nowUs);
    // Worth a wake-up once a quarter of the queue is free, not for each packet.
    if (this.blocked && this.room() >= Math.ceil(this.queueLimit / 4)) {
      this.blocked = false;
      this.sink.room();
    }
    this.arm();
    if (held > 0 && this.length === 0) this.sink.drained();
  }

  /** Moves the packets whose last bit has left by now from the queue to the wire. */
  private depart(nowUs: number): void {
    while (this.waiting.length > 0 && this.flight.length < FLIGHT_LIMIT) {
      const leftUs = this.lineFreeUs();
      if (leftUs > nowUs) return;
      this.fly(this.waiting.shift() as Packet, leftUs);
      const next = this.waiting.at(0);
      if (next !== undefined) this.busyBits += next.length * 8;
    }
  }

  private arrive(nowUs: number): void {
    for (let n = 0, bytes = 0; n < ARRIVALS_AT_ONCE && bytes < BYTES_AT_ONCE; n++) {
      const packet = this.flight.at(0);
      if (packet === undefined || this.stalled || packet.atUs > nowUs) return;
      packet.atUs = nowUs;
      bytes += packet.length;
      if (!this.sink.take(packet)) {
        this.stalled = true;
        return;
      }
      this.flight.shift();
    }
  }

  private setRate(rate: number): void {
    if (rate === this.rate) return;
    this.rate = rate;
    this.busySinceUs = this.env.nowUs();
    this.busyBits = (this.waiting.at(0)?.length ?? 0) * 8;
  }

  private startLine(packet: Packet): void {
    const nowUs = this.env.nowUs();
    const bits = packet.length * 8;
    // Bits are summed up since the line last was idle, so that rounding to microseconds costs no throughput.
    if (this.lineFreeUs() < nowUs) {
      this.busySinceUs = nowUs;
      this.busyBits = bits;
    } else {
      this.busyBits += bits;
    }
  }

  /** When the last bit that was given to the line has left it. */
  private lineFreeUs(): number {
    return this.rate > 0 ? this.busySinceUs + Math.ceil((this.busyBits / this.rate) * 1e6) : this.busySinceUs;
  }

  private fly(packet: Packet, leftUs: number): void {
    let delayUs = this.delayUs;
    if (this.jitterUs > 0) delayUs += this.rng.between(-this.jitterUs, this.jitterUs);
    packet.atUs = leftUs + Math.max(delayUs, 0);
    this.flight.push(packet);
  }

  private stall(packet: Packet): void {
    this.stalled = true;
    packet.atUs = 0;
    this.flight.push(packet);
  }

  private arm(): void {
    const flying = this.flight.at(0);
    if (flying !== undefined && !this.stalled) this.task.wakeAt(flying.atUs);
    if (this.waiting.length > 0 && this.flight.length < FLIGHT_LIMIT) this.task.wakeAt(this.lineFreeUs());
  }
}
