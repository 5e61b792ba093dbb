import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  encodeDelimited,
  encodeLengthPrefixed,
  FramingError,
  type LengthPrefix,
  readDelimited,
  readLengthPrefixed,
} from '../../src/socket/framing.ts';
import { bytes } from '../udp/fixture.ts';

/** The bytes, cut into chunks at the given places. */
async function* chunked(data: Uint8Array, cuts: readonly number[]): AsyncGenerator<Uint8Array> {
  const places = [...cuts.map(cut => cut % (data.length + 1)), data.length].sort((a, b) => a - b);
  let at = 0;
  for (const place of places) {
    yield data.subarray(at, place);
    at = place;
  }
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap(part => [...part]));
}

async function collect(source: AsyncIterable<Uint8Array>): Promise<Uint8Array[]> {
  const found: Uint8Array[] = [];
  for await (const message of source) found.push(message);
  return found;
}

const messages = fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 12 });
const cuts = fc.array(fc.nat(5000), { maxLength: 30 });

describe('length-prefix framing', () => {
  it('gives back every message however the stream is cut', async () => {
    const lengthBytes = fc.constantFrom(1 as const, 2 as const, 4 as const);
    await fc.assert(
      fc.asyncProperty(
        messages,
        cuts,
        lengthBytes,
        fc.boolean(),
        async (sent, places, size, littleEndian) => {
          const options: LengthPrefix = { lengthBytes: size, littleEndian };
          const stream = joined(sent.map(message => encodeLengthPrefixed(message, options)));
          assert.deepEqual(await collect(readLengthPrefixed(chunked(stream, places), options)), sent);
        },
      ),
    );
  });

  it('writes the length in network order, or little-endian', () => {
    assert.deepEqual([...encodeLengthPrefixed(bytes('ab'))], [0, 0, 0, 2, 97, 98]);
    assert.deepEqual(
      [...encodeLengthPrefixed(bytes('ab'), { lengthBytes: 2, littleEndian: true })],
      [2, 0, 97, 98],
    );
  });

  it('refuses a message over the limit, when sent and before it is received', async () => {
    const tooLong = { code: 'ERR_MESSAGE_TOO_LONG' };
    assert.throws(() => encodeLengthPrefixed(new Uint8Array(256), { lengthBytes: 1 }), tooLong);
    assert.throws(() => encodeLengthPrefixed(new Uint8Array(11), { maxLength: 10 }), tooLong);
    const huge = Uint8Array.from([255, 255, 255, 255]);
    await assert.rejects(collect(readLengthPrefixed(chunked(huge, []))), tooLong);
  });

  it('says where a stream broke off', async () => {
    const cut = (...data: number[]): Promise<unknown> =>
      collect(readLengthPrefixed(chunked(Uint8Array.from(data), [])));
    await assert.rejects(cut(0, 0), /in a length of 4 bytes/);
    await assert.rejects(cut(0, 0, 0, 9, 1, 2), /in a message of 9 bytes/);
  });
});

describe('delimiter framing', () => {
  it('gives back every message however the stream is cut, also with a delimiter of several bytes', async () => {
    const letters = fc
      .array(fc.constantFrom(97, 10, 13), { maxLength: 20 })
      .map(list => Uint8Array.from(list));
    await fc.assert(
      fc.asyncProperty(fc.array(letters, { maxLength: 8 }), cuts, async (candidates, places) => {
        const options = { delimiter: '\r\n\r\n' };
        const sent: Uint8Array[] = [];
        const stream: Uint8Array[] = [];
        for (const message of candidates) {
          try {
            stream.push(encodeDelimited(message, options));
            sent.push(message);
          } catch (error) {
            assert.ok(error instanceof FramingError && error.code === 'ERR_DELIMITER_IN_MESSAGE');
          }
        }
        assert.deepEqual(await collect(readDelimited(chunked(joined(stream), places), options)), sent);
      }),
    );
  });

  it('reads lines by default', async () => {
    const lines = await collect(readDelimited(chunked(bytes('one\n\ntwo\n'), [2, 4])));
    assert.deepEqual(
      lines.map(line => new TextDecoder().decode(line)),
      ['one', '', 'two'],
    );
  });

  it('refuses a line over the limit, also one that never ends, and accepts one at the limit', async () => {
    const read = (text: string): Promise<Uint8Array[]> =>
      collect(readDelimited(chunked(bytes(text), [1, 2, 3, 4, 5]), { delimiter: '\r\n', maxLength: 4 }));
    assert.equal((await read('abcd\r\n')).length, 1);
    await assert.rejects(read('abcde\r\n'), { code: 'ERR_MESSAGE_TOO_LONG' });
    await assert.rejects(read('abcdefghijkl'), { code: 'ERR_MESSAGE_TOO_LONG' });
  });

  it('says that a stream broke off, and needs a delimiter', async () => {
    await assert.rejects(collect(readDelimited(chunked(bytes('a\nbc'), []))), {
      code: 'ERR_MESSAGE_TRUNCATED',
      message: /2 bytes behind the last delimiter/,
    });
    assert.throws(() => encodeDelimited(bytes('a'), { delimiter: '' }), RangeError);
  });
});
