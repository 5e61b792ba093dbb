import { spawnSync } from 'node:child_process';
import { libc } from '../../src/node/linux/libc.ts';
import { setUp } from '../../src/node/linux/netdev.ts';

const CLONE_NEWNET = 0x40000000;

/** Why the tests against the kernel cannot run here, or false. Says so loudly in the test's report. */
export function cannotRun(...tools: readonly string[]): string | false {
  if (process.platform !== 'linux') return 'NOT LINUX: nothing was tried against the kernel';
  if (process.getuid?.() !== 0) return 'NOT ROOT: nothing was tried against the kernel';
  for (const tool of ['ip', ...tools]) {
    const why = missing(tool);
    if (why !== false) return `${why}: nothing was tried against the kernel`;
  }
  return spawnSync('sh', ['-c', ': <> /dev/net/tun']).status === 0
    ? false
    : 'NO /dev/net/tun: nothing was tried';
}

/** Why a test that needs this tool cannot run here, or false. */
export function missing(tool: string): string | false {
  const { status } = spawnSync('sh', ['-c', `command -v ${tool}`]);
  return status === 0 ? false : `${tool} IS NOT INSTALLED`;
}

/**
 * Takes this process's main thread, and every process that it starts from now on, to a new network namespace with
 * nothing in it but a loopback. The one before is gone when nobody is in it any more.
 */
export function enterNewNetwork(): void {
  const unshare = libc().koffi.load(null).func('int unshare(int flags)') as (flags: number) => number;
  if (unshare(CLONE_NEWNET) !== 0) throw new Error('unshare(CLONE_NEWNET) failed');
  setUp('lo');
}
