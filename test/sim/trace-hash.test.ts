import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { TraceHash } from '../../src/sim/trace-hash.ts';
import { TRACE_FAULT, type TraceEvent } from '../../src/trace/events.ts';
import { traceTee } from '../../src/trace/sink.ts';

function fault(atUs: number, host = 'wire'): TraceEvent {
  return { type: 'fault', atUs, host, fault: 'loss', length: 60 };
}

function hash(events: TraceEvent[]): string {
  const sink = new TraceHash();
  for (const event of events) sink.emit(event);
  assert.equal(sink.count, events.length);
  return sink.digest;
}

test('the digest is the same for the same events, and another for any change or order', () => {
  const events = fc.array(
    fc.nat().map(atUs => fault(atUs)),
    { minLength: 2, maxLength: 20 },
  );
  fc.assert(
    fc.property(events, list => {
      assert.match(hash(list), /^[0-9a-f]{16}$/);
      assert.equal(hash(list), hash(structuredClone(list)));
      assert.notEqual(hash(list), hash(list.slice(1)));
      assert.notEqual(hash([...list, fault(1, 'a')]), hash([...list, fault(1, 'b')]));
    }),
  );
  assert.notEqual(hash([fault(1), fault(2)]), hash([fault(2), fault(1)]));
});

test('the digest is the same on every machine and in every release', () => {
  assert.equal(hash([fault(1_767_225_600_000_000), fault(2)]), '3b9270e38c70dcb9');
});

test('a sink hashes only what it wants', () => {
  const sink = new TraceHash(TRACE_FAULT);
  const tee = traceTee(sink);
  tee.emit(fault(1));
  tee.emit({ type: 'drop', atUs: 1, host: 'a', layer: 'ip', reason: 'IP_CSUM' });
  assert.equal(sink.count, 1);
});
