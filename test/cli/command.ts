import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { repositoryRoot } from '../support/repository.ts';

/** What a command printed and how it ended. */
export interface Ran {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

/** Runs `ethertype` with these arguments, as a user would. */
export function ethertype(...args: string[]): Ran {
  const script = join(repositoryRoot(), 'bin', 'ethertype.js');
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...args], {
    encoding: 'utf8',
    env: { ...process.env, TZ: 'UTC' },
    maxBuffer: 1 << 26,
  });
  return { status, out: stdout, err: stderr };
}
