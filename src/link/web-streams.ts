import type { Env } from '../core/env.ts';
import { createLinkOver, type RemoteLink, type RemoteLinkOptions } from './remote.ts';
import type { Framing, RemoteEvents, RemoteTransport } from './remote-transport.ts';

/** Both directions of a transport, as TCPSocket, WebTransport, child processes and many others have them. */
export interface StreamPair {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<Uint8Array>;
}

/** What a link over streams is like. */
export interface StreamLinkOptions extends RemoteLinkOptions {
  /** 'stream' (the default): bytes, each frame behind its length as QEMU has it. 'message': each chunk is a frame. */
  framing?: Framing | undefined;
}

/**
 * A link over a pair of web streams. Given a function, it calls it for a new pair whenever there is no connection;
 * given a pair, it ends with it. The streams are the link's from now on.
 * @example
 * const link = createStreamLink(env, { readable, writable }, { pool: stack.host.pool });
 * stack.attach(link, { address: '10.0.0.1/24' });
 */
export function createStreamLink(
  env: Env,
  source: StreamPair | (() => StreamPair | Promise<StreamPair>),
  options: StreamLinkOptions = {},
): RemoteLink {
  const make = (pair: StreamPair, events: RemoteEvents) => new StreamTransport(env, pair, events);
  return createLinkOver(env, options.framing ?? 'stream', source, make, options);
}

class StreamTransport implements RemoteTransport {
  private readonly env: Env;
  private readonly events: RemoteEvents;
  private readonly reader: ReadableStreamDefaultReader<Uint8Array>;
  private readonly writer: WritableStreamDefaultWriter<Uint8Array>;
  private paused = false;
  private reading = false;
  private closed = false;

  constructor(env: Env, pair: StreamPair, events: RemoteEvents) {
    this.env = env;
    this.events = events;
    this.reader = pair.readable.getReader();
    this.writer = pair.writable.getWriter();
    // A writer whose stream breaks says so here even when nothing is written.
    this.writer.closed.then(() => this.ended(), this.failed);
    events.up();
    void this.read();
  }

  write(chunk: Uint8Array<ArrayBuffer>): boolean {
    const { writer } = this;
    writer.write(chunk).catch(this.failed);
    this.env.settled();
    if ((writer.desiredSize ?? 0) > 0) return true;
    writer.ready.then(() => this.events.room(), this.failed);
    return false;
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
    void this.read();
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    const { writer } = this;
    // What a full stream still holds is not waited for: its reader may never come.
    const end = (writer.desiredSize ?? 0) >= 0 ? writer.close() : writer.abort('the link was closed');
    end.catch(() => {});
    this.reader.cancel('the link was closed').catch(() => {});
    this.env.settled();
  }

  private async read(): Promise<void> {
    if (this.reading) return;
    this.reading = true;
    try {
      while (!this.paused && !this.closed) {
        const { done, value } = await this.reader.read();
        if (done) return this.ended();
        if (!(value instanceof Uint8Array)) throw new TypeError('the stream gives something else than bytes');
        this.events.received(value);
      }
    } catch (error) {
      this.failed(error);
    } finally {
      this.reading = false;
    }
  }

  private ended(): void {
    this.events.down('the other side has closed the stream');
  }

  private readonly failed = (error: unknown): void => {
    this.events.down(error instanceof Error ? error.message : String(error));
  };
}
