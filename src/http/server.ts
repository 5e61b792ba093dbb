import { VERSION } from '../base/version.ts';
import type { Env, Task } from '../core/env.ts';
import { IncomingBody } from './body.ts';
import { chunkOf, LAST_CHUNK } from './chunked.ts';
import { errorPage } from './error-page.ts';
import type { HeaderList } from './headers.ts';
import { latin1Bytes, MessageBuffer } from './latin1.ts';
import { DEFAULT_LIMITS, type HttpLimits } from './limits.ts';
import type { MessageHead } from './parser.ts';
import { MessageReader } from './reader.ts';
import { DateHeader, type EncodedResponse, encodeResponse, type HttpResponseInit } from './response.ts';
import { HttpError } from './status.ts';
import { type AnyStream, type ByteStream, toByteStream } from './stream.ts';

/** A request, as a handler gets it. */
export interface HttpRequest {
  readonly method: string;
  /** As sent: '/a%20b?c', or 'http://host/a' from a client that takes us for a proxy. */
  readonly target: string;
  /** '1.0' or '1.1'. */
  readonly version: '1.0' | '1.1';
  readonly headers: HeaderList;
  readonly body: IncomingBody;
}

/** Answers a request, at once or later. What it throws becomes the status of an HttpError, or 500. */
export type HttpHandler = (request: HttpRequest) => HttpResponseInit | Promise<HttpResponseInit>;

/** Settings of a server. Times in milliseconds, 0 turns one off. */
export interface HttpServerOptions extends Partial<HttpLimits> {
  /** Clock and wake-up calls: `stack.env`, or any other. */
  readonly env: Pick<Env, 'nowUs' | 'task'>;
  /** The Server header; '' sends none. Default 'ethertype/<version>'. */
  readonly serverName?: string;
  /** For a whole head to arrive. nginx: client_header_timeout (60 s). */
  readonly headerTimeoutMs?: number;
  /** Between two reads of a body. nginx: client_body_timeout (60 s). */
  readonly bodyTimeoutMs?: number;
  /** Between two writes that the peer takes. nginx: send_timeout (60 s). */
  readonly sendTimeoutMs?: number;
  /** For the next request. nginx: keepalive_timeout (75 s). */
  readonly keepAliveTimeoutMs?: number;
  /** Requests on one connection. nginx: keepalive_requests (1000). */
  readonly keepAliveRequests?: number;
  /** Connections served at once; above it a new one is closed. nginx: worker_connections (512). */
  readonly maxConnections?: number;
  /** Told what a handler threw that is not an HttpError. */
  readonly onError?: (error: unknown) => void;
}

/** The settings with their defaults filled in, and what all connections of a server share. */
interface ServerContext {
  readonly env: Pick<Env, 'nowUs' | 'task'>;
  readonly handler: HttpHandler;
  readonly limits: HttpLimits;
  readonly serverName: string;
  readonly headerTimeoutMs: number;
  readonly bodyTimeoutMs: number;
  readonly sendTimeoutMs: number;
  readonly keepAliveTimeoutMs: number;
  readonly keepAliveRequests: number;
  readonly maxConnections: number;
  readonly onError: (error: unknown) => void;
  readonly date: DateHeader;
}

function contextOf(handler: HttpHandler, options: HttpServerOptions): ServerContext {
  const { env, ...given } = options;
  return {
    serverName: `ethertype/${VERSION}`,
    headerTimeoutMs: 60_000,
    bodyTimeoutMs: 60_000,
    sendTimeoutMs: 60_000,
    keepAliveTimeoutMs: 75_000,
    keepAliveRequests: 1000,
    maxConnections: 512,
    onError: () => undefined,
    ...given,
    env,
    handler,
    limits: { ...DEFAULT_LIMITS, ...given },
    date: new DateHeader(() => env.nowUs()),
  };
}

