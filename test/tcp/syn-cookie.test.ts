import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { SipHash } from '../../src/base/siphash.ts';
import { COOKIE_MSS, cookieTimestamp, readCookieTimestamp, SynCookies } from '../../src/tcp/syn-cookie.ts';
import { IpAddress } from '../../src/wire/address.ts';

const MINUTE_US = 60e6;
const START_US = 1_700_000_000e6;
const cookies = new SynCookies(
  new SipHash(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8)),
  new SipHash(Uint8Array.of(9, 10, 11, 12, 13, 14, 15, 16)),
);

const int32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const flow = fc
  .record({ local: int32, remote: int32, localPort: fc.nat(65535), remotePort: fc.nat(65535) })
  .map(({ local, remote, localPort, remotePort }) => ({
    localAddress: IpAddress.v4(local),
    localPort,
    remoteAddress: IpAddress.v4(remote),
    remotePort,
  }));

describe('SYN cookies', () => {
  it('come back with the MSS, at any time, and are good for one to two minutes', () => {
    fc.assert(
      fc.property(flow, int32, fc.integer({ min: 48, max: 9000 }), fc.nat(3e9), (flow, irs, mss, offset) => {
        const nowUs = START_US + offset;
        const cookie = cookies.make(flow, irs, mss, nowUs);
        const expected = [...COOKIE_MSS].reverse().find(known => known <= mss) ?? COOKIE_MSS[0];
        assert.equal(cookies.check(flow, irs, cookie, nowUs), expected);
        assert.equal(cookies.check(flow, irs, cookie, nowUs + MINUTE_US), expected);
        assert.equal(cookies.check(flow, irs, cookie, nowUs + 2 * MINUTE_US), 0, 'too old');
      }),
    );
  });

  it('of another flow, another SYN or a guess are refused', () => {
    let accepted = 0;
    fc.assert(
      fc.property(flow, flow, int32, int32, (flow, other, irs, guess) => {
        const cookie = cookies.make(flow, irs, 1460, START_US);
        fc.pre(!flow.remoteAddress.equals(other.remoteAddress));
        if (cookies.check(other, irs, cookie, START_US) !== 0) accepted++;
        if (guess !== cookie && cookies.check(flow, irs, guess, START_US) !== 0) accepted++;
        if (cookies.check(flow, (irs + 1) | 0, cookie, START_US) !== 0) accepted++;
      }),
    );
    // A guess is right once in 8 million times.
    assert.equal(accepted, 0);
  });
});

describe('the timestamp of a cookie', () => {
  it('holds window scale, SACK and ECN, and is never later than the clock', () => {
    const options = fc.record({
      windowScale: fc.integer({ min: -1, max: 14 }),
      sack: fc.boolean(),
      ecn: fc.boolean(),
    });
    fc.assert(
      fc.property(int32, options, (now, kept) => {
        const stamp = cookieTimestamp(now, kept);
        assert.deepEqual(readCookieTimestamp(stamp), { ...kept });
        const age = (now - stamp) | 0;
        assert.ok(age >= 0 && age < 128, `${age}`);
      }),
    );
  });
});
