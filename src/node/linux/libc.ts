/**
 * The few functions of the C library that the Linux drivers call, through the package koffi.
 * Memory is passed as a number, an address: a view for each call would cost an object a packet.
 * @module
 */
import { createRequire } from 'node:module';
import { constants } from 'node:os';
import { getSystemErrorMap } from 'node:util';
import type * as Koffi from 'koffi';
import { errnoName, strerror } from '../../base/errno.ts';

/** Calls of the C library: each returns a value of 0 or more, or -errno. None of them throws. */
export interface Libc {
  /** Opens a file; `mode` counts where O_CREAT is among the flags. */
  open(path: string, flags: number, mode: number): number;
  close(fd: number): number;
  /** Reads into memory at an address (`addressOf`) that must stay valid for the call. */
  read(fd: number, address: number, length: number): number;
  write(fd: number, address: number, length: number): number;
  /** Writes from several places; `iovec` is the address of the array of struct iovec. */
  writev(fd: number, iovec: number, count: number): number;
  /** Reads into several places, as `writev`. */
  readv(fd: number, iovec: number, count: number): number;
  /** The argument is memory or a value, as the request has it. */
  ioctl(fd: number, request: number, argument: Uint8Array | number): number;
  socket(family: number, type: number, protocol: number): number;
  bind(fd: number, address: Uint8Array): number;
  connect(fd: number, address: Uint8Array): number;
  setsockopt(fd: number, level: number, name: number, value: Uint8Array): number;
  /** Fills `value` and returns the option's length. */
  getsockopt(fd: number, level: number, name: number, value: Uint8Array): number;
  /** Sends to `to`, or to the connected peer when it is null. */
  sendto(fd: number, address: number, length: number, flags: number, to: Uint8Array | null): number;
  recv(fd: number, address: number, length: number, flags: number): number;
  /** `sendto` the connected peer, and `recv`, for memory that is at hand as a view. */
  send(fd: number, bytes: Uint8Array, flags: number): number;
  receive(fd: number, bytes: Uint8Array, flags: number): number;
  /** The address of the new mapping. */
  mmap(length: number, protection: number, flags: number, fd: number, offset: number): number;
  /** The same at this address, in place of what is mapped there (MAP_FIXED among the flags). */
  mmapAt(
    address: number,
    length: number,
    protection: number,
    flags: number,
    fd: number,
    offset: number,
  ): number;
  munmap(address: number, length: number): number;
  /** `fds` is an array of struct pollfd; -1 ms waits for ever (and holds up the event loop for as long). */
  poll(fds: Uint8Array, count: number, timeoutMs: number): number;
  eventfd(initial: number, flags: number): number;
  epollCreate(flags: number): number;
  /** `event` is a struct epoll_event. */
  epollCtl(epoll: number, operation: number, fd: number, event: Uint8Array): number;
  /** Any other system call, by its number. */
  syscall(number: number, ...args: readonly number[]): number;
  /**
   * Where the view's memory begins. The address is good for as long as the buffer is reachable and not resized or
   * transferred; a WebAssembly memory that does not grow stays where it is.
   */
  addressOf(view: ArrayBufferView): number;
  /** Memory that C made, such as a mapping, as an ArrayBuffer. It must not be touched after `munmap`. */
  memory(address: number, length: number): ArrayBuffer;
  /** The package itself, for what is not here. */
  readonly koffi: typeof Koffi;
}

export const O_RDONLY = 0;
export const O_RDWR = 2;
/** As `constants` of node:os and node:fs do not have it on every platform. */
export const O_NONBLOCK = 0x800;
export const O_CLOEXEC = 0x80000;

/** Arguments of syscall(2). */
const SYSCALL_ARGUMENTS_MAX = 6;

/** The process's C library, bound when it is first asked for: importing this module loads nothing native. */
let bound: Libc | null = null;

/**
 * The C library.
 * @throws Error when this is not Linux, or the optional package koffi is not installed
 */
export function libc(): Libc {
  bound ??= bindAll(loadKoffi());
  return bound;
}

function loadKoffi(): typeof Koffi {
  if (process.platform !== 'linux') throw new Error('the Linux drivers need Linux');
  try {
    return createRequire(import.meta.url)('koffi') as typeof Koffi;
  } catch (cause) {
    throw new Error('the Linux drivers need the package koffi: npm install koffi', { cause });
  }
}

/** A C function that returns -1 and sets errno, as one that returns -errno. */
type Binder = (prototype: string) => (...args: readonly unknown[]) => number;

