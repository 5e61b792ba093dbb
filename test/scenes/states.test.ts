import assert from 'node:assert/strict';
import { EADDRNOTAVAIL, EMFILE } from '../../src/base/errno.ts';
import { calls, segments, states } from '../../src/scenes/observe.ts';
import type { TraceEvent } from '../../src/trace/events.ts';
import { SYN } from '../../src/wire/tcp.ts';
import { claim } from './played.ts';

/** The states that the connections of a host went through. */
function path(events: readonly TraceEvent[], host: string): string[] {
  return states(events, host).map(({ to }) => to);
}

claim(
  'simultaneous-open: both by SYN_SENT and SYN_RCVD, four segments with SYN, one connection',
  async play => {
    const { events } = await play();
    for (const host of ['anna', 'ben']) {
      assert.deepEqual(path(events, host).slice(0, 3), ['SYN_SENT', 'SYN_RCVD', 'ESTABLISHED']);
      assert.equal(segments(events, host, 'out').filter(({ tcp }) => (tcp.flags & SYN) !== 0).length, 2);
      assert.ok(states(events, host).every(({ from }) => from !== 'LISTEN'));
    }
    assert.equal(calls(events, 'anna', 'recv')[0]?.result, 'hello anna'.length);
    assert.equal(calls(events, 'ben', 'recv')[0]?.result, 'hello ben'.length);
  },
);

claim('simultaneous-close: both by CLOSING, both in TIME_WAIT for 60 s', async play => {
  const { events } = await play();
  for (const host of ['anna', 'ben']) {
    const closing = states(events, host).slice(-4);
    assert.deepEqual(
      closing.map(({ to }) => to),
      ['FIN_WAIT_1', 'CLOSING', 'TIME_WAIT', 'CLOSED'],
    );
    assert.equal((closing[3]?.atUs ?? 0) - (closing[2]?.atUs ?? 0), 60_000_000);
    assert.deepEqual(states(events, host, 'FIN_WAIT_2'), []);
  }
});

claim('listen-to-syn-sent: LISTEN to SYN_SENT by send, and the data arrives', async play => {
  const { events } = await play();
  const [opened] = states(events, 'caller', 'SYN_SENT');
  assert.equal(opened?.from, 'LISTEN');
  assert.equal(opened?.cause, 'send');
  assert.equal(calls(events, 'server', 'recv')[0]?.result, 'I could not wait'.length);
});

claim(
  'close-wait-pile-up: no timer ends CLOSE_WAIT, the descriptors run out, the process ends it',
  async play => {
    const { events } = await play();
    const waiting = states(events, 'server', 'CLOSE_WAIT');
    const left = states(events, 'server').filter(({ from }) => from === 'CLOSE_WAIT');
    assert.equal(waiting.length, 6);
    assert.equal(left.length, 6);
    for (const { atUs } of left) assert.ok(atUs - (waiting[0]?.atUs ?? 0) >= 3_600_000_000);
    const accepts = calls(events, 'server', 'accept');
    assert.equal(accepts.filter(({ result }) => result > 0).length, 4);
    assert.equal(accepts.at(-1)?.result, -EMFILE);
    // The clients, who have closed, are rid of their half after a minute.
    for (const { from, atUs } of states(events, 'client', 'CLOSED')) {
      assert.equal(from, 'FIN_WAIT_2');
      assert.ok(atUs - (waiting[0]?.atUs ?? 0) < 61_000_000);
    }
  },
);

claim('fin-wait-2-stuck: a minute after close(), for ever after shutdown()', async play => {
  const { events } = await play();
  const [closed, half] = states(events, 'client', 'FIN_WAIT_2');
  const endOf = (local: string | undefined): number =>
    states(events, 'client', 'CLOSED').find(end => end.local === local)?.atUs ?? Number.NaN;
  assert.equal(endOf(closed?.local) - (closed?.atUs ?? 0), 60_000_000);
  const wanted = calls(events, 'client', 'close')[1]?.atUs ?? Number.NaN;
  assert.ok(wanted - (half?.atUs ?? 0) > 3_500_000_000);
  assert.equal(endOf(half?.local) - wanted, 60_000_000);
});

claim('time-wait-pile-up: no port until a minute has passed, or tcp_tw_reuse is on', async play => {
  const { events } = await play();
  const results = calls(events, 'client', 'connect').map(({ result }) => result);
  assert.deepEqual(results, [0, 0, 0, 0, -EADDRNOTAVAIL, 0, 0, 0, 0, -EADDRNOTAVAIL, 0]);
  const ports = states(events, 'client', 'TIME_WAIT').map(({ local }) => local);
  assert.equal(new Set(ports.slice(0, 4)).size, 4);
  const reused = states(events, 'client', 'SYN_SENT').at(-1);
  const waited = states(events, 'client', 'TIME_WAIT').filter(({ local }) => local === reused?.local);
  const since = (reused?.atUs ?? 0) - (waited.at(-2)?.atUs ?? 0);
  assert.ok(since >= 1_000_000 && since < 2_000_000, String(since));
  assert.deepEqual(states(events, 'server', 'TIME_WAIT'), []);
});
