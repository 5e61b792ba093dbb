/** Bytes of a block: large enough that a bulk transfer seldom crosses an edge, small enough for many connections. */
export const BLOCK_SIZE = 4096;
/** Free blocks that are kept for the next user, per stack. */
const FREE_BLOCKS_MAX = 4096;

/** The memory that byte queues are made of: an idle connection holds none. */
export class BlockPool {
  private readonly free: Uint8Array[] = [];
  /** Blocks lent out now. */
  inUse = 0;

  take(): Uint8Array {
    this.inUse++;
    return this.free.pop() ?? new Uint8Array(BLOCK_SIZE);
  }

  give(block: Uint8Array): void {
    this.inUse--;
    if (this.free.length < FREE_BLOCKS_MAX) this.free.push(block);
  }
}
