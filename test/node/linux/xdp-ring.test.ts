import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { redirectProgram } from '../../../src/node/linux/xdp-program.ts';
import { XDP_ADDRESS_WORDS, XDP_DESC_WORDS, XdpRing } from '../../../src/node/linux/xdp-ring.ts';

const OFFSETS = { producer: 0, consumer: 64, desc: 128 };
const ENTRIES = 8;

/** Both ends of one ring, whose counters begin at `first`. */
function ends(entryWords: number, first = 0): [writer: XdpRing, reader: XdpRing] {
  const memory = new ArrayBuffer(OFFSETS.desc + ENTRIES * entryWords * 4);
  new DataView(memory).setInt32(OFFSETS.producer, first, true);
  new DataView(memory).setInt32(OFFSETS.consumer, first, true);
  return [
    new XdpRing(memory, OFFSETS, ENTRIES, entryWords, true),
    new XdpRing(memory, OFFSETS, ENTRIES, entryWords, false),
  ];
}

describe('XdpRing', () => {
  it('carries address, length and options', () => {
    const [writer, reader] = ends(XDP_DESC_WORDS);
    writer.push(0xfffff000, 1514, 1);
    assert.equal(reader.peek(), false, 'not published');
    writer.publish();
    assert.equal(reader.peek(), true);
    assert.deepEqual([reader.address, reader.length, reader.options], [0xfffff000, 1514, 1]);
    assert.equal(writer.pending(), 1);
    reader.shift();
    assert.equal(reader.peek(), false);
    assert.equal(writer.pending(), 1, 'the room is not given back');
    reader.release();
    assert.equal(writer.pending(), 0);
  });

  it('is a queue of bounded length, also where the counters run over', () => {
    const steps = fc.array(fc.record({ write: fc.nat(12), read: fc.nat(12) }), { maxLength: 30 });
    const first = fc.constantFrom(0, 0x7ffffff9, -5);
    fc.assert(
      fc.property(steps, first, (list, begin) => {
        const [writer, reader] = ends(XDP_ADDRESS_WORDS, begin);
        const model: number[] = [];
        let next = 0;
        for (const { write, read } of list) {
          for (let n = 0; n < write; n++) {
            const taken = writer.push(++next, 0, 0);
            assert.equal(taken, model.length < ENTRIES);
            if (taken) model.push(next);
          }
          writer.publish();
          for (let n = 0; n < read; n++) {
            assert.equal(reader.peek(), model.length > 0);
            if (model.length === 0) break;
            assert.equal(reader.address, model.shift());
            reader.shift();
          }
          reader.release();
        }
      }),
    );
  });
});

describe('redirectProgram', () => {
  it('is what an assembler makes of it', () => {
    const hex = Buffer.from(redirectProgram(7)).toString('hex');
    const lines = [
      '6112100000000000', // r2 = *(u32 *)(r1 + 16)
      '1811000007000000', // r1 = map fd 7
      '0000000000000000',
      'b703000002000000', // r3 = 2
      '8500000033000000', // call 51
      '9500000000000000', // exit
    ];
    assert.equal(hex, lines.join(''));
  });
});
