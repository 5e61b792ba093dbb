import { ENOENT } from '../base/errno.ts';

/** An open file or folder. All calls return at once: a virtual clock must not wait for a disk. */
export interface OpenFile {
  readonly kind: 'file' | 'directory';
  /** Bytes; 0 for a folder. */
  readonly size: number;
  /** Last modification, in milliseconds since the Unix epoch. */
  readonly mtimeMs: number;
  /** Fills `into` from byte `offset` of the file; returns the bytes read (0 at the end) or -errno. */
  read(offset: number, into: Uint8Array): number;
  close(): void;
}

/** A tree of files to serve. */
export interface FileStore {
  /**
   * Opens what stands at an absolute, normalised path ('/', '/css/site.css'). -ENOENT, -EACCES, or another -errno.
   * The store is responsible that nothing outside its root can be opened, whatever the path.
   */
  open(path: string): OpenFile | number;
}

/** A store in memory: paths ('/index.html') to contents. Folders follow from the paths. */
export class MemoryFiles implements FileStore {
  private readonly files = new Map<string, Uint8Array>();
  private readonly folders = new Set<string>(['/']);
  private readonly mtimeMs: number;

  /** `mtimeMs`: the modification time of everything, in milliseconds since the Unix epoch. */
  constructor(files: { readonly [path: string]: string | Uint8Array }, mtimeMs = 0) {
    this.mtimeMs = mtimeMs;
    const encoder = new TextEncoder();
    for (const [path, content] of Object.entries(files)) {
      this.files.set(path, typeof content === 'string' ? encoder.encode(content) : content);
      for (let at = path.indexOf('/', 1); at > 0; at = path.indexOf('/', at + 1))
        this.folders.add(path.slice(0, at));
    }
  }

  open(path: string): OpenFile | number {
    const { mtimeMs } = this;
    const close = (): void => undefined;
    const bare = path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;
    if (this.folders.has(bare)) return { kind: 'directory', size: 0, mtimeMs, read: () => 0, close };
    const content = this.files.get(path);
    if (content === undefined) return -ENOENT;
    return {
      kind: 'file',
      size: content.length,
      mtimeMs,
      read(offset, into) {
        const part = content.subarray(offset, offset + into.length);
        into.set(part);
        return part.length;
      },
      close,
    };
  }
}
