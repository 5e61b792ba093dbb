/** Aborts a signal when nothing has happened for some time. */
export class IdleTimer {
  /** Aborts when the time is over. */
  readonly signal: AbortSignal;
  /** Resolves then. */
  readonly over: Promise<void>;
  private readonly controller = new AbortController();
  private timer: NodeJS.Timeout | null = null;

  /** `seconds` of silence; null waits for ever. */
  constructor(seconds: number | null) {
    this.signal = this.controller.signal;
    this.over = new Promise(resolve => {
      this.signal.addEventListener('abort', () => resolve(), { once: true });
    });
    if (seconds !== null) this.limit(seconds);
  }

  /** Waits no longer than this, from now on. */
  limit(seconds: number): void {
    this.stop();
    this.timer = setTimeout(() => this.controller.abort(), seconds * 1000);
  }

  /** Something happened. */
  touch(): void {
    this.timer?.refresh();
  }

  stop(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
  }
}
