import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { INFORMATION_TRANSITIONS } from '../../src/dhcp/information-request.ts';
import { DHCP_STATES, nextState, TRANSITIONS } from '../../src/dhcp/state.ts';

describe('the state diagram (RFC 2131 figure 5)', () => {
  test('has the arrows of the figure', () => {
    const figure = [
      ['INIT', 'send DISCOVER', 'SELECTING'],
      ['SELECTING', 'receive OFFER', 'REQUESTING'],
      ['REQUESTING', 'receive NAK', 'INIT'],
      ['INIT_REBOOT', 'send REQUEST', 'REBOOTING'],
      ['REBOOTING', 'receive NAK', 'INIT'],
      ['BOUND', 'T1', 'RENEWING'],
      ['RENEWING', 'receive ACK', 'BOUND'],
      ['RENEWING', 'receive NAK', 'INIT'],
      ['RENEWING', 'T2', 'REBINDING'],
      ['REBINDING', 'receive ACK', 'BOUND'],
      ['REBINDING', 'receive NAK', 'INIT'],
      ['REBINDING', 'lease expires', 'INIT'],
    ] as const;
    for (const [from, cause, to] of figure) assert.equal(nextState(from, cause), to, `${from} ${cause}`);
    // Between the acknowledgement and BOUND lies the check that the figure only hints at.
    for (const from of ['REQUESTING', 'REBOOTING'] as const)
      assert.equal(nextState(from, 'receive ACK'), 'CHECKING');
    assert.equal(nextState('CHECKING', 'address is free'), 'BOUND');
    assert.equal(nextState('CHECKING', 'conflict'), 'INIT');
  });

  test('every state can be reached, stopped, and has no arrow to nowhere', () => {
    const reached = new Set(Object.values(TRANSITIONS).flatMap(row => Object.values(row)));
    assert.deepEqual([...reached].sort(), [...DHCP_STATES].sort());
    for (const state of DHCP_STATES) {
      assert.equal(nextState(state, 'stop'), state === 'STOPPED' ? undefined : 'STOPPED');
    }
    const informed = new Set(Object.values(INFORMATION_TRANSITIONS).flatMap(row => Object.values(row)));
    assert.deepEqual([...informed].sort(), Object.keys(INFORMATION_TRANSITIONS).sort());
  });
});
