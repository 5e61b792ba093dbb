/**
 * The kernel as the peer: this process itself, in a network namespace of its own, with Node's sockets.
 */
import { once } from 'node:events';
import { type AddressInfo, createServer, connect as netConnect, type Server, type Socket } from 'node:net';
import { nodeEnv } from '../../../src/node/env.ts';
import { libc } from '../../../src/node/linux/libc.ts';
import { addAddress, setUp } from '../../../src/node/linux/netdev.ts';
import { openTap, type TapOptions } from '../../../src/node/linux/tap.ts';
import type { TapLink } from '../../../src/node/linux/tap-link.ts';
import { AF_INET, SOCK_STREAM } from '../../../src/socket/constants.ts';
import { Stack } from '../../../src/stack/stack.ts';

const CLONE_NEWNET = 0x40000000;
/** The kernel's address and ours. */
export const KERNEL = '10.65.0.1';
export const OURS = '10.65.0.2';

/** Moves this process, and what it will start, to a network namespace of its own, for good. */
export function enterNetns(): void {
  const unshare = libc().koffi.load(null).func('int unshare(int flags)');
  if (unshare(CLONE_NEWNET) !== 0) throw new Error(`unshare: errno ${libc().koffi.errno()}`);
  setUp('lo');
}

/** Our host on a TAP or TUN link to the kernel. */
export class Tapped {
  readonly link: TapLink;
  readonly stack: Stack;

  constructor(options: Partial<TapOptions> = {}) {
    const env = nodeEnv();
    this.link = openTap({ name: 'et0', env, ...options });
    addAddress(this.link.name, `${KERNEL}/24`);
    setUp(this.link.name);
    this.stack = new Stack({ env });
    this.stack.attach(this.link, { address: `${OURS}/24` });
  }

  /** Packets held by the link or the stack. */
  get packetsInUse(): number {
    return this.link.pool.inUse + this.stack.host.pool.inUse;
  }

  close(): void {
    this.stack.close();
  }
}

/** What a stream of a test consists of: the byte at `offset`, chosen so that no shift by a power of two goes unseen. */
export function patternAt(offset: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  for (let i = 0; i < length; i++) bytes[i] = (offset + i) % 251;
  return bytes;
}

/** A stream's end that checks what comes. */
export class Checker {
  /** Right bytes so far. */
  received = 0;
  private readonly expected: Buffer;

  constructor(longest: number) {
    this.expected = patternAt(0, longest + 251);
  }

  /** Throws when these are not the next bytes of the stream. */
  take(bytes: Uint8Array): void {
    const at = this.received % 251;
    if (this.expected.compare(bytes, 0, bytes.length, at, at + bytes.length) !== 0) {
      throw new Error(`wrong bytes between ${this.received} and ${this.received + bytes.length}`);
    }
    this.received += bytes.length;
  }
}

const PIECE = 251 * 256;

/** A kernel socket sends `bytes` to our host and closes; returns what our host received. */
export async function kernelToOurs({ stack }: { stack: Stack }, bytes: number): Promise<number> {
  const { sys } = stack;
  const listener = sys.socket(AF_INET, SOCK_STREAM, 0);
  sys.bind(listener, { family: AF_INET, address: '0.0.0.0', port: 5001 });
  sys.listen(listener, 1);
  const socket = netConnect(5001, OURS);
  const sending = sendAll(socket, bytes);
  const fd = await sys.wait.accept(listener);
  const checker = new Checker(PIECE);
  const buffer = new Uint8Array(PIECE);
  for (;;) {
    const count = await sys.wait.recv(fd, buffer);
    if (count < 0) throw new Error(`recv: ${count}`);
    if (count === 0) break;
    checker.take(buffer.subarray(0, count));
  }
  await sending;
  sys.close(fd);
  sys.close(listener);
  await once(socket.resume(), 'close');
  return checker.received;
}

/** Our host sends `bytes` to a kernel socket and closes; returns what the kernel received. */
export async function oursToKernel({ stack }: { stack: Stack }, bytes: number): Promise<number> {
  const { sys } = stack;
  const server = await listenOn(KERNEL);
  const accepted = once(server, 'connection') as Promise<[Socket]>;
  const fd = sys.socket(AF_INET, SOCK_STREAM, 0);
  const { port } = server.address() as AddressInfo;
  const connected = await sys.wait.connect(fd, { family: AF_INET, address: KERNEL, port });
  if (connected !== 0) throw new Error(`connect: ${connected}`);
  const [socket] = await accepted;
  const checker = new Checker(1 << 20);
  socket.on('data', chunk => checker.take(chunk));
  const ended = once(socket, 'end');
  const piece = patternAt(0, PIECE);
  for (let sent = 0; sent < bytes; ) {
    const count = await sys.wait.send(
      fd,
      piece.subarray(sent % PIECE, Math.min(PIECE, (sent % PIECE) + bytes - sent)),
    );
    if (count < 0) throw new Error(`send: ${count}`);
    sent += count;
  }
  sys.close(fd);
  await ended;
  socket.destroy();
  server.close();
  return checker.received;
}

async function sendAll(socket: Socket, bytes: number): Promise<void> {
  await once(socket, 'connect');
  const piece = patternAt(0, PIECE);
  for (let sent = 0; sent < bytes; sent += PIECE) {
    if (!socket.write(piece.subarray(0, Math.min(PIECE, bytes - sent)))) await once(socket, 'drain');
  }
  socket.end();
}

async function listenOn(address: string): Promise<Server> {
  const server = createServer().listen(0, address);
  await once(server, 'listening');
  return server;
}
