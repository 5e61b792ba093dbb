/**
 * How a command that runs for a while ends: by itself, by a signal, by an error that nobody caught.
 * @module
 */
import type { EventEmitter } from 'node:events';
import { constants } from 'node:os';
import { say } from '../output.ts';

/** The user, or the system, told the command to end. */
export class Interrupted extends Error {
  override name = 'Interrupted';
  readonly signal: NodeJS.Signals;

  constructor(signal: NodeJS.Signals) {
    super(`ended by ${signal}`);
    this.signal = signal;
  }

  /** Ends this process by the signal, so that whoever started it sees why; returns the shell's status for it. */
  die(): number {
    process.kill(process.pid, this.signal);
    return 128 + constants.signals[this.signal];
  }
}

/** The process, whose types have an overload for each event. */
const events: EventEmitter = process;

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** What a command may take to say its last words once it was told to end. */
const LAST_WORDS_MS = 500;
/** The longest a timer can wait: it only keeps the process alive. */
const FOREVER_MS = 0x7fffffff;

/** From the first thing a command makes to the last that it removes. */
export class Lifetime {
  /** Aborts when the command is to end; the reason says why. */
  readonly signal: AbortSignal;
  private readonly controller = new AbortController();
  private readonly undo: (() => void)[] = [];
  private readonly handlers: [event: string, handler: (argument: unknown) => void][] = [];
  private readonly alive = setInterval(() => undefined, FOREVER_MS);

  constructor() {
    this.signal = this.controller.signal;
    for (const name of SIGNALS) this.on(name, () => this.interrupt(name));
    this.on('uncaughtException', error => this.end(error));
    this.on('unhandledRejection', error => this.end(error));
    this.on('exit', () => this.close());
  }

  /** Tells the command to end. The first reason counts. */
  end(reason: unknown): void {
    this.controller.abort(reason);
  }

  /** Adds what is to be undone at the end, the latest first. It must not wait. */
  onEnd(undo: () => void): void {
    this.undo.push(undo);
  }

  /**
   * The result of `work`, or rejects with why it was ended. With `lastWords`, what resolves in time after a signal has
   * ended well: it has printed its sums.
   */
  async run<T>(work: Promise<T>, lastWords: boolean): Promise<T> {
    const { signal } = this;
    const ended = new Promise<void>(resolve => {
      if (signal.aborted) resolve();
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
    await Promise.race([work.catch(() => undefined), ended]);
    if (!signal.aborted) return work;
    work.catch(() => undefined);
    if (!lastWords || !(signal.reason instanceof Interrupted)) throw signal.reason;
    const tooLate = pause(LAST_WORDS_MS).then(() => Promise.reject(signal.reason));
    tooLate.catch(() => undefined);
    return Promise.race([work, tooLate]);
  }

  /** Undoes everything. A second call does nothing. */
  close(): void {
    clearInterval(this.alive);
    for (const [event, handler] of this.handlers.splice(0)) events.off(event, handler);
    for (let undo = this.undo.pop(); undo !== undefined; undo = this.undo.pop()) {
      try {
        undo();
      } catch (error) {
        // One thing that cannot be removed does not keep the others.
        this.complain(error);
      }
    }
  }

  private complain(error: unknown): void {
    try {
      say(`ethertype: ${error instanceof Error ? error.message : String(error)}`);
    } catch {
      // Nobody listens.
    }
  }

  private on(event: string, handler: (argument: unknown) => void): void {
    this.handlers.push([event, handler]);
    events.on(event, handler);
  }

  /** The first signal asks, the second one does not wait. */
  private interrupt(name: NodeJS.Signals): void {
    const interrupted = new Interrupted(name);
    if (!this.signal.aborted) {
      this.end(interrupted);
      return;
    }
    this.close();
    interrupted.die();
  }
}

/** Resolves after so many milliseconds. */
export function pause(ms: number): Promise<void> {
  return new Promise(resolve => {
    setTimeout(resolve, ms);
  });
}
