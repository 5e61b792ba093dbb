import { writeSync } from 'node:fs';

/** Somebody closed the other end of our standard output, as `| head` does: there is nothing left to say. */
export class OutputClosed extends Error {
  override name = 'OutputClosed';
}

/** Writes to standard output at once and completely. Throws OutputClosed when nobody reads it any more. */
export function print(text: string): void {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(1, bytes, at);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EPIPE') throw new OutputClosed();
      // A pipe that is full and does not wait: try again a little later.
      if (code !== 'EAGAIN') throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  }
}
