#!/usr/bin/env node
// Runs every *.test.js under the given folders with Node's test runner. `node --test FOLDER` means different things to
// Node 20 and 22; a list of files means the same to all.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

function testsUnder(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap(entry => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return testsUnder(path);
    return entry.name.endsWith('.test.js') ? [path] : [];
  });
}

const files = process.argv.slice(2).flatMap(testsUnder).sort();
if (files.length === 0) {
  process.stderr.write('test: no *.test.js found; give the folders of the compiled tests\n');
  process.exit(2);
}
const setup = new URL('../build/test/support/fast-check.js', import.meta.url).href;
const { status } = spawnSync(
  process.execPath,
  ['--enable-source-maps', '--import', setup, '--test', ...files],
  {
    stdio: 'inherit',
  },
);
process.exit(status ?? 1);
