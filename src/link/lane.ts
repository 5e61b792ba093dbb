import type { Rng } from '../base/rng.ts';
import type { Env, Task } from '../core/env.ts';
import type { Medium } from '../core/link.ts';
import { CHECKSUM_NONE, type Packet } from '../core/packet.ts';
import { completeChecksum } from '../core/partial-checksum.ts';
import type { FaultEvent } from '../trace/events.ts';
import { copyPacket, isTooBig, linkHeaderLength, markFrame } from './frame.ts';
import { Pipe, type PipeOptions, type PipeSink } from './pipe.ts';

/** Loss in bursts (Gilbert and Elliott): a channel that is good or bad, and moves between the two frame by frame. */
export interface BurstLoss {
  /** Probability, a frame, to go from good to bad. */
  enter: number;
  /** Probability, a frame, to go from bad to good: bad times are 1/leave frames long on average. */
  leave: number;
  /** Probability of loss while bad. Default 1. */
  loss?: number | undefined;
}

/** What goes wrong in one direction of a link. Probabilities are 0 .. 1 a frame; what is not given does not happen. */
export interface Faults extends PipeOptions {
  loss?: number | undefined;
  burst?: BurstLoss | undefined;
  /** A second copy follows at once. */
  duplicate?: number | undefined;
  /** The frame waits until others have overtaken it. */
  reorder?: number | undefined;
  /** How many frames overtake it. Default 3. */
  reorderBehind?: number | undefined;
  /** How long it waits at most for them, in microseconds. Default 10,000. */
  reorderHoldUs?: number | undefined;
  /** Bits behind the link header are inverted, and no frame check sequence notices. */
  corrupt?: number | undefined;
  /** How many bits. One is always found by the Internet checksum, two are not. Default 1. */
  corruptBits?: number | undefined;
  /** An ECN-capable packet is marked: it has met congestion somewhere (RFC 3168 section 5). */
  mark?: number | undefined;
  /** A narrower place on the way, in bytes of IP packet: what is larger vanishes. */
  mtu?: number | undefined;
  /** Drops exactly the frames for which it is true. `index` counts the frames of this direction from 0. */
  drop?: ((packet: Packet, index: number) => boolean) | undefined;
}

/** What can go wrong, by its name in the trace. */
export type Fault = FaultEvent['fault'];

/** How often each fault happened, and how many frames went on (duplicates included). */
export type FaultCounters = Record<Fault | 'passed', number>;

/** Frames that one direction holds back for reordering; beyond it none is. */
export const REORDER_LIMIT = 256;
const REORDER_BEHIND = 3;
const REORDER_HOLD_US = 10_000;

interface HeldPacket {
  packet: Packet;
  behind: number;
  untilUs: number;
}

/** One direction of a faulty link: frames that survive go on through a pipe, where they wait their time. */
export class Lane {
  readonly counters: FaultCounters = {
    passed: 0,
    loss: 0,
    duplicate: 0,
    reorder: 0,
    corrupt: 0,
    mark: 0,
    'queue-full': 0,
    'too-big': 0,
    'cable-pulled': 0,
    'cable-in': 0,
    drop: 0,
  };
  private faults: Faults;
  private readonly env: Env;
  private readonly rng: Rng;
  private readonly medium: Medium;
  private readonly report: (fault: Fault, length: number) => void;
  private readonly pipe: Pipe;
  private readonly task: Task;
  private held: HeldPacket[] = [];
  private index = 0;
  private bad = false;

  constructor(
    env: Env,
    rng: Rng,
    medium: Medium,
    faults: Faults,
    sink: Omit<PipeSink, 'mark'>,
    report: (fault: Fault, length: number) => void,
  ) {
    this.env = env;
    this.rng = rng;
    this.medium = medium;
    this.faults = faults;
    this.report = report;
    this.pipe = new Pipe(env, rng.fork(), faults, { ...sink, mark: packet => this.mark(packet) }, true);
    this.task = env.task(() => this.endHolds());
  }

  /** Changes what goes wrong from the next frame on. */
  configure(faults: Faults): void {
    this.faults = faults;
    this.pipe.configure(faults);
  }

  /** Frames held. */
  get length(): number {
    return this.pipe.length + this.held.length;
  }

