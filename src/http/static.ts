import { lookup } from 'mrmime';
import { EACCES, ELOOP, ENAMETOOLONG, ENOENT, ENOTDIR, EPERM } from '../base/errno.ts';
import { VERSION } from '../base/version.ts';
import { evaluateConditions, ifRangeHolds, type Validators } from './conditional.ts';
import { formatHttpDate } from './date.ts';
import { errorPage } from './error-page.ts';
import type { FileStore, OpenFile } from './files.ts';
import { latin1Bytes } from './latin1.ts';
import { normalizePath, queryOf } from './path.ts';
import { type ByteRange, parseRanges } from './range.ts';
import type { HttpResponseInit } from './response.ts';
import type { HttpHandler, HttpRequest } from './server.ts';

/** Settings of `serveFiles`. */
export interface StaticOptions {
  /** Files that stand for their folder, the first that exists. nginx: index (index.html). */
  readonly index?: readonly string[];
  /** Content-Type of an unknown extension. nginx: default_type. */
  readonly defaultType?: string;
  /** The name at the foot of error pages. */
  readonly serverName?: string;
}

/** Bytes read from a file, and sent, at once. */
const CHUNK_BYTES = 65536;
/** The boundary of nginx's shape: 20 digits. It need not be unguessable, parts are delimited by their ranges. */
const BOUNDARY = '00000000000000000001';

/**
 * A handler that serves a tree of files as nginx does by default: index files, redirects to folders, conditional
 * requests, ranges, HEAD.
 */
export function serveFiles(store: FileStore, options: StaticOptions = {}): HttpHandler {
  const handler = new StaticFiles(store, options);
  return request => handler.handle(request);
}

/** A representation that was found: its file is open. */
interface Found {
  readonly file: OpenFile;
  readonly path: string;
}

class StaticFiles {
  private readonly store: FileStore;
  private readonly index: readonly string[];
  private readonly defaultType: string;
  private readonly serverName: string;

  constructor(store: FileStore, options: StaticOptions) {
    this.store = store;
    this.index = options.index ?? ['index.html'];
    this.defaultType = options.defaultType ?? 'application/octet-stream';
    this.serverName = options.serverName ?? `ethertype/${VERSION}`;
  }

  handle(request: HttpRequest): HttpResponseInit {
    if (request.method !== 'GET' && request.method !== 'HEAD') return this.page(405, { Allow: 'GET, HEAD' });
    const path = normalizePath(request.target);
    if (path === null) return this.page(400);
    const found = this.find(path, request);
    return 'file' in found ? this.serve(found, request) : found;
  }

  private page(status: number, headers: Record<string, string> = {}): HttpResponseInit {
    return errorPage(status, this.serverName, headers);
  }

  /** The file that a path names, or the answer when there is none. */
  private find(path: string, request: HttpRequest): Found | HttpResponseInit {
    if (path.endsWith('/')) return this.findIndex(path);
    const file = this.store.open(path);
    if (typeof file === 'number') return this.page(statusOf(file));
    if (file.kind === 'file') return { file, path };
    file.close();
    return this.page(301, { Location: locationOf(path, request) });
  }

  private findIndex(path: string): Found | HttpResponseInit {
    for (const name of this.index) {
      const file = this.store.open(path + name);
      if (typeof file === 'number') {
        const status = statusOf(file);
        if (status !== 404) return this.page(status);
        continue;
      }
      if (file.kind === 'file') return { file, path: path + name };
      file.close();
    }
    const folder = this.store.open(path === '/' ? path : path.slice(0, -1));
    if (typeof folder === 'number') return this.page(statusOf(folder));
    folder.close();
    return this.page(folder.kind === 'directory' ? 403 : 404);
  }

  private serve({ file, path }: Found, request: HttpRequest): HttpResponseInit {
    const seconds = Math.floor(file.mtimeMs / 1000);
    const present = {
      etag: `"${seconds.toString(16)}-${file.size.toString(16)}"`,
      lastModifiedMs: seconds * 1000,
    };
    const headers: Record<string, string | number> = {
      'Content-Type': lookup(path) ?? this.defaultType,
      'Last-Modified': formatHttpDate(present.lastModifiedMs),
      ETag: present.etag,
    };
    const condition = evaluateConditions(request.headers, present);
    if (condition !== 200) {
      file.close();
      if (condition === 412) return this.page(412);
      const { 'Content-Type': _, ...validators } = headers;
      return { status: 304, headers: validators };
    }
    const ranges = this.rangesOf(request, file, present);
    if (ranges === null)
      return respond(request, file, 200, { ...headers, 'Accept-Ranges': 'bytes' }, wholeOf(file));
    if (ranges.length === 0) {
      file.close();
      return this.page(416, { 'Content-Range': `bytes */${file.size}` });
    }
    return partial(request, file, headers, ranges);
  }

