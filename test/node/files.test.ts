import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { EACCES, ENOENT, ENOTDIR } from '../../src/base/errno.ts';
import { FolderFiles } from '../../src/node/files.ts';

let base = '';
let files: FolderFiles;

before(() => {
  base = mkdtempSync(join(tmpdir(), 'ethertype-files-'));
  mkdirSync(join(base, 'root', 'sub'), { recursive: true });
  writeFileSync(join(base, 'root', 'a.txt'), '0123456789');
  utimesSync(join(base, 'root', 'a.txt'), 1000, 784_111_777);
  writeFileSync(join(base, 'secret'), 'secret');
  symlinkSync('../a.txt', join(base, 'root', 'sub', 'inside'));
  symlinkSync(join(base, 'secret'), join(base, 'root', 'outside'));
  symlinkSync('..', join(base, 'root', 'up'));
  symlinkSync('loop', join(base, 'root', 'loop'));
  symlinkSync('sub', join(base, 'root', 'alias'));
  writeFileSync(join(base, 'root', 'sub', 'b.txt'), 'b');
  files = new FolderFiles(join(base, 'root'));
});

after(() => rmSync(base, { recursive: true }));

test('a file: size, time, bytes from anywhere', () => {
  const file = files.open('/a.txt');
  assert.ok(typeof file !== 'number');
  assert.deepEqual([file.kind, file.size, file.mtimeMs], ['file', 10, 784_111_777_000]);
  const into = new Uint8Array(4);
  assert.equal(file.read(8, into), 2);
  assert.equal(Buffer.from(into.subarray(0, 2)).toString(), '89');
  assert.equal(file.read(10, into), 0);
  file.close();
  file.close();
});

test('a folder and the root', () => {
  for (const path of ['/', '/sub', '/sub/']) {
    const folder = files.open(path);
    assert.ok(typeof folder !== 'number');
    assert.equal(folder.kind, 'directory');
  }
});

test('a link that stays inside is followed', () => {
  const file = files.open('/sub/inside');
  assert.ok(typeof file !== 'number');
  assert.equal(file.size, 10);
  file.close();
});

test('a link to a folder may stand in the middle of a path', () => {
  const file = files.open('/alias/b.txt');
  assert.ok(typeof file !== 'number');
  assert.deepEqual([file.kind, file.size], ['file', 1]);
  file.close();
  const folder = files.open('/alias/');
  assert.ok(typeof folder !== 'number');
  assert.equal(folder.kind, 'directory');
});

const REFUSED: readonly [path: string, errno: number][] = [
  ['/nope', ENOENT],
  ['/a.txt/index.html', ENOTDIR],
  ['/outside', EACCES],
  ['/up/secret', EACCES],
  ['/up', EACCES],
  ['/../secret', EACCES],
  ['/alias/../../secret', EACCES],
  ['/up/', EACCES],
  ['/a.txt\0', ENOENT],
];

for (const [path, errno] of REFUSED) {
  test(`${JSON.stringify(path)} is refused with errno ${errno}`, () =>
    assert.equal(files.open(path), -errno));
}

test('a link to itself is an error, not a hang', () => {
  assert.ok((files.open('/loop') as number) < 0);
});

test('a root that is no folder cannot be served', () => {
  assert.throws(() => new FolderFiles(join(base, 'nope')), { code: 'ENOENT' });
  assert.throws(() => new FolderFiles(join(base, 'secret')), { code: 'ENOTDIR' });
});
