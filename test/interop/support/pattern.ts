import { createHash } from 'node:crypto';
import { closeSync, openSync, writeSync } from 'node:fs';
import type { FileStore, OpenFile } from '../../../src/http/files.ts';
import { Pattern, PIECE_MAX } from '../../../src/sim/pattern.ts';

const ENOENT = 2;

/** Files of any size that need no disk: '/1000' has the first 1000 bytes of the pattern. */
export class PatternFiles implements FileStore {
  /** How many are open now. */
  openFiles = 0;
  private readonly pattern = new Pattern();

  open(path: string): OpenFile | number {
    if (!/^\/\d+$/.test(path)) return -ENOENT;
    const size = Number(path.slice(1));
    const { pattern } = this;
    this.openFiles++;
    return {
      kind: 'file',
      size,
      mtimeMs: 0,
      read: (offset, into) => {
        const length = Math.min(into.length, size - offset);
        into.set(pattern.piece(0, offset, length));
        return length;
      },
      close: () => {
        this.openFiles--;
      },
    };
  }
}

/** The bytes [start, end) of the pattern. */
export function bytesOf(start: number, end: number): Buffer {
  const pattern = new Pattern();
  const bytes = Buffer.alloc(end - start);
  for (let at = start; at < end; at += PIECE_MAX) {
    bytes.set(pattern.piece(0, at, Math.min(PIECE_MAX, end - at)), at - start);
  }
  return bytes;
}

/** What `b2sum` says of the first `size` bytes of the pattern. */
export function digestOf(size: number): string {
  const pattern = new Pattern();
  const hash = createHash('blake2b512');
  for (let at = 0; at < size; at += PIECE_MAX)
    hash.update(pattern.piece(0, at, Math.min(PIECE_MAX, size - at)));
  return hash.digest('hex');
}

/** Writes the first `size` bytes of the pattern to a file. */
export function writePattern(path: string, size: number): void {
  const pattern = new Pattern();
  const fd = openSync(path, 'w');
  for (let at = 0; at < size; at += PIECE_MAX)
    writeSync(fd, pattern.piece(0, at, Math.min(PIECE_MAX, size - at)));
  closeSync(fd);
}
