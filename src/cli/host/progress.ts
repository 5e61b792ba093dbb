import { writeSync } from 'node:fs';
import { isatty } from 'node:tty';
import { formatBytes, formatRate, formatSeconds } from '../units.ts';

/** A transfer shorter than this needs no progress; and how often a longer one shows it. Milliseconds. */
const AFTER_MS = 1000;
const EVERY_MS = 250;
const STDERR = 2;

/** How far a transfer is, on one line of the terminal that is written again and again. */
export class Progress {
  private readonly beganMs = Date.now();
  private readonly total: number | null;
  private readonly shown: boolean;
  private lastMs = 0;
  private width = 0;

  /** `total` in bytes, null when it is not known. Nothing is shown unless `wanted` and standard error is a terminal. */
  constructor(total: number | null, wanted: boolean) {
    this.total = total;
    this.shown = wanted && isatty(STDERR);
  }

  /** So many bytes have arrived by now. */
  at(bytes: number): void {
    if (!this.shown) return;
    const nowMs = Date.now();
    if (nowMs - this.beganMs < AFTER_MS || nowMs - this.lastMs < EVERY_MS) return;
    this.lastMs = nowMs;
    this.show(progressLine(bytes, this.total, nowMs - this.beganMs));
  }

  /** Takes the line away. */
  end(): void {
    if (this.width > 0) this.show('');
    if (this.width > 0) writeSync(STDERR, '\r');
    this.width = 0;
  }

  private show(line: string): void {
    writeSync(STDERR, `\r${line.padEnd(this.width)}`);
    this.width = Math.max(this.width, line.length);
  }
}

/** '45 %, 450 MB of 1.00 GB, 90.0 MB/s, 6 s left'. */
export function progressLine(bytes: number, total: number | null, ms: number): string {
  const rate = formatRate(bytes, ms);
  if (total === null || total === 0) return `${formatBytes(bytes)}, ${rate}`;
  const left = bytes === 0 ? '' : `, ${formatSeconds(((total - bytes) * ms) / bytes / 1000)} left`;
  const percent = Math.floor((bytes / total) * 100);
  return `${percent} %, ${formatBytes(bytes)} of ${formatBytes(total)}, ${rate}${left}`;
}
