import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { AF_INET, SOCK_STREAM } from '../../src/socket/constants.ts';
import type { Stack } from '../../src/stack/stack.ts';
import { type Received, receiveStream, sendStream } from '../e2e/transfer.ts';

/** The first connection to a port; the listener is closed again. */
export async function accept(stack: Stack, port: number): Promise<number> {
  const { sys } = stack;
  const listener = sys.socket(AF_INET, SOCK_STREAM);
  assert.equal(sys.bind(listener, { address: '0.0.0.0', port }), 0);
  assert.equal(sys.listen(listener, 1), 0);
  const fd = await sys.wait.accept(listener);
  assert.ok(fd >= 0, `accept returned ${fd}`);
  sys.close(listener);
  return fd;
}

/** A connection to a port. */
export async function connect(stack: Stack, address: string, port: number): Promise<number> {
  const fd = stack.sys.socket(AF_INET, SOCK_STREAM);
  assert.equal(await stack.sys.wait.connect(fd, { address, port }), 0);
  return fd;
}

/** Sends `bytes` bytes of one stream and receives another, at once; what it received is for the caller to look at. */
export async function talk(
  stack: Stack,
  fd: number,
  bytes: number,
  saltOut: number,
  saltIn: number,
): Promise<Received> {
  const [received] = await Promise.all([
    receiveStream(stack, fd, saltIn),
    sendStream(stack, fd, bytes, saltOut),
  ]);
  stack.sys.close(fd);
  return received;
}

/** The process of lan.ts. */
export class Lan {
  readonly child: ChildProcess;
  private readonly lines: Interface;
  private readonly output: AsyncIterator<string>;

  constructor(kind: 'tcp' | 'ws', port: number, bytes: number) {
    const script = fileURLToPath(new URL('./lan.js', import.meta.url));
    this.child = spawn(process.execPath, [script, kind, `${port}`, `${bytes}`], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    assert.ok(this.child.stdout !== null);
    this.lines = createInterface(this.child.stdout);
    this.output = this.lines[Symbol.asyncIterator]();
  }

  /** The next line it prints. */
  async line(): Promise<string> {
    const { value, done } = await this.output.next();
    assert.ok(done !== true, 'the process has ended');
    return value;
  }

  /** Waits for its end; returns its exit status. */
  async ended(): Promise<number | null> {
    if (this.child.exitCode === null && this.child.signalCode === null) await once(this.child, 'exit');
    return this.child.exitCode;
  }

  /** Ends it at once, without a word to anybody. */
  async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.ended();
  }
}
