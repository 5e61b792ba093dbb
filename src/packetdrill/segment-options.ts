/**
 * TCP options to bytes and back, for the script's side of the wire. It shares no code with the stack.
 * @module
 */
import type { OptionSpec } from './syntax.ts';

/** The shared kind of experimental options, and Fast Open's number there (RFC 6994, RFC 7413 appendix). */
const EXPERIMENTAL = 254;
const FAST_OPEN_MAGIC = [0xf9, 0x89];
const FAST_OPEN = 34;
const MD5 = 19;

/** Bytes of the options, padded with end-of-list to a multiple of four. */
export function encodeOptions(options: readonly OptionSpec[]): Uint8Array {
  const bytes = options.flatMap(option => [...encodeOption(option)]);
  while (bytes.length % 4 !== 0) bytes.push(0);
  return Uint8Array.from(bytes);
}

/** The bytes of one option, kind and length included. */
export function encodeOption(option: OptionSpec): readonly number[] | Uint8Array {
  switch (option.kind) {
    case 'eol':
      return [0];
    case 'nop':
      return [1];
    case 'mss':
      return [2, 4, option.value >>> 8, option.value & 255];
    case 'wscale':
      return [3, 3, option.value];
    case 'sackOK':
      return [4, 2];
    case 'sack':
      return [5, 2 + 8 * option.blocks.length, ...option.blocks.flat().flatMap(bytesOf)];
    case 'timestamps':
      return [8, 10, ...bytesOf(option.val), ...bytesOf(option.ecr)];
    case 'fastopen': {
      const { cookie, experimental } = option;
      if (!experimental) return [FAST_OPEN, 2 + cookie.length, ...cookie];
      return [EXPERIMENTAL, 4 + cookie.length, ...FAST_OPEN_MAGIC, ...cookie];
    }
    case 'md5':
      return [MD5, 2 + option.bytes.length, ...option.bytes];
    case 'raw':
      return option.bytes;
  }
}

function bytesOf(word: number): number[] {
  return [24, 16, 8, 0].map(shift => (word >>> shift) & 255);
}

/** The options in a header; what is malformed is 'raw'. */
export function decodeOptions(bytes: Uint8Array): OptionSpec[] {
  const options: OptionSpec[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < bytes.length; ) {
    const kind = bytes[at] as number;
    const length = kind < 2 ? 1 : Math.max(2, bytes[at + 1] ?? 0);
    options.push(decodeOption(view, at, kind, Math.min(length, bytes.length - at)));
    at += length;
  }
  return options;
}

function decodeOption(view: DataView, at: number, kind: number, length: number): OptionSpec {
  if (kind === 0) return { kind: 'eol' };
  if (kind === 1) return { kind: 'nop' };
  if (kind === 2 && length === 4) return { kind: 'mss', value: view.getUint16(at + 2) };
  if (kind === 3 && length === 3) return { kind: 'wscale', value: view.getUint8(at + 2) };
  if (kind === 4 && length === 2) return { kind: 'sackOK' };
  if (kind === 8 && length === 10) {
    return { kind: 'timestamps', val: view.getUint32(at + 2), ecr: view.getUint32(at + 6) };
  }
  if (kind === 5 && length % 8 === 2 && length > 2) {
    const blocks: [number, number][] = [];
    for (let i = at + 2; i < at + length; i += 8) blocks.push([view.getUint32(i), view.getUint32(i + 4)]);
    return { kind: 'sack', blocks };
  }
  const bytes = new Uint8Array(view.buffer, view.byteOffset + at, length).slice();
  if (kind === FAST_OPEN) return { kind: 'fastopen', cookie: bytes.slice(2), experimental: false };
  if (kind === EXPERIMENTAL && FAST_OPEN_MAGIC.every((byte, index) => bytes[2 + index] === byte)) {
    return { kind: 'fastopen', cookie: bytes.slice(4), experimental: true };
  }
  return kind === MD5 ? { kind: 'md5', bytes: bytes.slice(2) } : { kind: 'raw', bytes };
}
