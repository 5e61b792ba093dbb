import { formatHttpDate } from './date.ts';
import { type HeaderList, type HeadersInit, toHeaderList } from './headers.ts';
import { isBodiless, reasonPhrase } from './status.ts';

/** What a handler answers. */
export interface HttpResponseInit {
  /** Default 200. */
  readonly status?: number;
  /** Default: the registered phrase. */
  readonly reason?: string;
  /**
   * Server, Date, Connection and Transfer-Encoding are added; so is Content-Length where it is known. A
   * Content-Length given here is trusted (HEAD, or an iterable of known length).
   */
  readonly headers?: HeadersInit;
  /** Text is sent as UTF-8. An iterable without a Content-Length is sent in chunks. */
  readonly body?: string | Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array> | null;
}

/** How the body of a response is delimited on the wire (RFC 9112 section 6). */
export type BodyFraming = 'none' | 'length' | 'chunked' | 'close';

/** A response made ready for the wire. */
export interface EncodedResponse {
  /** Status line and header fields, with the empty line. */
  readonly head: string;
  readonly framing: BodyFraming;
  /** Announced length; -1 when unknown. */
  readonly length: number;
  /** Bytes that are all here, or an iterable; null when nothing is to be sent. */
  readonly body: Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array> | null;
  /** Whether the connection must be closed after it. */
  readonly close: boolean;
}

/** What the request and the connection say about the response. */
export interface ResponseContext {
  readonly method: string;
  readonly versionMinor: number;
  readonly keepAlive: boolean;
  readonly serverName: string;
  readonly date: string;
}

const encoder = /* @__PURE__ */ new TextEncoder();

/** Encodes a response, header fields in nginx's order. Throws TypeError for headers that cannot be sent. */
export function encodeResponse(response: HttpResponseInit, context: ResponseContext): EncodedResponse {
  const status = response.status ?? 200;
  const headers = toHeaderList(response.headers);
  const bodiless = isBodiless(status);
  const body = typeof response.body === 'string' ? encoder.encode(response.body) : (response.body ?? null);
  const known = body instanceof Uint8Array ? body.length : body === null ? 0 : -1;
  const given = headers.get('content-length');
  const length = bodiless ? -1 : given !== undefined ? Number(given) : known;
  if (given !== undefined && (!Number.isSafeInteger(length) || (known > 0 && known !== length))) {
    throw new TypeError(`Content-Length ${given} does not fit the body`);
  }
  const framing = framingOf(bodiless, length, context);
  const keepAlive = context.keepAlive && framing !== 'close' && !wantsClose(headers);
  const parts: HeadParts = {
    status,
    reason: response.reason ?? reasonPhrase(status),
    framing,
    length,
    keepAlive,
  };
  return {
    head: formatHead(parts, headers, context),
    framing: context.method === 'HEAD' ? 'none' : framing,
    length,
    body: bodiless || context.method === 'HEAD' ? null : body,
    close: !keepAlive,
  };
}

function framingOf(bodiless: boolean, length: number, context: ResponseContext): BodyFraming {
  if (bodiless) return 'none';
  if (length >= 0) return 'length';
  return context.versionMinor > 0 ? 'chunked' : 'close';
}

function wantsClose(headers: HeaderList): boolean {
  return headers.get('connection')?.toLowerCase() === 'close';
}

interface HeadParts {
  readonly status: number;
  readonly reason: string;
  readonly framing: BodyFraming;
  readonly length: number;
  readonly keepAlive: boolean;
}

/** Fields that have a fixed place (or that the server alone decides about). */
const PLACED = new Set([
  'server',
  'date',
  'content-type',
  'content-length',
  'last-modified',
  'location',
  'transfer-encoding',
  'connection',
]);

function formatHead(parts: HeadParts, headers: HeaderList, context: ResponseContext): string {
  let head = `HTTP/1.1 ${parts.status} ${parts.reason}\r\n`;
  const server = headers.get('server') ?? context.serverName;
  if (server !== '') head += `Server: ${server}\r\n`;
  head += `Date: ${headers.get('date') ?? context.date}\r\n`;
  head += placed(headers, 'Content-Type');
  if (parts.framing === 'length') head += `Content-Length: ${parts.length}\r\n`;
  head += placed(headers, 'Last-Modified') + placed(headers, 'Location');
  if (parts.framing === 'chunked') head += 'Transfer-Encoding: chunked\r\n';
  head += parts.keepAlive ? 'Connection: keep-alive\r\n' : 'Connection: close\r\n';
  const { raw } = headers;
  for (let i = 0; i < raw.length; i += 2) {
    if (!PLACED.has((raw[i] as string).toLowerCase())) head += `${raw[i]}: ${raw[i + 1]}\r\n`;
  }
  return `${head}\r\n`;
}

function placed(headers: HeaderList, name: string): string {
  const value = headers.get(name);
  return value === undefined ? '' : `${name}: ${value}\r\n`;
}

/** The Date field, made anew only when the second changes. `nowUs` is the clock. */
export class DateHeader {
  private readonly nowUs: () => number;
  private second = -1;
  private text = '';

  constructor(nowUs: () => number) {
    this.nowUs = nowUs;
  }

  value(): string {
    const second = Math.floor(this.nowUs() / 1e6);
    if (second !== this.second) {
      this.second = second;
      this.text = formatHttpDate(second * 1000);
    }
    return this.text;
  }
}
