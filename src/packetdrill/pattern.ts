/** The byte at `offset` of a stream: what scripts send, and what they expect to be sent. */
export function patternByte(offset: number): number {
  return (Math.imul(offset + 1, 0x9e3779b1) >>> 24) & 0xff;
}

/** `length` bytes of the pattern from `offset` on. */
export function pattern(offset: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = patternByte(offset + i);
  return bytes;
}

/** Where `bytes` leaves the pattern that begins at `offset`, counted from the begin of the stream; null: nowhere. */
export function patternBreak(offset: number, bytes: Uint8Array): number | null {
  for (let i = 0; i < bytes.length; i++) if (bytes[i] !== patternByte(offset + i)) return offset + i;
  return null;
}
