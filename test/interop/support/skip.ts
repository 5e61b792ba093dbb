import { existsSync } from 'node:fs';
import { libc } from '../../../src/node/linux/libc.ts';
import { skipReason } from '../../node/linux/netns.ts';

/** Why nothing can be tried with these programs of the kernel's side here, or false. It is shown in the report. */
export function skipUnless(...tools: readonly string[]): string | false {
  const reason = skipReason('setpriv', ...tools);
  if (reason !== false) return `SKIPPED, ${reason}`;
  if (!existsSync('/dev/net/tun'))
    return 'SKIPPED, THERE IS NO /dev/net/tun: nothing was tried on real devices';
  try {
    libc();
    return false;
  } catch (error) {
    return `SKIPPED, ${(error as Error).message}: nothing was tried on real devices`;
  }
}
