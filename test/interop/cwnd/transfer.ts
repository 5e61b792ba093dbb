/**
 * One stream over a faulty bridge to a host of the kernel's, and what becomes of its congestion window.
 * @module
 */
import { spawnSync } from 'node:child_process';
import type { Sysctl } from '../../../src/core/sysctl.ts';
import type { FaultyLink } from '../../../src/link/faulty.ts';
import type { Faults } from '../../../src/link/lane.ts';
import { FaultyBridge } from '../support/bridge.ts';
import { IPV4 } from '../support/family.ts';
import { startShell } from '../support/programs.ts';
import { sleep } from '../support/until.ts';
import { type Clock, type Phase, runProgram, type Sample } from './program.ts';
import { ScriptedLoss } from './scripted-loss.ts';
import { connectKernel, connectOurs, type Sender } from './sender.ts';

/** Who sends: the kernel with its CUBIC, or a stack of ours with these sysctls. */
export type Who = 'kernel' | Partial<Sysctl>;

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
  /** The share of the packets that is lost by lot, both ways; and the lot. */
  readonly loss?: number;
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

const PORT = 7002;
/** Of the receiver, longer than any journey. */
const LIMIT_MS = 600_000;

const REAL: Clock = { nowMs: () => performance.now(), sleep };

/** Sends for as long as the journey says. */
export async function travel(who: Who, journey: Journey): Promise<Course> {
  const { rttMs, rate, queueLimit, markAt, loss, seed = 1, positions = [], phases } = journey;
  const script = new ScriptedLoss(positions, () => performance.now());
  const delayUs = (rttMs * 1000) / 2;
  const data: Faults = { delayUs, rate, queueLimit, markAt, loss, drop: script.drop };
  const bridge = new FaultyBridge(IPV4, { down: data, up: { delayUs, loss } }, seed);
  try {
    const receiver = await bridge.kernel();
    const { address } = receiver;
    const line = `exec nc -n -v -l ${address} ${PORT} >/dev/null`;
    const nc = receiver.run(() => startShell(line, { limitMs: LIMIT_MS }));
    await nc.says(/Listening/);
    const [sender, port] = await connect(who, markAt !== undefined, bridge, address);
    const beganMs = performance.now();
    const timers = journey.stall === undefined ? [] : plan(journey.stall, port, data);
    const samples = await runProgram(sender, phases, REAL);
    const goodput = (sender.info().bytesAcked * 8e3) / (performance.now() - beganMs);
    for (const timer of timers) clearTimeout(timer);
    sender.abort();
    await nc.ended;
    const lostAt = script.lostAtMs.map(atMs => (atMs - beganMs) / 1000);
    return { samples, lostAt, goodput };
  } finally {
    bridge.close();
  }
}

async function connect(
  who: Who,
  ecn: boolean,
  bridge: FaultyBridge,
  address: string,
): Promise<[Sender, FaultyLink]> {
  if (who === 'kernel') {
    const [place, port] = await bridge.faultyKernel();
    await place.shell(`sysctl -qw net.ipv4.tcp_congestion_control=cubic net.ipv4.tcp_ecn=${ecn ? 1 : 2}`);
    return [await connectKernel(place, address, PORT), port];
  }
  const [stack, port] = bridge.faultyStack({ tcp_ecn: ecn ? 1 : 2, ...who });
  return [await connectOurs(stack, address, PORT), port];
}

function plan({ from, to, ms }: Stall, port: FaultyLink, data: Faults): NodeJS.Timeout[] {
  const slow = { ...data, delayUs: (data.delayUs ?? 0) + ms * 1000 };
  const set = (down: Faults, at: number) => setTimeout(() => port.configure({ down }), at * 1000);
  return [set(slow, from), set(data, to)];
}

/**
 * Gives this process and those it starts the processor whenever they want it: a bridge that comes late is a path with
 * jitter. Returns why that could not be done, or null.
 */
export function takePrecedence(): string | null {
  const { status, stderr } = spawnSync('chrt', ['--fifo', '--all-tasks', '--pid', '10', `${process.pid}`], {
    encoding: 'utf8',
  });
  return status === 0 ? null : `chrt: ${stderr ?? 'is not installed'}`;
}
