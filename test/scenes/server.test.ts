import assert from 'node:assert/strict';
import { ETIMEDOUT } from '../../src/base/errno.ts';
import { calls, drops, queue, retransmits, segments, states } from '../../src/scenes/observe.ts';
import { SYN } from '../../src/wire/tcp.ts';
import { claim } from './played.ts';

claim(
  'syn-flood: without cookies a real client is shut out, with cookies it is not; the queue is bounded',
  async play => {
    const { events } = await play();
    const [without, withCookies] = calls(events, 'client', 'connect');
    assert.equal(without?.result, -ETIMEDOUT);
    assert.equal(withCookies?.result, 0);
    assert.ok((withCookies?.waitedUs ?? Number.NaN) < 20_000);
    const strangers = segments(events, 'server', 'in').filter(
      ({ tcp, ip, ip6 }) =>
        tcp.flags === SYN && /^(198\.51\.100\.|2001:db8::)/.test(String((ip ?? ip6)?.source)),
    );
    assert.equal(strangers.length, 1000);
    for (const { length, limit } of queue(events, 'server', 'syn')) assert.ok(length <= limit);
    assert.ok(drops(events, 'server', 'TCP_REQQFULLDROP').every(({ atUs }) => atUs <= (without?.atUs ?? 0)));
    // Every SYN of the second flood is answered.
    const answers = segments(events, 'server', 'out').filter(
      ({ tcp, atUs }) =>
        (tcp.flags & SYN) !== 0 && atUs >= (without?.atUs ?? 0) && atUs < (withCookies?.atUs ?? 0),
    );
    assert.ok(answers.length >= 500, String(answers.length));
  },
);

claim(
  'accept-queue-overflow: the fourth believes it is connected, the fifth is not answered, all get in',
  async play => {
    const { events, startUs } = await play();
    const accepted = calls(events, 'server', 'accept')[0]?.atUs ?? Number.NaN;
    const early = states(events, 'client', 'ESTABLISHED').filter(({ atUs }) => atUs < accepted);
    assert.equal(early.length, 4);
    const known = states(events, 'server', 'ESTABLISHED').filter(({ atUs }) => atUs < accepted);
    assert.equal(known.length, 3);
    assert.equal(Math.max(...queue(events, 'server', 'accept').map(({ length }) => length)), 3);
    assert.ok(drops(events, 'server', 'TCP_LISTEN_OVERFLOW').length >= 2);
    assert.ok(retransmits(events, 'server', 'syn-ack').length >= 1);
    const [first, ...more] = retransmits(events, 'client', 'syn');
    assert.equal((first?.atUs ?? 0) - startUs, 1_500_000);
    assert.ok(more.length >= 1);
    assert.deepEqual(
      calls(events, 'client', 'connect').map(({ result }) => result),
      [0, 0, 0, 0, 0],
    );
    assert.equal(calls(events, 'server', 'accept').length, 5);
  },
);
