/**
 * Which of the running stacks a command asks.
 * @module
 */
import { askControl } from '../node/control/ask.ts';
import type { Answers, Want } from '../node/control/protocol.ts';
import { findRunning, type Running } from '../node/control/running.ts';
import { Failure } from './failure.ts';

/** The options that choose one. */
export interface Choice {
  readonly pid?: number;
  readonly tap?: string;
}

/** What a running stack answered. */
export interface Answered<W extends Want> {
  /** '# serve, process 1234, tap0 with 10.65.0.2/24' */
  readonly heading: string;
  readonly pid: number;
  readonly device: string;
  readonly answer: Answers[W];
}

/**
 * Asks every running stack that was chosen. Throws a Failure when there is none, or when one that was chosen does not
 * answer.
 */
export async function askRunning<W extends Want>(choice: Choice, want: W): Promise<Answered<W>[]> {
  const chosen = await choose(choice);
  const answered: Answered<W>[] = [];
  for (const { path, pid, device, about } of chosen) {
    const name = about?.name ?? 'ethertype';
    const address = about === null ? '' : ` with ${about.address}`;
    try {
      const answer = await askControl(path, want);
      answered.push({ heading: `# ${name}, process ${pid}, ${device}${address}`, pid, device, answer });
    } catch (error) {
      // Of several, one that has just ended does not keep the others.
      if (chosen.length > 1) continue;
      throw new Failure(`process ${pid} on ${device} does not answer: ${(error as Error).message}`);
    }
  }
  return answered;
}

async function choose({ pid, tap }: Choice): Promise<readonly Running[]> {
  let running: readonly Running[];
  try {
    ({ running } = await findRunning());
  } catch (error) {
    throw new Failure(`cannot look for running stacks: ${(error as Error).message}`);
  }
  const chosen = running.filter(
    each => (pid ?? each.pid) === each.pid && (tap ?? each.device) === each.device,
  );
  if (chosen.length > 0) return chosen;
  const which = pid !== undefined ? ` in process ${pid}` : tap !== undefined ? ` on ${tap}` : '';
  throw new Failure(
    `no stack of this user is running${which} (one that was started with sudo is root's: use sudo)`,
  );
}
