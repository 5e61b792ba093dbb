import assert from 'node:assert/strict';
import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { repositoryRoot } from '../support/repository.ts';

/** How long a command may take to do what a test waits for, in milliseconds. */
const PATIENCE_MS = 15_000;

/** How a process ended, and all it printed. */
export interface Ended {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly bytes: Buffer;
  readonly out: string;
  readonly err: string;
}

/** How a command is started. */
export interface CommandOptions {
  /** Takes the place of the user's runtime folder. */
  readonly runtime: string;
  /** What starts it: 'ip netns exec NAME'. */
  readonly prefix?: readonly string[];
}

/** An `ethertype` command that runs. */
export class CommandProcess {
  readonly child: ChildProcessWithoutNullStreams;
  private readonly pieces: Buffer[] = [];
  private readonly closed: Promise<unknown[]>;
  err = '';

  constructor({ runtime, prefix = [] }: CommandOptions, ...args: string[]) {
    const env = { ...process.env, XDG_RUNTIME_DIR: runtime, TZ: 'UTC' };
    const [program = '', ...rest] = [...prefix, process.execPath, commandPath(), ...args];
    this.child = spawn(program, rest, { env });
    this.closed = once(this.child, 'close');
    this.child.stdout.on('data', piece => this.pieces.push(piece));
    this.child.stderr.on('data', piece => {
      this.err += String(piece);
    });
    // A command that ends before it has read everything is no error of the test.
    this.child.stdin.on('error', () => undefined);
  }

  get out(): string {
    return Buffer.concat(this.pieces).toString('utf8');
  }

  /** Waits until it has printed this. */
  async until(stream: 'out' | 'err', pattern: RegExp): Promise<RegExpExecArray> {
    const source = stream === 'out' ? this.child.stdout : this.child.stderr;
    const late = AbortSignal.timeout(PATIENCE_MS);
    for (;;) {
      const found = pattern.exec(this[stream]);
      if (found !== null) return found;
      await Promise.race([once(source, 'data', { signal: late }), this.closed]).catch(() => undefined);
      const gone = this.child.exitCode !== null || this.child.signalCode !== null;
      if (pattern.test(this[stream]) || !(late.aborted || gone)) continue;
      assert.fail(`no ${pattern} in ${PATIENCE_MS} ms\nstdout: ${this.out}\nstderr: ${this.err}`);
    }
  }

  /** Waits until the kernel's side is up and a server listens. */
  async ready(): Promise<this> {
    await this.until('err', /kernel side|others there/);
    return this;
  }

  /** Waits for its end, after a signal if one is given. */
  async end(signal?: NodeJS.Signals): Promise<Ended> {
    if (signal !== undefined) this.child.kill(signal);
    const timer = setTimeout(() => this.child.kill('SIGKILL'), PATIENCE_MS);
    await this.closed;
    clearTimeout(timer);
    const { exitCode: status, signalCode } = this.child;
    return { status, signal: signalCode, bytes: Buffer.concat(this.pieces), out: this.out, err: this.err };
  }
}

/** Runs a program to its end. */
export function runProgram(program: string, ...args: string[]): Ended {
  const result = spawnSync(program, args, { maxBuffer: 1 << 28, timeout: 2 * PATIENCE_MS });
  if (result.error !== undefined) throw result.error;
  const { status, signal, stdout, stderr } = result;
  return { status, signal, bytes: stdout, out: String(stdout), err: String(stderr) };
}

/** The script that users run. */
export function commandPath(): string {
  return join(repositoryRoot(), 'bin', 'ethertype.js');
}
