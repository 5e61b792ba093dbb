import type { HttpLimits } from './limits.ts';
import { HttpError } from './status.ts';

/** Where a body comes from. */
export interface BodySource {
  /** The next piece, null at the end. */
  nextBody(): Promise<Uint8Array | null>;
  /** As `nextBody`, without waiting: undefined when the next piece is not here yet. */
  bodyHere(): Uint8Array | null | undefined;
}

/** The body of a message that arrives. Read it once: piece by piece, or as a whole. */
export class IncomingBody implements AsyncIterable<Uint8Array> {
  private readonly source: BodySource;
  private readonly limits: HttpLimits;

  constructor(source: BodySource, limits: HttpLimits) {
    this.source = source;
    this.limits = limits;
  }

  /** The next piece, null at the end. Throws HttpError when the message is malformed, cut short or too long. */
  read(): Promise<Uint8Array | null> {
    return this.source.nextBody();
  }

  /** All that is left. Throws as `read` does. */
  async bytes(): Promise<Uint8Array> {
    const pieces: Uint8Array[] = [];
    let length = 0;
    for (;;) {
      // A short message is here as a whole: then there is nothing to wait for.
      let piece = this.source.bodyHere();
      if (piece === undefined) piece = await this.source.nextBody();
      if (piece === null) break;
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
    for (let piece = await this.read(); piece !== null; piece = await this.read()) yield piece;
  }
}