/**
 * Serves every connection that `listener` yields. Resolves when the listener has ended and the last connection is
 * done; rejects with what the listener throws.
 * @example
 * await serveHttp(stack.listen({ port: 80 }), () => ({ body: 'hello' }), { env: stack.host.env });
 */
export async function serveHttp(
  listener: AsyncIterable<AnyStream>,
  handler: HttpHandler,
  options: HttpServerOptions,
): Promise<void> {
  const context = contextOf(handler, options);
  const open = new Set<Promise<void>>();
  try {
    for await (const accepted of listener) {
      const stream = toByteStream(accepted);
      if (open.size >= context.maxConnections) {
        stream.close();
        continue;
      }
      const served: Promise<void> = new ServerConnection(stream, context)
        .run()
        .finally(() => open.delete(served));
      open.add(served);
    }
  } finally {
    await Promise.all(open);
  }
}

/** Serves one connection until it ends. Never rejects: a broken connection is the peer's affair. */
export function serveConnection(
  stream: AnyStream,
  handler: HttpHandler,
  options: HttpServerOptions,
): Promise<void> {
  return new ServerConnection(toByteStream(stream), contextOf(handler, options)).run();
}

const CONTINUE = /* @__PURE__ */ latin1Bytes('HTTP/1.1 100 Continue\r\n\r\n');
/** Bytes that are still read after an error, so that the peer gets our answer and not a reset. */
const LINGER_BYTES = 1048576;
const LINGER_MS = 5000;

/** One connection: requests one after the other, answers in the same order (RFC 9112 section 9.3.2). */
class ServerConnection {
  private readonly stream: ByteStream;
  private readonly context: ServerContext;
  private readonly reader: MessageReader;
  private readonly task: Task;
  private readonly buffer = new MessageBuffer();
  /** When the connection is given up, in µs; 0 for never. One task serves all deadlines, see `expire`. */
  private deadlineUs = 0;
  private timedOut = false;
  private continueWanted = false;

  constructor(stream: ByteStream, context: ServerContext) {
    this.stream = stream;
    this.context = context;
    this.reader = new MessageReader(stream, 'REQUEST', context.limits);
    this.task = context.env.task(() => this.expire());
  }

  async run(): Promise<void> {
    try {
      for (let served = 1; await this.serveOne(served); served++);
    } catch {
      // The connection broke, or a body could not be produced: closing is all that is left.
    } finally {
      this.task.cancel();
      this.stream.close();
    }
  }

  /** Serves the next request; false when the connection is to be closed. */
  private async serveOne(served: number): Promise<boolean> {
    const { context, reader } = this;
    let head: MessageHead | null;
    try {
      if (!reader.hasHead) this.allow(served === 1 ? context.headerTimeoutMs : context.keepAliveTimeoutMs);
      head = await reader.nextHead();
    } catch (error) {
      if (!(error instanceof HttpError) || this.timedOut || reader.ended) return false;
      await this.refuse(error.status, null);
      return false;
    }
    if (head === null) return false;
    this.deadlineUs = 0;
    const expectation = head.headers.get('expect');
    if (expectation !== undefined && expectation.toLowerCase() !== '100-continue') {
      await this.refuse(417, head);
      return false;
    }
    this.continueWanted = expectation !== undefined && head.versionMinor > 0 && !reader.messageDone;
    const encoded = await this.answer(head, served);
    if (encoded === null) return false;
    await this.send(encoded);
    return this.finishRequest(encoded.close);
  }

  /** The handler's answer, or that to its failure; null when the connection died with it. */
  private async answer(head: MessageHead, served: number): Promise<EncodedResponse | null> {
    const { context } = this;
    try {
      const pending = context.handler(this.requestOf(head));
      const response = pending instanceof Promise ? await pending : pending;
      // A client that still waits for 100 Continue may or may not send its body: only a new connection is clear.
      const keepAlive = head.keepAlive && served < context.keepAliveRequests && !this.continueWanted;
      return this.encode(response, head, keepAlive);
    } catch (error) {
      if (this.timedOut) return null;
      if (!(error instanceof HttpError)) context.onError(error);
      await this.refuse(error instanceof HttpError ? error.status : 500, head);
      return null;
    }
  }

