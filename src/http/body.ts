import type { HttpLimits } from './limits.ts';
import { HttpError } from './status.ts';

/** The body of a message that arrives. Read it once: piece by piece, or as a whole. */
export class IncomingBody implements AsyncIterable<Uint8Array> {
  private readonly next: () => Promise<Uint8Array | null>;
  private readonly limits: HttpLimits;

  constructor(next: () => Promise<Uint8Array | null>, limits: HttpLimits) {
    this.next = next;
    this.limits = limits;
  }

  /** The next piece, null at the end. Throws HttpError when the message is malformed, cut short or too long. */
  read(): Promise<Uint8Array | null> {
    return this.next();
  }

  /** All that is left. Throws as `read` does. */
  async bytes(): Promise<Uint8Array> {
    const pieces: Uint8Array[] = [];
    let length = 0;
    for await (const piece of this) {
      length += piece.length;
      if (length > this.limits.maxBody) throw new HttpError(413);
      pieces.push(piece);
    }
    if (pieces.length === 1) return pieces[0] as Uint8Array;
    const whole = new Uint8Array(length);
    let at = 0;
    for (const piece of pieces) {
      whole.set(piece, at);
      at += piece.length;
    }
    return whole;
  }

  /** All that is left, as UTF-8 text. Throws as `read` does. */
  async text(): Promise<string> {
    return new TextDecoder().decode(await this.bytes());
  }

  async *[Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    for (let piece = await this.next(); piece !== null; piece = await this.next()) yield piece;
  }
}
