import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EHOSTUNREACH, EMSGSIZE } from '../../src/base/errno.ts';
import { formatPingEvent } from '../../src/tools/format-ping.ts';
import { type PingEvent, type PingOptions, ping } from '../../src/tools/ping.ts';
import { collect, path, twoStacks } from './fixture.ts';

/** What pinging yields, as ping prints it. */
function lines(events: readonly PingEvent[]): string[] {
  return events.map(formatPingEvent);
}

describe('ping', () => {
  it('sends a request a second and tells of each answer', async () => {
    const { world, a, b } = twoStacks();
    const run = ping(a, '10.0.0.2', { count: 3 });
    const startUs = world.nowUs;
    const events = await world.run(collect(run));
    // The first one waits for ARP.
    assert.deepEqual(lines(events), [
      '64 bytes from 10.0.0.2: icmp_seq=1 ttl=64 time=0.300 ms',
      '64 bytes from 10.0.0.2: icmp_seq=2 ttl=64 time=0.200 ms',
      '64 bytes from 10.0.0.2: icmp_seq=3 ttl=64 time=0.200 ms',
    ]);
    // poll(2) counts in milliseconds: a request may be one late, but not later and later.
    assert.equal(Math.floor((world.nowUs - startUs) / 1000), 2000);
    const { transmitted, received, lossPercent, elapsedUs, roundTrips, pipe } = run.statistics;
    assert.deepEqual([transmitted, received, lossPercent, pipe], [3, 3, 0, 1]);
    assert.equal(Math.floor(elapsedUs / 1000), 2000);
    assert.equal(roundTrips?.minUs, 200);
    assert.equal(roundTrips?.maxUs, 300);
    assert.equal(Math.round(roundTrips?.mdevUs ?? 0), 47);
    assert.equal(b.mib.Icmp.InEchos, 3);
    assert.equal(world.pool.inUse, 0);
  });

  it('counts what is lost, and waits for late answers', async () => {
    const { world, a, cable } = twoStacks();
    await world.run(collect(ping(a, '10.0.0.2', { count: 1 })));
    cable.configure({ there: { loss: 1 } });
    const run = ping(a, '10.0.0.2', { count: 2, timeoutUs: 3_000_000, pending: true });
    const startUs = world.nowUs;
    assert.deepEqual(lines(await world.run(collect(run))), ['no answer yet for icmp_seq=1']);
    assert.equal(world.nowUs - startUs, 4_000_000);
    assert.equal(run.statistics.lossPercent, 100);
    assert.equal(run.statistics.elapsedUs, 1_000_000);
    assert.equal(run.statistics.roundTrips, null);
  });

  it('tells answers that come twice', async () => {
    const { world, a, cable } = twoStacks();
    cable.configure({ back: { duplicate: 1 } });
    const run = ping(a, '10.0.0.2', { count: 2 });
    const events = await world.run(collect(run));
    assert.deepEqual(
      events.map(event => event.type === 'reply' && [event.sequence, event.duplicate]),
      [
        [1, false],
        [1, true],
        [2, false],
      ],
    );
    assert.equal(run.statistics.duplicates, 1);
    assert.equal(run.statistics.received, 2);
  });

  it('a host that is not there: this host says so', async () => {
    const { world, a } = twoStacks();
    const run = ping(a, '10.0.0.9', { count: 3 });
    const events = await world.run(collect(run));
    assert.deepEqual(lines(events), [
      'From 10.0.0.1 icmp_seq=1 Destination Host Unreachable',
      'From 10.0.0.1 icmp_seq=2 Destination Host Unreachable',
      'From 10.0.0.1 icmp_seq=3 Destination Host Unreachable',
    ]);
    assert.equal(events[0]?.type === 'error' && events[0].errno, EHOSTUNREACH);
    assert.equal(run.statistics.errors, 3);
    assert.equal(run.statistics.pipe, 3);
  });

  it('a TTL that is too small: a router says so', async () => {
    const { world, a } = path();
    const events = await world.run(collect(ping(a, '10.0.3.1', { count: 2, ttl: 2, intervalUs: 1000 })));
    assert.deepEqual(lines(events), [
      'From 10.0.2.2 icmp_seq=1 Time to live exceeded',
      'From 10.0.2.2 icmp_seq=2 Time to live exceeded',
    ]);
    const [answer] = await world.run(collect(ping(a, '10.0.3.1', { count: 1 })));
    assert.equal(answer?.type === 'reply' && answer.ttl, 62);
  });

  it('DF and a narrow path: a router says so, then this host', async () => {
    const { world, a } = path(1000);
    const options: PingOptions = { count: 2, size: 1400, dontFragment: 'do' };
    const events = await world.run(collect(ping(a, '10.0.3.1', options)));
    assert.deepEqual(lines(events), [
      'From 10.0.1.254 icmp_seq=1 Frag needed and DF set (mtu = 1000)',
      'ping: local error: message too long, mtu=1000',
    ]);
    assert.equal(events[1]?.type === 'error' && events[1].errno, EMSGSIZE);
    const whole = await world.run(
      collect(ping(a, '10.0.3.1', { ...options, dontFragment: 'want', count: 1 })),
    );
    assert.equal(whole[0]?.type === 'reply' && whole[0].bytes, 1408);
  });

  it('4,000 bytes go and come in fragments', async () => {
    const { world, a } = twoStacks();
    const [event] = await world.run(collect(ping(a, '10.0.0.2', { count: 1, size: 4000 })));
    assert.equal(event?.type === 'reply' && event.bytes, 4008);
    assert.ok(a.mib.Ip.FragCreates >= 3);
    assert.equal(world.pool.inUse, 0);
  });

  it('a flood sends the next request when an answer came, else after 10 ms', async () => {
    const { world, a, cable } = twoStacks();
    await world.run(collect(ping(a, '10.0.0.2', { count: 1 })));
    const run = ping(a, '10.0.0.2', { count: 50, flood: true });
    const startUs = world.nowUs;
    const events = await world.run(collect(run));
    assert.equal(world.nowUs - startUs, 50 * 200);
    assert.equal(events.filter(event => event.type === 'sent').length, 50);
    assert.equal(run.statistics.received, 50);
    cable.configure({ there: { loss: 1 } });
    const lost = ping(a, '10.0.0.2', { count: 5, flood: true, timeoutUs: 0 });
    await world.run(collect(lost));
    assert.equal(lost.statistics.elapsedUs, 40_000);
  });

  it('ends at its deadline', async () => {
    const { world, a } = twoStacks();
    const run = ping(a, '10.0.0.2', { deadlineUs: 2_500_000 });
    const startUs = world.nowUs;
    await world.run(collect(run));
    assert.equal(run.statistics.transmitted, 3);
    assert.equal(Math.floor((world.nowUs - startUs) / 1000), 2500);
  });

  it('ends when it is told to stop, or its signal aborts', async () => {
    const { world, a } = twoStacks();
    const run = ping(a, '10.0.0.2');
    const all = collect(run);
    await world.runFor(3_500_000);
    run.stop();
    assert.equal((await world.run(all)).length, 4);
    const controller = new AbortController();
    const aborted = collect(ping(a, '10.0.0.2', { signal: controller.signal }));
    aborted.catch(() => undefined);
    await world.runFor(500_000);
    controller.abort(new Error('enough'));
    await world.run(assert.rejects(aborted, { message: 'enough' }));
    assert.equal(a.pingLayer.ids.all().next().done, true, 'no socket is left');
  });

  it('several at once do not get each other’s answers', async () => {
    const { world, a } = twoStacks();
    const runs = [56, 100, 200].map(size => ping(a, '10.0.0.2', { count: 2, size }));
    const all = await world.run(Promise.all(runs.map(run => collect(run))));
    const sizes = all.map(events => events.map(event => event.type === 'reply' && event.bytes));
    assert.deepEqual(sizes, [
      [64, 64],
      [108, 108],
      [208, 208],
    ]);
  });

  it('pings itself', async () => {
    const { world, a } = twoStacks();
    const [event] = await world.run(collect(ping(a, 'localhost', { count: 1 })));
    assert.equal(event?.type === 'reply' && event.from, '127.0.0.1');
  });

  it('a broadcast is answered by those who want to, if it is allowed', async () => {
    const { world, a, b } = twoStacks();
    b.host.sysctl.icmp_echo_ignore_broadcasts = false;
    assert.throws(() => ping(a, '10.0.0.255', { count: 1 }), { code: 'EACCES' });
    const [event] = await world.run(collect(ping(a, '10.0.0.255', { count: 1, broadcast: true })));
    assert.equal(event?.type === 'reply' && event.from, '10.0.0.2');
  });

  it('says what cannot be', async () => {
    const { world, a } = twoStacks();
    assert.throws(() => ping(a, 'example.com'), { code: 'ENOTFOUND' });
    assert.throws(() => ping(a, '10.0.0.2', { size: 65508 }), RangeError);
    assert.throws(() => ping(a, '192.0.2.1'), { code: 'ENETUNREACH' });
    assert.throws(() => ping(a, '10.0.0.2', { source: '10.0.0.7' }), { code: 'EADDRNOTAVAIL' });
    assert.throws(() => ping(a, '10.0.0.2', { ttl: 256 }), { code: 'EINVAL' });
    const never = ping(a, '10.0.0.2');
    never.stop();
    assert.deepEqual(await world.run(collect(never)), []);
    assert.equal(a.pingLayer.ids.all().next().done, true, 'no socket is left');
  });
});
