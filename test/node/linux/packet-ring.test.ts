import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { BlockRing, type FrameRing, SlotRing } from '../../../src/node/linux/packet-ring.ts';

const BLOCK = 4096;
const SLOT = 512;
const VNET = 10;

interface Sent {
  readonly bytes: number[];
  readonly tci?: number;
  readonly tpid?: number;
  readonly vnet?: number[];
}

const VLAN_VALID = 1 << 4;
const TPID_VALID = 1 << 6;

function statusOf({ tci, tpid }: Sent): number {
  return 1 | (tci === undefined ? 0 : VLAN_VALID) | (tpid === undefined ? 0 : TPID_VALID);
}

/** Puts a frame at `mac`, as the kernel does. */
function putFrame(memory: ArrayBuffer, mac: number, { bytes, vnet }: Sent): void {
  const all = new Uint8Array(memory);
  if (vnet !== undefined) all.set(vnet, mac - VNET);
  all.set(bytes, mac);
}

/** Fills a block of a TPACKET_V3 ring. */
function fillBlock(memory: ArrayBuffer, block: number, frames: readonly Sent[]): void {
  const view = new DataView(memory, block * BLOCK, BLOCK);
  let at = 48;
  view.setUint32(12, frames.length, true);
  view.setUint32(16, at, true);
  for (const [index, frame] of frames.entries()) {
    const mac = 96;
    const size = (mac + frame.bytes.length + 7) & ~7;
    view.setUint32(at, index === frames.length - 1 ? 0 : size, true);
    view.setUint32(at + 4, 1_700_000_000 + index, true);
    view.setUint32(at + 8, 999_999_999 - index, true);
    view.setUint32(at + 12, frame.bytes.length, true);
    view.setUint32(at + 16, frame.bytes.length + 3, true);
    view.setUint32(at + 20, statusOf(frame), true);
    view.setUint16(at + 24, mac, true);
    view.setUint32(at + 32, frame.tci ?? 0, true);
    view.setUint16(at + 36, frame.tpid ?? 0, true);
    view.setUint8(at + 48 + 10, 4);
    putFrame(memory, block * BLOCK + at + mac, frame);
    at += size;
  }
  view.setUint32(8, 1, true);
}

/** Fills a slot of a TPACKET_V2 ring. */
function fillSlot(memory: ArrayBuffer, slot: number, frame: Sent): void {
  const view = new DataView(memory, slot * SLOT, SLOT);
  const mac = 80;
  view.setUint32(4, frame.bytes.length, true);
  view.setUint32(8, frame.bytes.length, true);
  view.setUint16(12, mac, true);
  view.setUint32(16, 1_700_000_000, true);
  view.setUint32(20, 5, true);
  view.setUint16(24, frame.tci ?? 0, true);
  view.setUint16(26, frame.tpid ?? 0, true);
  view.setUint8(32 + 10, 0);
  putFrame(memory, slot * SLOT + mac, frame);
  view.setUint32(0, statusOf(frame), true);
}

function blockStatus(memory: ArrayBuffer, block: number): number {
  return new DataView(memory).getUint32(block * BLOCK + 8, true);
}

/** Every frame that is there now. */
function drain(ring: FrameRing): number[][] {
  const frames: number[][] = [];
  while (ring.next()) frames.push([...ring.frame.bytes.subarray(ring.frame.start, ring.frame.end)]);
  return frames;
}

const macs = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];

