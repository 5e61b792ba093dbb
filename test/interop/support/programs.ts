/**
 * Programs of the kernel's side. They belong to the network namespace in which they are started, and to the test: when
 * it ends, however it ends, so do they.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { until } from './until.ts';

/** How a program is run. */
export interface ProgramOptions {
  /** What it reads; nothing by default. A number is an open file. */
  readonly input?: string | Uint8Array | number;
  /** Milliseconds until it is killed. */
  readonly limitMs?: number;
}

const LIMIT_MS = 60_000;

/** A program that runs. */
export class Program {
  /** Its exit status, or the name of the signal that ended it. */
  readonly ended: Promise<number | string>;
  private readonly child: ChildProcess;
  private readonly chunks: { readonly out: Buffer[]; readonly err: Buffer[] } = { out: [], err: [] };
  private readonly name: string;

  constructor(command: string, args: readonly string[], options: ProgramOptions) {
    const { input = '', limitMs = LIMIT_MS } = options;
    this.name = [command, ...args].join(' ');
    this.child = spawn('setpriv', ['--pdeathsig', 'KILL', command, ...args], {
      stdio: [typeof input === 'number' ? input : 'pipe', 'pipe', 'pipe'],
      timeout: limitMs,
      killSignal: 'SIGKILL',
    });
    const { child, chunks } = this;
    child.stdout?.on('data', chunk => chunks.out.push(chunk));
    child.stderr?.on('data', chunk => chunks.err.push(chunk));
    // A program that ends before it has read everything is no error of ours.
    child.stdin?.on('error', () => {});
    if (typeof input !== 'number') child.stdin?.end(input);
    this.ended = new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code, signal) => resolve(code ?? signal ?? 'nothing'));
    });
    this.ended.catch(() => {});
  }

  /** What it has written to its standard output so far. */
  get output(): Buffer {
    return Buffer.concat(this.chunks.out);
  }

  get stdout(): string {
    return this.output.toString('latin1');
  }

  get stderr(): string {
    return Buffer.concat(this.chunks.err).toString('latin1');
  }

  /** Everything that is known of it, for the message of a failed test. */
  get report(): string {
    return `${this.name}\n${this.stdout.slice(0, 2000)}\n${this.stderr.slice(0, 2000)}`;
  }

  /** Resolves once it has said something that matches, on either output. */
  async says(pattern: RegExp): Promise<void> {
    await until(
      () => pattern.test(this.stderr) || pattern.test(this.stdout),
      () => this.report,
    );
  }

  /** Sends it a signal and waits for its end. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    this.child.kill(signal);
    await this.ended;
  }
}

/** Starts a program. */
export function start(command: string, args: readonly string[], options: ProgramOptions = {}): Program {
  return new Program(command, args, options);
}

/** Runs a program to its end and expects it to succeed. */
export async function run(
  command: string,
  args: readonly string[],
  options: ProgramOptions = {},
): Promise<Program> {
  const program = start(command, args, options);
  const status = await program.ended;
  if (status !== 0) throw new Error(`status ${status}: ${program.report}`);
  return program;
}

/** Starts a line of shell; all its programs end with it. */
export function startShell(line: string, options: ProgramOptions = {}): Program {
  return start('unshare', ['--pid', '--fork', '--kill-child', 'sh', '-c', line], options);
}

/** Runs a line of shell to its end and expects it to succeed; returns what it writes. */
export async function shell(line: string, options: ProgramOptions = {}): Promise<string> {
  const program = startShell(line, options);
  const status = await program.ended;
  if (status !== 0) throw new Error(`status ${status}: ${program.report}`);
  return program.stdout;
}
