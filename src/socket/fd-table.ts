import { EBADF, EMFILE } from '../base/errno.ts';
import type { File } from './file.ts';

/** The descriptors of one process: the lowest free number is given out, as POSIX demands. */
export class FdTable {
  private readonly first: number;
  private readonly limit: number;
  private files: (File | undefined)[] = [];
  /** No number below this index is free. */
  private lowest = 0;
  /** Open descriptors. */
  size = 0;

  /** Numbers begin at `first` (0, 1 and 2 are taken in a real process); `limit` is RLIMIT_NOFILE. */
  constructor(first: number, limit: number) {
    this.first = first;
    this.limit = limit;
  }

  /** Whether `open` would return -EMFILE. */
  get isFull(): boolean {
    return this.first + this.size >= this.limit;
  }

  /** Gives `file` the lowest free number; -EMFILE when there is none. */
  open(file: File): number {
    if (this.isFull) return -EMFILE;
    while (this.files[this.lowest] !== undefined) this.lowest++;
    this.files[this.lowest] = file;
    this.size++;
    return this.first + this.lowest++;
  }

  /** The file behind `fd`, or undefined. */
  get(fd: number): File | undefined {
    return this.files[fd - this.first];
  }

  /** Frees the number and returns its file, which the caller closes; -EBADF when it is not open. */
  remove(fd: number): File | number {
    const index = fd - this.first;
    const file = this.files[index];
    if (file === undefined) return -EBADF;
    this.files[index] = undefined;
    if (index < this.lowest) this.lowest = index;
    this.size--;
    return file;
  }

  /** The open numbers, ascending. */
  *descriptors(): IterableIterator<number> {
    for (const [index, file] of this.files.entries()) if (file !== undefined) yield this.first + index;
  }
}
