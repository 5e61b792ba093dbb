import { MemoryFiles } from '../../src/http/files.ts';
import { type HttpHandler, type HttpServerOptions, serveConnection } from '../../src/http/server.ts';
import { serveFiles } from '../../src/http/static.ts';
import { type ByteStream, streamPair } from '../../src/http/stream.ts';
import { VirtualClock } from '../../src/sim/clock.ts';

/** 6 November 1994, 08:49:37 GMT: the date of RFC 9110's examples. */
export const FILES_MTIME_MS = 784_111_777_000;

/** A small tree of files. */
export const FILES = new MemoryFiles(
  {
    '/index.html': '<p>home</p>\n',
    '/digits.txt': '0123456789',
    '/empty.css': '',
    '/sub/index.html': '<p>sub</p>\n',
    '/bare/file.bin': 'x',
    '/with space/a+b.txt': 'space',
    '/big.bin': new Uint8Array(200_000).map((_, i) => i & 0xff),
    '/noext': '?',
  },
  FILES_MTIME_MS,
);

export const serveTestFiles: HttpHandler = serveFiles(FILES);

/** An environment whose time stands still, and a clock to move it. */
export function stillClock(): VirtualClock {
  return new VirtualClock({ startUs: 1_700_000_000_000_000 });
}

/** Bytes as text, one character a byte. */
export function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1');
}

/** Everything a stream still gives. */
export async function readAll(stream: ByteStream): Promise<string> {
  let text = '';
  for (let bytes = await stream.read(); bytes !== null; bytes = await stream.read()) text += textOf(bytes);
  return text;
}

/**
 * Sends pieces to a server over a stream in memory, then ends, and gives all that came back.
 * The server must have closed by then.
 */
export async function exchange(
  sent: string | readonly (string | Uint8Array)[],
  handler: HttpHandler = serveTestFiles,
  options: Partial<HttpServerOptions> = {},
): Promise<string> {
  const [client, server] = streamPair();
  const served = serveConnection(server, handler, { env: stillClock().env(1), ...options });
  const answer = readAll(client);
  try {
    for (const piece of typeof sent === 'string' ? [sent] : sent)
      await client.write(Buffer.from(piece as string, 'latin1'));
  } catch {
    // The server has closed already.
  }
  await client.end();
  await served;
  return answer;
}

/** The parts of a response. */
export interface Answer {
  readonly status: number;
  readonly line: string;
  readonly headers: Map<string, string>;
  readonly names: string[];
  readonly body: string;
}

/** Splits one response; the body is all the rest. */
export function parseAnswer(text: string): Answer {
  const end = text.indexOf('\r\n\r\n');
  const [line = '', ...fields] = text.slice(0, end).split('\r\n');
  const pairs = fields.map(
    field => [field.slice(0, field.indexOf(':')), field.slice(field.indexOf(':') + 2)] as const,
  );
  return {
    status: Number(line.split(' ')[1]),
    line,
    headers: new Map(pairs.map(([name, value]) => [name.toLowerCase(), value])),
    names: pairs.map(([name]) => name),
    body: text.slice(end + 4),
  };
}

/** One GET (or another method) with header lines, on a connection of its own. */
export async function get(path: string, fields: readonly string[] = [], method = 'GET'): Promise<Answer> {
  const head = [`${method} ${path} HTTP/1.1`, 'Host: h', 'Connection: close', ...fields, '', ''].join('\r\n');
  return parseAnswer(await exchange(head));
}
