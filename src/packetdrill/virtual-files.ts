/** The files that a script's commands make: nothing but a length, since what is in them is chosen when it is sent. */
export class VirtualFiles {
  private readonly lengths = new Map<string, number>();

  /** Makes or empties a file. */
  create(path: string, length: number): void {
    this.lengths.set(path, length);
  }

  /** Removes it; nothing when there is none. */
  remove(path: string): void {
    this.lengths.delete(path);
  }

  /** In bytes; undefined when there is no such file. */
  lengthOf(path: string): number | undefined {
    return this.lengths.get(path);
  }
}
