/**
 * Classic BPF programs that the kernel runs on a packet socket before a frame costs anything.
 * @module
 */
import { macHigh, macLow } from '../../wire/ethernet.ts';
import { libc, SystemError } from './libc.ts';

/** One instruction of classic BPF, as `tcpdump -dd` prints it (struct sock_filter). */
export interface FilterInstruction {
  readonly code: number;
  readonly jt: number;
  readonly jf: number;
  readonly k: number;
}

/** A program whose result is the number of bytes of the frame to keep; 0 drops it. */
export type ClassicFilter = readonly FilterInstruction[];

/** The longest program that Linux takes (BPF_MAXINSNS). */
export const FILTER_INSTRUCTIONS_MAX = 4096;
/** The result that keeps the whole of any frame. */
export const WHOLE_FRAME = 262144;

const SOL_SOCKET = 1;
const SO_ATTACH_FILTER = 26;
const INSTRUCTION_BYTES = 8;
/** struct sock_fprog: a length, six bytes of padding, a pointer. */
const PROGRAM_BYTES = 16;

const LD_WORD = 0x20;
const LD_HALF = 0x28;
const LD_BYTE = 0x30;
const JEQ = 0x15;
const JSET = 0x45;
const RET = 0x06;

/** Keeps what is for this MAC address or for a group, and drops what is for others. */
export function macFilter(mac: Uint8Array): ClassicFilter {
  const first = ((macHigh(mac) << 16) | (macLow(mac) >>> 16)) >>> 0;
  const last = macLow(mac) & 0xffff;
  return [
    { code: LD_WORD, jt: 0, jf: 0, k: 0 },
    { code: JEQ, jt: 0, jf: 2, k: first },
    { code: LD_HALF, jt: 0, jf: 0, k: 4 },
    { code: JEQ, jt: 2, jf: 3, k: last },
    { code: LD_BYTE, jt: 0, jf: 0, k: 0 },
    { code: JSET, jt: 0, jf: 1, k: 1 },
    { code: RET, jt: 0, jf: 0, k: WHOLE_FRAME },
    { code: RET, jt: 0, jf: 0, k: 0 },
  ];
}

/** The same program, keeping at most `snaplen` bytes of a frame. */
export function limitSnaplen(filter: ClassicFilter, snaplen: number): ClassicFilter {
  const whole = filter.length > 0 ? filter : [{ code: RET, jt: 0, jf: 0, k: WHOLE_FRAME }];
  return whole.map(step => (step.code === RET && step.k > snaplen ? { ...step, k: snaplen } : step));
}

/** The program as the kernel reads it: an array of struct sock_filter. */
export function encodeFilter(filter: ClassicFilter): Uint8Array {
  const bytes = new Uint8Array(filter.length * INSTRUCTION_BYTES);
  const view = new DataView(bytes.buffer);
  for (const [index, { code, jt, jf, k }] of filter.entries()) {
    const at = index * INSTRUCTION_BYTES;
    view.setUint16(at, code, true);
    view.setUint8(at + 2, jt);
    view.setUint8(at + 3, jf);
    view.setUint32(at + 4, k, true);
  }
  return bytes;
}

/**
 * Attaches the program to a socket.
 * @throws SystemError when the kernel finds it faulty (EINVAL)
 */
export function attachFilter(fd: number, filter: ClassicFilter): void {
  const system = libc();
  const code = encodeFilter(filter);
  // In one piece, so that the code is there for as long as what points to it.
  const whole = new Uint8Array(PROGRAM_BYTES + code.length);
  whole.set(code, PROGRAM_BYTES);
  const view = new DataView(whole.buffer);
  view.setUint16(0, Math.min(filter.length, FILTER_INSTRUCTIONS_MAX + 1), true);
  view.setBigUint64(8, BigInt(system.addressOf(whole) + PROGRAM_BYTES), true);
  const result = system.setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, whole.subarray(0, PROGRAM_BYTES));
  if (result >= 0) return;
  throw new SystemError(
    'setsockopt',
    result,
    `a classic BPF filter of ${filter.length} instructions`,
    `it must have 1 to ${FILTER_INSTRUCTIONS_MAX}, jump forwards only and end in a return`,
  );
}
