import { describe, it } from 'node:test';
import { parseScript } from '../script/parse.ts';
import { runScript } from '../script/run.ts';
import { filesUnder, readText } from '../support/repository.ts';

/** So close to 2^32 that a few segments cross it. */
const NEAR_THE_END = { iss: 0xfffffe00, peerIsn: 0xffffff00 };

for (const path of filesUnder('test/rfc9293', '.pkt')) {
  describe(path, () => {
    const script = parseScript(path, readText(path));
    it('comes true', () => runScript(script));
    it('comes true with sequence numbers across 2^32', () => runScript(script, NEAR_THE_END));
  });
}