  private requestOf(head: MessageHead): HttpRequest {
    return {
      method: head.method,
      target: head.target,
      version: head.versionMinor > 0 ? '1.1' : '1.0',
      headers: head.headers,
      body: new IncomingBody(() => this.readBody(), this.context.limits),
    };
  }

  private async readBody(): Promise<Uint8Array | null> {
    if (this.continueWanted) {
      this.continueWanted = false;
      await this.stream.write(CONTINUE);
    }
    this.allow(this.context.bodyTimeoutMs);
    const bytes = await this.reader.nextBody();
    this.deadlineUs = 0;
    return bytes;
  }

  private encode(response: HttpResponseInit, head: MessageHead | null, keepAlive: boolean): EncodedResponse {
    return encodeResponse(response, {
      method: head?.method ?? 'GET',
      versionMinor: head?.versionMinor ?? 1,
      keepAlive,
      serverName: this.context.serverName,
      date: this.context.date.value(),
    });
  }

  private async send(encoded: EncodedResponse): Promise<void> {
    const { body, framing } = encoded;
    if (body === null || framing === 'none') return this.write(this.buffer.encode(encoded.head, null));
    // One write for head and body: one segment for a small answer.
    const small = body instanceof Uint8Array && MessageBuffer.joins(body.length);
    if (small) return this.write(this.buffer.encode(encoded.head, body));
    await this.write(this.buffer.encode(encoded.head, null));
    if (body instanceof Uint8Array) return this.write(body);
    let sent = 0;
    for await (const piece of body) {
      if (piece.length === 0) continue;
      sent += piece.length;
      if (framing === 'length' && sent > encoded.length)
        throw new Error('the body is longer than its Content-Length');
      if (framing !== 'chunked') await this.write(piece);
      else await this.write(chunkOf(piece));
    }
    if (framing === 'chunked') await this.write(LAST_CHUNK);
    if (framing === 'length' && sent < encoded.length)
      throw new Error('the body is shorter than its Content-Length');
  }

  private async write(bytes: Uint8Array): Promise<void> {
    this.allow(this.context.sendTimeoutMs);
    await this.stream.write(bytes);
    this.deadlineUs = 0;
  }

  /** Reads what is left of the request; returns whether another one can follow. */
  private async finishRequest(close: boolean): Promise<boolean> {
    if (close) {
      if (!this.reader.messageDone) await this.linger();
      return false;
    }
    while (!this.reader.messageDone) await this.readBody();
    return true;
  }

  /** Answers with an error page and closes (RFC 9112 section 9.6: half-close first, then read what still comes). */
  private async refuse(status: number, head: MessageHead | null): Promise<void> {
    await this.send(this.encode(errorPage(status, this.context.serverName), head, false));
    await this.linger();
  }

  private async linger(): Promise<void> {
    await this.stream.end();
    this.allow(LINGER_MS);
    for (let left = LINGER_BYTES; left > 0; ) {
      const bytes = await this.stream.read();
      if (bytes === null) break;
      left -= bytes.length;
    }
  }

  /** Gives the peer this long for what comes next. */
  private allow(ms: number): void {
    if (ms === 0) {
      this.deadlineUs = 0;
      return;
    }
    this.deadlineUs = this.context.env.nowUs() + ms * 1000;
    // Usually an earlier wake-up is pending: it then finds the new deadline. So a request costs no timer work.
    this.task.wakeAt(this.deadlineUs);
  }

  private expire(): void {
    if (this.deadlineUs === 0) return;
    if (this.context.env.nowUs() < this.deadlineUs) {
      this.task.wakeAt(this.deadlineUs);
      return;
    }
    this.timedOut = true;
    this.stream.close();
  }
}
