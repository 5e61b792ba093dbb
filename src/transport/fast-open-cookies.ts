/**
 * The cookies of a Fast Open server (RFC 7413 section 4.1.2), as Linux makes them: SipHash-2-4 of the client's and the
 * server's address. Hosts that share a key, and an address, take each other's cookies.
 * @module
 */
import { SipHash24 } from '../base/siphash24.ts';
import type { Host } from '../core/host.ts';
import type { FiveTuple } from '../core/network.ts';
import { AF_INET, type IpAddress } from '../wire/address.ts';
import type { TcpOptions } from '../wire/tcp-options.ts';

/** Bytes of a key. */
export const FAST_OPEN_KEY_LENGTH = 16;
/** Bytes of the cookies that are made here. */
const COOKIE_LENGTH = 8;

/** Makes cookies with one key, and knows those of a second one, which was the first before. */
export class FastOpenCookies {
  private readonly hashes: readonly SipHash24[];

  /** `keys`: 16 bytes, or 32 for two keys. */
  constructor(keys: Uint8Array) {
    const starts = keys.length > FAST_OPEN_KEY_LENGTH ? [0, FAST_OPEN_KEY_LENGTH] : [0];
    this.hashes = starts.map(start => new SipHash24(keys.subarray(start, start + FAST_OPEN_KEY_LENGTH)));
  }

  /** The client's cookie. */
  make(flow: FiveTuple): Uint8Array {
    const bytes = new Uint8Array(COOKIE_LENGTH);
    const hash = digest(this.hashes[0] as SipHash24, flow);
    for (let i = 0; i < COOKIE_LENGTH; i++) bytes[i] = cookieByte(hash, i);
    return bytes;
  }

  /** Whose cookie is in the options: 0 none of ours, 1 of the first key, 2 of the second. */
  check(flow: FiveTuple, { cookie, cookieLength }: TcpOptions): 0 | 1 | 2 {
    if (cookieLength !== COOKIE_LENGTH) return 0;
    const at = this.hashes.findIndex(hash => {
      digest(hash, flow);
      let difference = 0;
      for (let i = 0; i < COOKIE_LENGTH; i++) difference |= (cookie[i] as number) ^ cookieByte(hash, i);
      return difference === 0;
    });
    return (at + 1) as 0 | 1 | 2;
  }
}

function digest(hash: SipHash24, { remoteAddress, localAddress }: FiveTuple): SipHash24 {
  hash.begin();
  if (remoteAddress.family === AF_INET) {
    hash.add(swapped(remoteAddress.w3), swapped(localAddress.w3));
  } else {
    addAddress(hash, remoteAddress);
    addAddress(hash, localAddress);
  }
  hash.end();
  return hash;
}

function addAddress(hash: SipHash24, { w0, w1, w2, w3 }: IpAddress): void {
  hash.add(swapped(w0), swapped(w1)).add(swapped(w2), swapped(w3));
}

/** The bytes of a word in the other order: addresses are in network order, SipHash reads little-endian words. */
function swapped(word: number): number {
  return (word << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24);
}

function cookieByte({ low, high }: SipHash24, at: number): number {
  return ((at < 4 ? low : high) >>> (8 * (at & 3))) & 0xff;
}

/** tcp_fastopen_key as bytes: one key or two, each four hexadecimal words; null when the text is something else. */
export function parseFastOpenKeys(text: string): Uint8Array | null {
  const keys = text.trim().split(',');
  if (keys.length > 2) return null;
  const bytes = new Uint8Array(FAST_OPEN_KEY_LENGTH * keys.length);
  const view = new DataView(bytes.buffer);
  for (const [index, key] of keys.entries()) {
    const words = /^([0-9a-f]{1,8})-([0-9a-f]{1,8})-([0-9a-f]{1,8})-([0-9a-f]{1,8})$/i.exec(key.trim());
    if (words === null) return null;
    for (let i = 0; i < 4; i++) {
      view.setUint32(FAST_OPEN_KEY_LENGTH * index + 4 * i, Number.parseInt(words[i + 1] as string, 16), true);
    }
  }
  return bytes;
}

/** The cookies of a host: by tcp_fastopen_key, or by a secret that is made when it is first needed. */
export class HostCookies {
  private readonly host: Host;
  private text: string | null = null;
  private cookies: FastOpenCookies | null = null;

  /** Throws RangeError when tcp_fastopen_key is neither empty nor a key. */
  constructor(host: Host) {
    const { tcp_fastopen_key: text } = host.sysctl;
    if (text !== '' && parseFastOpenKeys(text) === null)
      throw new RangeError(
        `tcp_fastopen_key '${text}' is no key: write four words of hexadecimal digits, 'a1a1a1a1-b2b2b2b2-c3c3c3c3-d4d4d4d4'`,
      );
    this.host = host;
  }

  /** By the key that holds now; text that is no key leaves the last one in force. */
  get current(): FastOpenCookies {
    const { tcp_fastopen_key: text } = this.host.sysctl;
    if (this.cookies !== null && text === this.text) return this.cookies;
    this.text = text;
    const keys = parseFastOpenKeys(text);
    if (keys !== null) this.cookies = new FastOpenCookies(keys);
    this.cookies ??= new FastOpenCookies(this.host.randomBytes(FAST_OPEN_KEY_LENGTH));
    return this.cookies;
  }
}
