import assert from 'node:assert/strict';
import { describe, it, mock } from 'node:test';
import { explore } from '../../src/sim/explore/explore.ts';
import { SCENARIOS, type Scenario } from '../../src/sim/explore/scenarios.ts';
import { Flight } from '../../src/tcp/flight.ts';
import { ReceiveQueue } from '../../src/tcp/receive/receive-queue.ts';
import { TCP_STATES } from '../../src/tcp/state.ts';

const DEPTH = 4;

function scenario(name: string): Scenario {
  const found = SCENARIOS.find(each => each.name === name);
  assert.ok(found, name);
  return found;
}

describe('explore', () => {
  for (const each of SCENARIOS) {
    it(`finds nothing wrong in '${each.name}'`, () => {
      const result = explore(each, DEPTH);
      assert.deepEqual(result.violations, []);
      assert.ok(result.states > 50, `${result.states} states`);
      assert.ok(result.transitions >= result.states - 1);
    });
  }

  it('sees the same states each time', () => {
    assert.deepEqual(explore(scenario('open'), DEPTH), explore(scenario('open'), DEPTH));
  });

  it('walks to the very end of what is finite', () => {
    const result = explore({ ...scenario('reset'), a: ['abort'], b: ['read', 'close'] }, 20);
    assert.ok(result.exhausted);
    assert.equal(result.finished, 0);
    assert.deepEqual(result.violations, []);
  });

  it('leads to every state of the diagram but LISTEN, which is no connection', () => {
    const reached = new Set(SCENARIOS.flatMap(each => [...explore(each, 3).reached]));
    assert.deepEqual(
      TCP_STATES.filter(state => !reached.has(state)),
      ['LISTEN'],
    );
  });
});

describe('explore finds', () => {
  it('applications that wait for each other, and says how it came to that', () => {
    const stuck = { ...scenario('open'), a: ['connect', 'read', 'close'], b: ['read', 'close'] } as const;
    const [violation] = explore(stuck, 3).violations;
    assert.match(violation?.what ?? '', /^deadlock: A is in ESTABLISHED for ever \(next: read\)/);
    assert.equal(violation?.path[0], 'A calls connect');
    assert.ok(violation.path.some(line => /^arrives B > A \[S\.\] seq 0:0 ack 1 win \d+$/.test(line)));
  });

  it('bytes that come in the wrong order', t => {
    // Takes what comes behind a gap as if the gap had been filled.
    mock.method(ReceiveQueue.prototype, 'insert', function (this: ReceiveQueue, ...args: unknown[]) {
      const [, , data, start, end] = args as [number, number, Uint8Array, number, number];
      this.append(data, start, end);
      return true;
    });
    t.after(() => mock.restoreAll());
    assert.ok(explore(scenario('transfer'), 3).violations.length > 0);
  });

  it('a flight that forgets a mark', t => {
    mock.method(Flight.prototype, 'unmark', () => {});
    t.after(() => mock.restoreAll());
    const { violations } = explore(scenario('transfer'), DEPTH);
    assert.match(violations[0]?.what ?? '', /counted/);
  });
});
