import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Failure, failureOf } from '../failure.ts';

/** Where a checkout of google/packetdrill has its scripts about TCP. */
const TCP_SCRIPTS = join('gtests', 'net', 'tcp');

/**
 * The scripts meant by these paths, sorted within each folder. A path that does not exist is looked for under
 * `scripts`, a checkout of packetdrill or any other folder; no path at all means everything there.
 */
export function findScripts(paths: readonly string[], scripts: string | undefined): string[] {
  const roots =
    scripts === undefined ? [] : [join(scripts, TCP_SCRIPTS), scripts].filter(root => existsSync(root));
  if (scripts !== undefined && roots.length === 0) throw new Failure(`${scripts}: no such file or folder`);
  const wanted = paths.length === 0 ? roots.slice(0, 1) : paths.map(path => locate(path, roots));
  const found = wanted.flatMap(scriptsUnder);
  if (found.length === 0) throw new Failure(`no scripts (*.pkt) in ${wanted.join(', ')}`);
  return found;
}

function locate(path: string, roots: readonly string[]): string {
  const candidates = [path, ...roots.map(root => join(root, path))];
  const found = candidates.find(candidate => existsSync(candidate));
  if (found === undefined) throw new Failure(`${path}: no such file or folder`);
  return found;
}

function scriptsUnder(path: string): string[] {
  try {
    if (!statSync(path).isDirectory()) return [path];
    return readdirSync(path, { withFileTypes: true })
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .flatMap(entry => {
        const child = join(path, entry.name);
        if (entry.isDirectory()) return scriptsUnder(child);
        return entry.name.endsWith('.pkt') ? [child] : [];
      });
  } catch (error) {
    throw failureOf(path, error);
  }
}