  /** Takes a frame; false when the queue is full: then nothing happened to it. */
  offer(packet: Packet): boolean {
    if (this.pipe.full()) return false;
    const fault = this.fate(packet);
    if (fault !== null) {
      this.lose(packet, fault);
      return true;
    }
    const { faults, rng } = this;
    if (rng.chance(faults.mark ?? 0)) this.mark(packet);
    if (rng.chance(faults.corrupt ?? 0)) this.corrupt(packet);
    if (rng.chance(faults.duplicate ?? 0)) this.duplicate(packet);
    if (rng.chance(faults.reorder ?? 0) && this.held.length < REORDER_LIMIT) this.hold(packet);
    else this.pass(packet);
    return true;
  }

  /** Drops a frame and says why. */
  lose(packet: Packet, fault: Fault): void {
    this.count(fault, packet.length);
    packet.release();
  }

  /** The other side takes frames again. */
  resume(): void {
    this.pipe.resume();
  }

  /** Sends on what is held back, though nothing has overtaken it. */
  flush(): void {
    this.task.cancel();
    this.letGo(() => true);
  }

  /** Drops what is held. */
  clear(): void {
    this.task.cancel();
    for (const { packet } of this.held.splice(0)) this.lose(packet, 'loss');
    this.counters.loss += this.pipe.clear();
  }

  /** `clear()`, and nothing runs any more. */
  close(): void {
    this.clear();
    this.pipe.close();
  }

  private fate(packet: Packet): Fault | null {
    const { faults } = this;
    const index = this.index++;
    if (faults.drop?.(packet, index) === true) return 'drop';
    const { mtu } = faults;
    if (mtu !== undefined && isTooBig(packet, this.medium, mtu, 0)) return 'too-big';
    if (this.rng.chance(faults.loss ?? 0)) return 'loss';
    if (faults.burst !== undefined && this.lostInBurst(faults.burst)) return 'loss';
    return null;
  }

  private lostInBurst(burst: BurstLoss): boolean {
    if (this.rng.chance(this.bad ? burst.leave : burst.enter)) this.bad = !this.bad;
    return this.bad && this.rng.chance(burst.loss ?? 1);
  }

  private corrupt(packet: Packet): void {
    const from = packet.start + linkHeaderLength(packet, this.medium);
    if (from === packet.end) return;
    completeChecksum(packet);
    packet.checksumState = CHECKSUM_NONE;
    for (let bits = this.faults.corruptBits ?? 1; bits > 0; bits--) {
      const at = this.rng.between(from, packet.end - 1);
      packet.view.setUint8(at, packet.view.getUint8(at) ^ (1 << this.rng.below(8)));
    }
    this.count('corrupt', packet.length);
  }

  private mark(packet: Packet): void {
    if (markFrame(packet, this.medium)) this.count('mark', packet.length);
  }

  private duplicate(packet: Packet): void {
    const copy = copyPacket(packet);
    if (copy === null) return;
    this.count('duplicate', packet.length);
    this.pass(copy);
  }

  private hold(packet: Packet): void {
    this.count('reorder', packet.length);
    const untilUs = this.env.nowUs() + (this.faults.reorderHoldUs ?? REORDER_HOLD_US);
    this.held.push({ packet, behind: this.faults.reorderBehind ?? REORDER_BEHIND, untilUs });
    this.task.wakeAt(untilUs);
  }

  private pass(packet: Packet): void {
    this.sendOn(packet);
    if (this.held.length === 0) return;
    for (const held of this.held) held.behind--;
    this.letGo(held => held.behind <= 0);
  }

  private endHolds(): void {
    const nowUs = this.env.nowUs();
    this.letGo(held => held.untilUs <= nowUs);
    for (const { untilUs } of this.held) this.task.wakeAt(untilUs);
  }

  private letGo(done: (held: HeldPacket) => boolean): void {
    const free = this.held.filter(done);
    this.held = this.held.filter(held => !free.includes(held));
    for (const { packet } of free) this.sendOn(packet);
  }

  private sendOn(packet: Packet): void {
    this.counters.passed++;
    this.pipe.push(packet);
  }

  private count(fault: Fault, length: number): void {
    this.counters[fault]++;
    this.report(fault, length);
  }
}
