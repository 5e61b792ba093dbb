import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { readText, repositoryRoot } from '../support/repository.ts';
import { ethertype } from './command.ts';

let folder = '';
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'ethertype-cli-'));
});
after(() => rmSync(folder, { recursive: true }));

/** Wrong command lines, their exit status and what the one line says. */
const WRONG: readonly [args: string[], status: number, says: RegExp][] = [
  [['--nope'], 2, /unknown option '--nope'/],
  [['nope'], 2, /unknown command 'nope'/],
  [['walk', '--nope'], 2, /unknown option '--nope'/],
  [['walk', 'extra'], 2, /too many arguments/],
  [['walk', '--seed'], 2, /argument missing/],
  [['walk', '--seed', 'x'], 2, /'x' is invalid.*Not a number/],
  [['walk', '--columns', '-1'], 2, /Not a number/],
  [['help', 'nope'], 2, /unknown command 'nope'/],
  [['walk', '--dir', '/nonexistent'], 1, /cannot serve \/nonexistent: no such file or folder/],
  [['walk', '--dir', '/dev/null'], 1, /cannot serve \/dev\/null: not a folder/],
  [['walk', '--write', '/nonexistent/a.pcap'], 1, /cannot write \/nonexistent\/a\.pcap: no such file/],
];

for (const [args, status, says] of WRONG) {
  test(`ethertype ${args.join(' ')} ends with ${status} and one line`, () => {
    const ran = ethertype(...args);
    assert.equal(ran.status, status);
    assert.match(ran.err, /^ethertype: [^\n]+\n$/);
    assert.match(ran.err, says);
    assert.equal(ran.out, '');
  });
}

test('a folder instead of a capture file', () => {
  assert.match(ethertype('walk', '--write', folder).err, /^ethertype: cannot write .*: it is a folder\n$/);
});

test('help of the command and of every subcommand', () => {
  for (const args of [[], ['--help'], ['-h'], ['help']]) {
    const ran = ethertype(...args);
    assert.equal(ran.status, 0);
    assert.equal(ran.err, '');
    assert.match(ran.out, /^Usage: ethertype /);
    assert.match(ran.out, /walk/);
    assert.match(ran.out, /Examples:/);
  }
  for (const args of [
    ['walk', '--help'],
    ['help', 'walk'],
  ]) {
    const ran = ethertype(...args);
    assert.equal(ran.status, 0);
    for (const option of ['--json', '--write', '--seed', '--dir', '--columns'])
      assert.ok(ran.out.includes(option));
    assert.match(ran.out, /Examples:/);
  }
});

test('the version is that of package.json', () => {
  const { version } = JSON.parse(readText('package.json')) as { version: string };
  assert.equal(ethertype('--version').out, `${version}\n`);
});

test('a reader that goes away early is no error', async () => {
  const script = join(repositoryRoot(), 'bin', 'ethertype.js');
  const child = spawn(process.execPath, [script, 'walk', '--json'], { stdio: ['ignore', 'pipe', 'pipe'] });
  child.stdout.destroy();
  let err = '';
  child.stderr.on('data', chunk => {
    err += String(chunk);
  });
  const [status] = await once(child, 'close');
  assert.equal(err, '');
  assert.equal(status, 0);
});
