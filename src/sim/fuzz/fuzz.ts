/**
 * The mutation fuzzer: records what hosts say to each other, changes it, and lets it into one of them.
 * @module
 */
import { Rng } from '../../base/rng.ts';
import type { Packet } from '../../core/packet.ts';
import { Arena, touchesInnocent } from './arena.ts';
import { MUTANT_MAX, Mutator } from './mutator.ts';

/** What to do. The same frames and seed do the same, frame for frame. */
export interface FuzzOptions {
  /** Frames to inject. */
  readonly frames: number;
  readonly seed: number;
  /** Bytes of JavaScript heap in use after a collection, when that can be told: so that its growth can be checked. */
  readonly heapUsed?: () => number;
  /** Told every few thousand frames how many were injected. */
  readonly onProgress?: (frames: number) => void;
}

/** What went wrong. */
export interface FuzzViolation {
  readonly kind: 'exception' | 'contradiction' | 'growth' | 'harmed';
  readonly message: string;
  /** Frames injected before it showed; running this many with the same seed shows it again. */
  readonly frames: number;
  /** The frame that was processed last, when the target threw. */
  readonly frame: Uint8Array | null;
}

/** The outcome of a run. */
export interface FuzzResult {
  readonly frames: number;
  readonly exceptions: number;
  readonly harmed: number;
  readonly growths: number;
  readonly contradictions: number;
  /** Innocent conversations that went well while frames were coming in. */
  readonly conversations: number;
  /** Bytes by which the heap has grown since the first drain; null when it was not looked at. */
  readonly heapGrowth: number | null;
  readonly violations: readonly FuzzViolation[];
}

/** Frames that are injected at once. */
const BATCH = 32;
/** Batches between two looks at the limits. */
const CHECK_EVERY = 64;
/** Frames between two drains, where nothing may be left; the first one comes early, as the base for the heap. */
const EPOCH = 250_000;
const FIRST_EPOCH = 20_000;
/** Bytes of heap that a run may gain after the first drain: caches and pools that are not yet full. */
const HEAP_GROWTH_MAX = 24 * 1024 * 1024;
/** Violations after which there is nothing more to learn. */
const VIOLATIONS_MAX = 10;

/** Runs the fuzzer; returns when all frames are in or too much went wrong. */
export function fuzz(options: FuzzOptions): FuzzResult {
  return new Fuzzer(options).run();
}

class Fuzzer {
  private readonly options: FuzzOptions;
  private readonly rng: Rng;
  private readonly arena: Arena;
  private readonly mutator: Mutator;
  private readonly violations: FuzzViolation[] = [];
  private frames = 0;
  private batches = 0;
  private heapBase: number | null = null;
  private heapNow: number | null = null;
  /** Copies of the frames of this batch, for the report of an exception; `mark` numbers them from 1. */
  private readonly batch: Uint8Array[] = [];
  private readonly lengths: number[] = [];
  private lastMark = 0;

  constructor(options: FuzzOptions) {
    this.options = options;
    this.rng = new Rng(options.seed);
    this.arena = new Arena(this.rng.fork());
    this.mutator = new Mutator(this.arena.tape, this.rng.fork());
    for (let i = 0; i < BATCH; i++) this.batch.push(new Uint8Array(MUTANT_MAX + 300));
    this.arena.target.hook('ingress', packet => {
      this.lastMark = packet.mark;
      return true;
    });
  }

  run(): FuzzResult {
    const { options, arena } = this;
    let drainAt = Math.min(FIRST_EPOCH, options.frames);
    while (this.frames < options.frames && this.violations.length < VIOLATIONS_MAX) {
      if (!this.attempt(() => this.step())) break;
      if (this.batches % CHECK_EVERY === 0) this.check();
      if (this.frames < drainAt) continue;
      drainAt = Math.min(this.frames + EPOCH, options.frames);
      if (!this.attempt(() => this.drain())) break;
    }
    this.attempt(() => arena.close());
    const count = (kind: FuzzViolation['kind']): number =>
      this.violations.filter(violation => violation.kind === kind).length;
    return {
      frames: this.frames,
      exceptions: count('exception'),
      harmed: count('harmed'),
      growths: count('growth'),
      contradictions: count('contradiction'),
      conversations: arena.innocent.finished,
      heapGrowth: this.heapBase === null ? null : (this.heapNow ?? 0) - this.heapBase,
      violations: this.violations,
    };
  }

  /** One batch of frames and some time. */
  private step(): void {
    const { arena, options } = this;
    const count = Math.min(BATCH, options.frames - this.frames);
    for (let i = 0; i < count; i++) this.injectOne(i);
    this.batches++;
    arena.turn(this.pause(), true);
  }

  private injectOne(slot: number): void {
    const { arena } = this;
    const packet = arena.newPacket(MUTANT_MAX);
    this.frames++;
    if (packet === null) {
      this.report('growth', 'no packet is left');
      return;
    }
    if (!this.mutator.fill(packet) || touchesInnocent(packet)) {
      packet.release();
      return;
    }
    this.keep(slot, packet);
    packet.mark = slot + 1;
    arena.inject(packet);
  }

  private keep(slot: number, packet: Packet): void {
    this.lengths[slot] = packet.length;
    this.batch[slot]?.set(packet.bytes.subarray(packet.start, packet.end));
  }

  /** Mostly a moment, now and then long enough for timers. In microseconds. */
  private pause(): number {
    const { rng } = this;
    if (rng.chance(0.0005)) return 5_000_000;
    if (rng.chance(0.005)) return 300_000;
    return rng.chance(0.05) ? 20_000 : rng.between(50, 500);
  }

  private check(): void {
    const over = this.arena.overLimit();
    if (over !== null) this.report('growth', over);
    const broken = this.arena.contradiction();
    if (broken !== null) this.report('contradiction', broken);
    this.reportHarm();
    this.options.onProgress?.(this.frames);
  }

  private reportHarm(): void {
    for (const harm of this.arena.innocent.harms.splice(0)) this.report('harmed', harm);
  }

  private drain(): void {
    const { arena, options } = this;
    arena.drain();
    this.reportHarm();
    const left = arena.leftOver();
    if (left !== null) this.report('growth', left);
    if (options.heapUsed === undefined) return;
    this.heapNow = options.heapUsed();
    this.heapBase ??= this.heapNow;
    const growth = this.heapNow - this.heapBase;
    if (growth > HEAP_GROWTH_MAX) this.report('growth', `the heap grew by ${growth} bytes`);
  }

  /** False when it threw, which is reported. */
  private attempt(part: () => void): boolean {
    this.lastMark = 0;
    try {
      part();
      return true;
    } catch (error) {
      const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
      const slot = this.lastMark - 1;
      const frame = slot < 0 ? null : (this.batch[slot] as Uint8Array).slice(0, this.lengths[slot]);
      this.violations.push({ kind: 'exception', message, frames: this.frames, frame });
      return false;
    }
  }

  private report(kind: FuzzViolation['kind'], message: string): void {
    this.violations.push({ kind, message, frames: this.frames, frame: null });
  }
}
