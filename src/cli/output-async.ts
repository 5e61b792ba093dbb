import { write } from 'node:fs';
import { OutputClosed } from './output.ts';

/** A pipe that is full and does not wait is tried again after this. Milliseconds. */
const RETRY_MS = 5;

/**
 * Writes to a descriptor completely, without holding up the event loop: a reader that is slow must not stop the stack.
 * Rejects with OutputClosed when nobody reads it any more, else with Node's error.
 */
export async function writeOut(fd: number, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    try {
      at += await writeSome(fd, bytes, at);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EPIPE') throw new OutputClosed();
      if (code !== 'EAGAIN') throw error;
      await new Promise(resolve => {
        setTimeout(resolve, RETRY_MS);
      });
    }
  }
}

function writeSome(fd: number, bytes: Uint8Array, offset: number): Promise<number> {
  return new Promise((resolve, reject) => {
    write(fd, bytes, offset, (error, written) => {
      if (error === null) resolve(written);
      else reject(error);
    });
  });
}
