import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readSync,
  realpathSync,
  type Stats,
  statSync,
} from 'node:fs';
import { join, resolve, sep } from 'node:path';
import {
  EACCES,
  EBADF,
  EIO,
  EISDIR,
  ELOOP,
  EMFILE,
  ENAMETOOLONG,
  ENOENT,
  ENOTDIR,
  EPERM,
} from '../base/errno.ts';
import type { FileStore, OpenFile } from '../http/files.ts';

/** Settings of FolderFiles. */
export interface FolderOptions {
  /**
   * A file looks no newer than this, in milliseconds since the Unix epoch: in virtual time a file may seem to come from
   * the future, which Last-Modified must not say (RFC 9110 section 8.8.2.1).
   */
  readonly notAfterMs?: number;
}

/**
 * A real folder as a FileStore. Calls are synchronous, so that in virtual time the disk takes none.
 * Symbolic links are followed as long as they stay inside the folder; anything outside it is -EACCES.
 */
export class FolderFiles implements FileStore {
  private readonly root: string;
  private readonly notAfterMs: number;

  /** Throws Node's error (ENOENT, ENOTDIR, EACCES) when `folder` is not a readable folder. */
  constructor(folder: string, options: FolderOptions = {}) {
    this.notAfterMs = options.notAfterMs ?? Number.POSITIVE_INFINITY;
    this.root = realpathSync.native(folder);
    if (statSync(this.root).isDirectory()) return;
    throw Object.assign(new Error(`ENOTDIR: not a directory, open '${folder}'`), {
      code: 'ENOTDIR',
      path: folder,
    });
  }

  open(path: string): OpenFile | number {
    // On Windows these would name a folder separator, a drive or a stream of a file.
    if (path.includes('\0') || (sep === '\\' && /[\\:]/.test(path))) return -ENOENT;
    try {
      const wanted = resolve(join(this.root, path));
      if (!this.contains(wanted)) return -EACCES;
      const stats = this.statsWithoutLinks(wanted);
      if (stats !== null) return openReal(wanted, stats, this.notAfterMs);
      const real = realpathSync.native(wanted);
      return this.contains(real) ? openReal(real, statSync(real), this.notAfterMs) : -EACCES;
    } catch (error) {
      return errnoOf(error);
    }
  }

  /** What is there; null when a symbolic link leads there. The root is real. Spares resolving what is no link. */
  private statsWithoutLinks(wanted: string): Stats | null {
    for (let at = wanted.indexOf(sep, this.root.length + 1); at >= 0; at = wanted.indexOf(sep, at + 1)) {
      if (lstatSync(wanted.slice(0, at)).isSymbolicLink()) return null;
    }
    const stats = lstatSync(wanted);
    return stats.isSymbolicLink() ? null : stats;
  }

  private contains(real: string): boolean {
    const prefix = this.root.endsWith(sep) ? this.root : this.root + sep;
    return real === this.root || real.startsWith(prefix);
  }
}

function openReal(path: string, stats: Stats, notAfterMs: number): OpenFile | number {
  if (stats.isDirectory()) {
    return {
      kind: 'directory',
      size: 0,
      mtimeMs: stats.mtimeMs,
      read: () => -EISDIR,
      close: () => undefined,
    };
  }
  if (!stats.isFile()) return -EACCES;
  // Between the look and the open the name may have become a link or a pipe: neither is followed or waited for.
  const fd = openSync(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0));
  const opened = fstatSync(fd);
  if (opened.isFile()) return new RealFile(fd, opened.size, Math.min(opened.mtimeMs, notAfterMs));
  closeSync(fd);
  return -EACCES;
}

class RealFile implements OpenFile {
  readonly kind = 'file';
  readonly size: number;
  readonly mtimeMs: number;
  private fd: number;

  constructor(fd: number, size: number, mtimeMs: number) {
    this.fd = fd;
    this.size = size;
    this.mtimeMs = mtimeMs;
  }

  read(offset: number, into: Uint8Array): number {
    if (this.fd < 0) return -EBADF;
    try {
      return readSync(this.fd, into, 0, into.length, offset);
    } catch (error) {
      return errnoOf(error);
    }
  }

  close(): void {
    const { fd } = this;
    this.fd = -1;
    if (fd >= 0) closeSync(fd);
  }
}

const ERRNOS: { readonly [code: string]: number } = {
  EACCES,
  EISDIR,
  ELOOP,
  EMFILE,
  ENAMETOOLONG,
  ENOENT,
  ENOTDIR,
  EPERM,
};

function errnoOf(error: unknown): number {
  const code = (error as { code?: unknown }).code;
  return -((typeof code === 'string' ? ERRNOS[code] : undefined) ?? EIO);
}
