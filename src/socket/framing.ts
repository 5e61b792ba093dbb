/**
 * Message boundaries over a byte stream, which has none: a length before each message, or a delimiter behind it.
 * Readers take anything that yields chunks (a socket's `readable`); encoders return the bytes to write.
 * @module
 */

/** Where bytes come from. */
export type ByteSource = AsyncIterable<Uint8Array>;

/** The largest message accepted unless told otherwise, in bytes. */
export const DEFAULT_MAX_MESSAGE: number = 16 * 1024 * 1024;

/** What the stream held was no sequence of messages within the limits. */
export class FramingError extends Error {
  override name = 'FramingError';
  /** What is wrong: a message over the limit, a stream that ends inside one, a message that holds the delimiter. */
  readonly code: 'ERR_MESSAGE_TOO_LONG' | 'ERR_MESSAGE_TRUNCATED' | 'ERR_DELIMITER_IN_MESSAGE';

  constructor(code: FramingError['code'], message: string) {
    super(message);
    this.code = code;
  }
}

/** How a length prefix is written. */
export interface LengthPrefix {
  /** Bytes of the length; 4 by default. */
  readonly lengthBytes?: 1 | 2 | 4;
  /** Network order (big-endian) by default. */
  readonly littleEndian?: boolean;
  /** The largest message, in bytes; DEFAULT_MAX_MESSAGE by default. */
  readonly maxLength?: number;
}

/** How messages are set apart. */
export interface Delimiter {
  /** Text (as UTF-8) or bytes; '\n' by default. */
  readonly delimiter?: string | Uint8Array;
  /** The largest message without its delimiter, in bytes; DEFAULT_MAX_MESSAGE by default. */
  readonly maxLength?: number;
}

/**
 * The messages of a stream in which each has its length in front. Throws FramingError when a length is over the limit
 * or the stream ends inside a message.
 * @example
 * for await (const message of readLengthPrefixed(socket.readable, { lengthBytes: 2 })) handle(message);
 */
export async function* readLengthPrefixed(
  source: ByteSource,
  options: LengthPrefix = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  const { lengthBytes = 4, littleEndian = false, maxLength = DEFAULT_MAX_MESSAGE } = options;
  const buffer = new ByteBuffer();
  /** Of the message that is being received; -1 before its length is known. */
  let length = -1;
  for await (const chunk of source) {
    buffer.append(chunk);
    for (;;) {
      if (length < 0) {
        if (buffer.length < lengthBytes) break;
        length = readLength(buffer.take(lengthBytes), littleEndian);
        checkLength(length, maxLength);
      }
      if (buffer.length < length) break;
      yield buffer.take(length);
      length = -1;
    }
  }
  if (length >= 0 || buffer.length > 0) {
    throw truncated(length < 0 ? `in a length of ${lengthBytes} bytes` : `in a message of ${length} bytes`);
  }
}

/** `message` with its length in front. Throws FramingError when it is over the limit or does not fit the prefix. */
export function encodeLengthPrefixed(message: Uint8Array, options: LengthPrefix = {}): Uint8Array {
  const { lengthBytes = 4, littleEndian = false, maxLength = DEFAULT_MAX_MESSAGE } = options;
  checkLength(message.length, Math.min(maxLength, 2 ** (8 * lengthBytes) - 1));
  const bytes = new Uint8Array(lengthBytes + message.length);
  const view = new DataView(bytes.buffer);
  if (lengthBytes === 1) view.setUint8(0, message.length);
  else if (lengthBytes === 2) view.setUint16(0, message.length, littleEndian);
  else view.setUint32(0, message.length, littleEndian);
  bytes.set(message, lengthBytes);
  return bytes;
}

/**
 * The messages of a stream in which each ends with a delimiter, which is not part of it. Throws FramingError when a
 * message is over the limit or the stream ends inside one.
 */
