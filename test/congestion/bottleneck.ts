import assert from 'node:assert/strict';
import type { Sysctl } from '../../src/core/sysctl.ts';
import { Pattern } from '../../src/sim/pattern.ts';
import { World } from '../../src/sim/world.ts';
import type { Stack } from '../../src/stack/stack.ts';
import { Receiver, Sender } from '../golden/streams.ts';

/** More than any flow can send. */
const ENDLESS = 1e12;
const SAMPLE_US = 1000;
/** Of an Ethernet frame with 1448 bytes of payload. */
const FRAME_BITS = 1514 * 8;
const pattern = new Pattern();

/** A line that several senders share, and what they send by. */
export interface BottleneckOptions {
  /** Bits a second. */
  readonly rate: number;
  /** One way, in microseconds. */
  readonly delayUs: number;
  /** Packets. */
  readonly queueLimit: number;
  readonly markAt?: number;
  readonly loss?: number;
  /** When each flow begins, in seconds. */
  readonly starts: readonly number[];
  readonly sysctl: Partial<Sysctl>;
  readonly seed?: number;
}

/** One TCP stream a sender, over one line to one receiver, on virtual time. */
export class Bottleneck {
  readonly world: World;
  readonly senders: Stack[] = [];
  /** Packets that one round trip without a queue holds. */
  readonly bdp: number;
  private readonly receiver: Receiver;
  private readonly line: ReturnType<World['connect']>;
  private readonly startUs: number;

  constructor(options: BottleneckOptions) {
    const { rate, delayUs, queueLimit, markAt = 0, loss = 0, starts, sysctl, seed = 1 } = options;
    const world = new World({ seed, sysctl });
    const lan = world.switch('s');
    const sink = world.host('sink');
    this.world = world;
    this.bdp = (rate * 2 * delayUs) / 1e6 / FRAME_BITS;
    this.line = world.connect(lan, sink, { delayUs, there: { rate, queueLimit, markAt, loss } });
    this.receiver = new Receiver(sink, pattern);
    this.startUs = world.nowUs;
    for (const [i, start] of starts.entries()) {
      const host = world.host(`a${i}`);
      world.connect(host, lan);
      this.senders.push(host);
      const sender = new Sender(host, pattern, '10.0.0.1');
      const task = world.clock.env(i).task(() => sender.open(40_000 + i, ENDLESS));
      task.wakeAt(this.startUs + start * 1e6);
    }
  }

  /** Runs until `seconds` after the begin: bits a second of each flow, and packets in the queue, since the last call. */
  runTo(seconds: number): { rates: number[]; total: number; queue: number; queueMax: number } {
    const { world } = this;
    const before = this.bytes();
    const fromUs = world.nowUs;
    const untilUs = this.startUs + seconds * 1e6;
    let [sum, samples, queueMax, nextUs] = [0, 0, 0, fromUs];
    while (world.nowUs < untilUs) {
      assert.ok(world.clock.step(), 'the world stands still');
      if (world.nowUs < nextUs) continue;
      const queued = this.line.queued.there;
      sum += queued;
      samples++;
      queueMax = Math.max(queueMax, queued);
      nextUs = world.nowUs + SAMPLE_US;
    }
    const rates = this.bytes().map((bytes, i) => ((bytes - (before[i] ?? 0)) * 8e6) / (world.nowUs - fromUs));
    const total = rates.reduce((a, b) => a + b, 0);
    return { rates, total, queue: sum / samples, queueMax };
  }

  /** Packets that were marked. */
  get marked(): number {
    return this.line.counters.there.mark;
  }

  /** TCP_INFO of each flow, and what its congestion control tells. */
  flows(): {
    info: { readonly [name: string]: number };
    model: { readonly [name: string]: number } | null;
  }[] {
    return this.senders.map(sender => {
      const row = sender.sockets().find(({ info }) => info !== null);
      assert.ok(row?.info);
      return { info: row.info, model: row.model };
    });
  }

  private bytes(): number[] {
    const { streams } = this.receiver;
    return this.senders.map((_, i) => streams.find(({ stream }) => stream === 40_000 + i)?.bytes ?? 0);
  }
}
