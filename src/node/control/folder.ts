/**
 * Where the running stacks of a user can be found: a folder that only the user can enter.
 * @module
 */
import { lstatSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Where the system keeps what lives as long as a user is logged in; not there for root behind sudo. */
const RUNTIME_VARIABLE = 'XDG_RUNTIME_DIR';
/** What others may do with the folder: nothing. */
const OTHERS = 0o077;
/** sockaddr_un.sun_path has 108 bytes, of which the name of the socket takes up to 40. */
const PATH_MAX = 64;

/** The folder's path. Whether it is there, and ours, is another question. */
export function controlFolder(): string {
  const runtime = process.env[RUNTIME_VARIABLE];
  if (runtime !== undefined && runtime.length < PATH_MAX && isOurs(runtime))
    return join(runtime, 'ethertype');
  const temporary = tmpdir();
  return join(temporary.length < PATH_MAX ? temporary : '/tmp', `ethertype-${outerUid()}`);
}

/** Makes the folder when it is not there. Throws an Error when it is not one that only this user can enter. */
export function openControlFolder(): string {
  const folder = controlFolder();
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  checkControlFolder(folder);
  return folder;
}

/** Throws an Error when the folder is not one that only this user can enter; Node's ENOENT when there is none. */
export function checkControlFolder(folder: string): void {
  const stats = lstatSync(folder);
  if (!stats.isDirectory()) throw new Error(`${folder} is not a folder`);
  if (stats.uid !== process.geteuid?.()) throw new Error(`${folder} belongs to another user`);
  if ((stats.mode & OTHERS) !== 0) throw new Error(`${folder} can be entered by other users`);
}

function isOurs(folder: string): boolean {
  try {
    const stats = statSync(folder);
    return stats.isDirectory() && stats.uid === process.geteuid?.();
  } catch {
    return false;
  }
}

/** The user as seen from outside of a user namespace: its "root" must not meet the real one's folder. */
function outerUid(): number {
  const uid = process.geteuid?.() ?? 0;
  try {
    for (const line of readFileSync('/proc/self/uid_map', 'utf8').trim().split('\n')) {
      const [inside = 0, outside = 0, count = 0] = line.trim().split(/\s+/).map(Number);
      if (uid >= inside && uid < inside + count) return outside + (uid - inside);
    }
  } catch {
    // No /proc: there is no namespace to look out of.
  }
  return uid;
}