function bindAll(koffi: typeof Koffi): Libc {
  // The program itself: whichever C library it was linked with.
  const program = koffi.load(null);
  const call: Binder = prototype => {
    const raw = program.func(prototype);
    return (...args) => {
      const result = raw(...args) as number;
      return result === -1 ? -koffi.errno() : result;
    };
  };
  const readRaw = program.func('int64_t read(int fd, int64_t address, size_t length)');
  const writeRaw = program.func('int64_t write(int fd, int64_t address, size_t length)');
  const readvRaw = program.func('int64_t readv(int fd, int64_t iovec, int count)');
  const ioctlMemory = call('int ioctl(int fd, uint64_t request, void *argument)');
  const ioctlValue = call('int ioctl(int fd, uint64_t request, int64_t argument)');
  const mmapAt: Libc['mmapAt'] = call(
    'int64_t mmap(int64_t address, size_t length, int protection, int flags, int fd, int64_t offset)',
  );
  const syscallRaw = call(
    'int64_t syscall(int64_t number, int64_t a, int64_t b, int64_t c, int64_t d, int64_t e, int64_t f)',
  );
  return {
    koffi,
    ...bindSockets(call),
    open: call('int open(const char *path, int flags, int mode)'),
    close: call('int close(int fd)'),
    // The calls of the packet path are spelled out: no argument arrays.
    read: (fd, address, length) => {
      const result = readRaw(fd, address, length) as number;
      return result === -1 ? -koffi.errno() : result;
    },
    write: (fd, address, length) => {
      const result = writeRaw(fd, address, length) as number;
      return result === -1 ? -koffi.errno() : result;
    },
    readv: (fd, iovec, count) => {
      const result = readvRaw(fd, iovec, count) as number;
      return result === -1 ? -koffi.errno() : result;
    },
    writev: call('int64_t writev(int fd, int64_t iovec, int count)'),
    ioctl: (fd, request, argument) =>
      typeof argument === 'number' ? ioctlValue(fd, request, argument) : ioctlMemory(fd, request, argument),
    mmap: mmapAt.bind(null, 0),
    mmapAt,
    munmap: call('int munmap(int64_t address, size_t length)'),
    poll: call('int poll(void *fds, uint64_t count, int timeoutMs)'),
    eventfd: call('int eventfd(uint32_t initial, int flags)'),
    epollCreate: call('int epoll_create1(int flags)'),
    epollCtl: call('int epoll_ctl(int epoll, int operation, int fd, void *event)'),
    syscall: (number, ...args) => {
      const all = [...args, ...new Array<number>(SYSCALL_ARGUMENTS_MAX).fill(0)];
      return syscallRaw(number, ...all.slice(0, SYSCALL_ARGUMENTS_MAX));
    },
    addressOf: view => Number(koffi.address(view)),
    memory: (address, length) => koffi.view(BigInt(address), length),
  };
}

/** The calls of <sys/socket.h>. */
function bindSockets(call: Binder) {
  const bind = call('int bind(int fd, const void *address, uint32_t length)');
  const connect = call('int connect(int fd, const void *address, uint32_t length)');
  const set = call('int setsockopt(int fd, int level, int name, const void *value, uint32_t length)');
  const get = call('int getsockopt(int fd, int level, int name, void *value, void *length)');
  const send = call('int64_t send(int fd, const void *bytes, size_t length, int flags)');
  const receive = call('int64_t recv(int fd, void *bytes, size_t length, int flags)');
  const sendto = call(
    'int64_t sendto(int fd, int64_t address, size_t length, int flags, const void *to, uint32_t toLength)',
  );
  return {
    socket: call('int socket(int family, int type, int protocol)'),
    bind: (fd: number, address: Uint8Array) => bind(fd, address, address.length),
    connect: (fd: number, address: Uint8Array) => connect(fd, address, address.length),
    setsockopt: (fd: number, level: number, name: number, value: Uint8Array) =>
      set(fd, level, name, value, value.length),
    getsockopt: (fd: number, level: number, name: number, value: Uint8Array) => {
      const length = Uint32Array.of(value.length);
      const result = get(fd, level, name, value, length);
      return result < 0 ? result : (length[0] as number);
    },
    sendto: (fd: number, address: number, length: number, flags: number, to: Uint8Array | null) =>
      sendto(fd, address, length, flags, to, to === null ? 0 : to.length),
    recv: call('int64_t recv(int fd, int64_t address, size_t length, int flags)'),
    send: (fd: number, bytes: Uint8Array, flags: number) => send(fd, bytes, bytes.length, flags),
    receive: (fd: number, bytes: Uint8Array, flags: number) => receive(fd, bytes, bytes.length, flags),
  };
}

/** An error of a system call, in the shape of Node's own. */
export class SystemError extends Error {
  /** The name: 'EPERM', 'ENODEV' ... */
  readonly code: string;
  /** Negative, as in Node. */
  readonly errno: number;
  readonly syscall: string;

  /** `result` is what the call returned, -errno; `what` says what was tried, `remedy` what to do about it. */
  constructor(syscall: string, result: number, what: string, remedy = '') {
    const [code, text] = describe(-result);
    super(`${code}: ${text}, ${what}${remedy === '' ? '' : `: ${remedy}`}`);
    this.name = 'SystemError';
    this.code = code;
    this.errno = result;
    this.syscall = syscall;
  }
}

/** An errno's name and text; the stack's own table, which has Linux's words, knows only those that it uses itself. */
function describe(errno: number): readonly [name: string, text: string] {
  const name = errnoName(errno);
  if (!/\d/.test(name)) return [name, strerror(errno).toLowerCase()];
  const found = Object.entries(constants.errno).find(([, value]) => value === errno);
  return getSystemErrorMap().get(-errno) ?? [found?.[0] ?? name, strerror(errno).toLowerCase()];
}
