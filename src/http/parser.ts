/**
 * The one place that knows the parser library (http-parser-js). It feeds bytes in and gives heads, bodies and ends
 * out, and is strict where the library is lenient and a mistake would let two servers disagree about where a message
 * ends (RFC 9112 section 6.3, request smuggling).
 * @module
 */
import { HTTPParser, methods } from 'http-parser-js';
import { HeaderList, isFieldName, isFieldValue, listHas } from './headers.ts';
import { latin1Text } from './latin1.ts';
import type { HttpLimits } from './limits.ts';
import { HttpError, isBodiless } from './status.ts';

/** The start line and the header fields of a message. */
export interface MessageHead {
  /** Of a request. */
  readonly method: string;
  /** The request target, as sent. */
  readonly target: string;
  /** Of a response. */
  readonly status: number;
  readonly reason: string;
  /** 0 for HTTP/1.0, 1 for HTTP/1.1. */
  readonly versionMinor: number;
  readonly headers: HeaderList;
  /** Bytes the body will have; -1 when it is chunked or ends with the connection. */
  readonly bodyLength: number;
  /** Whether the connection can carry another message after this one (RFC 9112 section 9.3). */
  readonly keepAlive: boolean;
}

/** Told about the parts of a message, in order, from inside `feed`. */
export interface MessageSink {
  head(head: MessageHead): void;
  /** The bytes are its own. */
  body(bytes: Uint8Array): void;
  end(): void;
}

/** The parts of the library that are used, without its Node types. */
interface Library {
  state: string;
  line: string;
  chunk: Uint8Array;
  offset: number;
  end: number;
  isChunked: boolean;
  body_bytes: number | null;
  info: {
    method: number;
    url: string;
    statusCode: number;
    statusMessage: string;
    versionMajor: number;
    versionMinor: number;
    headers: string[];
    upgrade: boolean;
  };
  execute(chunk: Uint8Array): number | Error;
  finish(): Error | undefined;
}

const ON_HEADERS_COMPLETE = 2;
const ON_BODY = 3;
const ON_MESSAGE_COMPLETE = 4;
const LibraryParser = HTTPParser as unknown as new (type: 'REQUEST' | 'RESPONSE') => Library;
const METHODS = methods as readonly string[];

const CR = 0x0d;
/** Bytes decoded at once; more than most heads have, and not much of a body. */
const WINDOW_BYTES = 1024;
const CHUNK_LINE_MAX = 1024;
const CHUNK_LINE = /^([0-9A-Fa-f]{1,12})[ \t]*(?:;[^\r]*)?$/;
const TARGET = /^[\x21-\x7e\x80-\xff]+$/;
const LENGTH = /^\d{1,15}$/;

/** Parses a stream of requests or of responses. After an error it is of no more use. */
export class MessageParser {
  private readonly inner: StrictParser;

  constructor(type: 'REQUEST' | 'RESPONSE', limits: HttpLimits, sink: MessageSink) {
    this.inner = new StrictParser(type);
    this.inner.attach(type, limits, sink);
  }

  /** For responses: whether the next message answers a HEAD request and so has no body. */
  set answersHead(yes: boolean) {
    this.inner.answersHead = yes;
  }

  /** Takes the next bytes; returns what is wrong with them, or null. */
  feed(bytes: Uint8Array): HttpError | null {
    try {
      let rest = bytes;
      while (rest.length > 0) {
        this.inner.forgetWindow();
        const taken = this.inner.execute(rest);
        if (typeof taken !== 'number') return asHttpError(taken);
        // The library stops behind a head that asks for an upgrade; we never upgrade.
        if (taken === rest.length) return null;
        rest = rest.subarray(taken);
      }
      return null;
    } catch (error) {
      return asHttpError(error);
    }
  }

  /** Takes the end of the stream, which ends a body without a length; returns an error when it cuts a message. */
  finish(): HttpError | null {
    const { inner } = this;
    if (inner.line !== '' || inner.finish() !== undefined) return new HttpError(400, 'message cut short');
    return null;
  }
}

