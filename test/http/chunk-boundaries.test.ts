import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DEFAULT_LIMITS } from '../../src/http/limits.ts';
import { MessageParser } from '../../src/http/parser.ts';
import { exchange, textOf } from './exchange.ts';

/** Splits text at the given places. */
function split(text: string, cuts: readonly number[]): string[] {
  const places = [...new Set(cuts.map(cut => cut % (text.length + 1)))].sort((a, b) => a - b);
  return [0, ...places].map((from, i) => text.slice(from, places[i] ?? text.length));
}

const cuts = fc.array(fc.nat(2000), { maxLength: 20 });

test('however the bytes of requests are cut, the answers are the same', async () => {
  const requests =
    'GET /digits.txt HTTP/1.1\r\nHost: h\r\nRange: bytes=2-4\r\n\r\n' +
    'POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\n01234\r\n10\r\n0123456789abcdef\r\n0\r\nT: x\r\n\r\n' +
    'HEAD /sub/ HTTP/1.1\r\nHost: h\r\n\r\n' +
    'PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\n\r\n\r\n' +
    'GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n';
  const whole = await exchange(requests);
  assert.equal(whole.match(/HTTP\/1\.1 \d/g)?.length, 5);
  await fc.assert(
    fc.asyncProperty(cuts, async places => {
      assert.equal(await exchange(split(requests, places)), whole);
    }),
    { numRuns: 100 },
  );
});

/** What a parser says about bytes, as lines; neighbouring pieces of a body are joined. */
function parse(type: 'REQUEST' | 'RESPONSE', pieces: readonly string[]): string[] {
  const said: string[] = [];
  const parser = new MessageParser(type, DEFAULT_LIMITS, {
    head: head =>
      said.push(`head ${head.method}${head.status} ${head.headers.raw.join('|')} ${head.bodyLength}`),
    body: bytes => {
      if (said.at(-1)?.startsWith('body ')) said.push((said.pop() ?? '') + textOf(bytes));
      else said.push(`body ${textOf(bytes)}`);
    },
    end: () => said.push('end'),
  });
  for (const piece of pieces) {
    const error = parser.feed(Buffer.from(piece, 'latin1'));
    if (error !== null) return [...said, `error ${error.status}`];
  }
  said.push(`finish ${parser.finish()?.status ?? 'well'}`);
  return said;
}

test('the parser says the same about any bytes, however they are cut, and never throws', () => {
  const word = fc.constantFrom(
    'GET / HTTP/1.1\r\n',
    'HTTP/1.1 200 OK\r\n',
    'HTTP/1.0 304 \r\n',
    'Host: h\r\n',
    'Content-Length: 5\r\n',
    'Transfer-Encoding: chunked\r\n',
    'Connection: upgrade\r\nUpgrade: x\r\n',
    '\r\n',
    '\n',
    '3\r\nabc\r\n',
    '-3\r\n',
    '0\r\n\r\n',
    'hello',
    '\xff\0 :',
  );
  const message = fc.array(word, { maxLength: 12 }).map(words => words.join(''));
  fc.assert(
    fc.property(
      message,
      cuts,
      fc.constantFrom('REQUEST' as const, 'RESPONSE' as const),
      (text, places, type) => {
        const whole = parse(type, [text]);
        const cut = parse(type, split(text, places));
        // What of a body was seen before an error depends on the cuts; what was said about whole messages does not.
        const meaning = (said: string[]): string[] =>
          said.at(-1)?.startsWith('error') ? said.filter(line => !line.startsWith('body')) : said;
        assert.deepEqual(meaning(cut), meaning(whole));
      },
    ),
    { numRuns: 2000 },
  );
});
