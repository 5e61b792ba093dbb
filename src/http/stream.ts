/**
 * The byte stream that HTTP runs over: a TCP connection, a pair in memory, or anything with WinterTC's
 * `readable` and `writable`.
 * @module
 */

/** A bidirectional byte stream. Both ways are awaited, so a slow peer slows the sender down. */
export interface ByteStream {
  /**
   * The next bytes, valid until the next `read`; null at the end. Rejects when the connection broke.
   * A pending read settles when the stream is closed.
   */
  read(): Promise<Uint8Array | null>;
  /** Sends bytes, which must not change before it resolves. Rejects when the connection broke. */
  write(bytes: Uint8Array): Promise<void>;
  /** Sends no more; reading goes on (a TCP half-close). */
  end(): Promise<void>;
  /** Gives the stream back: sent bytes are still delivered, a pending `read` gets null. */
  close(): void;
}

/** The two web streams of a connection. */
export interface StreamPair {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<Uint8Array>;
}

/** What HTTP can run over: a connection of `stack.connect` or `stack.listen`, or a stream of one's own. */
export type AnyStream = ByteStream | StreamPair;

/** A ByteStream of either kind. */
export function toByteStream(stream: AnyStream): ByteStream {
  return 'readable' in stream ? streamOf(stream) : stream;
}

/** A `ByteStream` over web streams, which it locks for good. */
export function streamOf(pair: StreamPair): ByteStream {
  const reader = pair.readable.getReader();
  const writer = pair.writable.getWriter();
  let ended: Promise<void> | null = null;
  const end = (): Promise<void> => {
    ended ??= writer.close();
    return ended;
  };
  return {
    async read() {
      return (await reader.read()).value ?? null;
    },
    // Web streams hand chunks on by reference, and the caller may use its bytes again.
    write: bytes => writer.write(bytes.slice()),
    end,
    close() {
      // What fails here failed for the last read or write too; there is nobody left to tell.
      reader.cancel().catch(() => undefined);
      end().catch(() => undefined);
    },
  };
}

/** Bytes one direction of a `streamPair` holds before `write` waits. */
export const STREAM_PAIR_LIMIT = 65536;

/** Two connected streams in memory: what one writes the other reads. For tests, and for HTTP without a network. */
export function streamPair(limit: number = STREAM_PAIR_LIMIT): [ByteStream, ByteStream] {
  const there = new Channel(limit);
  const back = new Channel(limit);
  return [new MemoryStream(back, there), new MemoryStream(there, back)];
}

class MemoryStream implements ByteStream {
  private readonly input: Channel;
  private readonly output: Channel;

  constructor(input: Channel, output: Channel) {
    this.input = input;
    this.output = output;
  }

  read(): Promise<Uint8Array | null> {
    return this.input.read();
  }

  write(bytes: Uint8Array): Promise<void> {
    return this.output.write(bytes);
  }

  async end(): Promise<void> {
    this.output.end();
  }

  close(): void {
    this.output.end();
    this.input.abandon();
  }
}

/** One direction: a queue of copied chunks with a limit in bytes. */
class Channel {
  private readonly chunks: Uint8Array[] = [];
  private queued = 0;
  private ended = false;
  private abandoned = false;
  private wakeReader: (() => void) | null = null;
  private wakeWriter: (() => void) | null = null;
  private readonly limit: number;

  constructor(limit: number) {
    this.limit = limit;
  }

  async read(): Promise<Uint8Array | null> {
    while (!this.abandoned) {
      const chunk = this.chunks.shift();
      if (chunk !== undefined) {
        this.queued -= chunk.length;
        this.wakeWriter?.();
        return chunk;
      }
      if (this.ended) return null;
      await new Promise<void>(resolve => {
        this.wakeReader = resolve;
      });
    }
    return null;
  }

  async write(bytes: Uint8Array): Promise<void> {
    while (this.queued >= this.limit && !this.abandoned && !this.ended) {
      await new Promise<void>(resolve => {
        this.wakeWriter = resolve;
      });
    }
    if (this.abandoned || this.ended) throw new Error('write after the stream was closed');
    if (bytes.length === 0) return;
    this.chunks.push(bytes.slice());
    this.queued += bytes.length;
    this.wakeReader?.();
  }

  end(): void {
    this.ended = true;
    this.wakeReader?.();
    this.wakeWriter?.();
  }

  abandon(): void {
    this.abandoned = true;
    this.wakeReader?.();
    this.wakeWriter?.();
  }
}
