import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { TCP_HEADER_LENGTH } from '../../src/wire/tcp.ts';
import { emitTcpOptions, parseTcpOptions, TcpOptions, tcpOptionsLength } from '../../src/wire/tcp-options.ts';

/** The options in these hexadecimal bytes. */
function parsed(hex: string): TcpOptions {
  const bytes = Uint8Array.from(hex.match(/../g) ?? [], pair => Number.parseInt(pair, 16));
  const options = new TcpOptions();
  parseTcpOptions(new DataView(bytes.buffer), 0, bytes.length, options);
  return options;
}

/** What is written behind a header, in hexadecimal. */
function emitted(options: TcpOptions): string {
  const bytes = new Uint8Array(TCP_HEADER_LENGTH + tcpOptionsLength(options));
  emitTcpOptions(new DataView(bytes.buffer), 0, options);
  return [...bytes.subarray(TCP_HEADER_LENGTH)].map(byte => byte.toString(16).padStart(2, '0')).join('');
}

/** The cookie in hexadecimal, '' for a request, null for none; and whether it came by the experiment's option. */
function cookieOf(hex: string): [string | null, boolean] {
  const { cookie, cookieLength, cookieExperimental } = parsed(hex);
  const text = [...cookie.subarray(0, Math.max(cookieLength, 0))].map(byte =>
    byte.toString(16).padStart(2, '0'),
  );
  return [cookieLength < 0 ? null : text.join(''), cookieExperimental];
}

describe('the Fast Open option (RFC 7413 section 4.1.1)', () => {
  it('a request, a cookie, and both in the form of the experiment', () => {
    assert.deepEqual(cookieOf('22020101'), ['', false]);
    assert.deepEqual(cookieOf('2206aabbccdd0101'), ['aabbccdd', false]);
    assert.deepEqual(cookieOf('fe04f989'), ['', true]);
    assert.deepEqual(cookieOf('fe08f989aabbccdd'), ['aabbccdd', true]);
  });

  it('another experiment is none of ours, nor is one that is too short to say which it is', () => {
    assert.deepEqual(cookieOf('fe08f988aabbccdd'), [null, false]);
    assert.deepEqual(cookieOf('fe03f901'), [null, false]);
  });

  it('lengths: an odd one is ignored, one out of bounds is no cookie, the last option counts', () => {
    assert.deepEqual(cookieOf('2204aabb'), [null, false]);
    assert.deepEqual(cookieOf(`2212${'11'.repeat(16)}0101`), ['11'.repeat(16), false]);
    assert.deepEqual(cookieOf(`2214${'11'.repeat(18)}`), [null, false]);
    assert.deepEqual(cookieOf('2206aabbccdd2205112233010101'), ['aabbccdd', false]);
    assert.deepEqual(cookieOf('2206aabbccdd220811223344556601'), ['112233445566', false]);
    assert.deepEqual(cookieOf('2206aabbccdd2204aabb'), [null, false]);
  });

  it('one that ends behind the header is malformed: what came before it stands', () => {
    assert.equal(parsed('020405b42206aabb').cookieLength, -1);
    assert.equal(parsed('020405b42206aabb').mss, 1460);
  });

  it('stands behind the others, padded with NOPs', () => {
    const options = new TcpOptions();
    options.mss = 1460;
    options.sackPermitted = true;
    options.windowScale = 7;
    assert.ok(options.putCookie(Uint8Array.of(0xaa, 0xbb, 0xcc, 0xdd), false));
    assert.equal(emitted(options), '020405b401010402010303072206aabbccdd0101');
    assert.ok(options.putCookie(new Uint8Array(0), true));
    assert.equal(emitted(options), '020405b40101040201030307fe04f989');
  });

  it('every length there is fits beside all the others of a SYN, in either form', () => {
    for (let length = 0; length <= 16; length += 2) {
      for (const experimental of [false, true]) {
        const options = new TcpOptions();
        options.mss = 1460;
        options.sackPermitted = options.timestamps = true;
        options.windowScale = 7;
        const cookie = Uint8Array.from({ length }, (_, i) => i);
        assert.ok(options.putCookie(cookie, experimental), `${length}`);
        assert.ok(tcpOptionsLength(options) <= 40);
        const back = parsed(emitted(options));
        if (length === 0 || length >= 4) assert.equal(back.cookieLength, length);
        assert.equal(back.windowScale, 7);
      }
    }
  });

  it('what does not fit is left out', () => {
    const options = new TcpOptions();
    options.mss = 1460;
    options.timestamps = true;
    options.windowScale = 7;
    options.addSack(1, 2);
    assert.equal(options.putCookie(new Uint8Array(16), false), false);
    assert.equal(options.cookieLength, -1);
  });
});
