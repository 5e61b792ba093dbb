import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Packet } from '../../src/core/packet.ts';
import { PacketPool } from '../../src/core/pool.ts';
import { FRAME_LENGTH_MAX, FrameDecoder, FrameQueue } from '../../src/link/frame-codec.ts';
import { range } from './fixture.ts';

function packet(pool: PacketPool, bytes: Uint8Array): Packet {
  const made = pool.take(bytes.length);
  assert.ok(made !== null);
  made.bytes.set(bytes, made.start);
  made.end = made.start + bytes.length;
  return made;
}

/** What the decoder makes of these chunks; packets are given back. */
function decode(decoder: FrameDecoder, chunks: readonly Uint8Array[]): string[] {
  const frames: string[] = [];
  for (const chunk of chunks) {
    decoder.feed(chunk);
    for (let next = decoder.next(); next !== null; next = decoder.next()) {
      frames.push(Buffer.from(next.bytes.subarray(next.start, next.end)).toString('hex'));
      next.release();
    }
  }
  return frames;
}

/** `bytes` in pieces; a piece may be empty. */
function cut(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const at = [0, ...cuts.map(n => n % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
  return at.slice(1).map((end, n) => bytes.subarray(at[n], end));
}

const frame = fc.oneof(
  fc.uint8Array({ minLength: 1, maxLength: 200 }),
  fc.integer({ min: 1, max: FRAME_LENGTH_MAX }).map(length => new Uint8Array(length).fill(length)),
);

test('what was encoded is decoded, whatever the boundaries of the chunks (property)', () => {
  const pool = new PacketPool({ smallSlots: 64, largeSlots: 4 });
  const cuts = fc.array(fc.nat(), { maxLength: 30 });
  const limit = fc.integer({ min: 1, max: 100_000 });
  fc.assert(
    fc.property(fc.array(frame, { minLength: 1, maxLength: 10 }), cuts, limit, (frames, places, most) => {
      const queue = new FrameQueue();
      for (const bytes of frames) queue.push(packet(pool, bytes));
      const chunks: Uint8Array[] = [];
      while (queue.length > 0) chunks.push(queue.encode(most));
      assert.equal(queue.bytes, 0);
      const decoder = new FrameDecoder(pool);
      const found = decode(decoder, cut(Buffer.concat(chunks), places));
      assert.deepEqual(
        found,
        frames.map(bytes => Buffer.from(bytes).toString('hex')),
      );
      assert.deepEqual([decoder.error, decoder.partial, pool.inUse], ['', false, 0]);
    }),
  );
});

test("the bytes are QEMU's: a 32-bit length in network byte order, then the frame", () => {
  const pool = new PacketPool();
  const queue = new FrameQueue();
  queue.push(packet(pool, Uint8Array.of(0xaa, 0xbb)));
  queue.push(packet(pool, new Uint8Array(258).fill(7)));
  const bytes = Buffer.from(queue.encode(1000)).toString('hex');
  assert.equal(bytes, `00000002aabb${'00000102'}${'07'.repeat(258)}`);
  assert.deepEqual(decode(new FrameDecoder(pool), [Buffer.from('00000003010203', 'hex')]), ['010203']);
});

test('a chunk holds whole frames up to its limit, and at least one', () => {
  const pool = new PacketPool();
  const queue = new FrameQueue();
  for (const n of range(5)) queue.push(packet(pool, new Uint8Array(96).fill(n)));
  const lengths: number[] = [];
  while (queue.length > 0) lengths.push(queue.encode(299).length);
  assert.deepEqual(lengths, [200, 200, 100]);
  queue.push(packet(pool, new Uint8Array(96)));
  assert.equal(queue.encode(10).length, 100);
  assert.equal(pool.inUse, 0);
});

test('a length that no frame has ends the stream, with a reason, and gives nothing more', () => {
  for (const [length, says] of [
    ['00000000', /frame of 0 bytes/],
    ['00010016', /frame of 65558 bytes/],
    ['ffffffff', /frame of 4294967295 bytes/],
    [Buffer.from('GET ').toString('hex'), /frame of 1195725856 bytes/],
  ] as const) {
    const pool = new PacketPool();
    const decoder = new FrameDecoder(pool);
    const good = '00000001ee';
    assert.deepEqual(decode(decoder, [Buffer.from(good + length + good, 'hex')]), ['ee']);
    assert.match(decoder.error, says);
    assert.deepEqual(decode(decoder, [Buffer.from(good, 'hex')]), []);
    decoder.reset();
    assert.deepEqual(decode(decoder, [Buffer.from(good, 'hex')]), ['ee']);
    assert.equal(pool.inUse, 0);
  }
});

test('the longest frame passes', () => {
  const pool = new PacketPool({ largeSlots: 1 });
  const head = Buffer.alloc(4);
  head.writeUInt32BE(FRAME_LENGTH_MAX);
  const decoder = new FrameDecoder(pool);
  const [found] = decode(decoder, [Buffer.concat([head, Buffer.alloc(FRAME_LENGTH_MAX, 5)])]);
  assert.equal(found?.length, FRAME_LENGTH_MAX * 2);
});

test('half a frame at the end is seen, and its packet given back', () => {
  for (const half of ['00', '0000000a', '0000000a0102']) {
    const pool = new PacketPool();
    const decoder = new FrameDecoder(pool);
    assert.deepEqual(decode(decoder, [Buffer.from(half, 'hex')]), []);
    assert.equal(decoder.partial, true);
    decoder.reset();
    assert.deepEqual([decoder.partial, pool.inUse], [false, 0]);
  }
});

test('a frame for which the pool has no packet is skipped and counted; the stream goes on', () => {
  const pool = new PacketPool({ smallSlots: 1, largeSlots: 0, overflowPackets: 0 });
  const held = packet(pool, Uint8Array.of(1));
  const decoder = new FrameDecoder(pool);
  assert.deepEqual(decode(decoder, [Buffer.from('00000002aaaa', 'hex')]), []);
  held.release();
  assert.deepEqual(decode(decoder, [Buffer.from('00000001bb', 'hex')]), ['bb']);
  assert.deepEqual([decoder.takeDropped(), decoder.takeDropped()], [1, 0]);
});

test('a queue that is cleared gives its packets back', () => {
  const pool = new PacketPool();
  const queue = new FrameQueue();
  for (const n of range(3)) queue.push(packet(pool, new Uint8Array(10 + n)));
  assert.deepEqual([queue.clear(), queue.bytes, queue.length, pool.inUse], [3, 0, 0, 0]);
});
