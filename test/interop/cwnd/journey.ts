/**
 * What a stream goes through, and what becomes of its congestion window: the same on real clocks and on a virtual one.
 * @module
 */
import type { Faults } from '../../../src/link/lane.ts';
import { type Clock, type Phase, runProgram, type Sample } from './program.ts';
import type { ScriptedLoss } from './scripted-loss.ts';
import type { Sender } from './sender.ts';

/** The way of a stream, what goes wrong on it, and what the sending program does. */
export interface Journey {
  /** Of the path alone; half of it each way. */
  readonly rttMs: number;
  /** Of the bottleneck, bits a second, and how many packets wait there. */
  readonly rate: number;
  readonly queueLimit: number;
  /** The bottleneck marks packets that find so many waiting; then both ends do ECN. */
  readonly markAt?: number;
  readonly stall?: Stall;
  /** Bytes of the stream whose first transmission is lost. */
  readonly positions?: readonly number[];
  /** What goes wrong by lot, both ways; and the lot. */
  readonly faults?: Faults;
  readonly seed?: number;
  readonly phases: readonly Phase[];
}

/** What is sent between these seconds is under way for so much longer. */
export interface Stall {
  readonly from: number;
  readonly to: number;
  readonly ms: number;
}

/** What became of a stream. */
export interface Course {
  readonly samples: readonly Sample[];
  /** When scripted losses happened, in seconds. */
  readonly lostAt: readonly number[];
  /** Acknowledged bits a second. */
  readonly goodput: number;
}

/** What happens to the data, and to the acknowledgements. */
export interface Ways {
  readonly data: Faults;
  readonly acks: Faults;
}

/** The path of a journey; `script` loses its positions. */
export function waysOf(journey: Journey, script: ScriptedLoss): Ways {
  const { rttMs, rate, queueLimit, markAt, faults } = journey;
  const delayUs = (rttMs * 1000) / 2;
  return {
    data: { ...faults, delayUs, rate, queueLimit, markAt, drop: script.drop },
    acks: { ...faults, delayUs },
  };
}

/** tcp_ecn of a sender: asks for ECN when the path marks. */
export function ecnOf({ markAt }: Journey): 1 | 2 {
  return markAt === undefined ? 2 : 1;
}

/** Sends for as long as the journey says, then resets the connection. `configure` changes what happens to the data. */
export async function sendAlong(
  sender: Sender,
  { phases, stall }: Journey,
  script: ScriptedLoss,
  { data }: Ways,
  configure: (data: Faults) => void,
  clock: Clock,
): Promise<Course> {
  const beganMs = clock.nowMs();
  if (stall !== undefined) {
    const slow = { ...data, delayUs: (data.delayUs ?? 0) + stall.ms * 1000 };
    void clock.sleep(stall.from * 1000).then(() => configure(slow));
    void clock.sleep(stall.to * 1000).then(() => configure(data));
  }
  const samples = await runProgram(sender, phases, clock);
  const goodput = (sender.info().bytesAcked * 8e3) / (clock.nowMs() - beganMs);
  sender.abort();
  return { samples, lostAt: script.lostAtMs.map(atMs => (atMs - beganMs) / 1000), goodput };
}
