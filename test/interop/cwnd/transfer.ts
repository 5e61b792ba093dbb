/**
 * One stream over a faulty bridge to a host of the kernel's.
 * @module
 */
import { spawnSync } from 'node:child_process';
import type { Sysctl } from '../../../src/core/sysctl.ts';
import type { FaultyLink } from '../../../src/link/faulty.ts';
import { FaultyBridge } from '../support/bridge.ts';
import { IPV4 } from '../support/family.ts';
import { startShell } from '../support/programs.ts';
import { sleep } from '../support/until.ts';
import { type Course, ecnOf, type Journey, sendAlong, waysOf } from './journey.ts';
import type { Clock } from './program.ts';
import { ScriptedLoss } from './scripted-loss.ts';
import { connectKernel, connectOurs, type Sender } from './sender.ts';

/** Who sends: the kernel with its CUBIC, or a stack of ours with these sysctls. */
export type Who = 'kernel' | Partial<Sysctl>;

const PORT = 7002;
/** Of the receiver, longer than any journey. */
const LIMIT_MS = 600_000;

const CLOCK: Clock = { nowMs: () => performance.now(), sleep };

/** Sends for as long as the journey says. */
export async function travel(who: Who, journey: Journey): Promise<Course> {
  const script = new ScriptedLoss(journey.positions ?? [], CLOCK.nowMs);
  const ways = waysOf(journey, script);
  const bridge = new FaultyBridge(IPV4, { down: ways.data, up: ways.acks }, journey.seed ?? 1);
  try {
    const receiver = await bridge.kernel();
    const { address } = receiver;
    const line = `exec nc -n -v -l ${address} ${PORT} >/dev/null`;
    const nc = receiver.run(() => startShell(line, { limitMs: LIMIT_MS }));
    try {
      await nc.says(/Listening/);
      const [sender, port] = await connect(who, ecnOf(journey), bridge, address);
      return await sendAlong(sender, journey, script, ways, down => port.configure({ down }), CLOCK);
    } finally {
      // The reset that ends the connection may have been lost.
      await nc.stop('SIGKILL');
    }
  } finally {
    bridge.close();
  }
}

async function connect(
  who: Who,
  ecn: 1 | 2,
  bridge: FaultyBridge,
  address: string,
): Promise<[Sender, FaultyLink]> {
  if (who === 'kernel') {
    const [place, port] = await bridge.faultyKernel();
    await place.shell(`sysctl -qw net.ipv4.tcp_congestion_control=cubic net.ipv4.tcp_ecn=${ecn}`);
    return [await connectKernel(place, address, PORT), port];
  }
  const [stack, port] = bridge.faultyStack({ tcp_ecn: ecn, ...who });
  return [await connectOurs(stack, address, PORT), port];
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
