import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join, posix } from 'node:path';
import { describe, it } from 'node:test';
import { pathToFileURL } from 'node:url';
import { readText, repositoryRoot } from './support/repository.ts';

type Target = string | { readonly [condition: string]: Target };

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly exports: Readonly<Record<string, Target>>;
  readonly bin: Readonly<Record<string, string>>;
  readonly files: readonly string[];
}

const root = repositoryRoot();
const manifest = JSON.parse(readText('package.json')) as Manifest;

/** Every file an entry of the exports map may lead to, with the conditions on the way. */
function targets(target: Target, conditions: string): [string, string][] {
  if (typeof target === 'string') return [[conditions, target]];
  return Object.entries(target).flatMap(([condition, inner]) => targets(inner, `${conditions} ${condition}`));
}

const all = Object.entries(manifest.exports).flatMap(([entry, target]) => targets(target, entry));

describe('exports of the package', () => {
  it('lead to files that exist and are published', () => {
    for (const [entry, path] of [...all, ...Object.entries(manifest.bin)]) {
      assert.ok(existsSync(join(root, path)), `${entry}: ${path} does not exist`);
      const inPackage = manifest.files.some(file => path === `./${file}` || path.startsWith(`./${file}/`));
      assert.ok(inPackage || path === './package.json', `${entry}: ${path} is not in "files"`);
    }
  });

  it('name types first wherever they name code', () => {
    const check = (target: Target, conditions: string): void => {
      if (typeof target === 'string') return;
      const [first] = Object.keys(target);
      const code = Object.values(target).some(inner => typeof inner === 'string' && inner.endsWith('.js'));
      if (code) assert.equal(first, 'types', `${conditions}: "types" must come first`);
      for (const [condition, inner] of Object.entries(target)) check(inner, `${conditions} ${condition}`);
    };
    for (const [entry, target] of Object.entries(manifest.exports)) check(target, entry);
  });

  for (const [conditions, path] of all.filter(([, path]) => path.endsWith('.js'))) {
    it(`${conditions} can be imported`, async () => {
      const module = (await import(pathToFileURL(join(root, path)).href)) as Record<string, unknown>;
      assert.ok(Object.keys(module).length > 0, `${path} exports nothing`);
    });
  }

  for (const entry of Object.keys(manifest.exports).filter(entry => entry !== './package.json')) {
    it(`${entry} can be imported by its public name`, async () => {
      const module = (await import(posix.join(manifest.name, entry))) as Record<string, unknown>;
      assert.ok(Object.keys(module).length > 0);
      if (entry === '.') assert.equal(typeof module['Stack'], 'function');
    });
  }

  it('say the same version everywhere', async () => {
    const lock = JSON.parse(readText('package-lock.json')) as { version: string };
    assert.equal(lock.version, manifest.version);
  });
});
