/**
 * The XDP program that hands an interface's frames to AF_XDP sockets, and its map, made with bpf(2).
 * @module
 */
import { EEXIST, EPERM } from '../../base/errno.ts';
import { type Libc, libc, SystemError } from './libc.ts';

/** Numbers of bpf(2) by processor. */
const SYS_BPF: Readonly<Record<string, number>> = { x64: 321, arm64: 280, riscv64: 280, loong64: 280 };

const EBUSY = 16;

const BPF_MAP_CREATE = 0;
const BPF_MAP_UPDATE_ELEM = 2;
const BPF_PROG_LOAD = 5;
const BPF_LINK_CREATE = 28;

const BPF_MAP_TYPE_XSKMAP = 17;
const BPF_PROG_TYPE_XDP = 6;
const BPF_XDP = 37;
/** The program takes frames in several pieces. */
const BPF_F_XDP_HAS_FRAGS = 1 << 5;
const XDP_FLAGS_SKB_MODE = 1 << 1;
const ATTRIBUTE_BYTES = 128;
const NOTHING = new Uint8Array(0);

// Of the instruction set (RFC 9669).
const LDX_WORD = 0x61;
const LD_IMM64 = 0x18;
const PSEUDO_MAP_FD = 1;
const MOV64_IMM = 0xb7;
const CALL = 0x85;
const EXIT = 0x95;
const REDIRECT_MAP = 51;
/** Offset of rx_queue_index in struct xdp_md. */
const RX_QUEUE_INDEX = 16;
/** What becomes of a frame of a queue without a socket. */
const XDP_PASS = 2;

/** What to do where the right to AF_XDP is missing. */
export const XDP_REMEDY =
  'run as root, or with CAP_NET_RAW, CAP_NET_ADMIN and CAP_BPF; those of a user namespace are not enough';

/** An XDP program on an interface. */
export interface XdpProgram {
  /** Hands the frames of a receive queue to the socket. */
  setSocket(queue: number, fd: number): void;
  /** Takes it off the interface. */
  close(): void;
}

/**
 * `return bpf_redirect_map(&map, ctx->rx_queue_index, XDP_PASS)`, as the kernel reads it: each instruction is an
 * opcode, two registers, an offset and a constant, 8 bytes.
 */
export function redirectProgram(mapFd: number): Uint8Array {
  const code = new Uint8Array(7 * 8);
  const view = new DataView(code.buffer);
  let at = 0;
  const emit = (opcode: number, registers: number, offset: number, constant: number): void => {
    view.setUint8(at, opcode);
    view.setUint8(at + 1, registers);
    view.setInt16(at + 2, offset, true);
    view.setInt32(at + 4, constant, true);
    at += 8;
  };
  emit(LDX_WORD, 0x12, RX_QUEUE_INDEX, 0); // r2 = ctx->rx_queue_index
  emit(LD_IMM64, (PSEUDO_MAP_FD << 4) | 1, 0, mapFd); // r1 = map, over two instructions
  emit(0, 0, 0, 0);
  emit(MOV64_IMM, 0x03, 0, XDP_PASS); // r3 = XDP_PASS
  emit(CALL, 0, 0, REDIRECT_MAP);
  emit(EXIT, 0, 0, 0);
  return code.subarray(0, at);
}

/**
 * Puts the program on the interface `index`, in SKB mode, which every driver has.
 * @throws SystemError EPERM, EBUSY (it has an XDP program already) ...
 */
export function attachXdp(index: number, device: string, queues: number): XdpProgram {
  const system = libc();
  const fds: number[] = [];
  const close = (): void => {
    for (const fd of fds.reverse()) system.close(fd);
    fds.length = 0;
  };
  const keep = (result: number, what: string): number => {
    if (result < 0) {
      close();
      throw new SystemError('bpf', result, what, remedy(result));
    }
    fds.push(result);
    return result;
  };
  const map = keep(createMap(system, queues), 'make a map of AF_XDP sockets');
  const program = keep(loadProgram(system, map), 'load an XDP program');
  keep(createLink(system, program, index), `put an XDP program on ${device}`);
  return {
    setSocket: (queue, fd) => {
      const result = updateMap(system, map, queue, fd);
      if (result < 0) throw new SystemError('bpf', result, `hand queue ${queue} of ${device} to the socket`);
    },
    close,
  };
}

function createMap(system: Libc, entries: number): number {
  return bpf(system, BPF_MAP_CREATE, NOTHING, view => {
    view.setUint32(0, BPF_MAP_TYPE_XSKMAP, true);
    view.setUint32(4, 4, true);
    view.setUint32(8, 4, true);
    view.setUint32(12, entries, true);
  });
}

function updateMap(system: Libc, map: number, key: number, value: number): number {
  const pair = new Uint8Array(Uint32Array.of(key, value).buffer);
  return bpf(system, BPF_MAP_UPDATE_ELEM, pair, (view, pairAt) => {
    view.setUint32(0, map, true);
    setPointer(view, 8, pairAt);
    setPointer(view, 16, pairAt + 4);
  });
}

function loadProgram(system: Libc, map: number): number {
  const code = redirectProgram(map);
  // The kernel only asks whether functions reserved to GPL programs are called; none is.
  const data = Uint8Array.of(...code, ...new TextEncoder().encode('MIT\0'));
  const load = (flags: number): number =>
    bpf(system, BPF_PROG_LOAD, data, (view, dataAt) => {
      view.setUint32(0, BPF_PROG_TYPE_XDP, true);
      view.setUint32(4, code.length / 8, true);
      setPointer(view, 8, dataAt);
      setPointer(view, 16, dataAt + code.length);
      view.setUint32(44, flags, true);
      view.setUint32(68, BPF_XDP, true);
    });
  const result = load(BPF_F_XDP_HAS_FRAGS);
  // Before Linux 5.18 there is no such flag.
  return result < 0 && result !== -EPERM ? load(0) : result;
}

function createLink(system: Libc, program: number, index: number): number {
  return bpf(system, BPF_LINK_CREATE, NOTHING, view => {
    view.setUint32(0, program, true);
    view.setUint32(4, index, true);
    view.setUint32(8, BPF_XDP, true);
    view.setUint32(12, XDP_FLAGS_SKB_MODE, true);
  });
}

/** Calls bpf(2) with an attribute that `fill` writes and that may point to `data`, a copy of which is at `dataAt`. */
function bpf(
  system: Libc,
  command: number,
  data: Uint8Array,
  fill: (attribute: DataView, dataAt: number) => void,
): number {
  const number = SYS_BPF[process.arch];
  if (number === undefined) throw new Error(`the AF_XDP driver does not know the processor ${process.arch}`);
  // In one piece, so that the data is there for as long as what points to it.
  const whole = new Uint8Array(ATTRIBUTE_BYTES + data.length);
  whole.set(data, ATTRIBUTE_BYTES);
  const at = system.addressOf(whole);
  fill(new DataView(whole.buffer), at + ATTRIBUTE_BYTES);
  const result = system.syscall(number, command, at, ATTRIBUTE_BYTES);
  // Read once more here, so that the memory is still reachable during the call.
  return whole.length > 0 ? result : 0;
}

function setPointer(view: DataView, at: number, address: number): void {
  view.setBigUint64(at, BigInt(address), true);
}

function remedy(result: number): string {
  if (result === -EPERM) return XDP_REMEDY;
  if (result === -EBUSY || result === -EEXIST) return 'it has an XDP program already';
  return '';
}
