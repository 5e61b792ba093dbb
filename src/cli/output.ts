import { writeSync } from 'node:fs';

/** Somebody closed the other end of our output, as `| head` does: there is nothing left to say. */
export class OutputClosed extends Error {
  override name = 'OutputClosed';
}

/** Writes to standard output at once and completely. Throws OutputClosed when nobody reads it any more. */
export function print(text: string | Uint8Array): void {
  writeAll(1, text);
}

/** Writes one line to standard error, at once and completely. Throws OutputClosed when nobody reads it any more. */
export function say(line: string): void {
  writeAll(2, `${line}\n`);
}

/** Writes to a descriptor at once and completely. Throws OutputClosed when nobody reads it any more. */
export function writeAll(fd: number, text: string | Uint8Array): void {
  const bytes = typeof text === 'string' ? Buffer.from(text) : text;
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(fd, bytes, at);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EPIPE') throw new OutputClosed();
      // A pipe that is full and does not wait: try again a little later.
      if (code !== 'EAGAIN') throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  }
}

/** Text that is gathered before it is written as one. */
const GATHER_MAX = 1 << 16;

/**
 * Lines for a descriptor, gathered for a turn of the event loop: a line a packet must not cost a system call a packet.
 */
export class LineWriter {
  private readonly fd: number;
  private readonly closed: (error: OutputClosed) => void;
  private gathered = '';

  /** `closed` is called, once, when nobody reads the lines any more. */
  constructor(fd: number, closed: (error: OutputClosed) => void) {
    this.fd = fd;
    this.closed = closed;
  }

  line(text: string): void {
    if (this.gathered === '') setImmediate(() => this.flush());
    this.gathered += `${text}\n`;
    if (this.gathered.length >= GATHER_MAX) this.flush();
  }

  /** Writes what was gathered. */
  flush(): void {
    const text = this.gathered;
    this.gathered = '';
    if (text === '') return;
    try {
      writeAll(this.fd, text);
    } catch (error) {
      if (!(error instanceof OutputClosed)) throw error;
      this.closed(error);
    }
  }
}
