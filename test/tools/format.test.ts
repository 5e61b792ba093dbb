import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatPingEvent, formatPingHeading, formatPingStatistics } from '../../src/tools/format-ping.ts';
import { formatTracerouteHeading, formatTracerouteHop } from '../../src/tools/format-traceroute.ts';
import { icmp4Annotation, icmp4ErrorText } from '../../src/tools/icmp-text.ts';
import type { PingReply } from '../../src/tools/ping.ts';
import { PingStatistics } from '../../src/tools/ping-statistics.ts';

const REPLY: PingReply = {
  type: 'reply',
  sequence: 1,
  from: '10.0.0.2',
  bytes: 64,
  ttl: 64,
  rttUs: 123,
  duplicate: false,
  wrong: null,
};

function statistics(
  transmitted: number,
  received: number,
  rttUs: number[],
  elapsedUs: number,
): PingStatistics {
  const made = new PingStatistics();
  Object.assign(made, { transmitted, received, elapsedUs });
  for (const us of rttUs) made.measure(us);
  return made;
}

describe('ping prints', () => {
  it('a heading', () => {
    const heading = { destination: 'localhost', address: '127.0.0.1', size: 56 };
    assert.equal(formatPingHeading(heading), 'PING localhost (127.0.0.1) 56(84) bytes of data.');
  });

  it('answers, with as many digits of the time as iputils has', () => {
    const time = (rttUs: number): string => formatPingEvent({ ...REPLY, rttUs });
    assert.equal(time(123), '64 bytes from 10.0.0.2: icmp_seq=1 ttl=64 time=0.123 ms');
    const times = [0, 999, 1234, 9994, 12345, 99949, 99950, 1234567].map(
      us => /time=(.*) ms/.exec(time(us))?.[1],
    );
    assert.deepEqual(times, ['0.000', '0.999', '1.23', '9.99', '12.3', '99.9', '100', '1235']);
    assert.match(formatPingEvent({ ...REPLY, duplicate: true }), / time=0\.123 ms \(DUP!\)$/);
    assert.match(
      formatPingEvent({ ...REPLY, wrong: { at: 8, sent: 8, received: 255 } }),
      /ms\nwrong data byte #8 should be 0x8 but was 0xff$/,
    );
  });

  it('errors and what has no answer', () => {
    const error = { type: 'error', sequence: 7, errno: 113, text: 'Destination Host Unreachable' } as const;
    assert.equal(
      formatPingEvent({ ...error, from: '10.0.0.1' }),
      'From 10.0.0.1 icmp_seq=7 Destination Host Unreachable',
    );
    assert.equal(
      formatPingEvent({ ...error, from: null, text: 'sendmsg: Network is unreachable' }),
      'ping: sendmsg: Network is unreachable',
    );
    assert.equal(formatPingEvent({ type: 'pending', sequence: 3 }), 'no answer yet for icmp_seq=3');
    assert.equal(formatPingEvent({ type: 'sent', sequence: 3 }), '');
  });

  it('the statistics', () => {
    assert.equal(
      formatPingStatistics('10.0.0.2', statistics(3, 3, [100, 200, 300], 2_031_400)),
      '--- 10.0.0.2 ping statistics ---\n' +
        '3 packets transmitted, 3 received, 0% packet loss, time 2031ms\n' +
        'rtt min/avg/max/mdev = 0.100/0.200/0.300/0.081 ms\n',
    );
    const lossy = statistics(3, 2, [1000, 1000, 1000], 1000);
    Object.assign(lossy, { duplicates: 1, corrupted: 1, errors: 1, pipe: 3 });
    assert.equal(
      formatPingStatistics('h', lossy),
      '--- h ping statistics ---\n' +
        '3 packets transmitted, 2 received, +1 duplicates, +1 corrupted, +1 errors, 33.3333% packet loss, time 1ms\n' +
        'rtt min/avg/max/mdev = 1.000/1.000/1.000/0.000 ms, pipe 3\n',
    );
    assert.equal(
      formatPingStatistics('h', statistics(2, 0, [], 1_000_000)),
      '--- h ping statistics ---\n2 packets transmitted, 0 received, 100% packet loss, time 1000ms\n\n',
    );
    assert.match(
      formatPingStatistics('h', statistics(11, 11, [80], 1000), true),
      /\/0\.000 ms, ipg\/ewma 0\.100\/0\.080 ms\n$/,
    );
  });
});

describe('traceroute prints', () => {
  const answer = (from: string | null, rttUs: number, annotation = '') => ({
    from,
    rttUs,
    annotation,
    final: false,
  });

  it('a heading', () => {
    const heading = { destination: '10.0.3.1', address: '10.0.3.1', maxHops: 30, size: 60 };
    assert.equal(
      formatTracerouteHeading(heading),
      'traceroute to 10.0.3.1 (10.0.3.1), 30 hops max, 60 byte packets',
    );
  });

  it('an address once, and again where it is another', () => {
    const answers = [answer('10.0.0.1', 250), answer('10.0.0.1', 1230), answer('10.0.0.9', 100_000)];
    assert.equal(
      formatTracerouteHop({ hop: 1, answers }),
      ' 1  10.0.0.1 (10.0.0.1)  0.250 ms  1.230 ms 10.0.0.9 (10.0.0.9)  100.000 ms',
    );
    assert.equal(
      formatTracerouteHop({ hop: 12, answers }, true),
      '12  10.0.0.1  0.250 ms  1.230 ms 10.0.0.9  100.000 ms',
    );
  });

  it('stars and annotations', () => {
    const names = new Map([['10.0.0.1', 'gw.test']]);
    assert.equal(
      formatTracerouteHop({ hop: 1, answers: [answer('10.0.0.1', 1000, ''), null] }, false, names),
      ' 1  gw.test (10.0.0.1)  1.000 ms *',
    );
    assert.equal(formatTracerouteHop({ hop: 3, answers: [null, null, null] }), ' 3  * * *');
    assert.equal(
      formatTracerouteHop({ hop: 4, answers: [null, answer('10.0.0.1', 1000, '!H'), null] }, true),
      ' 4  * 10.0.0.1  1.000 ms !H *',
    );
    assert.equal(formatTracerouteHop({ hop: 1, answers: [answer(null, 0, '!F-1500')] }), ' 1  * !F-1500');
  });
});

describe('ICMP errors in words and signs', () => {
  it('of every kind', () => {
    const said = [
      [3, 0, 'Destination Net Unreachable', '!N'],
      [3, 1, 'Destination Host Unreachable', '!H'],
      [3, 2, 'Destination Protocol Unreachable', '!P'],
      [3, 3, 'Destination Port Unreachable', ''],
      [3, 4, 'Frag needed and DF set (mtu = 1400)', '!F-1400'],
      [3, 13, 'Packet filtered', '!X'],
      [3, 77, 'Dest Unreachable, Bad Code: 77', '!<77>'],
      [11, 0, 'Time to live exceeded', ''],
      [11, 1, 'Frag reassembly time exceeded', '!<11-1>'],
      [12, 0, 'Parameter problem: pointer = 1400', '!<12-0>'],
      [99, 0, 'Bad ICMP type: 99', '!<99-0>'],
    ] as const;
    for (const [type, code, text, sign] of said) {
      assert.equal(icmp4ErrorText(type, code, 1400), text);
      assert.equal(icmp4Annotation(type, code, 1400), sign);
    }
  });
});
