import { IncomingBody } from './body.ts';
import { chunkOf, LAST_CHUNK } from './chunked.ts';
import { type HeaderList, type HeadersInit, listHas, toHeaderList } from './headers.ts';
import { MessageBuffer } from './latin1.ts';
import { DEFAULT_LIMITS, type HttpLimits } from './limits.ts';
import type { MessageHead } from './parser.ts';
import { MessageReader } from './reader.ts';
import { HttpError } from './status.ts';
import { type AnyStream, type ByteStream, toByteStream } from './stream.ts';

/** What to ask for. */
export interface HttpRequestInit {
  /** Default 'GET'. */
  readonly method?: string;
  /** The request target, '/' by default; percent-encoded by the caller. */
  readonly path?: string;
  /** Host must be among them; Content-Length and Transfer-Encoding follow from the body. */
  readonly headers?: HeadersInit;
  /** Text is sent as UTF-8, an iterable in chunks. */
  readonly body?: string | Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>;
}

/** An answer. Read its body before the next request on the connection. */
export interface HttpResponse {
  readonly status: number;
  readonly reason: string;
  readonly version: '1.0' | '1.1';
  readonly headers: HeaderList;
  readonly body: IncomingBody;
  /** Whether the connection can carry another request. */
  readonly keepAlive: boolean;
  /** The 1xx answers that came before. */
  readonly informational: readonly { readonly status: number; readonly headers: HeaderList }[];
}

/** 1xx answers to one request. */
const MAX_INFORMATIONAL = 16;

/**
 * Requests over one connection, one after the other.
 * @example
 * const client = new HttpClient(stack.connect({ hostname: '10.0.0.2', port: 80 }));
 * const answer = await client.request({ path: '/', headers: { Host: '10.0.0.2' } });
 * console.log(answer.status, await answer.body.text());
 */
export class HttpClient {
  private readonly stream: ByteStream;
  private readonly limits: HttpLimits;
  private readonly reader: MessageReader;
  private readonly buffer = new MessageBuffer();
  private usable = true;

  /** Without `limits`: those of a server, and bodies of any size, since they are read piece by piece. */
  constructor(stream: AnyStream, limits: Partial<HttpLimits> = {}) {
    this.stream = toByteStream(stream);
    this.limits = { ...DEFAULT_LIMITS, maxBody: Number.MAX_SAFE_INTEGER, ...limits };
    this.reader = new MessageReader(this.stream, 'RESPONSE', this.limits);
  }

  /** Whether another request can be sent. */
  get reusable(): boolean {
    return this.usable;
  }

  /**
   * Sends a request and waits for the head of the answer. What is left of an earlier body is skipped.
   * Throws HttpError for an answer that is malformed or cut short, TypeError for a request that cannot be sent,
   * and what the stream throws.
   */
  async request(init: HttpRequestInit = {}): Promise<HttpResponse> {
    while (!this.reader.messageDone) await this.reader.nextBody();
    if (!this.usable) throw new HttpError(400, 'the connection cannot carry another request');
    this.usable = false;
    const method = init.method ?? 'GET';
    const headers = toHeaderList(init.headers);
    this.reader.answersHead = method === 'HEAD';
    await this.send(method, init, headers);
    return this.receive(!listHas(headers.get('connection'), 'close'));
  }

  private send(method: string, init: HttpRequestInit, headers: HeaderList): Promise<void> {
    const path = init.path ?? '/';
    if (!/^[A-Z-]+$/.test(method)) throw new TypeError(`not a method: ${JSON.stringify(method)}`);
    if (!/^[\x21-\x7e]+$/.test(path)) throw new TypeError(`not a request target: ${JSON.stringify(path)}`);
    const body = typeof init.body === 'string' ? new TextEncoder().encode(init.body) : init.body;
    const whole = body === undefined || body instanceof Uint8Array;
    if (body instanceof Uint8Array) headers.append('Content-Length', body.length);
    if (!whole) headers.append('Transfer-Encoding', 'chunked');
    let text = `${method} ${path} HTTP/1.1\r\n`;
    for (const [name, value] of headers) text += `${name}: ${value}\r\n`;
    text += '\r\n';
    const joined = body instanceof Uint8Array && MessageBuffer.joins(body.length) ? body : null;
    const head = this.stream.write(this.buffer.encode(text, joined));
    if (body instanceof Uint8Array) return joined === null ? head.then(() => this.stream.write(body)) : head;
    return whole ? head : head.then(() => this.sendChunks(body));
  }

  private async sendChunks(body: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<void> {
    for await (const piece of body) {
      if (piece.length > 0) await this.stream.write(chunkOf(piece));
    }
    await this.stream.write(LAST_CHUNK);
  }

  private async receive(keepAlive: boolean): Promise<HttpResponse> {
    const informational: MessageHead[] = [];
    for (;;) {
      const head = await this.reader.nextHead();
      if (head === null) throw new HttpError(400, 'the connection ended before the answer');
      if (head.status >= 200) return this.responseOf(head, keepAlive && head.keepAlive, informational);
      if (head.status === 101 || informational.length >= MAX_INFORMATIONAL) {
        throw new HttpError(400, `unexpected answer ${head.status}`);
      }
      informational.push(head);
    }
  }

  private responseOf(head: MessageHead, keepAlive: boolean, informational: MessageHead[]): HttpResponse {
    this.usable = keepAlive;
    return {
      status: head.status,
      reason: head.reason,
      version: head.versionMinor > 0 ? '1.1' : '1.0',
      headers: head.headers,
      body: new IncomingBody(this.reader, this.limits),
      keepAlive,
      informational,
    };
  }
}

/** One request over a stream that is used for nothing else; see `HttpClient.request`. */
export function request(stream: AnyStream, init: HttpRequestInit = {}): Promise<HttpResponse> {
  return new HttpClient(stream).request(init);
}
