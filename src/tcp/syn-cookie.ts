/**
 * SYN cookies (RFC 4987 section 3.6): the state of a half-open connection kept in the sequence number of our SYN-ACK.
 * As Linux lays it out: 8 bits of a clock that counts minutes, and 24 bits of a keyed hash plus an index of the MSS;
 * window scale, SACK-permitted and ECN travel in the low bits of the timestamp.
 * @module
 */
import type { Seq } from '../base/seq.ts';
import type { SipHash } from '../base/siphash.ts';
import type { FiveTuple } from '../core/network.ts';

/** The MSS values a cookie can hold, over IPv4 and over IPv6. */
export const COOKIE_MSS: readonly number[] = [536, 1300, 1440, 1460];
export const COOKIE_MSS_V6: readonly number[] = [1220, 1420, 1440, 8940];
/** Minutes for which a cookie is good. */
const COOKIE_MINUTES = 2;
const MINUTE_US = 60e6;
const LOW_24 = 0xffffff;

/** Makes and checks cookies with the secrets of one stack. */
export class SynCookies {
  private readonly first: SipHash;
  private readonly second: SipHash;

  constructor(first: SipHash, second: SipHash) {
    this.first = first;
    this.second = second;
  }

  /** The initial sequence number that stands for this SYN; `mss` is the peer's. */
  make(flow: FiveTuple, irs: Seq, mss: number, nowUs: number): Seq {
    const minute = Math.floor(nowUs / MINUTE_US);
    const table = tableOf(flow);
    let index = table.length - 1;
    while (index > 0 && (table[index] as number) > mss) index--;
    const base = hashFlow(this.first, flow, 0, 0) + irs + ((minute & 0xff) << 24);
    return (base + ((hashFlow(this.second, flow, minute, irs) + index) & LOW_24)) | 0;
  }

  /** The peer's MSS when `ack` answers a cookie of ours that is not too old; 0 when it does not. */
  check(flow: FiveTuple, irs: Seq, cookie: Seq, nowUs: number): number {
    const now = Math.floor(nowUs / MINUTE_US);
    const rest = (cookie - hashFlow(this.first, flow, 0, 0) - irs) | 0;
    const age = ((now & 0xff) - (rest >>> 24)) & 0xff;
    if (age >= COOKIE_MINUTES) return 0;
    const index = ((rest & LOW_24) - hashFlow(this.second, flow, now - age, irs)) & LOW_24;
    return tableOf(flow)[index] ?? 0;
  }
}

function tableOf({ remoteAddress }: FiveTuple): readonly number[] {
  return remoteAddress.byteLength === 4 ? COOKIE_MSS : COOKIE_MSS_V6;
}

function hashFlow(hash: SipHash, flow: FiveTuple, minute: number, irs: Seq): number {
  const { localAddress, remoteAddress } = flow;
  hash.begin().add(localAddress.w0).add(localAddress.w1).add(localAddress.w2).add(localAddress.w3);
  hash.add(remoteAddress.w0).add(remoteAddress.w1).add(remoteAddress.w2).add(remoteAddress.w3);
  return hash
    .add((flow.localPort << 16) | flow.remotePort)
    .add(minute)
    .add(irs)
    .end();
}

/** Low bits of the timestamp that hold the options. */
const TS_BITS = 0x3f;
const TS_SACK = 0x10;
const TS_ECN = 0x20;
const TS_NO_SCALE = 0xf;

/** What a cookie's timestamp holds of the SYN. */
export interface CookieOptions {
  /** -1 for none. */
  readonly windowScale: number;
  readonly sack: boolean;
  readonly ecn: boolean;
}

/** Of a SYN without timestamps. */
export const NOTHING_KEPT: CookieOptions = { windowScale: -1, sack: false, ecn: false };

/** A timestamp not later than `tsNow` whose low bits hold the options of the SYN. */
export function cookieTimestamp(tsNow: number, { windowScale, sack, ecn }: CookieOptions): number {
  const bits = (windowScale < 0 ? TS_NO_SCALE : windowScale) | (sack ? TS_SACK : 0) | (ecn ? TS_ECN : 0);
  const candidate = (tsNow & ~TS_BITS) | bits;
  return ((candidate - tsNow) | 0) > 0 ? (candidate - (TS_BITS + 1)) | 0 : candidate;
}

/** The options that the echo of such a timestamp holds. */
export function readCookieTimestamp(tsEcr: number): CookieOptions {
  const scale = tsEcr & TS_NO_SCALE;
  const windowScale = scale === TS_NO_SCALE ? -1 : scale;
  return { windowScale, sack: (tsEcr & TS_SACK) !== 0, ecn: (tsEcr & TS_ECN) !== 0 };
}