function asHttpError(error: unknown): HttpError {
  if (error instanceof HttpError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return message === 'invalid request method' ? new HttpError(501) : new HttpError(400, message);
}

/** The library, with its line reader and its lenient steps replaced. */
class StrictParser extends LibraryParser {
  answersHead = false;
  private request = true;
  private limits!: HttpLimits;
  private sink!: MessageSink;
  private window = '';
  private windowStart = 0;
  private windowEnd = 0;
  private startBytes = 0;
  private headerBytes = 0;
  private bodyBytes = 0;

  attach(type: 'REQUEST' | 'RESPONSE', limits: HttpLimits, sink: MessageSink): void {
    this.request = type === 'REQUEST';
    this.limits = limits;
    this.sink = sink;
  }

  /** The library counts the bytes of earlier, pipelined messages too; the limits are kept in consumeLine instead. */
  get maxHeaderSize(): number {
    return Number.POSITIVE_INFINITY;
  }

  set maxHeaderSize(_bytes: number) {}

  /** Must be called before new bytes are executed. */
  forgetWindow(): void {
    this.windowEnd = 0;
  }

  /** Replaces the library's line reader: undefined until the line is complete. */
  consumeLine(): string | undefined {
    const { chunk, offset, end } = this;
    // Lines are cut from a window of text, so that a head is decoded at once and not line by line.
    if (offset < this.windowStart || offset >= this.windowEnd) this.openWindow(chunk, offset, end);
    const from = offset - this.windowStart;
    const at = this.window.indexOf('\n', from);
    if (at < 0) {
      this.count(this.windowEnd - offset);
      this.line += this.window.slice(from);
      this.offset = this.windowEnd;
      return this.offset < end ? this.consumeLine() : undefined;
    }
    this.count(at - from + 1);
    const stop = this.window.charCodeAt(at - 1) === CR && at > from ? at - 1 : at;
    let text = this.window.slice(from, stop);
    this.offset = offset + at - from + 1;
    if (this.line === '') return text;
    text = this.line + this.window.slice(from, at);
    this.line = '';
    return text.endsWith('\r') ? text.slice(0, -1) : text;
  }

  private openWindow(chunk: Uint8Array, offset: number, end: number): void {
    this.windowStart = offset;
    this.windowEnd = Math.min(offset + WINDOW_BYTES, end);
    this.window = latin1Text(chunk, offset, this.windowEnd);
  }

  private count(bytes: number): void {
    if (this.state === 'REQUEST_LINE' || this.state === 'RESPONSE_LINE') {
      this.startBytes += bytes;
      if (this.startBytes > this.limits.maxStartLine) throw new HttpError(414);
    } else if (this.state === 'HEADER' || this.state === 'BODY_CHUNKTRAILERS') {
      this.headerBytes += bytes;
      if (this.headerBytes > this.limits.maxHeaderBytes) throw new HttpError(431);
    } else if (this.line.length + bytes > CHUNK_LINE_MAX) {
      throw new HttpError(400, 'chunk header too long');
    }
  }

  /** Replaces the library's header reader, which skips what it does not understand. */
  parseHeader(line: string, headers: string[]): void {
    const colon = line.indexOf(':');
    const name = line.slice(0, colon);
    const value = trim(line, colon + 1);
    if (colon < 0 || !isFieldName(name) || !isFieldValue(value)) {
      throw new HttpError(400, 'malformed header line');
    }
    if (headers.length >= 2 * this.limits.maxHeaders) throw new HttpError(431);
    headers.push(name, value);
  }

  /** Replaces the library's chunk-size reader, which takes '-5' and 'zz' for numbers. */
  BODY_CHUNKHEAD(): void {
    const line = this.consumeLine();
    if (line === undefined) return;
    const match = CHUNK_LINE.exec(line);
    if (match === null) throw new HttpError(400, 'malformed chunk size');
    const size = Number.parseInt(match[1] as string, 16);
    this.body_bytes = size;
    this.bodyBytes += size;
    if (this.bodyBytes > this.limits.maxBody) throw new HttpError(413);
    this.state = size === 0 ? 'BODY_CHUNKTRAILERS' : 'BODY_CHUNK';
  }

  [ON_HEADERS_COMPLETE](): boolean {
    const { info } = this;
    const headers = new HeaderList(info.headers);
    if (info.versionMajor !== 1) throw new HttpError(505);
    const length = contentLength(headers);
    const coding = headers.get('transfer-encoding');
    checkFraming(length, coding, info.versionMinor);
    // The library takes a chunked body for none when the message also asks for an upgrade.
    this.isChunked = coding !== undefined;
    const noBody = !this.request && (this.answersHead || isBodiless(info.statusCode));
    const toEnd = !this.request && !noBody && coding === undefined && length < 0;
    const bodyLength = noBody ? 0 : coding !== undefined || toEnd ? -1 : Math.max(length, 0);
    if (bodyLength > this.limits.maxBody) throw new HttpError(413);
    if (this.request) checkRequest(info.url, headers, info.versionMinor);
    const connection = headers.get('connection');
    const persistent =
      info.versionMinor > 0 ? !listHas(connection, 'close') : listHas(connection, 'keep-alive');
    this.startBytes = 0;
    this.headerBytes = 0;
    this.bodyBytes = 0;
    this.sink.head({
      method: this.request ? (METHODS[info.method] ?? '') : '',
      target: this.request ? info.url : '',
      status: this.request ? 0 : info.statusCode,
      reason: this.request ? '' : info.statusMessage,
      versionMinor: info.versionMinor,
      headers,
      bodyLength,
      keepAlive: persistent && !toEnd,
    });
    return noBody;
  }

  [ON_BODY](bytes: Uint8Array): void {
    if (!this.isChunked) {
      this.bodyBytes += bytes.length;
      if (this.bodyBytes > this.limits.maxBody) throw new HttpError(413);
    }
    this.sink.body(bytes);
  }

  [ON_MESSAGE_COMPLETE](): void {
    this.headerBytes = 0;
    this.sink.end();
  }
}

/** The Content-Length, -1 when there is none. A repeated one is refused even when the values agree, as nginx does. */
function contentLength(headers: HeaderList): number {
  const value = headers.get('content-length');
  if (value === undefined) return -1;
  if (!LENGTH.test(value)) throw new HttpError(400, 'malformed Content-Length');
  return Number(value);
}

/** RFC 9112 section 6.1: anything that could be read in two ways is refused. */
function checkFraming(length: number, coding: string | undefined, versionMinor: number): void {
  if (coding === undefined) return;
  if (versionMinor === 0) throw new HttpError(400, 'Transfer-Encoding in HTTP/1.0');
  if (length >= 0) throw new HttpError(400, 'both Content-Length and Transfer-Encoding');
  if (coding.toLowerCase() !== 'chunked') throw new HttpError(501, 'unknown Transfer-Encoding');
}

const HOST = /^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~!$&'()*+,;=%-]*)(?::\d{0,5})?$/;

/** RFC 9112 section 3.2: one valid Host in HTTP/1.1, and a target without control characters. */
function checkRequest(target: string, headers: HeaderList, versionMinor: number): void {
  if (!TARGET.test(target)) throw new HttpError(400, 'malformed request target');
  const hosts = headers.getAll('host');
  if (hosts.length > 1) throw new HttpError(400, 'more than one Host');
  if (hosts.length === 0 && versionMinor > 0) throw new HttpError(400, 'no Host');
  if (hosts.length === 1 && !HOST.test(hosts[0] as string)) throw new HttpError(400, 'malformed Host');
}

/** `text` from `start` on, without the blanks around it. */
function trim(text: string, start: number): string {
  let from = start;
  let end = text.length;
  while (from < end && isBlank(text.charCodeAt(from))) from++;
  while (end > from && isBlank(text.charCodeAt(end - 1))) end--;
  return text.slice(from, end);
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}
