import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Source } from './source.ts';

/** The folder of package.json, wherever the compiled tests lie. */
export function repositoryRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder);
  return folder;
}

/** Paths of the files under `folder` whose name ends with `suffix`, relative to the root, sorted. */
export function filesUnder(folder: string, suffix: string): string[] {
  const root = repositoryRoot();
  const found: string[] = [];
  const visit = (path: string): void => {
    for (const entry of readdirSync(path, { withFileTypes: true })) {
      const child = join(path, entry.name);
      if (entry.isDirectory()) visit(child);
      else if (entry.name.endsWith(suffix)) found.push(relative(root, child).replaceAll('\\', '/'));
    }
  };
  if (existsSync(join(root, folder))) visit(join(root, folder));
  return found.sort();
}

/** The text of a file of the repository. */
export function readText(path: string): string {
  return readFileSync(join(repositoryRoot(), path), 'utf8');
}

/** Every TypeScript file under the folders, scanned. */
export function sourcesUnder(...folders: string[]): Source[] {
  return folders.flatMap(folder => filesUnder(folder, '.ts').map(path => new Source(path, readText(path))));
}