  private rangesOf(request: HttpRequest, file: OpenFile, present: Validators): ByteRange[] | null {
    const field = request.headers.get('range');
    if (field === undefined || !ifRangeHolds(request.headers, present)) return null;
    return parseRanges(field, file.size);
  }
}

/** A piece of the body: bytes that are here, or a range of the file. */
type Piece = Uint8Array | ByteRange;

function wholeOf(file: OpenFile): Piece[] {
  return [{ start: 0, end: file.size }];
}

function partial(
  request: HttpRequest,
  file: OpenFile,
  headers: Record<string, string | number>,
  ranges: ByteRange[],
): HttpResponseInit {
  const [first] = ranges;
  if (first !== undefined && ranges.length === 1) {
    return respond(request, file, 206, { ...headers, 'Content-Range': contentRange(first, file.size) }, [
      first,
    ]);
  }
  // RFC 9110 section 14.6: each part says what it is; the type of the whole says where parts begin.
  const pieces: Piece[] = [];
  for (const range of ranges) {
    const type = headers['Content-Type'];
    const part = `\r\n--${BOUNDARY}\r\nContent-Type: ${type}\r\nContent-Range: ${contentRange(range, file.size)}\r\n\r\n`;
    pieces.push(latin1Bytes(part), range);
  }
  pieces.push(latin1Bytes(`\r\n--${BOUNDARY}--\r\n`));
  const type = `multipart/byteranges; boundary=${BOUNDARY}`;
  return respond(request, file, 206, { ...headers, 'Content-Type': type }, pieces);
}

function contentRange(range: ByteRange, size: number): string {
  return `bytes ${range.start}-${range.end - 1}/${size}`;
}

/** Sends pieces: what fits one chunk at once, the rest while the peer takes it. */
function respond(
  request: HttpRequest,
  file: OpenFile,
  status: number,
  headers: Record<string, string | number>,
  pieces: Piece[],
): HttpResponseInit {
  let length = 0;
  for (const piece of pieces) length += lengthOf(piece);
  const all = { ...headers, 'Content-Length': length };
  if (request.method === 'HEAD') {
    file.close();
    return { status, headers: all };
  }
  if (length > CHUNK_BYTES) return { status, headers: all, body: piecesOf(file, pieces) };
  const body = new Uint8Array(length);
  let at = 0;
  for (const piece of piecesOf(file, pieces)) {
    body.set(piece, at);
    at += piece.length;
  }
  return { status, headers: all, body };
}

function lengthOf(piece: Piece): number {
  return piece instanceof Uint8Array ? piece.length : piece.end - piece.start;
}

/** The pieces in chunks. Throws when the file has become shorter: the announced length can no more be kept. */
function* piecesOf(file: OpenFile, pieces: Piece[]): Generator<Uint8Array> {
  try {
    for (const piece of pieces) {
      if (piece instanceof Uint8Array) {
        yield piece;
        continue;
      }
      for (let at = piece.start; at < piece.end; ) {
        const chunk = new Uint8Array(Math.min(CHUNK_BYTES, piece.end - at));
        const got = file.read(at, chunk);
        if (got <= 0) throw new Error('a file changed while it was sent');
        at += got;
        yield got === chunk.length ? chunk : chunk.subarray(0, got);
      }
    }
  } finally {
    file.close();
  }
}

function statusOf(errno: number): number {
  switch (-errno) {
    case ENOENT:
    case ENOTDIR:
    case ENAMETOOLONG:
      return 404;
    case EACCES:
    case EPERM:
    case ELOOP:
      return 403;
    default:
      return 500;
  }
}

/** Where a folder without its slash moved to: absolute, as nginx has it, when the client told which host it asked. */
function locationOf(path: string, request: HttpRequest): string {
  const encoded = encodePath(path);
  const host = request.headers.get('host');
  return `${host === undefined || host === '' ? '' : `http://${host}`}${encoded}/${queryOf(request.target)}`;
}

/** RFC 3986 section 3.3: pchar and '/', everything else percent-encoded. */
function encodePath(path: string): string {
  let encoded = '';
  for (const byte of new TextEncoder().encode(path)) {
    const char = String.fromCharCode(byte);
    if (/[A-Za-z0-9\-._~!$&'()*+,;=:@/]/.test(char)) encoded += char;
    else encoded += `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return encoded;
}