describe('BlockRing', () => {
  it('reads what the kernel says of a frame', () => {
    const memory = new ArrayBuffer(2 * BLOCK);
    const ring = new BlockRing(memory, { blockBytes: BLOCK, blocks: 2, vnet: false });
    assert.equal(ring.next(), false);
    fillBlock(memory, 0, [{ bytes: [...macs, 8, 0] }]);
    assert.equal(ring.next(), true);
    const { start, end, wireLength, seconds, nanoseconds, packetType } = ring.frame;
    assert.equal(start, 48 + 96);
    assert.equal(end - start, 14);
    assert.deepEqual([wireLength, seconds, nanoseconds, packetType], [17, 1_700_000_000, 999_999_999, 4]);
  });

  it('keeps a block until all of it was read, then gives it back', () => {
    const memory = new ArrayBuffer(2 * BLOCK);
    const ring = new BlockRing(memory, { blockBytes: BLOCK, blocks: 2, vnet: false });
    fillBlock(memory, 0, [{ bytes: [1] }, { bytes: [2] }]);
    ring.next();
    ring.next();
    assert.equal(blockStatus(memory, 0), 1);
    assert.equal(ring.next(), false);
    assert.equal(blockStatus(memory, 0), 0);
  });

  it('reads every frame once and in order, around the end of the ring', () => {
    const frame = fc.record({ bytes: fc.array(fc.integer({ min: 0, max: 255 }), { maxLength: 100 }) });
    const block = fc.array(frame, { maxLength: 12 });
    fc.assert(
      fc.property(fc.array(block, { maxLength: 12 }), blocks => {
        const memory = new ArrayBuffer(3 * BLOCK);
        const ring = new BlockRing(memory, { blockBytes: BLOCK, blocks: 3, vnet: false });
        for (const [index, frames] of blocks.entries()) {
          assert.equal(blockStatus(memory, index % 3), 0, 'the block is the kernel’s again');
          fillBlock(memory, index % 3, frames);
          assert.deepEqual(
            drain(ring),
            frames.map(sent => sent.bytes),
          );
        }
      }),
    );
  });

  it('puts a VLAN tag back where it was', () => {
    const memory = new ArrayBuffer(BLOCK);
    const ring = new BlockRing(memory, { blockBytes: BLOCK, blocks: 1, vnet: false });
    fillBlock(memory, 0, [
      { bytes: [...macs, 8, 0, 69], tci: 0x2005, tpid: 0x88a8 },
      { bytes: [...macs, 8, 0, 70], tci: 7 },
      { bytes: [1, 2, 3], tci: 7 },
    ]);
    assert.deepEqual(drain(ring), [
      [...macs, 0x88, 0xa8, 0x20, 0x05, 8, 0, 69],
      [...macs, 0x81, 0x00, 0x00, 0x07, 8, 0, 70],
      [1, 2, 3],
    ]);
  });
});

describe('SlotRing', () => {
  it('reads slots in order, around the end of the ring, and gives each back', () => {
    const memory = new ArrayBuffer(BLOCK);
    const ring = new SlotRing(memory, { blockBytes: BLOCK, blocks: 1, vnet: false }, SLOT);
    for (let n = 0; n < 20; n++) {
      assert.equal(new DataView(memory).getUint32((n % 8) * SLOT, true), 0);
      fillSlot(memory, n % 8, { bytes: [...macs, n] });
      assert.deepEqual(drain(ring), [[...macs, n]]);
    }
  });

  it('stops at a slot that the kernel has not filled, and goes on there', () => {
    const memory = new ArrayBuffer(BLOCK);
    const ring = new SlotRing(memory, { blockBytes: BLOCK, blocks: 1, vnet: false }, SLOT);
    fillSlot(memory, 0, { bytes: [1] });
    fillSlot(memory, 2, { bytes: [3] });
    assert.deepEqual(drain(ring), [[1]]);
    fillSlot(memory, 1, { bytes: [2] });
    assert.deepEqual(drain(ring), [[2], [3]]);
  });

  it('moves the virtio-net header with the tag, and the place where the checksum begins', () => {
    const memory = new ArrayBuffer(BLOCK);
    const ring = new SlotRing(memory, { blockBytes: BLOCK, blocks: 1, vnet: true }, SLOT);
    const header = [1, 1, 54, 0, 0xa8, 0x05, 254, 0, 16, 0];
    fillSlot(memory, 0, { bytes: [...macs, 8, 0, 69], tci: 5, vnet: header });
    assert.equal(ring.next(), true);
    const { bytes, start, end } = ring.frame;
    assert.deepEqual([...bytes.subarray(start, end)], [...macs, 0x81, 0, 0, 5, 8, 0, 69]);
    assert.deepEqual([...bytes.subarray(start - VNET, start)], [1, 1, 54, 0, 0xa8, 0x05, 2, 1, 16, 0]);
  });
});
