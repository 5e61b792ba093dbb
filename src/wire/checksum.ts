/**
 * The Internet checksum (RFC 1071): the one's-complement sum of 16-bit words in network order.
 *
 * A sum goes from part to part (pseudo-header, header, payload) as `initial` and is complemented once at the end:
 * `finishChecksum(sum16(bytes, start, end, pseudoHeader))`. Over data that holds a right checksum the folded sum
 * is 0xffff.
 * @module
 */
import { fromHex } from '../base/hex.ts';
import { CHECKSUM_SCALAR, CHECKSUM_SIMD } from './checksum-wasm.ts';

/** Bytes whose 16-bit words cannot overflow 32 bits in sum: 65536 words. Even, so that blocks can be chained. */
const BLOCK = 131072;
const WASM_PAGE = 65536;
/** Below this many bytes a loop in JavaScript is done before a call into WebAssembly is. */
const WASM_MIN = 64;

/** Sums, and the memory in which it does so fastest. */
export interface Checksum {
  /** Memory that never moves or grows, for `sumInPlace`. */
  readonly memory: Uint8Array;
  /** The folded sum of `bytes[start, end)` plus `initial` (0 .. 2^32-1), not complemented. */
  sum(bytes: Uint8Array, start: number, end: number, initial: number): number;
  /** The same of `bytes` that are a part of `memory`, from `at` on, and at most 128 KiB: read where they lie. */
  sumInPlace(bytes: Uint8Array, at: number, start: number, end: number, initial: number): number;
}

/** How sums are made: in WebAssembly with or without SIMD, or in JavaScript. */
export type ChecksumKind = 'simd' | 'scalar' | 'js';

/** Sums memory[at, end), at most BLOCK bytes, as little-endian words modulo 2^32. */
type Kernel = (at: number, end: number) => number;

/**
 * A Checksum with `memoryBytes` of memory, by the fastest means this engine has; `kinds` says which may be tried, in
 * order. Plain JavaScript is what remains where WebAssembly is missing or forbidden (a content security policy).
 */
export function createChecksum(
  memoryBytes: number,
  kinds: readonly ChecksumKind[] = ['simd', 'scalar'],
): Checksum {
  for (const kind of kinds) {
    const checksum =
      kind === 'js'
        ? null
        : createWasmChecksum(memoryBytes, kind === 'simd' ? CHECKSUM_SIMD : CHECKSUM_SCALAR);
    if (checksum !== null) return checksum;
  }
  return {
    memory: new Uint8Array(memoryBytes),
    sum: sum16,
    sumInPlace: (bytes, _at, start, end, initial) => sum16(bytes, start, end, initial),
  };
}

function createWasmChecksum(memoryBytes: number, hex: string): Checksum | null {
  if (typeof WebAssembly === 'undefined') return null;
  const binary = fromHex(hex);
  if (!WebAssembly.validate(binary)) return null;
  try {
    const pages = Math.ceil((memoryBytes + BLOCK) / WASM_PAGE);
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    const instance = new WebAssembly.Instance(new WebAssembly.Module(binary), { m: { memory } });
    return new WasmChecksum(memory.buffer, memoryBytes, instance.exports['sum'] as Kernel);
  } catch {
    // A content security policy may forbid it, and so much memory in one piece may not be had.
    return null;
  }
}

class WasmChecksum implements Checksum {
  readonly memory: Uint8Array;
  /** Where `sum` copies bytes to: BLOCK bytes behind `memory`. */
  private readonly scratch: Uint8Array;
  private readonly scratchAt: number;
  private readonly kernel: Kernel;

  constructor(buffer: ArrayBuffer, memoryBytes: number, kernel: Kernel) {
    this.memory = new Uint8Array(buffer, 0, memoryBytes);
    this.scratchAt = buffer.byteLength - BLOCK;
    this.scratch = new Uint8Array(buffer, this.scratchAt, BLOCK);
    this.kernel = kernel;
  }

  sum(bytes: Uint8Array, start: number, end: number, initial: number): number {
    const length = end - start;
    if (length < WASM_MIN) return sum16(bytes, start, end, initial);
    if (length > BLOCK) {
      return this.sum(bytes, start + BLOCK, end, this.sum(bytes, start, start + BLOCK, initial));
    }
    this.scratch.set(bytes.subarray(start, end));
    return this.sumMemory(this.scratchAt, length, initial);
  }

  sumInPlace(bytes: Uint8Array, at: number, start: number, end: number, initial: number): number {
    const length = end - start;
    return length < WASM_MIN
      ? sum16(bytes, start, end, initial)
      : this.sumMemory(at + start, length, initial);
  }

  /** At most BLOCK bytes. */
  private sumMemory(at: number, length: number, initial: number): number {
    const little = foldChecksum(this.kernel(at, at + length));
    const big = ((little & 0xff) << 8) | (little >>> 8);
    return foldChecksum(big + (initial & 0xffff) + (initial >>> 16));
  }
}

/** The folded sum of `bytes[start, end)` plus `initial` (0 .. 2^32-1), not complemented (RFC 1071 section 4.1). */
export function sum16(bytes: Uint8Array, start: number, end: number, initial: number): number {
  if (end - start > BLOCK) {
    return sum16(bytes, start + BLOCK, end, sum16(bytes, start, start + BLOCK, initial));
  }
  let sum = 0;
  let i = start;
  for (const stop = end - 15; i < stop; i += 16) {
    const a = word(bytes, i) + word(bytes, i + 2) + word(bytes, i + 4) + word(bytes, i + 6);
    const b = word(bytes, i + 8) + word(bytes, i + 10) + word(bytes, i + 12) + word(bytes, i + 14);
    sum = (sum + a + b) | 0;
  }
  for (const stop = end - 1; i < stop; i += 2) sum = (sum + word(bytes, i)) | 0;
  if (i < end) sum = (sum + ((bytes[i] as number) << 8)) | 0;
  return foldChecksum(foldChecksum(sum) + (initial & 0xffff) + (initial >>> 16));
}

function word(bytes: Uint8Array, at: number): number {
  return ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
}

/** A sum of 32 bits (signed or unsigned) folded to 16, by adding the carries back in. */
export function foldChecksum(sum: number): number {
  const once = (sum & 0xffff) + (sum >>> 16);
  return (once & 0xffff) + (once >>> 16);
}

/** What the checksum field must hold for a sum of up to 32 bits: its folded complement, 0 .. 0xffff. */
export function finishChecksum(sum: number): number {
  return ~foldChecksum(sum) & 0xffff;
}

/** The checksum field after one 16-bit word it covers changed from `oldWord` to `newWord` (RFC 1624 section 3). */
export function updateChecksum16(checksum: number, oldWord: number, newWord: number): number {
  return finishChecksum((~checksum & 0xffff) + (~oldWord & 0xffff) + newWord);
}
