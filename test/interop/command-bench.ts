/**
 * What the tests of the commands have in common: the kernel, and the programs people use, on the other side of a TAP
 * device.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer, type RequestListener, type Server } from 'node:http';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'node:test';
import { listInterfaces } from '../../src/node/linux/netdev.ts';
import { CommandProcess, type Ended, runProgram } from './command-process.ts';
import { enterNewNetwork } from './network.ts';

/** Our stack's address by default, and the kernel's on the other side. */
export const HOST = '10.65.0.2';
export const KERNEL = '10.65.0.1';
export const HOST6 = 'fd65::2';
export const KERNEL6 = 'fd65::1';

/** How long the tests of one command may take, in milliseconds. */
export const TIMEOUT_MS = 180_000;

/** Bytes that do not repeat soon. */
export function bytesOf(length: number): Buffer {
  return Buffer.concat(
    Array.from({ length: Math.ceil(length / 32) }, (_, i) => createHash('sha256').update(`${i}`).digest()),
  ).subarray(0, length);
}

/** Runs iproute2, which must go well. */
export function ip(...args: string[]): void {
  const { status, err } = runProgram('ip', ...args);
  assert.equal(status, 0, err);
}

/** Runs curl to its end. */
export function curl(...args: string[]): Ended {
  return runProgram('curl', '-sS', '--max-time', '20', ...args);
}

/** For each test a network namespace and a folder of its own; what is still there at its end is ended and removed. */
export class CommandBench {
  folder = '';
  private readonly running: CommandProcess[] = [];
  private readonly undo: (() => void)[] = [];

  /** To be called inside a `describe`. */
  constructor() {
    beforeEach(() => {
      enterNewNetwork();
      this.folder = mkdtempSync(join(tmpdir(), 'ethertype-interop-'));
      mkdirSync(join(this.folder, 'www'));
    });
    afterEach(async () => {
      for (const each of this.running.splice(0)) {
        each.child.kill('SIGKILL');
        await each.end();
      }
      for (const undo of this.undo.splice(0)) undo();
      rmSync(this.folder, { recursive: true });
    });
  }

  /** Has something done at the end of the test. */
  onEnd(undo: () => void): void {
    this.undo.push(undo);
  }

  /** Starts an `ethertype` command; the last one may be ended by the test, or is killed. */
  start(...args: string[]): CommandProcess {
    return this.startIn([], ...args);
  }

  /** As `start`, by way of another program: 'ip netns exec NAME'. */
  startIn(prefix: readonly string[], ...args: string[]): CommandProcess {
    const command = new CommandProcess({ runtime: this.folder, prefix }, ...args);
    this.running.push(command);
    return command;
  }

  /** Runs a command, with nothing on its standard input, to its end. */
  run(...args: string[]): Promise<Ended> {
    const command = this.start(...args);
    command.child.stdin.end();
    return command.end();
  }

  /** A file in the folder to serve, whose path is returned. */
  file(name: string, content: Uint8Array | string): string {
    writeFileSync(join(this.folder, 'www', name), content);
    return join(this.folder, 'www');
  }

  /** The kernel's interfaces. */
  devices(): string[] {
    return listInterfaces().map(({ name }) => name);
  }

  /** What the running commands have put into the user's runtime folder. */
  controlFiles(): string[] {
    return readdirSync(join(this.folder, 'ethertype'));
  }

  /** Nothing is left of a command: no interface, no file. */
  isGone(device = 'tap0'): void {
    assert.ok(!this.devices().includes(device), `${device} is still there`);
    assert.deepEqual(this.controlFiles(), []);
  }

  /** A server of node:net on the kernel's side; gives its port. */
  async kernelServer(accept: (socket: Socket) => void, address = '0.0.0.0'): Promise<string> {
    const server = createServer({ allowHalfOpen: true }, socket => {
      socket.on('error', () => undefined);
      accept(socket);
    });
    await once(server.listen(0, address), 'listening');
    this.onEnd(() => server.close());
    return String((server.address() as AddressInfo).port);
  }

  /** A server of node:http on the kernel's side; gives its URL without a path. */
  async kernelHttp(answer: RequestListener): Promise<string> {
    const server: Server = createHttpServer(answer);
    await once(server.listen(0, '0.0.0.0'), 'listening');
    this.onEnd(() => {
      server.closeAllConnections();
      server.close();
    });
    return `http://${KERNEL}:${(server.address() as AddressInfo).port}`;
  }

  /** A connection from the kernel to our stack. */
  async kernelConnect(port: number): Promise<Socket> {
    const socket = connect({ host: HOST, port, allowHalfOpen: true });
    await once(socket, 'connect');
    return socket;
  }
}
