import { libc, SystemError } from './libc.ts';

const PROT_READ_WRITE = 3;
const MAP_SHARED = 0x01;
const MAP_PRIVATE = 0x02;
const MAP_FIXED = 0x10;
const MAP_ANONYMOUS = 0x20;
const MAP_NORESERVE = 0x4000;
const MAP_POPULATE = 0x8000;

/**
 * Memory shared with the kernel. After `close` the kernel's pages are gone, and so is what they held open; whoever kept
 * a view reads zeros. The addresses are given back once no view is left, so a late read cannot hit foreign memory.
 */
export class Mapping {
  private static readonly unused = new FinalizationRegistry<{ address: number; length: number }>(
    ({ address, length }) => {
      libc().munmap(address, length);
    },
  );
  readonly memory: ArrayBuffer;
  readonly address: number;
  private readonly length: number;
  private closed = false;

  /**
   * Maps `length` bytes of what `fd` offers at `offset`; fresh memory with fd -1.
   * @throws SystemError ENOMEM, EINVAL ...
   */
  constructor(fd: number, offset: number, length: number, what: string) {
    const flags = fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
    const address = libc().mmap(length, PROT_READ_WRITE, flags | MAP_POPULATE, fd, offset);
    if (address < 0) throw new SystemError('mmap', address, `map ${length} bytes of ${what}`);
    this.address = address;
    this.length = length;
    this.memory = libc().memory(address, length);
    Mapping.unused.register(this.memory, { address, length });
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    const flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE;
    libc().mmapAt(this.address, this.length, PROT_READ_WRITE, flags, -1, 0);
  }
}
