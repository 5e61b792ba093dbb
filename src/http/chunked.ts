/**
 * The chunked transfer coding, on its way out (RFC 9112 section 7.1).
 * @module
 */
import { latin1Bytes, writeLatin1 } from './latin1.ts';

const CRLF = /* @__PURE__ */ latin1Bytes('\r\n');

/** Ends a chunked body. */
export const LAST_CHUNK: Uint8Array = /* @__PURE__ */ latin1Bytes('0\r\n\r\n');

/** A piece of a body as a chunk: its size before, CRLF behind. Not for an empty piece, which would end the body. */
export function chunkOf(piece: Uint8Array): Uint8Array {
  const size = `${piece.length.toString(16)}\r\n`;
  const chunk = new Uint8Array(size.length + piece.length + CRLF.length);
  writeLatin1(size, chunk);
  chunk.set(piece, size.length);
  chunk.set(CRLF, size.length + piece.length);
  return chunk;
}
