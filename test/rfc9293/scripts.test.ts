import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { turn } from '../../src/node/turn.ts';
import { parseScript, runScript } from '../../src/packetdrill/index.ts';
import { nextState, TCP_STATES, type TcpCause, type TcpState, TRANSITIONS } from '../../src/tcp/state.ts';
import type { TcpStateEvent } from '../../src/trace/events.ts';
import { filesUnder, readText } from '../support/repository.ts';

/** So close to 2^32 that a few segments cross it. */
const NEAR_THE_END = { iss: 0xfffffe00, peerIsn: 0xffffff00 };

/** Every arrow that a script took: 'ESTABLISHED, close'. */
const taken = new Set<string>();
const outside: string[] = [];

function onState({ from, to, cause }: TcpStateEvent): void {
  taken.add(`${from}, ${cause}`);
  if (nextState(from as TcpState, cause as TcpCause) !== to) outside.push(`${from} to ${to} by ${cause}`);
}

describe('scripts', () => {
  for (const path of filesUnder('test/rfc9293', '.pkt')) {
    describe(path, () => {
      const script = parseScript(path, readText(path), { house: true });
      it('comes true', () => runScript(script, { turn, onState }));
      it('comes true with sequence numbers across 2^32', () =>
        runScript(script, { turn, ...NEAR_THE_END, onState }));
    });
  }

  it('take no arrow that the state diagram does not have', () => assert.deepEqual(outside, []));

  it('take every arrow that it has', () => {
    const arrows = TCP_STATES.flatMap(from =>
      Object.keys(TRANSITIONS[from]).map(cause => `${from}, ${cause}`),
    );
    assert.deepEqual(
      arrows.filter(arrow => !taken.has(arrow)),
      [],
    );
  });
});