export async function* readDelimited(
  source: ByteSource,
  options: Delimiter = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  const { maxLength = DEFAULT_MAX_MESSAGE } = options;
  const delimiter = delimiterBytes(options);
  const buffer = new ByteBuffer();
  for await (const chunk of source) {
    // A delimiter may have begun at the end of what was searched before.
    let from = Math.max(0, buffer.length - delimiter.length + 1);
    buffer.append(chunk);
    for (;;) {
      const at = buffer.indexOf(delimiter, from);
      checkLength(at < 0 ? buffer.length - delimiter.length + 1 : at, maxLength);
      if (at < 0) break;
      yield buffer.take(at);
      buffer.take(delimiter.length);
      from = 0;
    }
  }
  if (buffer.length > 0) throw truncated(`${buffer.length} bytes behind the last delimiter`);
}

/** `message` with the delimiter behind it. Throws FramingError when it holds the delimiter or is over the limit. */
export function encodeDelimited(message: Uint8Array, options: Delimiter = {}): Uint8Array {
  const delimiter = delimiterBytes(options);
  checkLength(message.length, options.maxLength ?? DEFAULT_MAX_MESSAGE);
  const bytes = new Uint8Array(message.length + delimiter.length);
  bytes.set(message);
  bytes.set(delimiter, message.length);
  // Also when the delimiter would be found too early, made of the message's last bytes and its own first ones.
  const buffer = new ByteBuffer();
  buffer.append(bytes);
  if (buffer.indexOf(delimiter, 0) !== message.length) {
    throw new FramingError('ERR_DELIMITER_IN_MESSAGE', 'the message holds the delimiter');
  }
  return bytes;
}

function delimiterBytes({ delimiter = '\n' }: Delimiter): Uint8Array {
  const bytes = typeof delimiter === 'string' ? new TextEncoder().encode(delimiter) : delimiter;
  if (bytes.length === 0) throw new RangeError('a delimiter has at least one byte');
  return bytes;
}

function readLength(bytes: Uint8Array, littleEndian: boolean): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (bytes.length === 1) return view.getUint8(0);
  return bytes.length === 2 ? view.getUint16(0, littleEndian) : view.getUint32(0, littleEndian);
}

function checkLength(length: number, maxLength: number): void {
  if (length <= maxLength) return;
  throw new FramingError(
    'ERR_MESSAGE_TOO_LONG',
    `a message of ${length} bytes or more is over the limit of ${maxLength}`,
  );
}

function truncated(where: string): FramingError {
  return new FramingError('ERR_MESSAGE_TRUNCATED', `the stream ended ${where}`);
}

/** Bytes received and not yet taken, in one growing piece of memory. */
class ByteBuffer {
  private bytes = new Uint8Array(0);
  private start = 0;
  private end = 0;

  get length(): number {
    return this.end - this.start;
  }

  append(chunk: Uint8Array): void {
    const needed = this.length + chunk.length;
    if (this.end + chunk.length > this.bytes.length) {
      // Moved to the front of memory that has room for as much again.
      const target = needed * 2 > this.bytes.length ? new Uint8Array(needed * 2) : this.bytes;
      target.set(this.bytes.subarray(this.start, this.end));
      this.bytes = target;
      this.end -= this.start;
      this.start = 0;
    }
    this.bytes.set(chunk, this.end);
    this.end += chunk.length;
  }

  /** Removes and returns a copy of the first `length` bytes. */
  take(length: number): Uint8Array {
    const taken = this.bytes.slice(this.start, this.start + length);
    this.start += length;
    return taken;
  }

  /** Where `pattern` begins at or behind `from`, or -1. */
  indexOf(pattern: Uint8Array, from: number): number {
    const first = pattern[0] as number;
    const last = this.end - pattern.length;
    for (let at = this.start + from; at <= last; at++) {
      at = this.bytes.indexOf(first, at);
      if (at < 0 || at > last) return -1;
      if (this.matches(pattern, at)) return at - this.start;
    }
    return -1;
  }

  private matches(pattern: Uint8Array, at: number): boolean {
    for (let i = 1; i < pattern.length; i++) if (this.bytes[at + i] !== pattern[i]) return false;
    return true;
  }
}
