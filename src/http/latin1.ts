const encoder = /* @__PURE__ */ new TextEncoder();
const decoder = /* @__PURE__ */ new TextDecoder();

/** Text whose characters are bytes (0..255), as bytes. */
export function latin1Bytes(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  writeLatin1(text, bytes);
  return bytes;
}

/** Writes text whose characters are bytes to the beginning of `out`, which has room for it. */
export function writeLatin1(text: string, out: Uint8Array): void {
  // All-ASCII text, the usual case, goes the runtime's fast way.
  const { read, written } = encoder.encodeInto(text, out);
  if (read === text.length && written === read) return;
  for (let i = 0; i < text.length; i++) out[i] = text.charCodeAt(i);
}

/** Bytes as text, one character (0..255) a byte. */
export function latin1Text(bytes: Uint8Array, start: number, end: number): string {
  const part = bytes.subarray(start, end);
  const text = decoder.decode(part);
  // Everything but ASCII gets shorter as UTF-8, or is marked as no UTF-8.
  if (text.length === part.length && !text.includes('\ufffd')) return text;
  let exact = '';
  for (const byte of part) exact += String.fromCharCode(byte);
  return exact;
}

/** A body that is not larger is sent together with its head, in bytes. */
const JOINED_BODY_MAX = 16384;

/** Writes heads, and small bodies with them, into one buffer that is used again for every message. */
export class MessageBuffer {
  private bytes = new Uint8Array(512);

  /** Whether a body of this length goes with its head. */
  static joins(length: number): boolean {
    return length <= JOINED_BODY_MAX;
  }

  /** The bytes of a head and the body behind it, valid until the next call. */
  encode(head: string, body: Uint8Array | null): Uint8Array {
    const length = head.length + (body === null ? 0 : body.length);
    if (this.bytes.length < length) this.bytes = new Uint8Array(Math.max(2 * this.bytes.length, length));
    writeLatin1(head, this.bytes);
    if (body !== null) this.bytes.set(body, head.length);
    return this.bytes.subarray(0, length);
  }
}
