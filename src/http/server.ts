import { VERSION } from '../base/version.ts';
import type { Env, Task } from '../core/env.ts';
import { type BodySource, IncomingBody } from './body.ts';
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

/** A request that was answered, for a log. */
export interface HttpExchange {
  /** The connection, as the listener yielded it. */
  readonly connection: AnyStream;
  /** What was asked for; null when it could not be understood. */
  readonly request: Omit<HttpRequest, 'body'> | null;
  readonly status: number;
  /** Bytes of the answer's body that were sent. */
  readonly bodyBytes: number;
  /** Whether all of it was sent: false when the peer went away or the body could not be produced. */
  readonly complete: boolean;
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
  /** Told of each answer once it is sent, or cut short. It must not throw. */
  readonly onExchange?: (exchange: HttpExchange) => void;
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
  readonly onExchange: ((exchange: HttpExchange) => void) | null;
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
    onExchange: null,
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
      if (open.size >= context.maxConnections) {
        toByteStream(accepted).close();
        continue;
      }
      const served: Promise<void> = new ServerConnection(accepted, context)
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
  return new ServerConnection(stream, contextOf(handler, options)).run();
}

const CONTINUE = /* @__PURE__ */ latin1Bytes('HTTP/1.1 100 Continue\r\n\r\n');
/** Bytes that are still read after an error, so that the peer gets our answer and not a reset. */
const LINGER_BYTES = 1048576;
const LINGER_MS = 5000;

/** One connection: requests one after the other, answers in the same order (RFC 9112 section 9.3.2). */
class ServerConnection implements BodySource {
  private readonly connection: AnyStream;
  private readonly stream: ByteStream;
  private readonly context: ServerContext;
  private readonly reader: MessageReader;
  private readonly task: Task;
  private readonly buffer = new MessageBuffer();
  /** When the connection is given up, in µs; 0 for never. One task serves all deadlines, see `expire`. */
  private deadlineUs = 0;
  private timedOut = false;
  private continueWanted = false;
  /** Bytes of the body of the answer under way that were sent. */
  private bodyBytes = 0;

  constructor(connection: AnyStream, context: ServerContext) {
    this.connection = connection;
    this.stream = toByteStream(connection);
    this.context = context;
    this.reader = new MessageReader(this.stream, 'REQUEST', context.limits);
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
    await this.send(encoded, head);
    this.deadlineUs = 0;
    return !encoded.close && reader.messageDone ? true : this.finishRequest(encoded.close);
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
    const { method, target, version, headers } = lineOf(head);
    return { method, target, version, headers, body: new IncomingBody(this, this.context.limits) };
  }

  /** For the body of a request. A client that waits for 100 Continue has sent none of it. */
  bodyHere(): Uint8Array | null | undefined {
    return this.continueWanted ? undefined : this.reader.bodyHere();
  }

  /** For the body of a request: the next piece, within the time that there is for it. */
  async nextBody(): Promise<Uint8Array | null> {
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

  private send(encoded: EncodedResponse, head: MessageHead | null): Promise<void> {
    const { onExchange } = this.context;
    return onExchange === null ? this.sendAll(encoded) : this.sendAndTell(encoded, head, onExchange);
  }

  private async sendAndTell(
    encoded: EncodedResponse,
    head: MessageHead | null,
    onExchange: (exchange: HttpExchange) => void,
  ): Promise<void> {
    let complete = false;
    this.bodyBytes = 0;
    try {
      await this.sendAll(encoded);
      complete = true;
    } finally {
      const { connection, bodyBytes } = this;
      // The status line: 'HTTP/1.1 200 OK'.
      const status = Number(encoded.head.slice(9, 12));
      const request = head === null ? null : lineOf(head);
      onExchange({ connection, request, status, bodyBytes, complete });
    }
  }

  private sendAll(encoded: EncodedResponse): Promise<void> {
    const { body, framing } = encoded;
    if (body === null || framing === 'none') return this.write(this.buffer.encode(encoded.head, null));
    // One write for head and body: one segment for a small answer.
    if (body instanceof Uint8Array && MessageBuffer.joins(body.length)) {
      this.bodyBytes += body.length;
      return this.write(this.buffer.encode(encoded.head, body));
    }
    return this.sendLong(encoded, body);
  }

  private async sendLong(
    encoded: EncodedResponse,
    body: NonNullable<EncodedResponse['body']>,
  ): Promise<void> {
    const { framing } = encoded;
    await this.write(this.buffer.encode(encoded.head, null));
    if (body instanceof Uint8Array) {
      await this.write(body);
      this.bodyBytes += body.length;
      return;
    }
    let sent = 0;
    for await (const piece of body) {
      if (piece.length === 0) continue;
      sent += piece.length;
      if (framing === 'length' && sent > encoded.length)
        throw new Error('the body is longer than its Content-Length');
      await this.write(framing === 'chunked' ? chunkOf(piece) : piece);
      this.bodyBytes += piece.length;
      // How long the next piece takes is its maker's affair.
      this.deadlineUs = 0;
    }
    if (framing === 'chunked') await this.write(LAST_CHUNK);
    if (framing === 'length' && sent < encoded.length)
      throw new Error('the body is shorter than its Content-Length');
  }

  /** Writes within the time that there is for it. Afterwards the caller says what the next deadline is. */
  private write(bytes: Uint8Array): Promise<void> {
    this.allow(this.context.sendTimeoutMs);
    return this.stream.write(bytes);
  }

  /** Reads what is left of the request; returns whether another one can follow. */
  private async finishRequest(close: boolean): Promise<boolean> {
    if (close) {
      if (!this.reader.messageDone) await this.linger();
      return false;
    }
    while (!this.reader.messageDone) await this.nextBody();
    return true;
  }

  /** Answers with an error page and closes (RFC 9112 section 9.6: half-close first, then read what still comes). */
  private async refuse(status: number, head: MessageHead | null): Promise<void> {
    await this.send(this.encode(errorPage(status, this.context.serverName), head, false), head);
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

/** The request without its body. */
function lineOf(head: MessageHead): Omit<HttpRequest, 'body'> {
  const { method, target, headers } = head;
  return { method, target, version: head.versionMinor > 0 ? '1.1' : '1.0', headers };
}
